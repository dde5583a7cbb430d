//! What is kept on the disk, and for how long there is room.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

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
