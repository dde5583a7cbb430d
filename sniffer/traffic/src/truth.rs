//! What a perfect observer says of the traffic. Computed here from the formulas' own texts, apart from the product.

use super::{heard::Heard, rtp::Codec};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered, and ended by BYE.
    Completed,
    /// Answered, and no BYE: the recording ends within it.
    InCall,
    /// 486.
    Busy,
    /// The caller gives up while it rings: CANCEL and 487.
    Cancelled,
    /// 603.
    Declined,
}

/// The truth about everything made.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Truth {
    /// Each call.
    pub calls: Vec<CallTruth>,
    /// Registrations, all accepted.
    pub registrations: u32,
    /// SIP messages of all of them.
    pub messages: u64,
}

/// The truth about a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallTruth {
    /// The Call-ID header.
    pub call_id: String,
    /// The caller's URI.
    pub from: String,
    /// The callee's URI.
    pub to: String,
    /// How it ended.
    pub state: Outcome,
    /// The final answer to its INVITE.
    pub final_status: u16,
    /// What the caller sent, then what the callee sent; none without an answer.
    pub streams: Vec<StreamTruth>,
}

/// The truth about one direction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamTruth {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// From where.
    pub src: SocketAddr,
    /// To where.
    pub dst: SocketAddr,
    /// The payload type.
    pub payload_type: u8,
    /// The encoding name.
    pub codec: String,
    /// Packets that passed, duplicates included.
    pub packets: u64,
    /// Different packets that were sent.
    pub expected: u64,
    /// Of these, those that never came.
    pub lost: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets that came after one that was sent later.
    pub reordered: u64,
    /// Largest interarrival jitter (RFC 3550, section 6.4.1), in milliseconds.
    pub jitter_ms_max: f64,
    /// MOS by the E-model from codec and loss alone, as if losses were random.
    pub mos: Option<f64>,
    /// What was heard of it.
    pub heard: Heard,
}

/// Counts one stream as it arrives.
#[derive(Debug)]
pub(super) struct Observer {
    sent: u32,
    came: BTreeSet<u32>,
    packets: u64,
    duplicates: u64,
    reordered: u64,
    highest: Option<u32>,
    last: Option<(u32, Duration)>,
    jitter: f64,
    jitter_max: f64,
}

impl Observer {
    pub fn new(sent: u32) -> Self {
        Self {
            sent,
            came: BTreeSet::new(),
            packets: 0,
            duplicates: 0,
            reordered: 0,
            highest: None,
            last: None,
            jitter: 0.0,
            jitter_max: 0.0,
        }
    }

    pub fn see(&mut self, index: u32, at: Duration, ticks: u32) {
        self.packets += 1;
        if !self.came.insert(index) {
            self.duplicates += 1;
            return;
        }
        if self.highest.is_some_and(|highest| index < highest) {
            self.reordered += 1;
        }
        self.highest = self.highest.max(Some(index));
        if let Some((before, then)) = self.last {
            let sent_apart = (f64::from(index) - f64::from(before)) * f64::from(ticks) / 8.0;
            let came_apart = (at.as_secs_f64() - then.as_secs_f64()) * 1000.0;
            self.jitter += ((came_apart - sent_apart).abs() - self.jitter) / 16.0;
            self.jitter_max = self.jitter_max.max(self.jitter);
        }
        self.last = Some((index, at));
    }

    pub fn truth(self, ssrc: u32, src: SocketAddr, dst: SocketAddr, codec: Codec, heard: Heard) -> StreamTruth {
        let expected = u64::from(self.sent);
        let lost = expected.saturating_sub(u64::try_from(self.came.len()).unwrap_or(expected));
        StreamTruth {
            ssrc,
            src,
            dst,
            payload_type: codec.payload_type(),
            codec: codec.name().to_owned(),
            packets: self.packets,
            expected,
            lost,
            duplicates: self.duplicates,
            reordered: self.reordered,
            jitter_ms_max: self.jitter_max,
            mos: mos(codec, lost, expected),
            heard,
        }
    }
}

/// MOS by the E-model (ITU-T G.107, default values, so R0 − Is = 93.2) for random loss: Ie and Bpl from G.113,
/// appendix I. `None` without packets.
#[must_use]
pub fn mos(codec: Codec, lost: u64, expected: u64) -> Option<f64> {
    let (impairment, robustness) = match codec {
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::G729 => (11.0, 19.0),
    };
    let (lost, expected) = (u32::try_from(lost).ok()?, u32::try_from(expected).ok().filter(|count| *count > 0)?);
    let percent = 100.0 * f64::from(lost) / f64::from(expected);
    let effective = impairment + (95.0 - impairment) * percent / (percent + robustness);
    let rating = 93.2 - effective;
    Some(1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mos_falls_with_loss_and_codec() {
        let at = |codec, lost| (mos(codec, lost, 100).unwrap() * 100.0).round() / 100.0;
        assert_eq!((at(Codec::Pcma, 0), at(Codec::G729, 0)), (4.41, 4.1));
        assert!(at(Codec::Pcma, 3) < 4.3 && at(Codec::Pcma, 3) > 3.9);
        assert_eq!(mos(Codec::Pcma, 0, 0), None);
    }
}
