//! The program with files that nobody should have: changed at random, cut anywhere, made to burst. The kernel bounds its
//! memory and its time, so that growth or a hang ends it, and nothing here depends on how quick the machine is.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{captures, command_line::sample, hostile::Random};

/// Octets of address space for `read`: its tables and one file's buffers.
pub const MEMORY: u64 = 256 << 20;
/// Seconds of CPU: far more than any of these files needs.
const CPU: u64 = 60;

/// Runs the program under bounds. It ends by itself, without a panic, and says little.
pub fn bounded(memory: u64, arguments: &[&str]) -> Output {
    #[expect(clippy::disallowed_methods, reason = "the test starts the program under test")]
    let mut command = Command::new("prlimit");
    command.arg(format!("--as={memory}")).arg(format!("--cpu={CPU}")).arg(env!("CARGO_BIN_EXE_sniffer"));
    let output = command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some(), "it was killed: {:?}: {said}", output.status);
    assert!(!said.contains("panic") && said.lines().count() <= 3, "{said}");
    output
}

/// Reads a file under bounds; exit code, what was said, and the summary where there is one. Its totals balance.
pub fn read(file: &Path) -> (i32, String, Option<Value>) {
    let output = bounded(MEMORY, &["read", "--json", "--rtp-without-sip", file.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code().unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let Some(summary) = records.last() else {
        assert_eq!(code, 1, "{said}");
        return (code, said, None);
    };
    assert!(matches!(code, 0 | 2), "{code}: {said}");
    assert_eq!(said.is_empty(), code == 0, "{code}: {said}");
    let delivered = summary["delivered"].as_u64().unwrap();
    assert_eq!(summary["packets"].as_u64(), Some(delivered + captures::dropped(summary)), "{summary}");
    (code, said, Some(summary.clone()))
}

/// The packets of a summary.
pub fn packets(summary: Option<&Value>) -> Option<u64> {
    summary?["packets"].as_u64()
}

/// A pcapng block.
pub fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len().next_multiple_of(4) + 12).unwrap().to_le_bytes();
    let mut bytes = [kind.to_le_bytes(), length].concat();
    bytes.extend(body);
    bytes.resize(usize::try_from(u32::from_le_bytes(length)).unwrap() - 4, 0);
    bytes.extend(length);
    bytes
}

/// The header of a section.
pub fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &[[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0], [0xff; 8]].concat())
}

/// An interface of Ethernet frames.
pub fn interface(snap: u32, options: &[u8]) -> Vec<u8> {
    block(1, &[&[1, 0, 0, 0], &snap.to_le_bytes()[..], options].concat())
}

/// A packet.
pub fn packet(interface: u32, units: u64, captured: u32, frame: &[u8]) -> Vec<u8> {
    let time = [u32::try_from(units >> 32).unwrap(), u32::try_from(units & 0xffff_ffff).unwrap()];
    let head = [interface, time[0], time[1], captured, captured].map(u32::to_le_bytes).concat();
    block(6, &[head, frame.to_vec()].concat())
}

/// A packet without interface and time.
pub fn simple(original: u32, frame: &[u8]) -> Vec<u8> {
    block(3, &[&original.to_le_bytes()[..], frame].concat())
}

/// The same packets as pcapng.
fn as_pcapng(pcap: &[u8]) -> Vec<u8> {
    let mut out = [section(), interface(0, &[])].concat();
    let mut rest = &pcap[24..];
    while let Some((header, tail)) = rest.split_first_chunk::<16>() {
        let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (frame, tail) = tail.split_at(usize::try_from(number(8)).unwrap());
        out.extend(packet(0, u64::from(number(0)) * 1_000_000 + u64::from(number(4)), number(8), frame));
        rest = tail;
    }
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder, a few calls as pcap in it, and its octets.
pub fn calls() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = sample(folder.path());
    let bytes = fs::read(&file).unwrap();
    (folder, file, bytes)
}

