use sniffer_core::time::Timestamp;

use super::*;

/// A frame of RTP over UDP over IPv4, its checksums right.
struct Rtp {
    time: i64,
    number: u16,
    timestamp: u32,
    identification: u16,
    checksum: u16,
    marker: bool,
    payload: usize,
}

impl Rtp {
    fn frame(&self) -> Vec<u8> {
        let mut ip = vec![0x45, 0xb8];
        ip.extend(u16::try_from(40 + self.payload).unwrap().to_be_bytes());
        ip.extend(self.identification.to_be_bytes());
        ip.extend([0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
        let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend(ip);
        frame.extend([0x0f, 0xa0, 0x13, 0x88]);
        frame.extend(u16::try_from(20 + self.payload).unwrap().to_be_bytes());
        frame.extend(self.checksum.to_be_bytes());
        frame.extend([0x80, if self.marker { 0x88 } else { 8 }]);
        frame.extend(self.number.to_be_bytes());
        frame.extend(self.timestamp.to_be_bytes());
        frame.extend([1, 2, 3, 4]);
        frame
    }
}

const HEADERS: Shape = Shape { head: 54, rtp: Some(42), vlan: None, stream: Some((1, 0)) };

/// Packs, and says how long each record became; what is read back is what was put in.
fn there_and_back(packets: &[(i64, u16, u32, Vec<u8>, Shape)]) -> Vec<usize> {
    let (mut run, mut packed, mut lengths) = (Run::default(), Vec::new(), Vec::new());
    for (time, link, original, bytes, shape) in packets {
        let before = packed.len();
        let packet = Packet { time: Timestamp::from_nanos(*time), link: *link, original: *original, bytes };
        run.pack(&mut packed, &packet, shape);
        lengths.push(packed.len() - before);
    }
    let mut unpacking = Unpacking::new(&packed);
    for (time, link, original, bytes, shape) in packets {
        let mut expected = bytes.clone();
        let mut original = (*original).max(u32::try_from(bytes.len()).unwrap());
        if let Some(vlan) = shape.vlan.filter(|_| *link == 1 && bytes.len() >= 12) {
            expected.splice(12..12, [0x81, 0, u8::try_from(vlan >> 8).unwrap(), u8::try_from(vlan & 0xff).unwrap()]);
            original += 4;
        }
        let read = unpacking.next_packet().expect("it was put in");
        assert_eq!((read.time.as_nanos(), read.link, read.original), (*time, *link, original));
        assert_eq!(read.bytes, expected);
    }
    assert!(unpacking.is_over() && unpacking.next_packet().is_none());
    lengths
}

fn steady(change: impl Fn(u16, &mut Rtp)) -> Vec<(i64, u16, u32, Vec<u8>, Shape)> {
    (0..100_u16)
        .map(|n| {
            let mut rtp = Rtp {
                time: 1_700_000_000_000_000_000 + i64::from(n) * 20_000_000,
                number: 65_500_u16.wrapping_add(n),
                timestamp: (u32::MAX - 3000).wrapping_add(u32::from(n) * 160),
                identification: 0,
                checksum: 0,
                marker: n == 0,
                payload: 160,
            };
            change(n, &mut rtp);
            (rtp.time, 1, 214, rtp.frame(), HEADERS)
        })
        .collect()
}

#[test]
fn of_a_steady_stream_only_the_time_is_told_over_the_wrap_of_its_numbers() {
    let lengths = there_and_back(&steady(|_, _| {}));
    // The first is whole, and how far the timestamp goes is known from the second on.
    assert_eq!(lengths[0], 1 + 8 + 2 + 1 + 2 + 2 + 54);
    assert_eq!(lengths[2..], [3; 98], "{lengths:?}");
}

#[test]
fn checksums_and_identifications_cost_two_octets_each_and_counted_ones_nothing() {
    // Differences of squares are never twice the same.
    let random = |n: u16| n * n;
    let checksums = there_and_back(&steady(|n, rtp| rtp.checksum = random(n)));
    assert_eq!(checksums[2..], [5; 98]);
    let counted = there_and_back(&steady(|n, rtp| rtp.identification = 65_530_u16.wrapping_add(n)));
    assert_eq!(counted[2..], [3; 98], "{counted:?}");
    let any = there_and_back(&steady(|n, rtp| rtp.identification = random(n)));
    assert_eq!(any[2..], [5; 98], "the checksum of IP follows from it: {any:?}");
    let nanos = there_and_back(&steady(|n, rtp| rtp.time += i64::from(n * 7)));
    assert_eq!(nanos[2..], [5; 98], "times in nanoseconds have four octets");
}

#[test]
fn what_is_not_as_guessed_is_told_and_costs_what_differs() {
    // Silence, a new talk with its marker, a lost packet, one that comes late, a comfort noise of another length.
    let lengths = there_and_back(&steady(|n, rtp| match n {
        40 => (rtp.time, rtp.timestamp) = (rtp.time + 3_000_000_000, rtp.timestamp.wrapping_add(24_000)),
        50 => rtp.marker = true,
        60 => rtp.number = rtp.number.wrapping_add(1),
        70 => rtp.time -= 40_000_000,
        80 => rtp.payload = 1,
        _ => {}
    }));
    let dear: Vec<usize> = (0..100).filter(|n| lengths[*n] > 3).collect();
    assert_eq!(dear, [0, 1, 40, 41, 42, 50, 60, 61, 71, 80, 81], "{lengths:?}");
    assert!(lengths[1..].iter().all(|length| *length <= 14), "{lengths:?}");
    // A time that goes far back, and another link type.
    let mut packets = steady(|_, _| {});
    packets[10].0 = 5;
    packets[20].1 = 113;
    assert_eq!(there_and_back(&packets)[20], 70);
}

#[test]
fn a_tag_that_the_card_took_out_is_in_the_packet() {
    let mut packets = steady(|_, _| {});
    for (n, packet) in packets.iter_mut().enumerate() {
        packet.4.vlan = (n > 10).then_some(0x0123);
    }
    let lengths = there_and_back(&packets);
    assert_eq!((lengths[11], lengths[13]), (1 + 8 + 2 + 1 + 2 + 2 + 58, 3), "it moves RTP, which begins a run");
}

#[test]
fn the_payload_is_kept_as_it_is_and_costs_itself() {
    let mut packets = steady(|_, _| {});
    for (n, packet) in packets.iter_mut().enumerate() {
        packet.3.extend((0..160).map(|at| u8::try_from((at * n) % 251).unwrap()));
    }
    assert_eq!(there_and_back(&packets)[2..], [163; 98]);
}

#[test]
fn packets_of_any_length_and_difference_read_back() {
    let mut state = 7_u64;
    let mut random = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % most.max(1)
    };
    for _ in 0..1000 {
        let rtp = [None, Some(42), Some(0), Some(1), Some(27), Some(255)][random(6)];
        let mut template: Vec<u8> = (0..300).map(|_| u8::try_from(random(256)).unwrap()).collect();
        template[14] = 0x45;
        let mut time = 1_700_000_000_000_000_000_i64;
        let packets: Vec<_> = (0..20)
            .map(|_| {
                let length = if random(3) == 0 { random(300) } else { 84 };
                for _ in 0..random(9) {
                    template[random(100)] = u8::try_from(random(256)).unwrap();
                }
                let step = [20_000_000, 20_000_001, -7_000, i64::from(u32::MAX), 0, i64::MAX / 3][random(6)];
                time = time.checked_add(step).unwrap_or(5);
                let vlan = (random(4) == 0).then_some(0x0042);
                let link = if random(5) == 0 { 113 } else { 1 };
                let shape = Shape { head: random(120), rtp, vlan, stream: None };
                (time, link, u32::try_from(random(2000)).unwrap(), template[..length].to_vec(), shape)
            })
            .collect();
        there_and_back(&packets);
    }
}

#[test]
fn what_is_cut_or_changed_gives_fewer_packets_or_others_and_never_a_panic() {
    let mut packed = Vec::new();
    let mut run = Run::default();
    for (time, link, original, bytes, shape) in steady(|n, rtp| rtp.checksum = n * 7) {
        let packet = Packet { time: Timestamp::from_nanos(time), link, original, bytes: &bytes };
        run.pack(&mut packed, &packet, &shape);
    }
    let read = |packed: &[u8]| {
        let mut unpacking = Unpacking::new(packed);
        let mut count = 0;
        while let Some(packet) = unpacking.next_packet() {
            assert!(packet.bytes.len() <= HEAD + packed.len());
            count += 1;
        }
        (count, unpacking.is_over())
    };
    assert_eq!(read(&packed), (100, true));
    for cut in 0..packed.len() {
        assert!(read(&packed[..cut]).0 < 100);
    }
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut bytes = packed.clone();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = usize::try_from(state).unwrap() % bytes.len();
            bytes[at] = u8::try_from(state >> 56).unwrap();
        }
        read(&bytes);
    }
}

