//! Registrations, subscriptions, exchanges and streams without a call: their rows, and what the store does for them
//! beside what it does for calls.
//!
//! A row is written again for as long as its record goes on. A record that goes on for more than a day has a row for each
//! day, so that a phone that has been registered for months is found where it was, and what is old can be deleted.

use std::{borrow::Cow, net::IpAddr};

use redb::{ReadableDatabase, ReadableTable};
use serde::{Serialize, de::DeserializeOwned};
use sniffer_core::{
    query::{CallKey, RecordRow},
    record::{OtherRecord, RecordKind, RegistrationState, SubscriptionState},
    search::{self, RecordFilter, records},
    time::Timestamp,
};

use super::{
    CALLS, META, OPEN, PacketsOf, Store, StoreError, UNARCHIVED, compact,
    entries::Entries,
    index::{self, Kind, Probe, Sought},
    kind::{Damaged, Stored, Wanted},
    search::Rows,
    value::{self, Head, Key},
    write::hour,
};
use crate::limits;

/// A record as it is handed to the store.
#[derive(Clone, Debug)]
pub struct KeptRecord {
    /// Its row's key.
    pub id: CallKey,
    /// The record.
    pub record: OtherRecord,
    /// Where its packets are.
    pub packets: Option<PacketsOf>,
    /// Nothing will be added to it.
    pub is_last: bool,
    /// The key of its row of the day before.
    before: Option<CallKey>,
}

impl KeptRecord {
    /// A record for its row of the day in which it was seen last.
    #[must_use]
    pub fn new(record: OtherRecord, packets: Option<PacketsOf>, is_last: bool) -> Self {
        let (start, last) = record.times();
        let day = limits::RECORD_ROW;
        let days = last.since(start).as_secs().checked_div(day.as_secs()).unwrap_or(0);
        let name = name(&record);
        let key = |days: u64| {
            let days = u32::try_from(days).unwrap_or(u32::MAX);
            CallKey::new(start.after(day.saturating_mul(days)), &name)
        };
        let before = days.checked_sub(1).map(key);
        Self { id: key(days), record, packets, is_last, before }
    }
}

/// What tells a record from all others of its kind that began at the same time.
fn name(record: &OtherRecord) -> String {
    match record {
        OtherRecord::Registration(one) => format!("{}\0{}", one.call_id, one.aor),
        OtherRecord::Subscription(one) => one.call_id.clone(),
        OtherRecord::Exchange(one) => [&*one.method, &one.src, &one.dst, &one.from, &one.to, &one.call_id].join("\0"),
        OtherRecord::Stream(one) => format!("{}\0{}\0{}", one.src, one.dst, one.ssrc),
    }
}

/// What is written before the record.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, serde::Deserialize)]
struct Place {
    packets: Option<PacketsOf>,
    /// It will be written again.
    goes_on: bool,
    kind: RecordKind,
}

/// The value of a record: a CRC-32, where its packets are, the record. Where it is longer than any true one it is left
/// without its time line.
fn encode(kept: &KeptRecord) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    let mut write = |record: &OtherRecord| {
        bytes.clear();
        bytes.extend([0; 4]);
        let mut writer = compact::Writer::new(&mut bytes);
        writer.add(&Place { packets: kept.packets, goes_on: !kept.is_last, kind: record.kind() }).ok()?;
        match record {
            OtherRecord::Registration(one) => writer.add(one),
            OtherRecord::Subscription(one) => writer.add(one),
            OtherRecord::Exchange(one) => writer.add(one),
            OtherRecord::Stream(one) => writer.add(one),
        }
        .ok()?;
        (writer.length() <= limits::STORE_VALUE).then_some(())
    };
    if write(&kept.record).is_none() {
        write(&short(&kept.record)?)?;
    }
    let (checksum, rest) = bytes.split_first_chunk_mut::<4>()?;
    *checksum = crc32fast::hash(rest).to_be_bytes();
    Some(bytes)
}

/// A stream without its time line; none of what has none.
fn short(record: &OtherRecord) -> Option<OtherRecord> {
    match record {
        OtherRecord::Stream(one) => {
            let mut one = one.clone();
            one.timeline = Vec::new();
            Some(OtherRecord::Stream(one))
        }
        OtherRecord::Registration(_) | OtherRecord::Subscription(_) | OtherRecord::Exchange(_) => None,
    }
}

fn place(value: &[u8]) -> Option<(Place, usize)> {
    if !value::is_whole(value) {
        return None;
    }
    compact::read(value, 4).ok()
}

