//! Retention: what is deleted, and for how long there is room. Each kind has its own days and bytes; below a floor of
//! free space the oldest goes first whatever its kind's bounds say: media before signalling before the archive. The
//! database of calls does not shrink, so calls are only held to their own bounds.

use std::{collections::VecDeque, io, time::Duration};

use serde::Deserialize;
use sniffer_core::{query::KindReport, time::Timestamp};

use crate::{archive::Archive, disk::Space, limits, packets::Segments};

/// How much of one kind is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Typed")]
pub struct Bound {
    /// For how many days at most.
    pub days: u32,
    /// How many gigabytes (1,000,000,000 bytes) at most.
    pub gigabytes: u64,
}

/// A bound as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    days: u32,
    gigabytes: u64,
}

impl TryFrom<Typed> for Bound {
    type Error = String;

    fn try_from(typed: Typed) -> Result<Self, String> {
        let Typed { days, gigabytes } = typed;
        if !(1..=36_500).contains(&days) {
            return Err(format!("{days} days: 1 to 36500 are possible"));
        }
        if gigabytes > 1_000_000 {
            return Err(format!("{gigabytes} gigabytes: 1000000 at most are possible"));
        }
        Ok(Self { days, gigabytes })
    }
}

impl Bound {
    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.gigabytes.saturating_mul(1_000_000_000)
    }

    /// What is older than this goes.
    #[must_use]
    pub fn since(self, now: Timestamp) -> Timestamp {
        let age = i64::from(self.days).saturating_mul(86_400).saturating_mul(1_000_000_000);
        Timestamp::from_nanos(now.as_nanos().saturating_sub(age))
    }
}

/// Something that is kept in files which go one by one, the oldest first.
pub trait Files {
    /// Bytes of all.
    ///
    /// # Errors
    /// When the disk fails.
    fn bytes(&self) -> io::Result<u64>;
    /// Time of the oldest.
    ///
    /// # Errors
    /// When the disk fails.
    fn oldest(&self) -> io::Result<Option<Timestamp>>;
    /// Up to when the oldest file reaches.
    ///
    /// # Errors
    /// When the disk fails.
    fn oldest_ends(&self) -> io::Result<Option<Timestamp>>;
    /// Deletes the oldest; its bytes.
    ///
    /// # Errors
    /// When the disk fails.
    fn delete_oldest(&self) -> io::Result<Option<u64>>;
}

impl Files for Segments {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.usage().bytes)
    }

    fn oldest(&self) -> io::Result<Option<Timestamp>> {
        Ok(self.usage().oldest)
    }

    fn oldest_ends(&self) -> io::Result<Option<Timestamp>> {
        Ok(Segments::oldest_ends(self))
    }

    fn delete_oldest(&self) -> io::Result<Option<u64>> {
        Segments::delete_oldest(self)
    }
}

impl Files for Archive {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.usage()?.bytes)
    }

    fn oldest(&self) -> io::Result<Option<Timestamp>> {
        Ok(self.usage()?.oldest)
    }

    fn oldest_ends(&self) -> io::Result<Option<Timestamp>> {
        Archive::oldest_ends(self)
    }

    fn delete_oldest(&self) -> io::Result<Option<u64>> {
        Archive::delete_oldest(self)
    }
}

/// Deletes what is too old or too much of one kind. Returns the bytes that went.
///
/// # Errors
/// When the disk fails; what was deleted before is gone.
pub fn keep_within(files: &dyn Files, bound: Bound, now: Timestamp) -> io::Result<u64> {
    let since = bound.since(now);
    let mut deleted = 0_u64;
    while files.bytes()? > bound.bytes() || files.oldest_ends()?.is_some_and(|end| end < since) {
        let Some(bytes) = files.delete_oldest()? else { break };
        deleted = deleted.saturating_add(bytes);
    }
    Ok(deleted)
}

