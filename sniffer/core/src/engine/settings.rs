//! How an engine is to work: what an administrator may set, with the defaults of [`limits`].

use std::{net::IpAddr, time::Duration};

use super::Correlation;
use crate::limits;

/// How an engine is to work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Report RTP that no signalling announces as streams of their own. Off by default: other protocols can look like
    /// RTP.
    pub rtp_without_sip: bool,
    /// Seed of the tables' hash: random where the traffic may be hostile, anything where it is a file. It does not
    /// change what comes out.
    pub hash_seed: u64,
    /// Hold the frames of messages that come in several until it is known whose they are: see
    /// [`super::Engine::take_held`]. For who keeps packets; without it nothing is copied.
    pub holds_frames: bool,
    /// After what silence things are given up.
    pub timeouts: Timeouts,
    /// How large the tables may grow.
    pub tables: Tables,
    /// Pairs of addresses that are the same host, as on both sides of a NAT: media announced at one is expected at the
    /// other too, with the same port.
    pub nat_aliases: Vec<(IpAddr, IpAddr)>,
    /// Which calls belong together.
    pub correlation: Correlation,
}

/// After what silence, or what age, things are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Silence of an answered call, in signalling and media.
    pub call_idle: Duration,
    /// Silence in signalling of an answered call whose media was never seen, or of which none is to be heard.
    pub call_unheard: Duration,
    /// Silence of a call that was never answered.
    pub call_setup_idle: Duration,
    /// How long an ended call waits for retransmissions and trailing media.
    pub call_linger: Duration,
    /// Age at which a call is ended whatever is heard of it.
    pub call_longest: Duration,
    /// Silence after which another call may take over a media endpoint.
    pub endpoint_idle: Duration,
    /// Silence of a registration.
    pub registration_idle: Duration,
    /// Silence of a stream without signalling.
    pub stream_idle: Duration,
    /// Age at which a stream without signalling is ended whatever is heard of it; another begins with its next packet.
    pub stream_longest: Duration,
    /// How long RTP waits for its SDP.
    pub pending: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            call_idle: limits::CALL_IDLE,
            call_unheard: limits::CALL_UNHEARD,
            call_setup_idle: limits::CALL_SETUP_IDLE,
            call_linger: limits::CALL_LINGER,
            call_longest: limits::CALL_LONGEST,
            endpoint_idle: limits::ENDPOINT_IDLE,
            registration_idle: limits::REGISTRATION_IDLE,
            stream_idle: limits::STREAM_IDLE,
            stream_longest: limits::STREAM_LONGEST,
            pending: limits::PENDING_AGE,
        }
    }
}

/// How many entries each table has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Calls.
    pub calls: usize,
    /// Registrations.
    pub registrations: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Exchanges: requests outside calls, counted by method and peers.
    pub exchanges: usize,
    /// RTP streams, with and without a call.
    pub streams: usize,
    /// RTP streams that wait for their SDP.
    pub pending: usize,
    /// Bytes that fragments, TCP segments and SCTP chunks may hold together while they wait for others.
    pub reassembly_bytes: usize,
    /// Directions of TCP connections that carry SIP.
    pub tcp_flows: usize,
    /// Directions of SCTP associations that carry SIP.
    pub sctp_flows: usize,
}

impl Tables {
    /// The share of each of so many workers in what each has for itself, so that all together take no more than one.
    #[must_use]
    pub fn share(&self, workers: u8) -> Self {
        let parts = usize::from(workers.max(1));
        let part = |entries: usize| entries.div_ceil(parts);
        Self {
            streams: part(self.streams),
            pending: part(self.pending),
            reassembly_bytes: part(self.reassembly_bytes),
            tcp_flows: part(self.tcp_flows),
            sctp_flows: part(self.sctp_flows),
            ..*self
        }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            calls: limits::CALLS,
            registrations: limits::REGISTRATIONS,
            subscriptions: limits::SUBSCRIPTIONS,
            exchanges: limits::EXCHANGES,
            streams: limits::STREAMS,
            pending: limits::PENDING_STREAMS,
            reassembly_bytes: limits::REASSEMBLY_BYTES,
            tcp_flows: limits::TCP_SIP_FLOWS,
            sctp_flows: limits::SCTP_FLOWS,
        }
    }
}
