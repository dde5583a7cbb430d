//! The names that records have, by number. The numbers are on disk: names are added at the end, and none is taken out or
//! moved. A name that is missing here is written as a text, which works and costs its length.

use std::sync::LazyLock;

/// Field names in the order in which they are written, then the words of enumerations.
#[rustfmt::skip]
pub const NAMES: &[&str] = &[
    "summary", "id", "call_id", "from", "to", "start", "answered", "end", "state", "final_status", "lost_here",
    "caller_to_callee", "callee_to_caller", "codec", "packets", "lost", "expected", "jitter_ms_mean", "jitter_ms_max",
    "mos", "run", "serial", "record", "streams", "lost_here_packets", "caller", "callee", "request_uri", "diversion",
    "history", "redirects", "transport", "post_dial_delay_ms", "ring_ms", "setup_ms", "duration_ms", "ended_by",
    "timeout", "reason", "rounds", "challenges", "stale", "forks", "answers", "answers_open", "early_media",
    "reliable", "pracks", "prack_missing", "reinvites", "updates", "infos", "dtmf_infos", "session_expires_s",
    "session_refresher", "refreshes", "holds", "held_ms", "transfers", "replaces", "referred_by", "messages",
    "retransmissions", "copies", "invite_seen", "sides_seen", "correlation", "correlated_by", "one_way_audio",
    "silence_at_start_ms", "number", "domain", "name", "asserted", "preferred", "remote_party", "contact",
    "user_agent", "address", "q850", "sip", "text", "by", "time", "attended", "target", "status", "outcome", "ssrc",
    "src", "dst", "payload_type", "clock_rate", "vlan", "duplicates", "reordered", "restarts", "sound_packets",
    "silence_packets", "events", "loss_runs", "loss_run_longest", "bursts", "burst_density", "burst_ms",
    "gap_density", "gap_ms", "burst_ratio", "packet_ms", "delta_ms_min", "delta_ms_mean", "delta_ms_max",
    "jitter_ms_histogram", "pdv_ms_p50", "pdv_ms_p95", "pdv_ms_p99", "pdv_ms_max", "late_fixed_50", "late_fixed_200",
    "late_adaptive", "adaptive_ms", "mos_scale", "r_factor", "mos_fixed_50", "mos_fixed_200", "mos_adaptive",
    "mos_min", "dscp", "dscp_last", "dscp_changed", "encryption", "round_trip_ms", "round_trip_ms_max", "rtcp",
    "timeline", "direction", "sender_reports", "sent_packets", "reports", "fraction_lost_max", "jitter_ms_last",
    "round_trip_receiver_ms", "round_trip_receiver_ms_max", "round_trip_sender_ms", "round_trip_sender_ms_max", "bye",
    "encrypted", "voip", "loss_rate", "discard_rate", "end_system_ms", "mos_listening", "mos_conversational",
    "buffer_nominal_ms", "buffer_maximum_ms", "late", "jitter_ms", "trying", "ringing", "in_call", "completed",
    "cancelled", "busy", "no_answer", "declined", "redirected", "failed", "timed_out", "interrupted", "both", "udp",
    "tcp", "sctp", "web_socket", "idle", "setup", "session_timer", "longest", "header", "refer", "sdes", "dtls",
    "zrtp", "srtp", "narrowband", "wideband", "fullband",
    "one_way_audio_ms",
    "aor", "contacts", "expires_at", "expired", "challenged", "registered", "unregistered", "failures", "moved", "requests", "last", "method", "event", "refer_to", "notifies", "pending", "active", "terminated", "unanswered", "results", "response_ms_mean", "response_ms_max", "uri", "place", "goes_on", "kind", "registration", "subscription", "exchange", "stream",
    "media", "audio", "video", "evicted",
    "silent_at_end",
];

/// Slots of the table; a power of two.
const SLOTS: usize = 1024;

/// Finds the number of a name.
#[derive(Debug)]
pub struct Names {
    /// One more than the number; zero for none.
    slots: [u16; SLOTS],
}

static TABLE: LazyLock<Names> = LazyLock::new(|| {
    let mut slots = [0; SLOTS];
    for (number, name) in (1..).zip(NAMES.iter()) {
        let mut place = place(name);
        while slots.get(place).is_some_and(|slot| *slot != 0) {
            place = (place.saturating_add(1)) % SLOTS;
        }
        if let Some(slot) = slots.get_mut(place) {
            *slot = number;
        }
    }
    Names { slots }
});

/// Where the search for a name begins: by its length, its first and its last octets.
fn place(name: &str) -> usize {
    let bytes = name.as_bytes();
    let part = |chunk: Option<&[u8; 4]>| chunk.map(|chunk| u32::from_le_bytes(*chunk));
    let short = || bytes.iter().fold(0, |all, byte| (all << 8) | u32::from(*byte));
    let first = part(bytes.first_chunk()).unwrap_or_else(short);
    let last = part(bytes.last_chunk()).unwrap_or_default();
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    let mixed = (first ^ last.rotate_left(15)).wrapping_add(length).wrapping_mul(0x9e37_79b1);
    usize::try_from(mixed >> 16).unwrap_or_default() % SLOTS
}

impl Names {
    /// The table.
    pub fn get() -> &'static Self {
        &TABLE
    }

    /// The number of a name; none when it has none.
    pub fn number(&self, name: &str) -> Option<usize> {
        let mut place = place(name);
        loop {
            let number = usize::from(*self.slots.get(place)?).checked_sub(1)?;
            if NAMES.get(number) == Some(&name) {
                return Some(number);
            }
            place = place.saturating_add(1) % SLOTS;
        }
    }
}
