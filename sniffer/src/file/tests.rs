use super::*;

type Read = (LinkType, String, Vec<u8>);

fn read(bytes: &[u8]) -> (Vec<Read>, Option<FileError>) {
    let mut file = match CaptureFile::new(bytes) {
        Ok(file) => file,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut packets = Vec::new();
    loop {
        match file.next_packet() {
            Ok(Some(packet)) => packets.push((packet.link, packet.time.to_string(), packet.frame.to_vec())),
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}

/// A number in one of the two byte orders.
fn put(big: bool, bytes: &mut Vec<u8>, number: u32) {
    bytes.extend(if big { number.to_be_bytes() } else { number.to_le_bytes() });
}

fn pcap(big: bool, magic: u32, units: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [magic, 0x0002_0004, 0, 0, 65535, 113, 1_700_000_000, units, 3, 60] {
        put(big, &mut bytes, number);
    }
    bytes.extend(b"abc");
    bytes
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_resolutions() {
    for big in [false, true] {
        for (magic, units) in [(0xa1b2_c3d4, 123_456), (0xa1b2_3c4d, 123_456_789), (0xa1b2_cd34, 123_456)] {
            let mut file = pcap(big, magic, units);
            if magic == 0xa1b2_cd34 {
                // The "modified" format: interface, protocol and packet type before each frame.
                file.splice(40..40, [0; 8]);
            }
            let (packets, error) = read(&file);
            assert!(error.is_none());
            let time = "2023-11-14T22:13:20.123456Z".to_owned();
            assert_eq!(packets, [(LinkType::LinuxCooked, time, b"abc".to_vec())]);
        }
    }
}

#[test]
fn a_cut_file_gives_what_is_whole_and_says_so() {
    let whole = pcap(false, 0xa1b2_c3d4, 0);
    let mut twice = whole.clone();
    twice.extend(&whole[24..]);
    for end in 44..twice.len() {
        let (packets, error) = read(&twice[..end]);
        assert_eq!((packets.len(), matches!(error, Some(FileError::Cut))), (1, true), "cut at {end}");
    }
    assert!(matches!(read(b"no").1, Some(FileError::UnknownFormat)));
    assert!(matches!(read(b"GIF89a and more").1, Some(FileError::UnknownFormat)));
}

#[test]
fn a_length_that_is_not_possible_is_damage_and_allocates_nothing() {
    let mut bytes = pcap(false, 0xa1b2_c3d4, 0);
    bytes[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&bytes).1, Some(FileError::Damaged(_))));
}

fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let total = u32::try_from(body.len() + 12).unwrap();
    put(big, &mut bytes, kind);
    put(big, &mut bytes, total);
    bytes.extend(&body);
    put(big, &mut bytes, total);
    bytes
}

fn pcapng(big: bool, options: &[u8], time: u64) -> Vec<u8> {
    let mut section = Vec::new();
    for number in [0x1a2b_3c4d, if big { 0x0001_0000 } else { 1 }, u32::MAX, u32::MAX] {
        put(big, &mut section, number);
    }
    let mut interface = if big { vec![0, 1, 0, 0] } else { vec![1, 0, 0, 0] };
    put(big, &mut interface, 0);
    interface.extend(options);
    let mut packet = Vec::new();
    for number in [0, u32::try_from(time >> 32).unwrap(), u32::try_from(time & 0xffff_ffff).unwrap(), 5, 5] {
        put(big, &mut packet, number);
    }
    packet.extend(b"hello");
    [block(big, 0x0a0d_0d0a, &section), block(big, 1, &interface), block(big, 99, b"other"), block(big, 6, &packet)]
        .concat()
}

#[test]
fn pcapng_is_read_in_both_byte_orders_and_sections_start_anew() {
    let time = 1_700_000_000_123_456;
    let bytes = [pcapng(false, &[], time), pcapng(true, &[], time)].concat();
    let (packets, error) = read(&bytes);
    assert!(error.is_none());
    let one = (LinkType::Ethernet, "2023-11-14T22:13:20.123456Z".to_owned(), b"hello".to_vec());
    assert_eq!(packets, [one.clone(), one]);
}

#[test]
fn pcapng_times_follow_the_interface_s_resolution_and_offset() {
    let time = |options: &[u8], units| read(&pcapng(false, options, units)).0[0].1.clone();
    assert_eq!(time(&[9, 0, 1, 0, 9, 0, 0, 0], 1_700_000_000_123_456_789), "2023-11-14T22:13:20.123456Z");
    assert_eq!(time(&[9, 0, 1, 0, 0, 0, 0, 0], 1_700_000_000), "2023-11-14T22:13:20.000000Z");
    // 2^-10 s: half a second is 512 units.
    assert_eq!(time(&[9, 0, 1, 0, 0x8a, 0, 0, 0], (1_700_000_000 << 10) + 512), "2023-11-14T22:13:20.500000Z");
    assert_eq!(time(&[14, 0, 8, 0, 10, 0, 0, 0, 0, 0, 0, 0], 1_699_999_990_000_000), "2023-11-14T22:13:20.000000Z");
    // Absurd ones neither divide by zero nor overflow.
    for absurd in [0x7f, 0x80, 0xff] {
        time(&[9, 0, 1, 0, absurd, 0, 0, 0], u64::MAX);
    }
}

#[test]
fn a_block_that_is_not_read_may_be_longer_than_any_packet_and_one_that_is_cut_is_named() {
    // The secrets of a whole day: type 10 (draft-ietf-opsawg-pcapng, decryption secrets block).
    let secrets = block(false, 10, &vec![b'x'; 5 << 20]);
    let whole = pcapng(false, &[], 7);
    let (expected, error) = read(&whole);
    assert!(!expected.is_empty() && error.is_none());
    // The section's header has 28 octets here.
    let long = [&whole[..28], &secrets, &whole[28..]].concat();
    let (packets, error) = read(&long);
    assert!(error.is_none() && packets == expected, "{error:?}");
    let (packets, error) = read(&long[..3 << 20]);
    assert!(packets.is_empty() && matches!(error, Some(FileError::Cut)), "{error:?}");
    let packet_beyond_all = block(false, 6, &vec![0; 2 << 20]);
    assert!(matches!(read(&[&whole[..], &packet_beyond_all].concat()).1, Some(FileError::Damaged(_))));
}

#[test]
fn a_packet_of_an_interface_that_is_not_there_is_damage() {
    let mut bytes = pcapng(false, &[], 0);
    let at = bytes.len() - (20 + 8 + 4);
    bytes[at] = 7;
    assert!(matches!(read(&bytes).1, Some(FileError::Damaged(_))));
}

#[test]
fn damaged_files_never_panic() {
    let whole = pcapng(false, &[9, 0, 1, 0, 9, 0, 0, 0], 1);
    let mut tried = 0;
    for at in 0..whole.len() {
        for value in [0, 1, 4, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            tried += read(&bytes).0.len() + 1;
        }
    }
    assert!(tried > whole.len());
}

#[test]
fn the_frame_check_sequence_s_length_is_no_part_of_the_link_type() {
    let mut bytes = pcap(false, 0xa1b2_c3d4, 0);
    bytes[20..24].copy_from_slice(&0x2400_0001_u32.to_le_bytes());
    assert_eq!(read(&bytes).0[0].0, LinkType::Ethernet);
}

#[test]
fn simple_and_obsolete_packets_and_several_interfaces_are_read() {
    let mut section = Vec::new();
    for number in [0x1a2b_3c4d, 1, u32::MAX, u32::MAX] {
        put(false, &mut section, number);
    }
    // Ethernet cut to 4 bytes; raw IP in nanoseconds.
    let ethernet = [1, 0, 0, 0, 4, 0, 0, 0];
    let raw = [101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0];
    let enhanced = |interface: u32, units: u64, data: &[u8]| {
        let mut body = Vec::new();
        let length = u32::try_from(data.len()).unwrap();
        for number in [
            interface,
            u32::try_from(units >> 32).unwrap(),
            u32::try_from(units & 0xffff_ffff).unwrap(),
            length,
            length,
        ] {
            put(false, &mut body, number);
        }
        body.extend(data);
        // An option after the packet: a comment.
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([1, 0, 2, 0, b'o', b'k', 0, 0]);
        block(false, 6, &body)
    };
    let simple = [&9_u32.to_le_bytes()[..], b"simp"].concat();
    let mut obsolete = vec![1, 0, 7, 0];
    let units = 1_700_000_001_000_000_000_u64;
    for number in [u32::try_from(units >> 32).unwrap(), u32::try_from(units & 0xffff_ffff).unwrap(), 3, 60] {
        put(false, &mut obsolete, number);
    }
    obsolete.extend(b"old");
    let bytes = [
        block(false, 0x0a0d_0d0a, &section),
        block(false, 1, &ethernet),
        block(false, 1, &raw),
        enhanced(0, 1_700_000_000_000_000, b"first"),
        block(false, 3, &simple),
        enhanced(1, 1_700_000_000_500_000_000, b"second"),
        block(false, 2, &obsolete),
    ]
    .concat();
    let (packets, error) = read(&bytes);
    assert!(error.is_none());
    let expected = [
        (LinkType::Ethernet, "2023-11-14T22:13:20.000000Z", &b"first"[..]),
        (LinkType::Ethernet, "2023-11-14T22:13:20.000000Z", b"simp"),
        (LinkType::RawIp, "2023-11-14T22:13:20.500000Z", b"second"),
        (LinkType::RawIp, "2023-11-14T22:13:21.000000Z", b"old"),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(link, time, data)| (*link, (*time).to_owned(), data.to_vec())).collect();
    assert_eq!(packets, expected);
}

/// Gives its bytes a few at a time, as pipes and decompressors do.
struct Trickle<'a>(&'a [u8]);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.0.len()).min(7);
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

