//! What the store writes: values with their checksum, and the few octets of a call by which most searches decide.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use sniffer_core::{
    query::{CallKey, CallSummary, RecordRow},
    record::{CallRecord, CallState, RecordKind, StreamRecord},
    search,
    time::Timestamp,
};

use super::{compact, entries::Entries, index};
use crate::{
    limits,
    packets::{Owner, Wanted},
};

/// A call as it is handed to the store.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its row of the list.
    pub summary: CallSummary,
    /// The call and its streams; none where only the row is known.
    pub detail: Option<Detail>,
    /// Where its packets are.
    pub packets: Option<PacketsOf>,
    /// Nothing will be added to it: a call that has ended is watched for some seconds more.
    pub is_last: bool,
}

/// An ended call with its streams.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Detail {
    /// The call.
    pub record: CallRecord,
    /// Its streams in the order in which they came.
    pub streams: Vec<StreamRecord>,
}

/// Under which name the packet store has the packets of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PacketsOf {
    /// The run of the program.
    pub run: u64,
    /// The call's serial in it.
    pub serial: u64,
}

impl PacketsOf {
    /// The packets of a call of this time.
    #[must_use]
    pub fn of_call(self, start: Timestamp, end: Timestamp) -> Wanted {
        Wanted { run: self.run, owner: Owner::Call(self.serial), start, end }
    }

    /// The packets of a row of a record.
    #[must_use]
    pub fn of_record(self, row: &RecordRow) -> Wanted {
        let owner = match row.record.kind() {
            RecordKind::Stream => Owner::Stream(self.serial),
            RecordKind::Registration | RecordKind::Subscription | RecordKind::Exchange => Owner::Other(self.serial),
        };
        Wanted { run: self.run, owner, start: row.id.start(), end: row.record.times().1 }
    }
}

/// What is written of each call before its details.
#[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Row {
    /// Its row of the list.
    pub summary: CallSummary,
    /// Where its packets are.
    pub packets: Option<PacketsOf>,
}

/// A [`Row`] without a copy.
#[derive(Serialize)]
struct RowOf<'a> {
    summary: &'a CallSummary,
    packets: Option<PacketsOf>,
}

/// A [`Detail`] without a copy.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DetailOf<'a> {
    /// The call.
    pub record: &'a CallRecord,
    /// Its streams in the order in which they came.
    pub streams: &'a [StreamRecord],
}

/// A [`Kept`] without a copy.
#[derive(Clone, Copy, Debug)]
pub struct KeptOf<'a> {
    /// Its row of the list.
    pub summary: &'a CallSummary,
    /// The call and its streams; none where only the row is known.
    pub detail: Option<DetailOf<'a>>,
    /// Where its packets are.
    pub packets: Option<PacketsOf>,
    /// Nothing will be added to it.
    pub is_last: bool,
}

impl Kept {
    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> KeptOf<'_> {
        let detail = self.detail.as_ref().map(|detail| DetailOf { record: &detail.record, streams: &detail.streams });
        KeptOf { summary: &self.summary, detail, packets: self.packets, is_last: self.is_last }
    }
}

impl KeptOf<'_> {
    /// It is only known as what goes on. A call that has ended is watched for some seconds more and comes again, mostly as
    /// it was. A refusal that asks for a password is seldom the end.
    #[must_use]
    pub fn is_in_progress(&self) -> bool {
        let summary = self.summary;
        !self.is_last && (!summary.state.is_final() || matches!(summary.final_status, Some(401 | 407)))
    }

    /// Adds all its entries of the index.
    pub(super) fn entries(&self, all: &mut Entries) {
        let streams = self.detail.map_or(&[][..], |detail| detail.streams);
        index::entries(all, self.summary, Head::of(self.summary), streams, &self.addresses());
    }

    /// Addresses of the call's signalling, on the first hop that was seen.
    fn addresses(&self) -> Vec<IpAddr> {
        let Some(detail) = self.detail else { return Vec::new() };
        let details = &detail.record.details;
        let ends = [details.caller.address.as_deref(), details.callee.address.as_deref()];
        let socket = |text: &str| text.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| text.parse());
        ends.into_iter().flatten().filter_map(|text| socket(text).ok()).collect()
    }
}

/// The value of a call: a CRC-32, the row, the details. Where they are longer than any true ones the row stands alone;
/// none when it is too long itself.
#[must_use]
pub fn encode(call: &Kept) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    encode_parts(&call.parts(), &mut bytes)?;
    Some(bytes)
}

/// The same in memory that is there, and where the details begin.
#[must_use]
pub fn encode_parts(call: &KeptOf<'_>, bytes: &mut Vec<u8>) -> Option<usize> {
    bytes.clear();
    bytes.extend([0; 4]);
    let mut writer = compact::Writer::new(bytes);
    writer.add(&RowOf { summary: call.summary, packets: call.packets }).ok()?;
    let row = writer.length();
    if row > limits::STORE_VALUE {
        return None;
    }
    // Details beyond all bounds do not cost the call.
    if call.detail.as_ref().is_some_and(|detail| writer.add(detail).is_err()) || writer.length() > limits::STORE_VALUE {
        bytes.truncate(row);
    }
    let (checksum, rest) = bytes.split_first_chunk_mut::<4>()?;
    *checksum = crc32fast::hash(rest).to_be_bytes();
    Some(row)
}

/// The row of a value and where it ends; none when the value is damaged.
#[must_use]
pub fn row(value: &[u8]) -> Option<(Row, usize)> {
    if !is_whole(value) {
        return None;
    }
    compact::read(value, 4).ok()
}

