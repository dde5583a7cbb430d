//! What is counted.

use serde::{Deserialize, Serialize};

use crate::{record::DroppedByStage, time::Timestamp};

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
