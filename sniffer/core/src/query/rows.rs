//! What is kept, as it is given away: calls, and records of all else.

use serde::{Deserialize, Serialize};

use super::CallKey;
use crate::{
    record::{CallRecord, CallState, OtherRecord, StreamRecord},
    time::Timestamp,
};

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

/// A kept record of what is neither a call nor of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordRow {
    /// Its identity, and the cursor for the next page. A record that goes on for more than a day has a row for each day:
    /// the key begins with the time at which its row begins.
    pub id: CallKey,
    /// The record as `sniffer read --json` prints it, as it was when this row was written last.
    pub record: OtherRecord,
}