#[test]
fn files_changed_at_random_are_read_to_an_end_within_bounds() {
    let (folder, file, pcap) = calls();
    // The first calls and some media: small files make most changes matter.
    let small = &pcap[..pcap.len().min(20_000)];
    let end = {
        let mut end = 24;
        while let Some(length) = small.get(end + 8..end + 12) {
            let next = end + 16 + usize::try_from(u32::from_le_bytes(length.try_into().unwrap())).unwrap();
            if next > small.len() {
                break;
            }
            end = next;
        }
        end
    };
    let small = &small[..end];
    let seeds = [small.to_vec(), as_pcapng(small), gzip(small), gzip(&as_pcapng(small))];
    let mut random = Random(0x00c0_ffee_0000_0001);
    let (mut codes, mut read_on) = ([0_u32; 3], 0);
    for round in 0..240 {
        let mut bytes = seeds[round % seeds.len()].clone();
        // Also where headers are: a change somewhere in 20,000 octets seldom is.
        let reach = if round % 3 == 0 { 200.min(bytes.len()) } else { bytes.len() };
        let mut part = bytes[..reach].to_vec();
        random.mutate(&mut part);
        bytes.splice(..reach, part);
        fs::write(&file, &bytes).unwrap();
        let (code, _, summary) = read(&file);
        codes[usize::try_from(code).unwrap()] += 1;
        read_on += u32::from(packets(summary.as_ref()) > Some(0));
    }
    assert!(codes.iter().all(|count| *count > 2) && read_on > 100, "all happens: {codes:?}, {read_on}");
    drop(folder);
}