/// The record of a value and where its packets are; none when the value is damaged.
fn read(value: &[u8]) -> Option<(OtherRecord, Place)> {
    fn one<T: DeserializeOwned>(value: &[u8], at: usize) -> Option<Box<T>> {
        compact::read(value, at).ok().map(|(record, _)| record)
    }
    let (place, at) = place(value)?;
    let record = match place.kind {
        RecordKind::Registration => OtherRecord::Registration(one(value, at)?),
        RecordKind::Subscription => OtherRecord::Subscription(one(value, at)?),
        RecordKind::Exchange => OtherRecord::Exchange(one(value, at)?),
        RecordKind::Stream => OtherRecord::Stream(one(value, at)?),
    };
    Some((record, place))
}

/// Several final answers: each is looked at.
const MANY: u16 = u16::MAX;

fn head(record: &OtherRecord) -> Head {
    let codes = records::codes(record);
    let code = match codes[..] {
        [] => 0,
        [code] => code,
        [_, _, ..] => MANY,
    };
    let (mos, loss) = records::quality(record);
    match record {
        OtherRecord::Registration(one) => Head::new(registration_number(one.state), code, None, None),
        OtherRecord::Subscription(one) => Head::new(subscription_number(one.state), code, None, None),
        OtherRecord::Exchange(one) => {
            let unanswered = u16::try_from(one.unanswered).unwrap_or(u16::MAX);
            Head::new(method_number(&one.method), code, None, Some(unanswered))
        }
        OtherRecord::Stream(_) => Head::new(0, 0, mos, loss),
    }
}

/// Written on disk: numbers stay.
fn registration_number(state: RegistrationState) -> u8 {
    match state {
        RegistrationState::Trying => 1,
        RegistrationState::Challenged => 2,
        RegistrationState::Registered => 3,
        RegistrationState::Unregistered => 4,
        RegistrationState::Failed => 5,
    }
}

/// Written on disk: numbers stay.
fn subscription_number(state: SubscriptionState) -> u8 {
    match state {
        SubscriptionState::Trying => 1,
        SubscriptionState::Challenged => 2,
        SubscriptionState::Pending => 3,
        SubscriptionState::Active => 4,
        SubscriptionState::Terminated => 5,
        SubscriptionState::Failed => 6,
    }
}

/// Written on disk: numbers stay. Zero for what has none.
fn method_number(method: &str) -> u8 {
    let known = ["OPTIONS", "MESSAGE", "PUBLISH", "NOTIFY", "INFO", "BYE", "ACK", "UPDATE", "PRACK", "CANCEL", "REFER"];
    known.iter().zip(1..).find(|(name, _)| **name == method).map_or(0, |(_, number)| number)
}

fn entries(id: CallKey, record: &OtherRecord, all: &mut Entries) {
    let (key, head) = (id.to_bytes(), head(record));
    let mut add = |kind: Kind, token: &[u8]| all.add(&[&index::begin(kind), token, &[0], &key], head);
    add(Kind::Time, &[]);
    if let Some(call_id) = record.call_id() {
        add(Kind::CallId, &index::call_id_token(call_id));
    }
    let (from, to) = records::sides(record);
    for (uri, forward, backward) in
        [(from, Kind::Caller, Kind::CallerReversed), (to, Kind::Callee, Kind::CalleeReversed)]
    {
        let Some(number) = uri.map(search::number) else { continue };
        add(forward, number.as_bytes());
        add(backward, index::reversed(&number).as_bytes());
    }
    let addresses: std::collections::BTreeSet<IpAddr> =
        records::addresses(record).into_iter().take(limits::STORE_ADDRESSES).collect();
    for address in addresses {
        let (kind, token) = index::address_token(address);
        add(kind, &token);
    }
    if let OtherRecord::Stream(stream) = record {
        add(Kind::Ssrc, &stream.ssrc.to_be_bytes());
    }
}

impl Stored for KeptRecord {
    fn key(&self) -> Key {
        self.id.to_bytes()
    }

    fn head(&self) -> Head {
        head(&self.record)
    }

    fn encode(&self) -> Option<Cow<'_, [u8]>> {
        encode(self).map(Cow::Owned)
    }

    fn entries(&self, all: &mut Entries) {
        entries(self.id, &self.record, all);
    }

    fn is_in_progress(&self) -> bool {
        false
    }

    fn goes_on(&self) -> bool {
        !self.is_last
    }

    fn row_before(&self) -> Option<Key> {
        self.before.map(CallKey::to_bytes)
    }

    fn went_on(before: &[u8]) -> bool {
        place(before).is_some_and(|(place, _)| place.goes_on)
    }

    fn is_found_as(&self, before: &[u8]) -> bool {
        let of = |record: &OtherRecord| {
            let mut all = Entries::default();
            entries(self.id, record, &mut all);
            all
        };
        let own = of(&self.record);
        read(before).is_some_and(|(before, _)| {
            let before = of(&before);
            before.iter().eq(own.iter())
        })
    }
}