#[test]
fn many_packets_come_out_right_whatever_the_reads_give() {
    // More than the buffer holds, so that packets lie across its end.
    let mut bytes = pcap(false, 0xa1b2_c3d4, 0)[..24].to_vec();
    let count = 3000_u32;
    for n in 0..count {
        let length = n % 1500;
        for number in [n, 0, length, length] {
            put(false, &mut bytes, number);
        }
        bytes.extend(std::iter::repeat_n(u8::try_from(n % 251).unwrap(), usize::try_from(length).unwrap()));
    }
    assert!(bytes.len() > 2 * limits::FILE_BUFFER);
    let check = |reader: &mut dyn std::io::Read| {
        let mut file = CaptureFile::new(reader).unwrap();
        for n in 0..count {
            let packet = file.next_packet().unwrap().unwrap();
            assert_eq!(packet.frame.len(), usize::try_from(n % 1500).unwrap());
            assert!(packet.frame.iter().all(|byte| u32::from(*byte) == n % 251));
        }
        assert!(file.next_packet().unwrap().is_none());
    };
    check(&mut bytes.as_slice());
    check(&mut Trickle(&bytes));
}

#[test]
fn a_compressed_file_is_read_like_a_plain_one_and_damage_is_named() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap.gz");
    let whole = pcap(false, 0xa1b2_c3d4, 123_456);
    let compress = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    // In two parts, as parallel compressors write them.
    let mut compressed = compress(&whole[..30]);
    compressed.extend(compress(&whole[30..]));
    std::fs::write(&path, &compressed).unwrap();
    let mut file = CaptureFile::open(&path).unwrap();
    assert_eq!(file.next_packet().unwrap().unwrap().frame, b"abc");
    assert!(file.next_packet().unwrap().is_none());
    std::fs::write(&path, &compressed[..compressed.len() - 12]).unwrap();
    let mut file = CaptureFile::open(&path).unwrap();
    assert!(matches!(file.next_packet(), Err(FileError::Cut | FileError::Damaged(_))));
}