/// Deletes the oldest of these, in their order, until free space is above the floor by what is written until the next
/// look. Returns the bytes that went of each.
///
/// # Errors
/// When the disk fails; what was deleted before is gone.
pub fn keep_floor(
    kinds: &[&dyn Files],
    floor: u64,
    mut space: impl FnMut() -> io::Result<Space>,
) -> io::Result<Vec<u64>> {
    let mut deleted = vec![0_u64; kinds.len()];
    for (files, deleted) in kinds.iter().zip(&mut deleted) {
        while space()?.free < floor.saturating_add(limits::FLOOR_ROOM) {
            let Some(bytes) = files.delete_oldest()? else { break };
            *deleted = deleted.saturating_add(bytes);
        }
    }
    Ok(deleted)
}

/// The rate at which a kind grows, by what was added within the last hour.
#[derive(Debug, Default)]
pub struct Growth {
    deleted: u64,
    /// Time, and bytes ever added: what is there and what was deleted.
    seen: VecDeque<(Timestamp, u64)>,
}

impl Growth {
    /// Takes note of what was deleted.
    pub fn delete(&mut self, bytes: u64) {
        self.deleted = self.deleted.saturating_add(bytes);
    }

    /// Takes note of what is there.
    pub fn see(&mut self, now: Timestamp, bytes: u64) {
        let added = bytes.saturating_add(self.deleted);
        if self.seen.back().is_some_and(|(last, _)| now.since(*last) < limits::GROWTH_STEP) {
            return;
        }
        self.seen.push_back((now, added));
        while self.seen.front().is_some_and(|(first, _)| now.since(*first) > limits::GROWTH_TIME) {
            self.seen.pop_front();
        }
    }

    /// Bytes a day; none before some minutes were seen.
    #[must_use]
    pub fn bytes_a_day(&self) -> Option<u64> {
        let ((first, from), (last, to)) = (self.seen.front()?, self.seen.back()?);
        let time = last.since(*first);
        if time < limits::GROWTH_LEAST {
            return None;
        }
        let a_day = u128::from(to.saturating_sub(*from)).saturating_mul(Duration::from_secs(86_400).as_millis());
        u64::try_from(a_day.checked_div(time.as_millis())?).ok()
    }

    /// What a kind gets of the room into which all grow, by their rates: all of it where nothing is known to grow.
    #[must_use]
    pub fn share(&self, room: u64, all_a_day: u64) -> u64 {
        let Some(own) = self.bytes_a_day() else { return room };
        let share = u128::from(room).saturating_mul(u128::from(own)).checked_div(u128::from(all_a_day));
        share.and_then(|share| u64::try_from(share).ok()).unwrap_or(room)
    }

    /// The report of a kind. `room` is its share of what may still be added before the floor of free space is reached.
    #[must_use]
    pub fn report(&self, kind: &str, bound: Bound, bytes: u64, oldest: Option<Timestamp>, room: u64) -> KindReport {
        let bytes_a_day = self.bytes_a_day();
        let left = bound.bytes().saturating_sub(bytes).min(room);
        KindReport {
            kind: kind.to_owned(),
            bytes,
            limit_bytes: bound.bytes(),
            limit_days: bound.days,
            oldest,
            bytes_a_day,
            full_in_days: bytes_a_day.and_then(|rate| full_in_days(left, rate, bytes, bound)),
            deleted_bytes: self.deleted,
        }
    }
}