impl Wanted for RecordFilter {
    type Row = RecordRow;

    fn times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.since, self.until)
    }

    fn probes(&self) -> Vec<Probe> {
        index::probes_for(&Sought {
            call_id: self.call_id.as_deref(),
            number: self.number.as_ref(),
            address: self.address,
            ssrc: self.ssrc,
        })
    }

    fn may_fit(&self, head: Head) -> bool {
        let state = head.state();
        let registrations = || self.registration_states.iter().map(|state| registration_number(*state));
        let subscriptions = || self.subscription_states.iter().map(|state| subscription_number(*state));
        (match self.kind {
            RecordKind::Registration => self.registration_states.is_empty() || registrations().any(|one| one == state),
            RecordKind::Subscription => self.subscription_states.is_empty() || subscriptions().any(|one| one == state),
            RecordKind::Exchange => {
                self.method.as_deref().is_none_or(|method| method_number(method) == state)
                    && (!self.unanswered || head.loss() != Some(0))
            }
            RecordKind::Stream => self.mos_below.is_none_or(|below| head.may_score_below(below)),
        }) && self.codes.is_none_or(|(from, to)| head.code() == MANY || (from..=to).contains(&head.code()))
    }

    fn address(&self) -> Option<IpAddr> {
        // A record tells all its addresses.
        None
    }

    fn row(&self, key: Key, value: &[u8]) -> Result<Option<RecordRow>, Damaged> {
        let (record, _) = read(value).ok_or(Damaged)?;
        if !self.fits(&record) {
            return Ok(None);
        }
        let record = short(&record).unwrap_or(record);
        Ok(Some(RecordRow { id: value::call_key(key), record }))
    }
}

impl Store {
    /// Records that fit a filter, newest first, before a row or from the newest on, as [`Store::search`] finds calls.
    /// Streams come without their time line.
    ///
    /// # Errors
    /// When the database fails.
    pub fn search_records(
        &self,
        filter: &RecordFilter,
        limit: usize,
        before: Option<CallKey>,
    ) -> Result<Rows<RecordRow>, StoreError> {
        self.find(filter, limit, before)
    }

    /// A record, and where its packets are.
    ///
    /// # Errors
    /// When the database fails.
    pub fn record(&self, id: CallKey) -> Result<Option<(RecordRow, Option<PacketsOf>)>, StoreError> {
        let reading = self.0.database.begin_read().map_err(|error| self.failed(error))?;
        let rows = reading.open_table(CALLS).map_err(|error| self.failed(error))?;
        let Some(value) = rows.get(&id.to_bytes()).map_err(|error| self.failed(error))? else { return Ok(None) };
        let Some((record, place)) = read(value.value()) else {
            self.count_damage();
            return Ok(None);
        };
        Ok(Some((RecordRow { id, record }, place.packets)))
    }

    /// Records; those that are not kept are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub fn records(&self, ids: &[CallKey]) -> Result<Vec<RecordRow>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            found.extend(self.record(*id)?.map(|(row, _)| row));
        }
        Ok(found)
    }

    /// Rows that were to be written again when the sniffer last stopped are archived as they are: what goes on has
    /// another row from here on.
    pub(super) fn end_rows(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let writing = self.begin()?;
            let count = (|| -> Result<usize, redb::Error> {
                let mut open = writing.open_table(OPEN)?;
                let mut keys: Vec<Key> = Vec::new();
                for entry in open.iter()?.take(limits::STORE_BATCH) {
                    keys.push(*entry?.0.value());
                }
                for key in &keys {
                    open.remove(key)?;
                }
                if !keys.is_empty() {
                    let commit = self.next_commit();
                    writing.open_table(UNARCHIVED)?.insert((hour(now), commit), keys.concat().as_slice())?;
                    let next = commit.saturating_add(1).to_be_bytes();
                    writing.open_table(META)?.insert("next commit", &next[..])?;
                }
                Ok(keys.len())
            })()
            .map_err(|error| self.failed(error))?;
            if count == 0 {
                return writing.abort().map_err(|error| self.failed(error));
            }
            writing.commit().map_err(|error| self.failed(error))?;
            self.index_mut().next_commit += 1;
        }
    }
}

#[cfg(test)]
pub mod tests;
