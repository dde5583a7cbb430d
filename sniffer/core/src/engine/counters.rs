//! What an engine counts, of all its parts.

use std::collections::BTreeMap;

use super::{MediaCounters, Methods, SignallingCounters};
use crate::{drops::Dropped, ingress, sip};

/// What is counted. `received` = `delivered` + `waiting` + the sum of `dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Frames given to the engine.
    pub received: u64,
    /// Frames that reached a call, a registration, a stream or a counter of SIP messages.
    pub delivered: u64,
    /// Frames that wait: RTP for the SDP which announces it, fragments and segments for the rest of their datagram.
    pub waiting: u64,
    /// Frames that went no further.
    pub dropped: Dropped,
    /// SIP messages parsed.
    pub sip_messages: u64,
    /// Datagrams that looked like SIP and could not be parsed.
    pub sip_errors: u64,
    /// SIP requests by method; only those that came.
    pub sip_requests: BTreeMap<sip::Method, u64>,
    /// RTP packets counted into a stream.
    pub rtp_packets: u64,
    /// RTCP packets parsed.
    pub rtcp_packets: u64,
    /// Packets of fax to or from a place that an SDP announced for it.
    pub fax_packets: u64,
    /// Calls begun.
    pub calls: u64,
    /// Streams begun: of a call, or without signalling where that is switched on.
    pub streams: u64,
    /// Registrations begun.
    pub registrations: u64,
    /// Subscriptions begun.
    pub subscriptions: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// What is counted of each SIP method.
    pub methods: Methods,
    /// Entries given up early because their table was full.
    pub evicted: Evicted,
    /// What was put together from fragments and streams.
    pub joined: ingress::Joined,
    /// Packets that the capture says it lost.
    pub lost_by_capture: u64,
}

/// Entries given up early because their table was full, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Calls.
    pub calls: u64,
    /// Registrations.
    pub registrations: u64,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Exchanges, which are reported early.
    pub exchanges: u64,
    /// RTP streams that waited for their SDP.
    pub pending_streams: u64,
    /// Directions of TCP connections that may have carried SIP: a message that had begun is lost with each.
    pub tcp_flows: u64,
    /// Directions of SCTP associations.
    pub sctp_flows: u64,
}

impl EngineCounters {
    pub(super) fn add_signalling(&mut self, counters: &SignallingCounters) {
        self.sip_messages += counters.messages;
        self.calls += counters.calls;
        self.registrations += counters.registrations;
        self.evicted.calls += counters.evicted_calls;
        self.evicted.registrations += counters.evicted_registrations;
        self.evicted.subscriptions += counters.evicted_subscriptions;
        self.evicted.exchanges += counters.evicted_exchanges;
        self.subscriptions += counters.subscriptions;
        self.exchanges += counters.exchanges;
        self.methods = counters.methods.clone();
        for (&method, &count) in sip::Method::ALL.iter().zip(&counters.requests) {
            if count > 0 {
                *self.sip_requests.entry(method).or_default() += count;
            }
        }
    }

    pub(super) fn add_media(&mut self, counters: MediaCounters) {
        self.rtp_packets += counters.rtp_packets;
        self.rtcp_packets += counters.rtcp_packets;
        self.fax_packets += counters.fax_packets;
        self.streams += counters.streams;
        self.evicted.pending_streams += counters.evicted_pending;
    }
}
