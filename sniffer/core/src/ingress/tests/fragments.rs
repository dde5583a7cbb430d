//! IP fragments.

use super::*;

/// A packet's payload in pieces of random length, each with its frame.
fn cut(random: &mut Random, six: bool, id: u16, payload: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let length = (8 * (1 + random.below(60))).min(payload.len() - at);
        let more = at + length < payload.len();
        frames.push(fragment(six, id, at, more, &payload[at..at + length]));
        at += length;
    }
    frames
}

fn fragment(six: bool, id: u16, at: usize, more: bool, bytes: &[u8]) -> Vec<u8> {
    let offset = u16::try_from(at).unwrap();
    if six {
        let field = (offset | u16::from(more)).to_be_bytes();
        let header = [17, 0, field[0], field[1], 0, 7, id.to_be_bytes()[0], id.to_be_bytes()[1]];
        ipv6(44, &[&header[..], bytes].concat())
    } else {
        ipv4(17, id, (offset >> 3) | if more { 0x2000 } else { 0 }, bytes)
    }
}

#[test]
fn a_datagram_in_any_fragments_in_any_order_with_copies_comes_out_the_same() {
    let mut random = Random(0x0f0f_1234);
    for round in 0..400_u16 {
        let six = round % 2 == 0;
        let length = 20 + random.below(3000);
        let payload = random.bytes(length);
        let mut frames = cut(&mut random, six, round, &udp(5060, &payload));
        let pieces = frames.len();
        for _ in 0..random.below(4) {
            frames.push(frames[random.below(pieces)].clone());
        }
        random.shuffle(&mut frames);
        let mut scene = Scene::new();
        for frame in &frames {
            assert!(scene.packet(frame).is_ok());
        }
        // All copies of a packet with one fragment are packets.
        let expected = if pieces == 1 { frames.len() } else { scene.out.len().max(1) };
        assert_eq!(scene.payloads(), vec![payload.as_slice(); expected]);
        scene.wait(60);
        scene.finish();
        assert_eq!(scene.lost(Reason::FragmentExpired), 0, "what is left over are copies");
        assert_eq!(scene.ingress.bytes(), 0);
    }
}

#[test]
fn each_full_set_of_copies_gives_a_datagram_also_when_they_alternate() {
    let mut random = Random(0xabcd);
    let payload = random.bytes(1500);
    for order in [[0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0]] {
        let whole = udp(5060, &payload);
        let frames = [fragment(false, 5, 0, true, &whole[..800]), fragment(false, 5, 800, false, &whole[800..])];
        let mut scene = Scene::new();
        for at in order {
            assert!(scene.packet(&frames[at]).is_ok());
        }
        assert_eq!(scene.payloads(), [payload.as_slice(), payload.as_slice()], "{order:?}");
        scene.finish();
        assert_eq!(scene.delivered + scene.ingress.tally().delivered, 4);
    }
}

#[test]
fn fragments_that_contradict_each_other_give_nothing_and_are_counted() {
    let whole = udp(5060, &[b'x'; 100]);
    for six in [false, true] {
        let mut scene = Scene::new();
        assert!(scene.packet(&fragment(six, 5, 0, true, &whole[..48])).is_ok());
        // It overlaps by eight bytes with other content.
        assert_eq!(scene.packet(&fragment(six, 5, 40, false, &[b'!'; 68])), Err(Reason::FragmentOverlap));
        assert_eq!(scene.packet(&fragment(six, 5, 48, false, &whole[48..])), Err(Reason::FragmentOverlap));
        assert_eq!((scene.out.len(), scene.lost(Reason::FragmentOverlap)), (0, 3));
        // The same content where they overlap is no contradiction.
        let mut scene = Scene::new();
        assert!(scene.packet(&fragment(six, 5, 0, true, &whole[..48])).is_ok());
        assert!(scene.packet(&fragment(six, 5, 40, false, &whole[40..])).is_ok());
        assert_eq!(scene.payloads(), [&whole[8..]]);
        // Two ends.
        let mut scene = Scene::new();
        assert!(scene.packet(&fragment(six, 5, 64, false, &whole[64..])).is_ok());
        assert_eq!(scene.packet(&fragment(six, 5, 64, false, &whole[64..72])), Err(Reason::FragmentOverlap));
    }
}

