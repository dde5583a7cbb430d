//! Streams as records: the figures of one RTP stream as seen at the capture point.

use serde::{Deserialize, Serialize};

use super::Direction;
use crate::{codec::Scale, sdp, time::Timestamp};

/// An RTP stream and its quality as seen at the capture point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamRecord {
    /// Synchronisation source (RFC 3550, section 5.1).
    pub ssrc: u32,
    /// Source as `192.0.2.1:5004` or `[2001:db8::1]:5004`.
    pub src: String,
    /// Destination in the same form.
    pub dst: String,
    /// The payload type that carried most packets.
    pub payload_type: u8,
    /// Its encoding name: from SDP, or from RFC 3551 for static payload types; null when neither names it.
    pub codec: Option<String>,
    /// RTP clock rate of the codec, in hertz.
    pub clock_rate: Option<u32>,
    /// The outermost VLAN of the first packet.
    pub vlan: Option<u16>,
    /// Time of the first packet.
    pub start: Timestamp,
    /// Time of the last packet.
    pub end: Timestamp,
    /// Packets seen, duplicates included.
    pub packets: u64,
    /// Packets the sequence numbers say were sent (RFC 3550, appendix A.3), duplicates not included.
    pub expected: u64,
    /// `expected` minus the different packets seen: never hidden by duplicates, never made by reordering.
    pub lost: u64,
    /// Packets whose sequence number had been seen already.
    pub duplicates: u64,
    /// Those of `duplicates` with the IP identification of their original: copies made on the way or by mirror ports,
    /// not packets that were sent twice.
    pub copies: u64,
    /// Packets that came after one with a higher sequence number.
    pub reordered: u64,
    /// How often the sequence numbers began anew.
    pub restarts: u64,
    /// Different packets with sound or pictures: no events, comfort noise or silence descriptors.
    pub sound_packets: u64,
    /// Different packets with comfort noise or a silence descriptor.
    pub silence_packets: u64,
    /// Its last packet was comfort noise or a silence descriptor: what follows may be a pause.
    pub silent_at_end: bool,
    /// Events (RFC 4733), such as digits that were dialled. Which ones is not kept.
    pub events: u64,
    /// Runs of lost packets by their length: 1, 2, … 10, and 11 and more.
    pub loss_runs: Vec<u64>,
    /// The longest run of lost packets.
    pub loss_run_longest: u64,
    /// Bursts (RFC 3611, section 4.7.2, Gmin 16): from a lost packet to a lost packet with fewer than 16 received in a
    /// row between them.
    pub bursts: u64,
    /// Share of packets lost within bursts, 0 to 1; null without bursts.
    pub burst_density: Option<f64>,
    /// Mean length of a burst in milliseconds.
    pub burst_ms: Option<f64>,
    /// Share of packets lost outside bursts, 0 to 1.
    pub gap_density: f64,
    /// Mean length of a gap between bursts in milliseconds.
    pub gap_ms: Option<f64>,
    /// Burst ratio (ITU-T G.107): mean run of lost packets against that of random loss, at least 1; null without loss.
    pub burst_ratio: Option<f64>,
    /// Milliseconds of media in a packet, by the timestamps.
    pub packet_ms: Option<f64>,
    /// Shortest time between two packets, duplicates included, in milliseconds.
    pub delta_ms_min: Option<f64>,
    /// Mean time between two packets.
    pub delta_ms_mean: Option<f64>,
    /// Longest time between two packets.
    pub delta_ms_max: Option<f64>,
    /// Largest interarrival jitter (RFC 3550, appendix A.8), in milliseconds.
    pub jitter_ms_max: Option<f64>,
    /// Mean of the interarrival jitter over the packets, in milliseconds.
    pub jitter_ms_mean: Option<f64>,
    /// Shares of the packets after which the jitter was below 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100 ms, and above.
    pub jitter_ms_histogram: Option<Vec<f64>>,
    /// Packet delay variation (RFC 5481): delay against the fastest packet of the last 10 to 20 seconds; median.
    pub pdv_ms_p50: Option<f64>,
    /// 95 % of the packets have at most this delay variation.
    pub pdv_ms_p95: Option<f64>,
    /// 99 % of the packets have at most this delay variation.
    pub pdv_ms_p99: Option<f64>,
    /// The largest delay variation.
    pub pdv_ms_max: Option<f64>,
    /// Packets that came too late for a jitter buffer of 50 ms. Null for video and unknown clock rates.
    pub late_fixed_50: Option<u64>,
    /// Packets that came too late for a jitter buffer of 200 ms.
    pub late_fixed_200: Option<u64>,
    /// Packets that came too late for a jitter buffer that adapts, up to 500 ms.
    pub late_adaptive: Option<u64>,
    /// Mean depth of the adaptive jitter buffer, in milliseconds.
    pub adaptive_ms: Option<f64>,
    /// Mean opinion score by the E-model (ITU-T G.107), 1 to 4.5, by what the network lost alone. Null for a codec
    /// without known impairment figures, or with too few packets.
    pub mos: Option<f64>,
    /// Whose scale `mos` and `r_factor` have: G.107, G.107.1 or G.107.2.
    pub mos_scale: Option<Scale>,
    /// Transmission rating R that `mos` stands for: at most 93.2, 129 or 148.
    pub r_factor: Option<f64>,
    /// MOS behind a jitter buffer of 50 ms: late packets count as lost, and the buffer's delay counts.
    pub mos_fixed_50: Option<f64>,
    /// MOS behind a jitter buffer of 200 ms.
    pub mos_fixed_200: Option<f64>,
    /// MOS behind the adaptive jitter buffer.
    pub mos_adaptive: Option<f64>,
    /// The lowest MOS of the time line.
    pub mos_min: Option<f64>,
    /// Packets were lost by the capture itself while the stream went on: `lost` and `mos` are not to be trusted.
    pub lost_here: bool,
    /// Differentiated services code point of the first packet.
    pub dscp: u8,
    /// That of the last packet.
    pub dscp_last: u8,
    /// The code point changed in between.
    pub dscp_changed: bool,
    /// How the media is encrypted, as far as SDP or the key exchange tell; null for none known.
    pub encryption: Option<Encryption>,
    /// What it is for, as SDP says it; null where no SDP does.
    pub media: Option<MediaKind>,
    /// From the call's answer to the first packet; zero for early media.
    pub silence_at_start_ms: Option<f64>,
    /// Mean round trip between the two ends by RTCP, in milliseconds: both halves as seen from here, added.
    pub round_trip_ms: Option<f64>,
    /// The largest halves, added.
    pub round_trip_ms_max: Option<f64>,
    /// What RTCP says of the stream; null where none was seen.
    pub rtcp: Option<Box<RtcpRecord>>,
    /// Slots of 10 seconds since `start`.
    pub timeline: Vec<SlotRecord>,
    /// Which way the media flows.
    pub direction: Option<Direction>,
    /// The call it belongs to; null for RTP without signalling.
    pub call_id: Option<String>,
}

