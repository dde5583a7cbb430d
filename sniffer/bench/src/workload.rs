//! What is measured: capture files made by the generator, kept below the cache under a name that changes with the
//! generator's text, each with the truth beside it.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use traffic::{CallPlan, Carriage, Codec, Faults, Hole, Link, Outcome, Plan, Random, Truth, Tunnel, write_pcap};

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// 1,000 calls at once with G.711 both ways, 30 % of them damaged.
    Media,
    /// 100,000 calls of signalling only, 15,000 at once.
    Signalling,
    /// Every tunnel with every carriage of SIP, IPv4 and IPv6.
    Tunnels,
    /// 10,000 calls in progress with two streams each: what memory they take is seen against `TwiceAsMany`.
    InProgress,
    /// 20,000 calls in progress with two streams each.
    TwiceAsMany,
}

/// How much of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As the goals are set.
    Full,
    /// A hundredth, for tests: the figures mean nothing, the truth does.
    Quick,
}

/// A workload's file and what is true of it.
#[derive(Debug)]
pub struct Made {
    /// The capture.
    pub file: PathBuf,
    /// The truth.
    pub truth: Truth,
    /// Frames in the file.
    pub frames: u64,
    /// SIP messages in it.
    pub messages: u64,
}

/// The first packet's time: fixed, so that files are the same wherever they are made.
const EPOCH: Duration = Duration::from_secs(1_795_000_000);

impl Workload {
    /// All of them in the order in which they are measured.
    pub const ALL: [Self; 5] = [Self::Media, Self::Signalling, Self::Tunnels, Self::InProgress, Self::TwiceAsMany];

    /// Its short name, as the design's notes have it where they do.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Media => "W2",
            Self::Signalling => "W3",
            Self::Tunnels => "W5",
            Self::InProgress => "M1",
            Self::TwiceAsMany => "M2",
        }
    }

    /// The file, made where the cache does not have it.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn make(self, scale: Scale, cache: &Path) -> Result<Made> {
        let scale_name = if scale == Scale::Full { "full" } else { "quick" };
        let folder = cache.join(format!("{}-{scale_name}-{}", self.name(), fingerprint()));
        let (file, notes) = (folder.join("traffic.pcap"), folder.join("truth.json"));
        if !notes.exists() {
            fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
            let traffic = self.plan(scale).make()?;
            let write = File::create(&file).with_context(|| format!("create {}", file.display()))?;
            write_pcap(BufWriter::with_capacity(1 << 20, write), EPOCH, &traffic.frames)?;
            let known = Known { frames: traffic.frames.len(), truth: traffic.truth };
            // Under its name only when it is whole: an interrupted run is made again.
            let part = folder.join("truth.part");
            let mut output = BufWriter::new(File::create(&part)?);
            serde_json::to_writer(&mut output, &known)?;
            output.flush()?;
            fs::rename(&part, &notes)?;
        }
        let read = File::open(&notes).with_context(|| format!("open {}", notes.display()))?;
        let known: Known = serde_json::from_reader(BufReader::with_capacity(1 << 20, read))?;
        let messages = known.truth.messages;
        Ok(Made { file, frames: u64::try_from(known.frames)?, truth: known.truth, messages })
    }

    fn plan(self, scale: Scale) -> Plan {
        let calls = match scale {
            Scale::Full => match self {
                Self::Media => 1000,
                Self::Signalling => 100_000,
                Self::Tunnels => 1200,
                Self::InProgress => 10_000,
                Self::TwiceAsMany => 20_000,
            },
            Scale::Quick => match self {
                Self::Media => 20,
                Self::Signalling => 500,
                Self::Tunnels => 60,
                Self::InProgress => 100,
                Self::TwiceAsMany => 200,
            },
        };
        let mut random = Random::new(20_261_123);
        let calls = (0..calls).map(|index| self.call(index, &mut random)).collect();
        Plan { seed: 3, calls, registrations: 0 }
    }

    fn call(self, index: u32, random: &mut Random) -> CallPlan {
        let caller = format!("+35121555{:05}", index % 100_000);
        let callee = format!("+4420794{:05}", random.below(100_000));
        let millis = |value: u64| Duration::from_millis(value);
        let plain = CallPlan::plain(&caller, &callee, Duration::ZERO);
        match self {
            Self::Media => CallPlan {
                start: millis(random.below(1000)),
                talk: Duration::from_secs(10),
                codec: if index.is_multiple_of(2) { Codec::Pcma } else { Codec::Pcmu },
                caller_faults: faults(index, random),
                callee_faults: faults(index, random),
                ..plain
            },
            Self::Signalling => CallPlan {
                // 500 calls a second of 30 s are 15,000 at once.
                start: millis(u64::from(index) * 2 + random.below(20)),
                talk: millis(29_564),
                has_media: false,
                ..plain
            },
            Self::Tunnels => {
                let place = usize::try_from(index).unwrap_or(0);
                let tunnels = Tunnel::ALL;
                let carriages = [Carriage::Udp, Carriage::Fragments, Carriage::Tcp];
                CallPlan {
                    start: millis(random.below(4000)),
                    talk: Duration::from_secs(2),
                    tunnel: tunnels.get(place % tunnels.len()).copied().unwrap_or_default(),
                    carriage: carriages.get(place / tunnels.len() % carriages.len()).copied().unwrap_or_default(),
                    link: Link { vlan: None, is_v6: place / 30 % 2 == 1 },
                    caller_faults: faults(index, random),
                    callee_faults: faults(index + 1, random),
                    ..plain
                }
            }
            Self::InProgress | Self::TwiceAsMany => {
                CallPlan { start: millis(u64::from(index) / 10), talk: millis(100), outcome: Outcome::InCall, ..plain }
            }
        }
    }
}