#[test]
fn a_number_that_is_used_again_begins_another_packet() {
    let (old, new) = (udp(5060, &[b'o'; 100]), udp(5060, &[b'n'; 100]));
    let mut scene = Scene::new();
    assert!(scene.packet(&fragment(false, 5, 0, true, &old[..48])).is_ok());
    assert!(scene.packet(&fragment(false, 5, 0, true, &new[..48])).is_ok());
    assert!(scene.packet(&fragment(false, 5, 48, false, &new[48..])).is_ok());
    assert_eq!(scene.payloads(), [&new[8..]]);
    assert_eq!(scene.lost(Reason::FragmentExpired), 1);
    // The last fragment of a packet whose first was lost: seconds later the number is another packet's (RFC 4963).
    assert!(scene.packet(&fragment(false, 6, 48, false, &old[48..])).is_ok());
    scene.wait(5);
    assert!(scene.packet(&fragment(false, 6, 0, true, &new[..48])).is_ok());
    assert_eq!(scene.out.len(), 1, "two packets do not become one");
    assert!(scene.packet(&fragment(false, 6, 48, false, &new[48..])).is_ok());
    assert_eq!(scene.payloads(), [&new[8..], &new[8..]]);
    scene.out.pop();
    // A whole packet with the same number a second later is another one too.
    scene.wait(2);
    assert!(scene.packet(&fragment(false, 5, 48, false, &old[48..])).is_ok());
    assert!(scene.packet(&fragment(false, 5, 0, true, &old[..48])).is_ok());
    assert_eq!(scene.payloads(), [&new[8..], &old[8..]]);
}

#[test]
fn what_stays_incomplete_expires_and_a_flood_turns_the_table_over() {
    let mut scene = Scene::new();
    assert_eq!(scene.packet(&fragment(false, 5, 0, true, &[1; 64])), Ok(Taken::Waiting));
    scene.wait(2);
    assert_eq!((scene.ingress.tally().waiting, scene.lost(Reason::FragmentExpired)), (1, 0));
    scene.wait(1);
    assert_eq!((scene.ingress.tally().waiting, scene.lost(Reason::FragmentExpired)), (0, 1));

    let mut scene = Scene::with(Settings { memory_bytes: 40_000, hash_seed: 1, ..Settings::default() });
    for id in 0..5000 {
        assert_eq!(scene.packet(&fragment(false, id, 64, true, &[1; 64])), Ok(Taken::Waiting));
        assert!(scene.ingress.bytes() <= 10_000, "a quarter is for fragments");
    }
    assert!(scene.lost(Reason::FragmentLimit) > 4900);
    // Pieces of one packet.
    let mut scene = Scene::new();
    for at in 1..=limits::FRAGMENTS_PER_PACKET + 5 {
        assert_eq!(
            scene.packet(&fragment(true, 1, at * 16, true, &[1; 8])).is_ok(),
            at <= limits::FRAGMENTS_PER_PACKET
        );
    }
}

#[test]
fn fragments_within_a_tunnel_in_fragments_come_out_whole() {
    let payload = message(1, 3000);
    let whole = udp(5060, &payload);
    let mut scene = Scene::new();
    let inner = [fragment(false, 1, 0, true, &whole[..1480]), fragment(false, 1, 1480, true, &whole[1480..2960])];
    let last = fragment(false, 1, 2960, false, &whole[2960..]);
    for (id, packet) in (10..).zip(inner.iter().chain([&last])) {
        let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
        let tunnel = udp(2152, &[&[0x30, 255, length[0], length[1], 0, 0, 0, 1][..], packet].concat());
        if tunnel.len() < 800 {
            assert!(scene.packet(&ipv4(17, id, 0, &tunnel)).is_ok());
        } else {
            // The later piece first.
            assert_eq!(scene.packet(&fragment(false, id, 800, false, &tunnel[800..])), Ok(Taken::Waiting));
            assert!(scene.packet(&fragment(false, id, 0, true, &tunnel[..800])).is_ok());
        }
    }
    assert_eq!(scene.payloads(), [payload.as_slice()]);
    scene.finish();
    assert_eq!(scene.ingress.joined().fragmented_packets, u64::from(u8::try_from(inner.len()).unwrap()) + 1);
}