#[test]
fn captures_of_others_changed_at_random_are_read_to_an_end_within_bounds() {
    let Some(shared) = captures::folder("captures_of_others_changed_at_random_are_read_to_an_end_within_bounds") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changed");
    let mut random = Random(0x00c0_ffee_0000_0002);
    let small = |file: &&PathBuf| file.metadata().unwrap().len() < 300_000;
    let mut count = 0;
    for original in captures::all_files(&shared).iter().filter(small) {
        let mut bytes = fs::read(original).unwrap();
        for _ in 0..random.below(20) + 1 {
            random.mutate(&mut bytes);
        }
        fs::write(&file, &bytes).unwrap();
        read(&file);
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn a_file_that_was_cut_at_any_octet_of_its_headers_is_told_apart_from_one_that_is_none() {
    let (folder, file, pcap) = calls();
    let length = usize::try_from(u32::from_le_bytes(pcap[32..36].try_into().unwrap())).unwrap();
    let first = 40 + length;
    for cut in (0..=60).chain([first - 1, first, first + 1]) {
        fs::write(&file, &pcap[..cut]).unwrap();
        let (code, said, summary) = read(&file);
        let (expected, text) = match cut {
            0 => (2, "the file is empty"),
            1..=3 => (1, "begins like neither pcap nor pcapng"),
            24 => (0, ""),
            _ if cut == first => (0, ""),
            _ => (2, "the file ends within a packet: it was cut"),
        };
        assert_eq!(code, expected, "{cut}: {said}");
        assert!(said.contains(text), "{cut}: {said}");
        assert_eq!(packets(summary.as_ref()), (code != 1).then_some(u64::from(cut >= first)), "{cut}");
    }
    let pcapng = as_pcapng(&pcap);
    // Section, interface, and the first packet.
    let ends = [28, 48, 48 + 32 + length.next_multiple_of(4)];
    for cut in 4..ends[2] + 20 {
        fs::write(&file, &pcapng[..cut]).unwrap();
        let (code, said, summary) = read(&file);
        assert_eq!(code, if ends.contains(&cut) { 0 } else { 2 }, "{cut}: {said}");
        assert_eq!(packets(summary.as_ref()), Some(u64::from(cut >= ends[2])), "{cut}");
    }
    let compressed = gzip(&pcap);
    for cut in (0..40).chain([compressed.len() - 9, compressed.len() - 1]) {
        fs::write(&file, &compressed[..cut]).unwrap();
        let (code, said, _) = read(&file);
        assert!(matches!(code, 1 | 2), "{cut}: {said}");
    }
    drop(folder);
}

#[test]
fn a_cut_file_among_others_ends_nobody_else_and_one_that_is_none_is_said_before_anything_is_read() {
    let (folder, file, pcap) = calls();
    let (cut, none) = (folder.path().join("cut.pcap"), folder.path().join("none.txt"));
    let all = packets(read(&file).2.as_ref()).unwrap();
    for length in [0, 10, 30] {
        fs::write(&cut, &pcap[..length]).unwrap();
        let output = bounded(MEMORY, &["read", "--json", cut.to_str().unwrap(), file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stdout).unwrap();
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(summary["packets"], all, "cut at {length}: the other file is read whole");
    }
    fs::write(&none, "Dear reader").unwrap();
    let output = bounded(MEMORY, &["read", "--json", file.to_str().unwrap(), none.to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    let output = bounded(MEMORY, &["read", folder.path().to_str().unwrap()]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("name the files in it"));
}

#[test]
fn a_pipe_is_read_as_a_file_is_and_not_twice() {
    let (_folder, file, pcap) = calls();
    let expected = bounded(MEMORY, &["read", "--json", file.to_str().unwrap()]).stdout;
    for name in ["-", "/dev/stdin"] {
        let mut child = crate::command_line::sniffer(&["read", "--json", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let writer = std::thread::spawn({
            let pcap = pcap.clone();
            move || input.write_all(&pcap)
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.stdout == expected, "{name}");
        let mut child = crate::command_line::sniffer(&["read", "--write-call", "x", "/dev/null", name])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains("need a second look"), "{name}");
    }
}

#[test]
fn what_bursts_when_it_is_unpacked_takes_time_and_no_memory() {
    let (folder, file, pcap) = calls();
    // Zeros are packets of no octets, at the beginning of 1970.
    let zeros = vec![0; 16 << 20];
    let bomb = gzip(&[&pcap[..24], &zeros].concat());
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    fs::write(&file, &bomb).unwrap();
    let (code, said, summary) = read(&file);
    assert_eq!((code, packets(summary.as_ref())), (0, Some(1 << 20)), "{said}");
    // A block that is passed over is unpacked to its end, which never comes.
    let head = [section(), [0x0bad_u32.to_le_bytes(), 0xffff_fff0_u32.to_le_bytes()].concat()].concat();
    fs::write(&file, gzip(&[head, zeros].concat())).unwrap();
    let (code, said, _) = read(&file);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("it was cut"), "{said}");
    // A packet of 4 GB is damage before anything of it is read.
    let mut huge = pcap[..24].to_vec();
    huge.extend([0, 0, u32::MAX, u32::MAX].map(u32::to_le_bytes).concat());
    fs::write(&file, gzip(&huge)).unwrap();
    assert!(read(&file).1.contains("longer than the format allows"));
    drop(folder);
}

#[test]
fn times_that_run_backwards_or_jump_end_no_program_and_lose_no_packet() {
    let (folder, file, pcap) = calls();
    let mut records = Vec::new();
    let mut rest = &pcap[24..];
    while rest.len() >= 16 {
        let length = 16 + usize::try_from(u32::from_le_bytes(rest[8..12].try_into().unwrap())).unwrap();
        let (record, tail) = rest.split_at(length);
        records.push(record.to_vec());
        rest = tail;
    }
    let write = |records: &[Vec<u8>]| fs::write(&file, [&pcap[..24], &records.concat()].concat()).unwrap();
    let count = u64::try_from(records.len()).unwrap();
    let mut backwards = records.clone();
    backwards.reverse();
    write(&backwards);
    assert_eq!(packets(read(&file).2.as_ref()), Some(count));
    // Each packet at a second of its own choice, from 1970 to 2106.
    let mut random = Random(77);
    for record in &mut records {
        record[..4].copy_from_slice(&u32::try_from(random.below(1 << 32)).unwrap().to_le_bytes());
        record[4..8].copy_from_slice(&[0xff; 4]);
    }
    write(&records);
    assert_eq!(packets(read(&file).2.as_ref()), Some(count));
    drop(folder);
}

#[test]
fn one_time_far_ahead_ends_no_call_and_is_counted() {
    let (folder, file, pcap) = calls();
    let ends = || {
        let output = bounded(MEMORY, &["read", "--json", file.to_str().unwrap()]);
        let text = String::from_utf8(output.stdout).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let calls = records.iter().filter(|record| record["type"] == "call");
        let mut calls: Vec<_> =
            calls.map(|call| format!("{} {} {}", call["call_id"], call["state"], call["end"])).collect();
        calls.sort();
        (calls, records.last().unwrap()["times_contradicted"].as_u64())
    };
    let (calls, none) = ends();
    assert!(calls.len() > 1 && none == Some(0), "{calls:?}");
    // In the middle of the file, a packet of 2093.
    let (mut at, mut records) = (24, Vec::new());
    while at < pcap.len() {
        records.push(at);
        at += 16 + usize::try_from(u32::from_le_bytes(pcap[at + 8..at + 12].try_into().unwrap())).unwrap();
    }
    let mut odd = pcap.clone();
    let middle = records[records.len() / 2];
    odd[middle..middle + 4].copy_from_slice(&3_881_000_000_u32.to_le_bytes());
    fs::write(&file, &odd).unwrap();
    assert_eq!(ends(), (calls, Some(1)));
    drop(folder);
}

#[test]
fn configurations_changed_at_random_are_in_order_or_named_in_one_line_that_a_terminal_may_show() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let config = r#"{ "ports": ["lo", "eth0"], "store": "/capture/sniffer", "socket": "/run/sniffer/query.sock", "workers": 2,
        "keep": { "calls": { "days": 9, "gigabytes": 5 }, "media_packets": "full", "free_gigabytes": 3 },
        "timeouts": { "call_idle": 60 }, "tables": { "calls": 100 }, "nat_aliases": [["10.0.0.1", "192.0.2.1"]],
        "correlation": { "on": true, "headers": ["X-CID"], "window_ms": 50 }, "rtp_without_sip": false }"#;
    let mut random = Random(0x00c0_ffee_0000_0003);
    let mut ended = [0, 0];
    let deep = |open: &str| open.repeat(200_000).into_bytes();
    let odd =
        [b"\xff\xfe{}".to_vec(), Vec::new(), b"null".to_vec(), deep("["), deep("{\"a\":"), vec![b' '; (1 << 20) + 1]];
    let changed = (0..200).map(|_| {
        let mut bytes = config.as_bytes().to_vec();
        random.mutate(&mut bytes);
        bytes
    });
    for bytes in changed.chain(odd) {
        fs::write(&file, &bytes).unwrap();
        let output = bounded(MEMORY, &["check", file.to_str().unwrap()]);
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        match output.status.code() {
            Some(0) => assert!(text.lines().last().unwrap().contains(": in order, "), "{text}"),
            Some(1) if bytes.len() > 1 << 20 => assert!(said.contains("longer than any configuration"), "{said}{text}"),
            Some(1) => {
                let (place, fault) = text.strip_prefix(file.to_str().unwrap()).unwrap().split_once(": ").unwrap();
                assert!(place[1..].split(':').all(|number| number.parse::<u32>().is_ok()), "{text}");
                assert!(fault.len() > 5 && text.lines().count() == 1, "{text}");
            }
            code => panic!("{code:?}: {text}{said}"),
        }
        ended[usize::try_from(output.status.code().unwrap()).unwrap()] += 1;
    }
    assert!(ended[0] > 2 && ended[1] > 100, "{ended:?}");
}