/// A steady stream has a way of its own, and the records are those of the other: also behind one VLAN tag (IEEE 802.1Q)
/// and behind two (802.1ad), of which one packet has another priority.
#[test]
fn the_short_way_of_a_steady_stream_makes_the_same_records() {
    let tags: [&[u8]; 3] = [&[], &[0x81, 0, 0x60, 7], &[0x88, 0xa8, 0x20, 9, 0x81, 0, 0x60, 7]];
    for (tags, expected) in tags.into_iter().zip([94, 92, 92]) {
        let mut packets = steady(|n, rtp| {
            (rtp.checksum, rtp.identification) = (n / 3 * 77, if n % 5 == 0 { n * n } else { n });
            rtp.time += if n % 7 == 0 { 1 } else { 0 };
            rtp.number = rtp.number.wrapping_add(n / 33);
            rtp.marker = n == 70;
        });
        for (n, (_, _, _, bytes, shape)) in packets.iter_mut().enumerate() {
            bytes.splice(12..12, tags.iter().copied());
            if n == 50 && !tags.is_empty() {
                bytes[12 + tags.len() - 2] ^= 0x80;
            }
            let rtp = u8::try_from(42 + tags.len()).unwrap();
            *shape = Shape { head: 54 + tags.len(), rtp: Some(rtp), ..HEADERS };
        }
        let (mut short, mut long) = ((Run::default(), Vec::new()), (Run::default(), Vec::new()));
        let mut steady = 0;
        for (time, link, original, bytes, shape) in &packets {
            let packet = Packet { time: Timestamp::from_nanos(*time), link: *link, original: *original, bytes };
            long.0.pack_any(&mut long.1, &packet, shape);
            match short.0.pack_steady(&mut short.1, &packet, shape) {
                Some(()) => steady += 1,
                None => short.0.pack_any(&mut short.1, &packet, shape),
            }
            assert_eq!(short.1, long.1);
        }
        // All but the first two, three that skip a number, one that begins talk, and two between which the tag differs.
        assert_eq!(steady, expected, "{tags:x?}");
        there_and_back(&packets);
    }
}

/// The checksum of IP is told only where it does not follow from the packet before.
#[test]
fn a_steady_packet_whose_ip_checksum_is_wrong_is_kept_as_it_is() {
    let mut packets = steady(|_, _| {});
    for n in [40, 41, 60] {
        packets[n].3[24] ^= 0x55;
    }
    let lengths = there_and_back(&packets);
    let dear: Vec<usize> = (2..100).filter(|n| lengths[*n] > 3).collect();
    assert_eq!(dear, [40, 42, 60, 61], "{lengths:?}");
}
