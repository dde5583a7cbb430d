//! Telephone traffic made on the spot: SIP calls with media both ways, as frames with their times, and the truth about
//! them beside. The same plan and seed give the same frames. It does no I/O and reads no clock.
#![forbid(unsafe_code)]

mod carriage;
mod frame;
#[expect(clippy::indexing_slicing, reason = "three buffers and eleven bins, by their numbers; no product code")]
mod heard;
mod pcap;
mod random;
mod rtp;
mod sip;
mod truth;
mod tunnel;

pub use carriage::Carriage;
pub use frame::{Link, Station, udp_frame};
pub use heard::Heard;
pub use pcap::write_pcap;
pub use random::Random;
pub use rtp::{Codec, Faults, Hole};
pub use truth::{CallTruth, Outcome, StreamTruth, Truth, mos};
pub use tunnel::Tunnel;

use anyhow::Result;
use std::time::Duration;

/// The text of this crate: who keeps what it made knows by it whether it would make the same again.
pub const SOURCES: [&str; 10] = [
    include_str!("carriage.rs"),
    include_str!("frame.rs"),
    include_str!("heard.rs"),
    include_str!("lib.rs"),
    include_str!("pcap.rs"),
    include_str!("random.rs"),
    include_str!("rtp.rs"),
    include_str!("sip.rs"),
    include_str!("truth.rs"),
    include_str!("tunnel.rs"),
];

/// A frame and when it passes, from the beginning of the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedFrame {
    /// When.
    pub at: Duration,
    /// The whole frame, without its check sequence.
    pub bytes: Vec<u8>,
}

/// One call to make.
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// User part of the caller's address: a number, or anything a hostile peer may send.
    pub caller: String,
    /// User part of the callee's address.
    pub callee: String,
    /// When the INVITE is sent.
    pub start: Duration,
    /// How long media flows.
    pub talk: Duration,
    /// How the call ends.
    pub outcome: Outcome,
    /// The codec both sides speak.
    pub codec: Codec,
    /// Ethernet, VLAN, IP version.
    pub link: Link,
    /// How its signalling travels.
    pub carriage: Carriage,
    /// What all its frames are wrapped in.
    pub tunnel: Tunnel,
    /// Whether media is sent; without, only the signalling passes here.
    pub has_media: bool,
    /// What happens to the caller's packets on the way.
    pub caller_faults: Faults,
    /// What happens to the callee's packets.
    pub callee_faults: Faults,
}

/// Everything to make.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The source of every random choice.
    pub seed: u64,
    /// The calls.
    pub calls: Vec<CallPlan>,
    /// How many telephones register.
    pub registrations: u32,
}

/// Frames in the order of their times, and what is true of them.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// The frames.
    pub frames: Vec<TimedFrame>,
    /// What a perfect observer says of them.
    pub truth: Truth,
}

impl CallPlan {
    /// A faultless call of two minutes' worth of nothing special: change what the test is about.
    #[must_use]
    pub fn plain(caller: &str, callee: &str, talk: Duration) -> Self {
        Self {
            caller: caller.into(),
            callee: callee.into(),
            start: Duration::ZERO,
            talk,
            outcome: Outcome::Completed,
            codec: Codec::Pcma,
            link: Link::default(),
            carriage: Carriage::default(),
            tunnel: Tunnel::default(),
            has_media: true,
            caller_faults: Faults::default(),
            callee_faults: Faults::default(),
        }
    }
}

impl Plan {
    /// One call.
    #[must_use]
    pub fn of(seed: u64, call: CallPlan) -> Self {
        Self { seed, calls: vec![call], registrations: 0 }
    }

    /// A mixture as in an office: several callers, codecs, links and outcomes, some packets lost, late and doubled.
    #[must_use]
    pub fn office(seed: u64, calls: u32, seconds: u32) -> Self {
        let mut random = Random::new(seed);
        let span = u64::from(seconds) * 1000;
        let mut plan = Self { seed, calls: Vec::new(), registrations: calls.div_ceil(4).min(50) };
        for index in 0..calls {
            let start = Duration::from_millis(random.below(span / 2 + 1));
            let codec = *random.pick(&[Codec::Pcma, Codec::Pcmu, Codec::G729, Codec::Pcma]);
            let outcome = match random.below(10) {
                0 => Outcome::Busy,
                1 => Outcome::Cancelled,
                2..=9 => Outcome::Completed,
                _ => Outcome::Declined,
            };
            let faults = |random: &mut Random| match random.below(4) {
                0 => Faults { lost_percent: 3.0, jitter: Duration::from_millis(8), ..Faults::default() },
                1 => Faults { lost_percent: 1.0, doubled_percent: 0.5, swapped_percent: 1.0, ..Faults::default() },
                2 => Faults { jitter: Duration::from_millis(4), ..Faults::default() },
                _ => Faults::default(),
            };
            plan.calls.push(CallPlan {
                caller: format!("+3512155501{:02}", index % 100),
                callee: format!("+44207946{:04}", random.below(10_000)),
                start,
                talk: Duration::from_millis((span / 2).max(1000)),
                outcome,
                codec,
                link: Link { vlan: (random.below(3) == 0).then_some(42), is_v6: random.below(4) == 0 },
                caller_faults: faults(&mut random),
                callee_faults: faults(&mut random),
                ..CallPlan::plain("", "", Duration::ZERO)
            });
        }
        plan
    }

