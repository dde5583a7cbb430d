//! The protocol by which other processes ask the running sniffer, over a Unix stream socket. A client sends one request
//! and gets one response, as often as it likes on one connection. Each message is a length (four bytes, big endian, of
//! what follows) and that many bytes of JSON. This module has the types and the framing; it does no I/O.
//!
//! ```
//! use sniffer_core::query::{Request, MAX_REQUEST, frame};
//! let body = serde_json::to_vec(&Request::Calls { limit: 50, before: None }).unwrap();
//! assert_eq!(body, br#"{"calls":{"limit":50}}"#);
//! assert_eq!(frame(&body, MAX_REQUEST).unwrap()[..4], [0, 0, 0, 22]);
//! assert_eq!(serde_json::to_string(&Request::Counters).unwrap(), r#""counters""#);
//! ```

mod key;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::key::{CallKey, NotACallKey};
pub use crate::search::{CallFilter, Comparison, NumberFilter, Party};
use crate::{
    record::{CallRecord, CallState, DroppedByStage, RegistrationRecord, StreamRecord},
    time::Timestamp,
};

/// Longest request body, in bytes.
pub const MAX_REQUEST: u32 = 256 * 1024;
/// Longest response body, in bytes. The sniffer sends fewer rows than asked for rather than a longer one.
pub const MAX_ANSWER: u32 = 4 * 1024 * 1024;
/// Most rows one response carries; a larger `limit` means this many.
pub const MAX_ROWS: u16 = 1000;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Calls in progress and ended, newest start first. Answered by [`Response::Calls`].
    Calls {
        /// How many at most; see [`MAX_ROWS`].
        limit: u16,
        /// Only calls before this one in the list: the `id` of the last row of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<CallKey>,
    },
    /// Kept calls that fit a filter, newest start first. Answered by [`Response::Found`].
    Search {
        /// How many at most; see [`MAX_ROWS`].
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
    /// The packets of a kept call as a pcapng file. Answered by [`Response::Capture`].
    Capture {
        /// Which one.
        id: CallKey,
    },
    /// Everything that is counted. Answered by [`Response::Counters`].
    Counters,
    /// What is kept of each kind, and for how long there is room. Answered by [`Response::Storage`].
    Storage,
    /// Registrations seen lately, newest activity first. Answered by [`Response::Registrations`].
    Registrations {
        /// How many at most; see [`MAX_ROWS`].
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
    /// A capture file follows: messages of raw bytes with their length before them, each at most [`MAX_ANSWER`] long.
    /// An empty one is the end; a connection that closes before has cut the file.
    Capture {
        /// Packets were kept for this call; without them the file is empty.
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

/// One row of the list of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallSummary {
    /// Identity of the call, and the cursor for the next page.
    pub id: CallKey,
    /// The Call-ID header.
    pub call_id: String,
    /// URI of the caller (From).
    pub from: String,
    /// URI of the callee (To).
    pub to: String,
    /// First INVITE.
    pub start: Timestamp,
    /// First 2xx answer.
    pub answered: Option<Timestamp>,
    /// End of the call; none while it is in progress.
    pub end: Option<Timestamp>,
    /// Where the call stands.
    pub state: CallState,
    /// The final answer to the INVITE.
    pub final_status: Option<u16>,
    /// The capture itself lost packets while the call was in progress: do not trust its figures.
    pub lost_here: bool,
    /// Quality of what the caller sent.
    pub caller_to_callee: Option<DirectionQuality>,
    /// Quality of what the callee sent.
    pub callee_to_caller: Option<DirectionQuality>,
}

/// Quality of one direction of a call: its streams taken together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DirectionQuality {
    /// Encoding name of the stream with most packets, if known.
    pub codec: Option<String>,
    /// RTP packets seen, duplicates included.
    pub packets: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// Packets that should have come.
    pub expected: u64,
    /// Mean jitter in milliseconds, of the stream with most packets.
    pub jitter_ms_mean: Option<f32>,
    /// Largest jitter in milliseconds, of all streams.
    pub jitter_ms_max: Option<f32>,
    /// Mean opinion score of the stream with most packets, 1 to 4.5; none when unknown.
    pub mos: Option<f32>,
}

/// A call with everything that is kept of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallDetail {
    /// Its row of the list.
    pub summary: CallSummary,
    /// The call as `sniffer read --json` prints it; none while it is in progress.
    pub record: Option<CallRecord>,
    /// Its streams in the order in which they came; none while it is in progress.
    pub streams: Vec<StreamRecord>,
}

/// What is kept on the disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StorageReport {
    /// Bytes that may still be written to the file system.
    pub free: u64,
    /// Its size in bytes.
    pub total: u64,
    /// Free bytes below which no packet is kept and the oldest things are deleted.
    pub floor: u64,
    /// Keeping packets is stopped because free space has reached the floor.
    pub packets_stopped: bool,
    /// Each kind of thing that is kept.
    pub kinds: Vec<KindReport>,
    /// Packets that were not kept, by reason.
    pub packets_dropped: std::collections::BTreeMap<String, u64>,
    /// Blocks, files and values that were damaged and passed over or cut since start.
    pub damaged: u64,
}

/// What is kept of one kind: `calls`, `archive`, `signalling`, `media`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KindReport {
    /// Its name.
    pub kind: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Most bytes it may take.
    pub limit_bytes: u64,
    /// Days for which it is kept at most.
    pub limit_days: u32,
    /// Time of the oldest thing that is kept.
    pub oldest: Option<Timestamp>,
    /// Bytes that a day adds, by the last hour's rate; none in the first minutes.
    pub bytes_a_day: Option<u64>,
    /// Days until its room is full and the oldest is deleted for want of room; none when the rate is not known or
    /// everything is deleted for its age before.
    pub full_in_days: Option<f64>,
    /// Bytes deleted since start.
    pub deleted_bytes: u64,
}