/// Says whether a value is as it was written.
#[must_use]
#[inline]
pub fn is_whole(value: &[u8]) -> bool {
    let Some((checksum, rest)) = value.split_first_chunk::<4>() else { return false };
    value.len() <= limits::STORE_VALUE && crc32fast::hash(rest) == u32::from_be_bytes(*checksum)
}

/// The row and the details of a value. There may be no details, and another version's may be unreadable.
#[must_use]
pub fn whole(value: &[u8]) -> Option<(Row, Option<Detail>)> {
    let (row, end) = row(value)?;
    Some((row, compact::read(value, end).ok().map(|(detail, _)| detail)))
}

/// A call as the archive has it.
#[derive(Debug)]
pub struct Written {
    /// Its row of the list.
    pub summary: CallSummary,
    /// It has details: its record has been added to the text.
    pub has_record: bool,
    /// Its streams.
    pub streams: Vec<StreamRecord>,
}

/// A value as the archive has it; the call's record is added to a text as JSON. None when the value is damaged.
#[must_use]
pub fn written(value: &[u8], text: &mut Vec<u8>) -> Option<Written> {
    let (row, end) = row(value)?;
    let begin = text.len();
    let streams = compact::first_member(value, end, compact::Shape::of_calls(), text)
        .and_then(|streams| compact::read::<Vec<StreamRecord>>(value, streams));
    if streams.is_err() {
        text.truncate(begin);
    }
    let (has_record, streams) = streams.map_or((false, Vec::new()), |(streams, _)| (true, streams));
    Some(Written { summary: row.summary, has_record, streams })
}

/// What a search by state, code or quality looks at: it stands in each entry of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    state: u8,
    code: u16,
    /// Hundredths; zero when there is none.
    mos: u16,
    /// Hundredths of a per cent; 0xffff when there is none.
    loss: u16,
}

impl Head {
    /// How many octets it has.
    pub const SIZE: usize = 7;

    /// The head of a call.
    #[must_use]
    pub fn of(call: &CallSummary) -> Self {
        // The lints forbid a plain cast; a score lies between 1 and 5.
        let mos = search::worst_mos(call).map_or(0.0, |mos| (mos * 100.0).clamp(1.0, 500.0).floor());
        Self {
            state: state_number(call.state),
            code: call.final_status.unwrap_or(0),
            mos: (0..=500_u16).find(|step| f32::from(*step) >= mos).unwrap_or(500),
            loss: search::worst_loss(call).unwrap_or(u16::MAX),
        }
    }

    /// The head of something else: a number for its state, its code or zero, its score, and its loss in hundredths of a
    /// per cent.
    #[must_use]
    pub fn new(state: u8, code: u16, mos: Option<f64>, loss: Option<u16>) -> Self {
        let mos = mos.map_or(0.0, |mos| (mos * 100.0).clamp(1.0, 500.0).floor());
        let mos = (0..=500_u16).find(|step| f64::from(*step) >= mos).unwrap_or(500);
        Self { state, code, mos, loss: loss.unwrap_or(u16::MAX) }
    }

    /// The number of the state.
    #[must_use]
    pub fn state(self) -> u8 {
        self.state
    }

    /// The code; zero when there is none.
    #[must_use]
    pub fn code(self) -> u16 {
        self.code
    }

    /// The loss, in hundredths of a per cent.
    #[must_use]
    pub fn loss(self) -> Option<u16> {
        Some(self.loss).filter(|loss| *loss != u16::MAX)
    }

    /// Says whether there is a score that may lie below this one.
    #[must_use]
    pub fn may_score_below(self, below: f64) -> bool {
        self.mos > 0 && f64::from(self.mos.saturating_sub(1)) < below * 100.0
    }

    /// Its octets.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let ([a, b], [c, d], [e, f]) = (self.code.to_be_bytes(), self.mos.to_be_bytes(), self.loss.to_be_bytes());
        [self.state, a, b, c, d, e, f]
    }

    /// The head with these octets.
    #[must_use]
    pub fn from_bytes([state, a, b, c, d, e, f]: [u8; Self::SIZE]) -> Self {
        let number = u16::from_be_bytes;
        Self { state, code: number([a, b]), mos: number([c, d]), loss: number([e, f]) }
    }

    /// Says whether the call may fit: what it says no to does not fit, what it says yes to is looked at whole.
    #[must_use]
    pub fn may_fit(self, filter: &search::CallFilter) -> bool {
        (filter.states.is_empty() || filter.states.iter().any(|state| state_number(*state) == self.state))
            && filter.codes.is_none_or(|(from, to)| (from..=to).contains(&self.code))
            && filter
                .mos_below
                .is_none_or(|below| self.mos > 0 && f32::from(self.mos.saturating_sub(1)) < below * 100.0)
            && filter.loss_above.is_none_or(|above| self.loss != u16::MAX && f32::from(self.loss) > above * 100.0 - 1.0)
    }
}

/// Written on disk: numbers stay.
fn state_number(state: CallState) -> u8 {
    match state {
        CallState::Trying => 1,
        CallState::Ringing => 2,
        CallState::InCall => 3,
        CallState::Completed => 4,
        CallState::Cancelled => 5,
        CallState::Busy => 6,
        CallState::NoAnswer => 7,
        CallState::Declined => 8,
        CallState::Redirected => 9,
        CallState::Failed => 10,
        CallState::TimedOut => 11,
        CallState::Interrupted => 12,
    }
}

/// The octets of a call's key.
pub type Key = [u8; 16];

/// The key of a call that starts at this time or later.
#[must_use]
pub fn first_key_at(time: sniffer_core::time::Timestamp) -> Key {
    (u128::from(time.as_micros()) << 64).to_be_bytes()
}

/// The key as the protocol has it.
#[must_use]
pub fn call_key(key: Key) -> CallKey {
    CallKey::from_bytes(key)
}