    /// Makes the frames and the truth.
    ///
    /// # Errors
    /// When an address or a length does not fit its field.
    pub fn make(&self) -> Result<Traffic> {
        let mut traffic = Traffic::default();
        for (index, call) in (0_u32..).zip(&self.calls) {
            // A call's packets do not depend on the calls before it.
            let mut random = Random::new(self.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(index)));
            sip::call(call, index, &mut random, &mut traffic)?;
        }
        for index in 0..self.registrations {
            let mut random = Random::new(self.seed.wrapping_mul(7919).wrapping_add(u64::from(index)));
            sip::registration(index, &mut random, &mut traffic)?;
        }
        traffic.frames.sort_by_key(|frame| frame.at);
        Ok(traffic)
    }
}

impl Traffic {
    /// When the last frame passes.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.frames.last().map(|frame| frame.at).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_frames_and_another_one_others() {
        let one = Plan::office(1, 5, 4).make().unwrap();
        assert_eq!(one.frames, Plan::office(1, 5, 4).make().unwrap().frames);
        assert_ne!(one.frames, Plan::office(2, 5, 4).make().unwrap().frames);
        assert!(one.frames.is_sorted_by_key(|frame| frame.at));
    }

    #[test]
    fn a_plain_call_has_fifty_packets_a_second_each_way() {
        let traffic = Plan::of(1, CallPlan::plain("100", "200", Duration::from_secs(2))).make().unwrap();
        let call = &traffic.truth.calls[0];
        assert_eq!(call.streams.len(), 2);
        for stream in &call.streams {
            assert_eq!((stream.packets, stream.expected, stream.lost), (100, 100, 0));
            assert!(stream.jitter_ms_max.abs() < 1e-9, "{stream:?}");
            assert!((stream.mos.unwrap() - 4.409).abs() < 0.01, "{stream:?}");
        }
    }

    #[test]
    fn faults_are_in_the_frames_and_in_the_truth() {
        let mut call = CallPlan::plain("100", "200", Duration::from_secs(20));
        call.caller_faults = Faults {
            lost_percent: 5.0,
            jitter: Duration::from_millis(10),
            doubled_percent: 2.0,
            swapped_percent: 2.0,
            hole: None,
        };
        let traffic = Plan::of(3, call).make().unwrap();
        let [caller, callee] = traffic.truth.calls[0].streams.as_slice() else { panic!("two streams") };
        assert_eq!(caller.expected, 1000);
        assert!((20..=90).contains(&caller.lost), "{caller:?}");
        assert!(caller.duplicates > 0 && caller.reordered > 0 && caller.jitter_ms_max > 1.0, "{caller:?}");
        assert_eq!(caller.packets, caller.expected - caller.lost + caller.duplicates);
        assert!(caller.mos.unwrap() < callee.mos.unwrap());
        let rtp = traffic.frames.iter().filter(|frame| frame.bytes.len() == 14 + 20 + 8 + 12 + 160).count();
        assert_eq!(u64::try_from(rtp).unwrap(), caller.packets + callee.packets);
    }

    #[test]
    fn a_hole_is_all_that_is_lost() {
        let mut call = CallPlan::plain("100", "200", Duration::from_secs(10));
        call.callee_faults.hole = Some(Hole { at: Duration::from_secs(3), length: Duration::from_secs(1) });
        let traffic = Plan::of(3, call).make().unwrap();
        let lost: Vec<_> = traffic.truth.calls[0].streams.iter().map(|stream| stream.lost).collect();
        assert_eq!(lost, [0, 50]);
    }

    #[test]
    fn tunnels_and_carriages_change_frames_and_not_the_truth() {
        let plain = CallPlan::plain("100", "200", Duration::from_secs(1));
        let truth = format!("{:?}", Plan::of(1, plain.clone()).make().unwrap().truth);
        for tunnel in Tunnel::ALL {
            for carriage in [Carriage::Udp, Carriage::Fragments, Carriage::Tcp] {
                let call = CallPlan { tunnel, carriage, ..plain.clone() };
                assert_eq!(format!("{:?}", Plan::of(1, call).make().unwrap().truth), truth);
            }
        }
    }

    #[test]
    fn a_busy_call_has_no_media() {
        let mut call = CallPlan::plain("100", "200", Duration::from_secs(2));
        call.outcome = Outcome::Busy;
        let traffic = Plan::of(1, call).make().unwrap();
        assert!(traffic.truth.calls[0].streams.is_empty());
        assert!(traffic.frames.len() <= 6);
    }
}