/// What a stream is for, by the m= line of SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Voice, with its comfort noise and events.
    Audio,
    /// Pictures, and what repairs them.
    Video,
    /// Real-time text (RFC 4103).
    Text,
    /// Anything else: control of cameras or of the floor.
    Other,
}

impl From<sdp::Kind> for MediaKind {
    fn from(kind: sdp::Kind) -> Self {
        match kind {
            sdp::Kind::Audio => Self::Audio,
            sdp::Kind::Video => Self::Video,
            sdp::Kind::Text => Self::Text,
            sdp::Kind::Image | sdp::Kind::Application | sdp::Kind::Other => Self::Other,
        }
    }
}

/// How media is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// SRTP with keys in SDP (RFC 4568).
    Sdes,
    /// SRTP with keys from DTLS (RFC 5764).
    Dtls,
    /// SRTP with keys from ZRTP (RFC 6189).
    Zrtp,
    /// SRTP, but how the keys come is not known.
    Srtp,
}

/// What RTCP says of a stream: the sender, and its receiver at the far end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RtcpRecord {
    /// Sender reports.
    pub sender_reports: u64,
    /// Packets the sender says it has sent.
    pub sent_packets: Option<u64>,
    /// Reports by a receiver.
    pub reports: u64,
    /// Packets lost on the whole way, by the last report; negative when duplicates outnumber losses.
    pub lost: Option<i64>,
    /// Largest share of packets lost between two reports, 0 to 1.
    pub fraction_lost_max: Option<f64>,
    /// Interarrival jitter at the receiver by the last report, in milliseconds.
    pub jitter_ms_last: Option<f64>,
    /// The largest of the reports.
    pub jitter_ms_max: Option<f64>,
    /// Mean round trip from here to the receiver, in milliseconds.
    pub round_trip_receiver_ms: Option<f64>,
    /// The largest.
    pub round_trip_receiver_ms_max: Option<f64>,
    /// Mean round trip from here to the sender by extended reports, in milliseconds.
    pub round_trip_sender_ms: Option<f64>,
    /// The largest.
    pub round_trip_sender_ms_max: Option<f64>,
    /// When the source said goodbye.
    pub bye: Option<Timestamp>,
    /// The reports are encrypted (SRTCP): nothing is known of their contents.
    pub encrypted: bool,
    /// The receiver's VoIP metrics (RFC 3611, section 4.7), the last.
    pub voip: Option<Box<VoipRecord>>,
}

/// VoIP metrics as a receiver reports them (RFC 3611, section 4.7).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoipRecord {
    /// Share of packets lost, 0 to 1.
    pub loss_rate: f64,
    /// Share of packets its jitter buffer discarded.
    pub discard_rate: f64,
    /// Share of packets lost and discarded within bursts.
    pub burst_density: f64,
    /// The same within gaps.
    pub gap_density: f64,
    /// Mean length of a burst in milliseconds.
    pub burst_ms: u16,
    /// Mean length of a gap in milliseconds.
    pub gap_ms: u16,
    /// Round trip in milliseconds.
    pub round_trip_ms: Option<u16>,
    /// Delay within the end system in milliseconds.
    pub end_system_ms: Option<u16>,
    /// R, 0 to 100.
    pub r_factor: Option<u8>,
    /// Listening quality MOS.
    pub mos_listening: Option<f64>,
    /// Conversational quality MOS.
    pub mos_conversational: Option<f64>,
    /// Nominal delay of its jitter buffer in milliseconds.
    pub buffer_nominal_ms: u16,
    /// Present largest delay of its jitter buffer in milliseconds.
    pub buffer_maximum_ms: u16,
}

/// Ten seconds of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlotRecord {
    /// Different packets that came.
    pub packets: u16,
    /// Packets that did not come.
    pub lost: u16,
    /// Packets that came too late for the adaptive jitter buffer.
    pub late: u16,
    /// Largest interarrival jitter in milliseconds.
    pub jitter_ms: Option<f64>,
    /// MOS of the slot, by what the network lost alone; null with fewer than 50 packets.
    pub mos: Option<f64>,
}
