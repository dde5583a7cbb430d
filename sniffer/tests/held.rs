//! A call whose messages come in fragments and segments is written out and cut out whole: read again it is the same call.

use std::{fs, path::Path, process::Command, sync::Arc};

use serde_json::Value;
use sniffer::{
    disk::{Disk, RealDisk},
    packets::{MediaKept, PacketStore, PcapngWriter, Settings},
    store::Store,
};
use sniffer_core::{query::CallFilter, time::Timestamp};

fn run(arguments: &[&str]) -> std::process::Output {
    #[expect(clippy::disallowed_methods, reason = "the test starts the program under test")]
    Command::new(env!("CARGO_BIN_EXE_sniffer")).args(arguments).output().unwrap()
}

/// Calls over TCP in segments of 90 bytes (messages of both share segments) and over UDP in fragments of 160.
fn sample() -> Vec<u8> {
    let mut file = Vec::new();
    for number in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 101] {
        file.extend(number.to_le_bytes());
    }
    let mut millis = 0_u32;
    let mut packet = |protocol: u8, (from, to): (u8, u8), id: u16, fragment: u16, body: &[u8]| {
        millis += 10;
        let mut bytes = vec![0x45, 0];
        bytes.extend(u16::try_from(body.len() + 20).unwrap().to_be_bytes());
        bytes.extend([id.to_be_bytes(), fragment.to_be_bytes()].concat());
        bytes.extend([64, protocol, 0, 0, 192, 0, 2, from, 192, 0, 2, to]);
        bytes.extend(body);
        let size = u32::try_from(bytes.len()).unwrap();
        for number in [1_700_000_000 + millis / 1000, millis % 1000 * 1000, size, size] {
            file.extend(number.to_le_bytes());
        }
        file.extend(bytes);
    };
    let message = |start: &str, call: &str, cseq: &str, tag: &str| {
        format!(
            "{start}\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK{call}{}\r\nFrom: <sip:a@example.org>;tag=a\r\nTo: <sip:b@example.org>{tag}\r\n\
             Call-ID: {call}\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n",
            cseq.len()
        )
    };
    let talk = [
        ((1, 2), "INVITE sip:b@example.org SIP/2.0", "1 INVITE", ""),
        ((2, 1), "SIP/2.0 200 OK", "1 INVITE", ";tag=b"),
        ((1, 2), "BYE sip:b@example.org SIP/2.0", "22 BYE", ";tag=b"),
        ((2, 1), "SIP/2.0 200 OK", "22 BYE", ";tag=b"),
    ];
    let mut next = [1000_u32, 5000, 9000, 70_000];
    for (number, (ends, start, cseq, tag)) in talk.into_iter().enumerate() {
        let both = message(start, "tcp-one", cseq, tag) + &message(start, "tcp-two", cseq, tag);
        let alone = message(start, "tcp-alone", cseq, tag);
        let parts = both.as_bytes().chunks(90).map(|part| (0, part));
        for (connection, part) in parts.chain(alone.as_bytes().chunks(90).map(|part| (1, part))) {
            let port = 40_000 + u16::from(connection);
            let ports: [u16; 2] = if ends.0 == 1 { [port, 5060] } else { [5060, port] };
            let mut segment = [ports[0].to_be_bytes(), ports[1].to_be_bytes()].concat();
            let sequence = &mut next[usize::from(connection * 2 + ends.0 - 1)];
            segment.extend(sequence.to_be_bytes());
            *sequence += u32::try_from(part.len()).unwrap();
            segment.extend([0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
            segment.extend(part);
            packet(6, ends, 0, 0, &segment);
        }
        let text = message(start, "fragments", cseq, tag);
        let mut datagram = [5060_u16.to_be_bytes(), 5060_u16.to_be_bytes()].concat();
        datagram.extend(u16::try_from(text.len() + 8).unwrap().to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(text.as_bytes());
        let count = datagram.len().div_ceil(160);
        for (n, part) in datagram.chunks(160).enumerate() {
            let more = if n + 1 < count { 0x2000 } else { 0 };
            packet(17, ends, u16::try_from(number).unwrap() + 1, u16::try_from(n * 20).unwrap() | more, part);
        }
    }
    file
}

/// What reading a file says of a call.
fn record(file: &Path, call: &str) -> Value {
    let output = run(&["read", "--json", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = records.find(|record| record["call_id"] == call).unwrap_or(Value::Null);
    assert!(!found.is_null(), "no {call}: {text}");
    // Only what came before the call in the same file tells these.
    found["correlation"] = Value::Null;
    found["correlated_by"] = Value::Null;
    if call == "tcp-one" || call == "tcp-two" {
        // What the other call said on the same connection is a hole here, behind which messages wait for a while.
        for field in ["end", "duration_ms", "answered", "setup_ms"] {
            assert!(!found[field].is_null(), "{field}");
            found[field] = Value::Null;
        }
    }
    found
}

#[test]
fn a_call_in_fragments_or_segments_is_written_whole_and_reads_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.pcap");
    fs::write(&file, sample()).unwrap();
    for call in ["tcp-one", "tcp-two", "tcp-alone", "fragments"] {
        for name in ["one.pcap", "one.pcapng"] {
            let out = folder.path().join(name);
            let output = run(&["read", "--write-call", call, out.to_str().unwrap(), file.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let begin = fs::read(&out).unwrap()[..4].to_vec();
            assert_eq!(begin == [0x0a, 0x0d, 0x0d, 0x0a], name.ends_with("ng"), "{begin:x?}");
            let again = record(&out, call);
            assert_eq!(again, record(&file, call), "{name}");
            assert_eq!(again["state"], "completed");
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
}

#[test]
fn a_call_in_fragments_or_segments_is_cut_whole_out_of_the_packet_store_and_found_by_its_hosts() {
    let folder = tempfile::tempdir().unwrap();
    let (file, kept) = (folder.path().join("all.pcap"), folder.path().join("store"));
    fs::write(&file, sample()).unwrap();
    let output = run(&["read", "--json", "--store", kept.to_str().unwrap(), file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = Store::open(&disk, &kept, Timestamp::default()).unwrap();
    let (packets, _queue) = PacketStore::new(Settings { run: 1, media: MediaKept::Full, floor: 0, waits: false });
    packets.open(&disk, &kept.join("packets")).unwrap();
    // No media: it is the hosts of the signalling.
    let by = |address: &str| CallFilter { address: Some(address.parse().unwrap()), ..CallFilter::default() };
    let found = store.search(&by("192.0.2.2"), 9, None).unwrap().calls;
    assert_eq!(found.len(), 4, "by the callee's host");
    assert_eq!(store.search(&by("192.0.2.1"), 9, None).unwrap().calls.len(), 4, "by the caller's host");
    assert_eq!(store.search(&by("192.0.2.3"), 9, None).unwrap().calls.len(), 0);
    for summary in found {
        let (call, of) = store.call(summary.id).unwrap().unwrap();
        let of = of.unwrap();
        let out = folder.path().join("cut.pcapng");
        let mut writer = PcapngWriter::new(fs::File::create(&out).unwrap()).unwrap();
        let end = call.summary.end.unwrap();
        let wanted = of.of_call(summary.start, end);
        packets.cut(&wanted, |packet| writer.packet(packet)).unwrap();
        writer.finish().unwrap();
        assert_eq!(record(&out, &summary.call_id), record(&file, &summary.call_id));
    }
}

#[test]
fn links_of_different_kinds_need_pcapng_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one.pcap"), folder.path().join("other.pcap"));
    let raw = sample();
    fs::write(&one, &raw).unwrap();
    // The same packets in Linux cooked frames.
    let (mut cooked, mut rest) = (raw[..20].to_vec(), &raw[24..]);
    cooked.extend(113_u32.to_le_bytes());
    while let Some((header, tail)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes(header[8..12].try_into().unwrap());
        cooked.extend(&header[..8]);
        cooked.extend([(length + 16).to_le_bytes(), (length + 16).to_le_bytes()].concat());
        cooked.extend([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]);
        cooked.extend(&tail[..usize::try_from(length).unwrap()]);
        rest = &tail[usize::try_from(length).unwrap()..];
    }
    fs::write(&other, cooked).unwrap();
    let write = |name: &str| {
        let out = folder.path().join(name);
        let files = [one.to_str().unwrap(), other.to_str().unwrap()];
        run(&["read", "--write-call", "fragments", out.to_str().unwrap(), files[0], files[1]])
    };
    let output = write("both.pcapng");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = write("both.pcap");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("end in .pcapng"), "{output:?}");
    assert!(!folder.path().join("both.pcap").exists(), "no half of a call stays");
}
