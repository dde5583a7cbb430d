//! The fuzz targets as an ordinary test: their corpus, real traffic and mutations of both, the same in every run.

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::{panic, path::Path};

use traffic::{CallPlan, Carriage, Codec, Plan, Random, Tunnel};

use self::targets::{core, files};

/// Mutated inputs of each target. With more the test takes long; the fuzzer goes on from there.
const ROUNDS: usize = 1500;
/// Longest input that a mutation makes.
const LONGEST: usize = 8192;

/// Calls through every tunnel, by every carriage.
fn frames() -> Vec<Vec<u8>> {
    let mut plan = Plan { seed: 11, ..Plan::default() };
    for tunnel in Tunnel::ALL {
        for carriage in [Carriage::Udp, Carriage::Fragments, Carriage::Tcp] {
            let plain = CallPlan::plain("+351215550001", "+442079460018", std::time::Duration::from_millis(60));
            plan.calls.push(CallPlan { tunnel, carriage, codec: Codec::Pcmu, ..plain });
        }
    }
    plan.registrations = 2;
    plan.make().unwrap().frames.into_iter().map(|frame| frame.bytes).collect()
}

/// Inputs worth changing: the corpus of the target, and traffic in the form that it takes.
fn seeds(target: &str, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    if let Ok(entries) = std::fs::read_dir(folder) {
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        seeds.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    // Ethernet, IPv4 and UDP headers, or with TCP.
    let payloads =
        |from: usize| frames.iter().filter_map(move |frame| frame.get(from..)).filter(|part| !part.is_empty());
    let sip = || payloads(42).filter(|part| part.windows(7).any(|text| text == b"SIP/2.0")).cloned_vec();
    let prefixed = |head: &[u8], parts: Vec<Vec<u8>>| parts.into_iter().map(|part| [head, &part].concat()).collect();
    let more: Vec<Vec<u8>> = match target {
        "decode" => prefixed(&[1], frames.to_vec()),
        "engine" => frames.chunks(40).map(encode).collect(),
        "sip" => sip(),
        "framing" => prefixed(&[0, 10, 200, 3, 90], sip()),
        "websocket" => prefixed(&[0, 10, 200, 3, 90, 0x81, 0x7e, 1, 0], sip()),
        "sdp" => sip().iter().filter_map(|text| body(text)).collect(),
        "rtp" => payloads(42).filter(|part| part.first() == Some(&0x80)).cloned_vec(),
        "rtcp" => vec![
            b"\x80\xc8\x00\x06\x00\x00\x00\x01AAAABBBBCCCCDDDDEEEE\x81\xca\x00\x03\x00\x00\x00\x01\x01\x04name\x00\x00".to_vec(),
            b"\x81\xc9\x00\x07\x00\x00\x00\x01\x00\x00\x00\x02\x05\x00\x00\x09AAAABBBBCCCCDDDD".to_vec(),
            b"\x80\xcf\x00\x0a\x00\x00\x00\x01\x07\x00\x00\x08\x00\x00\x00\x02AAAABBBBCCCCDDDDEEEEFFFFGGGG".to_vec(),
        ],
        "fragments" => prefixed(&[1, 0, 1, 0x20, 0, 0, 200], sip()),
        "tcp" => prefixed(&[1, 0, 0x18, 2, 0, 3, 0], sip()),
        "capture_file" => vec![pcap(frames), b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0\
            \x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\x04\0\x14\0\0\0\x06\0\0\0\x24\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\x04\0\0\0\x04\0\0\0abcd\x24\0\0\0".to_vec()],
        "config" => vec![br#"{"ports":["enp0s3"],"store":"/c","socket":"/s","keep_calls":5,"rtp_without_sip":true}"#.to_vec()],
        "query" => vec![br#"{"calls":{"limit":50}}"#.to_vec(), br#""counters""#.to_vec(), br#"{"registrations":{"limit":1}}"#.to_vec()],
        _ => Vec::new(),
    };
    seeds.extend(more);
    seeds
}

/// Frames as the target "engine" reads them: kind, milliseconds, link, length.
fn encode(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut data = Vec::new();
    for frame in frames.iter().filter(|frame| frame.len() < 2048) {
        data.extend([0, 5, 1]);
        data.extend(u16::try_from(frame.len()).unwrap().to_be_bytes());
        data.extend(frame);
    }
    data
}

trait ClonedVec {
    fn cloned_vec(self) -> Vec<Vec<u8>>;
}

impl<'a, I: Iterator<Item = &'a [u8]>> ClonedVec for I {
    fn cloned_vec(self) -> Vec<Vec<u8>> {
        self.map(<[u8]>::to_vec).collect()
    }
}

fn body(message: &[u8]) -> Option<Vec<u8>> {
    let at = message.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    message.get(at..).filter(|body| !body.is_empty()).map(<[u8]>::to_vec)
}

fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let timed =
        frames.iter().take(6).map(|bytes| traffic::TimedFrame { at: std::time::Duration::ZERO, bytes: bytes.clone() });
    let mut file = Vec::new();
    traffic::write_pcap(&mut file, std::time::Duration::from_secs(1_795_000_000), &timed.collect::<Vec<_>>()).unwrap();
    file
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    let below = |random: &mut Random, limit: usize| usize::try_from(random.below(limit.max(1) as u64)).unwrap();
    for _ in 0..=below(random, 4) {
        let at = below(random, bytes.len());
        match below(random, 8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, [0, b'\r', b'\n', b' ', b':', b';', b'<', b'"', 0xff, 0x80][below(random, 10)]),
            2 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            3 if at < bytes.len() => bytes[at] ^= 1 << below(random, 8),
            4 if at < bytes.len() => drop(bytes.remove(at)),
            5 => {
                let from = below(random, other.len());
                let part = &other[from..(from + below(random, 200)).min(other.len())];
                bytes.splice(at..at, part.iter().copied());
            }
            6 if at + 2 <= bytes.len() => bytes[at..at + 2].copy_from_slice(&random.next().to_le_bytes()[..2]),
            _ => {
                let end = (at + below(random, 64)).min(bytes.len());
                let part = bytes[at.min(end)..end].to_vec();
                bytes.extend(part);
            }
        }
    }
    bytes.truncate(LONGEST);
}

/// The first input on which a target fails, and how it says so.
fn first_failure(target: targets::Target, seeds: &[Vec<u8>], rounds: usize) -> Option<Vec<u8>> {
    let mut random = Random::new(0x5eed);
    for round in 0..seeds.len() + rounds {
        let mut input = seeds[round % seeds.len()].clone();
        if round >= seeds.len() {
            let other = seeds[usize::try_from(random.below(seeds.len() as u64)).unwrap()].clone();
            mutate(&mut random, &mut input, &other);
        }
        if panic::catch_unwind(|| target(&input)).is_err() {
            return Some(input);
        }
    }
    None
}

#[test]
fn every_target_stands_its_corpus_and_mutations_of_it() {
    let frames = frames();
    let mut failed = Vec::new();
    for (name, target) in core::ALL.iter().chain(files::ALL) {
        let seeds = seeds(name, &frames);
        assert!(!seeds.is_empty(), "{name} has nothing to begin with");
        if let Some(input) = first_failure(*target, &seeds, ROUNDS) {
            let file = std::env::temp_dir().join(format!("callward-fuzz-{name}"));
            std::fs::write(&file, &input).unwrap();
            failed.push(format!("{name}: the input is in {}", file.display()));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_target_that_fails_is_found() {
    let fails: targets::Target = |data| assert!(!data.windows(3).any(|text| text == b"abc"), "found");
    let input = first_failure(fails, &[b"abxbc".to_vec()], 100_000).expect("a mutation makes abc");
    assert!(input.windows(3).any(|text| text == b"abc"));
}
