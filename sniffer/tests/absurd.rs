//! What pcapng can say that nobody means: it is read, or named, and what comes out are times and totals.

use std::fs;

use crate::files::{MEMORY, block, bounded, calls, interface, packet, packets, read, section, simple};

/// What pcapng can say that nobody means: name, file, exit code, what is said, packets.
fn absurd(frame: &[u8]) -> Vec<(&'static str, Vec<u8>, i32, &'static str, u64)> {
    let length = u32::try_from(frame.len()).unwrap();
    let option = |code: u16, value: &[u8]| {
        let mut bytes = [code.to_le_bytes(), u16::try_from(value.len()).unwrap().to_le_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let with = |options: &[u8], units| [section(), interface(0, options), packet(0, units, length, frame)].concat();
    let odd_length = |total: u32| [section(), [6_u32.to_le_bytes(), total.to_le_bytes()].concat()].concat();
    let mut files = vec![
        ("an option longer than its block", with(&[2, 0, 0xff, 0xff, 1, 2, 3, 4], 0), 0, "", 1),
        ("an option cut within its code", with(&[9], 0), 0, "", 1),
        ("a resolution without a value", with(&option(9, &[]), 0), 0, "", 1),
        ("an offset of three octets", with(&option(14, &[1, 2, 3]), 0), 0, "", 1),
        ("a section of its own for each packet", (0..1000).flat_map(|n| with(&[], n)).collect(), 0, "", 1000),
        (
            "interfaces by the thousand",
            [section(), interface(0, &[]).repeat(5000)].concat(),
            2,
            "too many interfaces",
            0,
        ),
        (
            "the last of very many interfaces",
            {
                let interfaces = interface(0, &[]).repeat(4096);
                [section(), interfaces, packet(4095, 0, length, frame)].concat()
            },
            0,
            "",
            1,
        ),
        (
            "more captured than the block holds",
            [section(), interface(0, &[]), packet(0, 0, length + 64, frame)].concat(),
            2,
            "a packet is longer than its block",
            0,
        ),
        (
            "4 GB captured",
            [section(), interface(0, &[]), packet(0, 0, u32::MAX, frame)].concat(),
            2,
            "a packet is longer than its block",
            0,
        ),
        (
            "an interface that is not there",
            [section(), interface(0, &[]), packet(1, 0, length, frame)].concat(),
            2,
            "an interface that is not there",
            0,
        ),
        (
            "a packet before any interface",
            [section(), simple(length, frame)].concat(),
            2,
            "an interface that is not there",
            0,
        ),
        ("a snap length of nothing", [section(), interface(0, &[]), simple(length, frame)].concat(), 0, "", 1),
        ("a snap length of one octet", [section(), interface(1, &[]), simple(length, frame)].concat(), 0, "", 1),
        (
            "a packet of no octets",
            [section(), interface(0, &[]), packet(0, 0, 0, &[]), simple(0, &[])].concat(),
            0,
            "",
            2,
        ),
        ("a block of no length", odd_length(0), 2, "a block's length is not possible", 0),
        ("a block of seven octets", odd_length(7), 2, "a block's length is not possible", 0),
        ("a packet's block of 4 GB", odd_length(u32::MAX - 3), 2, "a block is longer than any packet", 0),
        ("a section without byte order", block(0x0a0d_0d0a, &[7; 16]), 2, "a section has no byte order", 0),
    ];
    for (resolution, offset) in
        [(0x00, 0), (0x7f, 0), (0x80, 0), (0xff, 0), (6, i64::MIN), (9, i64::MAX), (0x7f, i64::MAX), (0xff, i64::MIN)]
    {
        for units in [0, 1, u64::MAX] {
            let options = [option(9, &[resolution]), option(14, &offset.to_le_bytes())].concat();
            files.push(("times out of this world", with(&options, units), 0, "", 1));
        }
    }
    files
}

#[test]
fn absurd_pcapng_is_read_or_named_and_its_times_are_times() {
    let (folder, file, pcap) = calls();
    let length = usize::try_from(u32::from_le_bytes(pcap[32..36].try_into().unwrap())).unwrap();
    let validator = crate::schema::validator();
    for (name, bytes, code, text, count) in absurd(&pcap[40..40 + length]) {
        fs::write(&file, &bytes).unwrap();
        let (ended, said, summary) = read(&file);
        assert_eq!((ended, packets(summary.as_ref())), (code, Some(count)), "{name}: {said}");
        assert!(said.contains(text), "{name}: {said}");
        let output = bounded(MEMORY, &["read", "--json", file.to_str().unwrap()]);
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let record = serde_json::from_str(line).unwrap();
            let errors: Vec<_> = validator.iter_errors(&record).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?} in {record}");
        }
        let table = bounded(MEMORY, &["read", file.to_str().unwrap()]);
        assert_eq!(table.status.code(), Some(code), "{name}");
    }
    drop(folder);
}
