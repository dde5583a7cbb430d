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

mod counters;
mod framing;
mod key;
mod request;
mod rows;
mod storage;

pub use self::{
    counters::{Counters, PortCounters, PortState, StoreState},
    framing::{FrameError, body_length, frame},
    key::{CallKey, NotACallKey},
    request::{Request, Response},
    rows::{CallDetail, CallSummary, DirectionQuality, RecordRow},
    storage::{KindReport, StorageReport},
};
pub use crate::{
    record::{OtherRecord, RecordKind},
    search::{CallFilter, Comparison, NumberFilter, Party, RecordFilter},
};

/// Longest request body, in bytes.
pub const MAX_REQUEST: u32 = 256 * 1024;
/// Longest response body, in bytes. The sniffer sends fewer rows than asked for rather than a longer one.
pub const MAX_ANSWER: u32 = 4 * 1024 * 1024;
/// Most rows one response carries; a larger `limit` means this many.
pub const MAX_ROWS: u16 = 1000;
