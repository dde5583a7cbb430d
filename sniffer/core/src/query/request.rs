//! What is asked and answered.

use serde::{Deserialize, Serialize};

use super::{CallDetail, CallFilter, CallKey, CallSummary, Counters, RecordFilter, RecordRow, StorageReport};
use crate::record::{RecordKind, RegistrationRecord};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Calls in progress and ended, newest start first. Answered by [`Response::Calls`].
    Calls {
        /// How many at most; see [`MAX_ROWS`](super::MAX_ROWS).
        limit: u16,
        /// Only calls before this one in the list: the `id` of the last row of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<CallKey>,
    },
    /// Kept calls that fit a filter, newest start first. Answered by [`Response::Found`].
    Search {
        /// How many at most; see [`MAX_ROWS`](super::MAX_ROWS).
        limit: u16,
        /// Only calls before this one: `next` of the answer before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<CallKey>,
        /// Which calls.
        #[serde(default)]
        filter: Box<CallFilter>,
    },
    /// A kept call with its streams. Answered by [`Response::Call`].
    Call {
        /// Which one.
        id: CallKey,
    },
    /// Kept records of one kind that fit a filter, newest first. Answered by [`Response::Records`].
    Records {
        /// How many at most; see [`MAX_ROWS`](super::MAX_ROWS).
        limit: u16,
        /// Only records before this one: `next` of the answer before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<CallKey>,
        /// Which records.
        filter: Box<RecordFilter>,
    },
    /// A kept record. Answered by [`Response::Record`].
    Record {
        /// Of which kind.
        kind: RecordKind,
        /// Which one.
        id: CallKey,
    },
    /// The packets of a kept call or record as a pcapng file. Answered by [`Response::Capture`].
    Capture {
        /// Which one.
        id: CallKey,
        /// Of which kind the record is; none for a call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<RecordKind>,
    },
    /// Everything that is counted. Answered by [`Response::Counters`].
    Counters,
    /// What is kept of each kind, and for how long there is room. Answered by [`Response::Storage`].
    Storage,
    /// Registrations seen lately, newest activity first. Answered by [`Response::Registrations`].
    Registrations {
        /// How many at most; see [`MAX_ROWS`](super::MAX_ROWS).
        limit: u16,
    },
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// A page of calls.
    Calls {
        /// The calls, newest start first.
        calls: Vec<CallSummary>,
        /// There are older ones: ask again with `before` set to the last row's `id`.
        more: bool,
    },
    /// Calls that fit a filter.
    Found {
        /// The calls, newest start first. There may be fewer than asked for, even none, while `next` is there: the work
        /// for one answer is bounded.
        calls: Vec<CallSummary>,
        /// Ask again with `before` set to this; none when everything was looked at.
        next: Option<CallKey>,
    },
    /// A call; none when it is not kept.
    Call(Option<Box<CallDetail>>),
    /// Records that fit a filter.
    Records {
        /// The records, newest first. There may be fewer than asked for, even none, while `next` is there: the work for
        /// one answer is bounded. Streams come without their time line.
        records: Vec<RecordRow>,
        /// Ask again with `before` set to this; none when everything was looked at.
        next: Option<CallKey>,
    },
    /// A record; none when it is not kept.
    Record(Option<Box<RecordRow>>),
    /// A capture file follows: messages of raw bytes with their length before them, each at most [`MAX_ANSWER`](super::MAX_ANSWER) long.
    /// An empty one is the end; a connection that closes before has cut the file.
    Capture {
        /// Packets were kept for it; without them the file is empty.
        kept: bool,
    },
    /// What is counted.
    Counters(Box<Counters>),
    /// What is kept.
    Storage(Box<StorageReport>),
    /// Registrations, newest activity first.
    Registrations {
        /// The registrations.
        registrations: Vec<RegistrationRecord>,
        /// There are more than were asked for.
        more: bool,
    },
    /// The request could not be answered.
    Error {
        /// What failed, for a log.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::{
        super::{CallKey, RecordFilter},
        *,
    };
    use crate::time::Timestamp;

    #[test]
    fn every_request_reads_back_and_unknown_ones_are_refused() {
        for request in [
            Request::Calls { limit: 9, before: Some(CallKey::new(Timestamp::from_parts(7, 0), "x")) },
            Request::Search { limit: 1, before: None, filter: Box::default() },
            Request::Call { id: CallKey::from_bytes([7; 16]) },
            Request::Capture { id: CallKey::from_bytes([9; 16]), kind: None },
            Request::Capture { id: CallKey::from_bytes([9; 16]), kind: Some(RecordKind::Stream) },
            Request::Record { kind: RecordKind::Registration, id: CallKey::from_bytes([1; 16]) },
            Request::Records { limit: 2, before: None, filter: Box::new(RecordFilter::of(RecordKind::Exchange)) },
            Request::Storage,
            Request::Counters,
            Request::Registrations { limit: 3 },
        ] {
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        }
        assert!(serde_json::from_str::<Request>("\"shutdown\"").is_err());
    }
}
