//! What is asked of the engine while it works. A reader waits for whoever looks, and its ring holds a tenth of a second:
//! each look is short, and what takes longer is made of several, between which readers have their turn.

use std::cmp::Reverse;

use sniffer_core::{
    engine::{CallSerial, EndedCall, EngineCounters, OtherSerial, StreamSerial},
    query::CallKey,
    record::{CallState, OtherRecord, RegistrationRecord, StreamRecord},
};

use super::{Engines, Kind};
use crate::{limits, lock::lock};

/// What is counted, and how much is at work.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// What is counted.
    pub counters: EngineCounters,
    /// Calls in progress.
    pub calls_in_progress: u64,
    /// Streams that are tracked.
    pub streams_active: u64,
    /// Registrations that are tracked.
    pub registrations: u64,
}

/// Which calls are wanted: the newest that started within these times.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// How many.
    pub limit: usize,
    /// Only calls before this one.
    pub before: Option<CallKey>,
    /// Only this call and later ones.
    pub oldest: Option<CallKey>,
}

/// As many places of a table as are looked at in a turn.
fn places() -> u32 {
    u32::try_from(limits::LOOK_PIECE).unwrap_or(u32::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl Engines {
    /// Gives the calls of a page to `take`, the newest first. Which ones is decided by their times alone; then each is made
    /// a record by a look of its own.
    pub fn page(&self, page: &Page, mut take: impl FnMut(EndedCall)) {
        let starts = match &self.kind {
            Kind::One(engine) => lock(engine).starts(),
            Kind::Many(many) => lock(&many.owner).starts(),
        };
        // A key begins with the start in microseconds; which of those of the same microsecond are wanted, the whole key
        // says.
        let micros = |key: Option<CallKey>| key.map(|key| key.start().as_micros());
        let (before, oldest) = (micros(page.before), micros(page.oldest));
        let is_between =
            |start: u64| before.is_none_or(|end| start <= end) && oldest.is_none_or(|begin| start >= begin);
        let mut wanted: Vec<_> = starts
            .into_iter()
            .map(|(start, call)| Reverse((start.as_micros(), call)))
            .filter(|Reverse((start, _))| is_between(*start))
            .collect();
        let same = wanted.iter().filter(|Reverse((start, _))| Some(*start) == before).count();
        let most = page.limit.saturating_add(same);
        if most > 0 && most < wanted.len() {
            // Up to the end of a microsecond: within it the order is another one.
            let (_, &mut Reverse((last, _)), _) = wanted.select_nth_unstable(most.saturating_sub(1));
            wanted.retain(|Reverse((start, _))| *start >= last);
        }
        wanted.sort_unstable();
        for Reverse((_, serial)) in wanted {
            // One that has ended meanwhile is told by whoever took its end.
            let Some(call) = self.call(serial) else { continue };
            let id = call.summary.id;
            if page.before.is_none_or(|before| id < before) && page.oldest.is_none_or(|oldest| id >= oldest) {
                take(call);
            }
        }
    }

    /// All calls that are tracked, and where they stand.
    #[must_use]
    pub fn states(&self) -> Vec<(CallSerial, CallState)> {
        match &self.kind {
            Kind::One(engine) => lock(engine).states().collect(),
            Kind::Many(many) => lock(&many.owner).states().collect(),
        }
    }

    /// Where a call that is tracked stands.
    #[must_use]
    pub fn call_state(&self, call: CallSerial) -> Option<CallState> {
        match &self.kind {
            Kind::One(engine) => lock(engine).call_state(call),
            Kind::Many(many) => lock(&many.owner).call_state(call),
        }
    }

    /// A call that is tracked, with its streams as they are.
    #[must_use]
    pub fn call(&self, call: CallSerial) -> Option<EndedCall> {
        let many = match &self.kind {
            Kind::One(engine) => return lock(engine).call(call),
            Kind::Many(many) => many,
        };
        let closed = lock(&many.owner).call(call)?;
        let parts = many.desks.iter().map(|desk| lock(&desk.worker).look(call)).collect();
        Some(lock(&many.owner).join(closed, parts))
    }

    /// Gives registrations and subscriptions that go on to `tell`: each that has come to another state since it was told
    /// last, and once an hour.
    pub fn tell_others(&self, tell: &mut dyn FnMut(OtherSerial, OtherRecord)) {
        let most = places();
        (0..).step_by(limits::LOOK_PIECE).find(|from| match &self.kind {
            Kind::One(engine) => !lock(engine).tell_others(*from, most, tell),
            Kind::Many(many) => !lock(&many.owner).tell_others(*from, most, tell),
        });
    }

    /// Gives streams without a call as they are to `tell`.
    pub fn tell_streams(&self, tell: &mut dyn FnMut(StreamSerial, StreamRecord)) {
        let most = places();
        let pieces = || (0..).step_by(limits::LOOK_PIECE);
        match &self.kind {
            Kind::One(engine) => _ = pieces().find(|from| !lock(engine).tell_streams(*from, most, tell)),
            Kind::Many(many) => {
                for desk in &many.desks {
                    pieces().find(|from| !lock(&desk.worker).tell_streams(*from, most, tell));
                }
            }
        }
    }

    /// The registrations that are tracked, newest activity first, at most so many; and how many there are.
    #[must_use]
    pub fn registrations(&self, limit: usize) -> (Vec<RegistrationRecord>, usize) {
        match &self.kind {
            Kind::One(engine) => {
                let engine = lock(engine);
                (engine.newest_registrations(limit), engine.registrations_tracked())
            }
            Kind::Many(many) => {
                let owner = lock(&many.owner);
                (owner.newest_registrations(limit), owner.registrations_tracked())
            }
        }
    }

    /// What is counted, and how much is at work.
    #[must_use]
    pub fn figures(&self) -> Figures {
        match &self.kind {
            Kind::One(engine) => {
                let engine = lock(engine);
                Figures {
                    counters: engine.counters(),
                    calls_in_progress: engine.calls_in_progress(),
                    streams_active: engine.streams_active(),
                    registrations: count(engine.registrations_tracked()),
                }
            }
            Kind::Many(many) => {
                let mut figures = Figures::default();
                for desk in &many.desks {
                    let worker = lock(&desk.worker);
                    worker.count(&mut figures.counters);
                    figures.streams_active = figures.streams_active.saturating_add(count(worker.streams_active()));
                }
                let owner = lock(&many.owner);
                owner.count(&mut figures.counters);
                figures.calls_in_progress = count(owner.calls_in_progress());
                figures.registrations = count(owner.registrations_tracked());
                figures
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use sniffer_core::{
        decode::LinkType,
        engine::{FrameMeta, Settings},
        time::Timestamp,
    };

    use super::*;

    const CALLS: u64 = 300;

    fn meta(call: u64) -> FrameMeta {
        // Three start at the same time.
        let millis = i64::try_from(call / 3).unwrap();
        FrameMeta { time: Timestamp::from_nanos(1_000_000_000_000 + millis * 1_000_000), vlan: None }
    }

    fn message(call: u64, method: &str) -> Vec<u8> {
        let text = format!(
            "{method} sip:b@x SIP/2.0\r\nCall-ID: c{call}\r\nFrom: <sip:a{call}@x>;tag=a\r\nTo: <sip:b@x>\r\nCSeq: 1 {method}\r\n\r\n"
        );
        let length = u16::try_from(text.len()).unwrap();
        let mut bytes = vec![0x45, 0];
        bytes.extend((length + 28).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0xc4, 0x13, 0xc4]);
        bytes.extend([(length + 8).to_be_bytes(), [0, 0]].concat());
        bytes.extend(text.as_bytes());
        bytes
    }

    fn engines(workers: u8, method: &str) -> Engines {
        let engines = Engines::new(Settings::default(), workers);
        for call in 0..CALLS {
            let bytes = message(call, method);
            engines.burst(0, |turn| turn.frame(LinkType::RawIp, meta(call), &bytes));
        }
        let now = meta(CALLS).time.after(std::time::Duration::from_secs(1));
        engines.pump(now, std::time::Duration::ZERO, &mut |_, _| ());
        engines
    }

    fn ids(engines: &Engines, page: &Page) -> Vec<CallKey> {
        let mut ids = Vec::new();
        engines.page(page, |call| ids.push(call.summary.id));
        ids
    }

    #[test]
    fn pages_of_calls_are_made_of_the_newest_alone_and_leave_none_out() {
        for workers in [1, 2] {
            let engines = engines(workers, "INVITE");
            let mut all = Vec::new();
            let mut before = None;
            loop {
                let mut page = ids(&engines, &Page { limit: 7, before, oldest: None });
                assert!(page.len() <= 7 + 3 + 3, "only what may be on the page is made a record");
                page.sort_unstable_by_key(|id| Reverse(*id));
                page.truncate(7);
                let Some(last) = page.last() else { break };
                before = Some(*last);
                all.extend(page);
            }
            assert!(all.is_sorted_by(|a, b| a > b));
            assert_eq!(all.len(), usize::try_from(CALLS).unwrap(), "{workers} workers");
            let late = ids(&engines, &Page { limit: 1000, before: None, oldest: Some(all[20]) });
            assert_eq!(late.len(), 21);
        }
    }

    /// The reader has no other way to the engine than while nobody looks.
    #[test]
    fn a_reader_has_its_turn_between_two_calls_of_a_list() {
        let engines = engines(1, "INVITE");
        let (turns, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    engines.burst(0, |turn| turn.frame(LinkType::RawIp, meta(CALLS), &[0x45]));
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
            let (mut looks, mut waits) = (0, 0);
            engines.page(&Page { limit: 21, before: None, oldest: None }, |_| {
                looks += 1;
                let before = turns.load(Ordering::Relaxed);
                // A turn that had begun, and one more. With the engine held it never comes; a busy machine takes its time.
                while turns.load(Ordering::Relaxed) < before + 2 && waits < 20_000 {
                    waits += 1;
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            });
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(looks, 21);
            assert!(waits < 20_000, "the reader waits for the list");
        });
    }

    #[test]
    fn registrations_are_counted_without_a_record_of_each_and_the_newest_come_first() {
        for workers in [1, 2] {
            let engines = engines(workers, "REGISTER");
            let (newest, all) = engines.registrations(10);
            assert_eq!((newest.len(), all, engines.figures().registrations), (10, 300, CALLS), "{workers} workers");
            assert!(newest.is_sorted_by(|a, b| (a.last, &a.call_id) > (b.last, &b.call_id)));
            assert_eq!(newest[0].call_id, "c299");
        }
    }
}