/// Days until the room is full; none when what is kept for all its days takes less.
fn full_in_days(left: u64, a_day: u64, bytes: u64, bound: Bound) -> Option<f64> {
    if a_day == 0 || a_day.saturating_mul(u64::from(bound.days)) <= left.saturating_add(bytes) {
        return None;
    }
    let tenths = left.saturating_mul(10).checked_div(a_day)?;
    Some(f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    fn day(number: u64) -> Timestamp {
        Timestamp::from_parts(number * 86_400, 0)
    }

    /// Files of one byte for each day.
    struct Days(RefCell<VecDeque<u64>>, u64);

    impl Files for Days {
        fn bytes(&self) -> io::Result<u64> {
            Ok(u64::try_from(self.0.borrow().len()).unwrap() * self.1)
        }
        fn oldest(&self) -> io::Result<Option<Timestamp>> {
            Ok(self.0.borrow().front().map(|number| day(*number)))
        }
        fn oldest_ends(&self) -> io::Result<Option<Timestamp>> {
            Ok(self.0.borrow().front().map(|number| day(number + 1)))
        }
        fn delete_oldest(&self) -> io::Result<Option<u64>> {
            Ok(self.0.borrow_mut().pop_front().map(|_| self.1))
        }
    }

    #[test]
    fn what_is_too_old_or_too_much_goes_the_oldest_first_and_no_more() {
        let days = Days(RefCell::new((0..20).collect()), 1_000_000_000);
        assert_eq!(keep_within(&days, Bound { days: 7, gigabytes: 100 }, day(20)).unwrap(), 12_000_000_000);
        assert_eq!(days.0.borrow().front(), Some(&12), "it reaches to the thirteenth day, seven days ago");
        assert_eq!(keep_within(&days, Bound { days: 7, gigabytes: 3 }, day(20)).unwrap(), 5_000_000_000);
        assert_eq!(days.0.borrow().iter().copied().collect::<Vec<_>>(), [17, 18, 19]);
        assert_eq!(keep_within(&days, Bound { days: 7, gigabytes: 3 }, day(20)).unwrap(), 0);
        keep_within(&days, Bound { days: 7, gigabytes: 0 }, day(20)).unwrap();
        assert!(days.0.borrow().is_empty(), "nothing of the kind is wanted");
    }

    #[test]
    fn below_the_floor_media_goes_before_signalling() {
        let media = Days(RefCell::new((0..3).collect()), 1 << 30);
        let signalling = Days(RefCell::new((0..3).collect()), 1 << 30);
        let free = Cell::new(0_u64);
        let space = || {
            let gone = 6 - media.0.borrow().len() - signalling.0.borrow().len();
            free.set(u64::try_from(gone).unwrap() << 30);
            Ok(Space { free: free.get(), total: 9 << 30 })
        };
        assert_eq!(keep_floor(&[&media, &signalling], 1 << 30, space).unwrap(), [2 << 30, 0]);
        assert_eq!(keep_floor(&[&media, &signalling], 4 << 30, space).unwrap(), [1 << 30, 2 << 30]);
        assert_eq!(keep_floor(&[&media, &signalling], 1 << 50, space).unwrap(), [0, 1 << 30], "nothing is left");
    }

    #[test]
    fn the_forecast_follows_the_rate_and_says_nothing_where_age_deletes_before_room_does() {
        let mut growth = Growth::default();
        assert_eq!(growth.bytes_a_day(), None);
        let gigabyte = 1_000_000_000_u64;
        // A gigabyte an hour, of which what is deleted does not hide anything.
        for minute in 0..=60_u64 {
            if minute == 30 {
                growth.delete(gigabyte);
            }
            let there = 10 * gigabyte + gigabyte * minute / 60 - if minute >= 30 { gigabyte } else { 0 };
            growth.see(Timestamp::from_parts(minute * 60, 0), there);
        }
        assert_eq!(growth.bytes_a_day(), Some(24 * gigabyte));
        let report = growth.report("media", Bound { days: 30, gigabytes: 100 }, 10 * gigabyte, None, u64::MAX);
        assert_eq!((report.full_in_days, report.deleted_bytes), (Some(3.7), gigabyte));
        let report = growth.report("media", Bound { days: 30, gigabytes: 100 }, 10 * gigabyte, None, 24 * gigabyte);
        assert_eq!(report.full_in_days, Some(1.0), "the disk is smaller than what is set");
        // Others that grow three times as fast take three quarters of the same room.
        assert_eq!(growth.share(100 * gigabyte, 96 * gigabyte), 25 * gigabyte);
        assert_eq!((growth.share(7, 0), Growth::default().share(7, 96)), (7, 7), "nothing is known");
        let report = growth.report("media", Bound { days: 3, gigabytes: 100 }, 10 * gigabyte, None, u64::MAX);
        assert_eq!(report.full_in_days, None);
    }
}