/// Everything the sniffer counts, since it was started. For the whole:
/// `received` = `delivered` + `waiting` + the sum of all of `dropped`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// When counting began.
    pub since: Timestamp,
    /// The time of this answer.
    pub now: Timestamp,
    /// Each capture port.
    pub ports: Vec<PortCounters>,
    /// Packets given to the engine by all ports.
    pub received: u64,
    /// Packets that reached a call, a registration, a stream or a counter of SIP messages.
    pub delivered: u64,
    /// RTP packets that wait for the SDP which announces them.
    pub waiting: u64,
    /// Packets that went no further, by stage and reason. Records that a sink lost are in `records_dropped`.
    pub dropped: DroppedByStage,
    /// Entries given up early because their table was full, by table.
    #[serde(default)]
    pub evicted: std::collections::BTreeMap<String, u64>,
    /// Packets that the capture itself lost: in cards and queues, in rings that were full, and messages that the owner of
    /// signalling did not take.
    #[serde(default)]
    pub lost_here: u64,
    /// Packets that the kernel's queues between cards and sockets dropped since the machine was started, whatever the
    /// interface (softnet). Those of a port are in its `interface_dropped` too.
    #[serde(default)]
    pub softnet_dropped: u64,
    /// Records that a sink could not take, by reason.
    pub records_dropped: u64,
    /// SIP messages parsed.
    pub sip_messages: u64,
    /// Datagrams that looked like SIP and could not be parsed.
    pub sip_errors: u64,
    /// RTP packets counted into a stream.
    pub rtp_packets: u64,
    /// RTCP packets parsed.
    pub rtcp_packets: u64,
    /// Calls seen since start.
    pub calls: u64,
    /// Calls in progress.
    pub calls_in_progress: u64,
    /// RTP streams being tracked.
    pub streams_active: u64,
    /// Registrations being tracked.
    pub registrations: u64,
    /// How the store of calls is.
    pub store: StoreState,
}

/// What is counted for one capture port. `received` = `delivered` + `kernel_dropped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCounters {
    /// Name of the interface.
    pub name: String,
    /// Whether packets can arrive.
    pub state: PortState,
    /// Packets the kernel saw for this port.
    pub received: u64,
    /// Packets handed to the engine.
    pub delivered: u64,
    /// Packets the kernel dropped because the ring was full.
    pub kernel_dropped: u64,
    /// Packets that the network card, its driver or the kernel's queues lost before the ring: they are not in `received`.
    #[serde(default)]
    pub interface_dropped: u64,
}

/// Whether a port can capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// Capturing.
    Up,
    /// The interface is there without a link, or switched off. Tried again every few seconds.
    Down,
    /// There is no such interface. Tried again every few seconds.
    Missing,
    /// Capture could not be opened. Tried again every few seconds.
    Failed {
        /// What failed.
        message: String,
    },
}

/// How the store of calls is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    /// Calls are kept; this many are.
    Ok {
        /// Calls in the store.
        calls: u64,
    },
    /// Calls are kept, but some that had been kept are lost or cannot be read.
    Damaged {
        /// Calls in the store.
        calls: u64,
        /// What is damaged, for a person.
        message: String,
    },
    /// No store is set: calls are only in memory.
    Off,
    /// The store cannot be used: calls are shown while in progress and then forgotten.
    Failed {
        /// What failed and what to do.
        message: String,
    },
}

/// A message that does not fit the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The message is longer than allowed.
    #[error("a message of {length} bytes is longer than the {limit} allowed")]
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        limit: u32,
    },
}

/// Puts the length before a body. `limit` is [`MAX_REQUEST`] or [`MAX_ANSWER`].
///
/// # Errors
/// When the body is longer than `limit`.
pub fn frame(body: &[u8], limit: u32) -> Result<Vec<u8>, FrameError> {
    let too_long = FrameError::TooLong { length: u64::try_from(body.len()).unwrap_or(u64::MAX), limit };
    let length = u32::try_from(body.len()).map_err(|_| too_long)?;
    if length > limit {
        return Err(too_long);
    }
    let mut message = Vec::with_capacity(body.len().saturating_add(4));
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    Ok(message)
}

/// Reads the length of the body from the four bytes before it, to be checked before anything is allocated.
///
/// # Errors
/// When the body would be longer than `limit`.
pub fn body_length(header: [u8; 4], limit: u32) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(header);
    let too_long = FrameError::TooLong { length: u64::from(length), limit };
    if length > limit {
        return Err(too_long);
    }
    usize::try_from(length).map_err(|_| too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_above_the_limit_is_refused_before_anything_is_read() {
        assert_eq!(body_length([0, 4, 0, 0], MAX_REQUEST), Ok(256 * 1024));
        assert!(body_length([0, 4, 0, 1], MAX_REQUEST).is_err());
        assert!(frame(&[0; 11], 10).is_err());
    }

    #[test]
    fn every_request_reads_back_and_unknown_ones_are_refused() {
        for request in [
            Request::Calls { limit: 9, before: Some(CallKey::new(Timestamp::from_parts(7, 0), "x")) },
            Request::Search { limit: 1, before: None, filter: Box::default() },
            Request::Call { id: CallKey::from_bytes([7; 16]) },
            Request::Capture { id: CallKey::from_bytes([9; 16]) },
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