/// What happens to three calls of ten, each in another way.
fn faults(index: u32, random: &mut Random) -> Faults {
    let none = Faults::default();
    match index % 10 {
        0 => match random.below(2) {
            0 => Faults { lost_percent: 3.0, jitter: Duration::from_millis(8), ..none },
            _ => Faults { lost_percent: 10.0, ..none },
        },
        3 => match random.below(2) {
            0 => Faults { hole: Some(Hole { at: Duration::from_secs(1), length: Duration::from_secs(1) }), ..none },
            _ => Faults { swapped_percent: 2.0, doubled_percent: 2.0, lost_percent: 1.0, ..none },
        },
        // Late by up to three packets: many come out of order.
        6 => Faults { jitter: Duration::from_millis(60), ..none },
        _ => none,
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Known {
    frames: usize,
    truth: Truth,
}

/// Names the text of the generator and of this file.
fn fingerprint() -> String {
    let mut hash = Sha256::new();
    for text in traffic::SOURCES {
        hash.update(text);
    }
    hash.update(include_str!("workload.rs"));
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signalling_has_fifteen_thousand_calls_at_once() {
        let calls = Workload::Signalling.plan(Scale::Full).calls;
        let middle = Duration::from_secs(100);
        let ringing = Duration::from_millis(436);
        let at_once = calls.iter().filter(|call| (call.start..call.start + ringing + call.talk).contains(&middle));
        let at_once = at_once.count();
        assert!((14_900..=15_100).contains(&at_once), "{at_once}");
    }

    #[test]
    fn three_of_ten_calls_are_damaged() {
        let calls = Workload::Media.plan(Scale::Full).calls;
        let damaged = calls.iter().filter(|call| call.caller_faults != Faults::default()).count();
        assert_eq!((calls.len(), damaged), (1000, 300));
    }

    #[test]
    fn what_is_in_the_cache_is_what_was_made() {
        let cache = tempfile::tempdir().unwrap();
        let first = Workload::Tunnels.make(Scale::Quick, cache.path()).unwrap();
        let again = Workload::Tunnels.make(Scale::Quick, cache.path()).unwrap();
        assert_eq!(format!("{:?}", first.truth), format!("{:?}", again.truth));
        assert_eq!((first.frames, first.messages), (again.frames, again.messages));
        assert_eq!(again.truth.calls.len(), 60);
    }
}
