use super::*;

fn header(block: &mut [u8], at: usize, next: u32, captured: u32, vlan: Option<u32>) {
    let fields =
        [next, 7, 9, captured, captured, if vlan.is_some() { STATUS_VLAN_VALID } else { 0 }, 48, 0, vlan.unwrap_or(0)];
    for (n, field) in fields.into_iter().enumerate() {
        block[at + n * 4..at + n * 4 + 4].copy_from_slice(&field.to_ne_bytes());
    }
}

#[test]
fn a_block_is_walked_and_offsets_beyond_it_end_the_walk() {
    let mut block = vec![0; 512];
    block[BLOCK_PACKETS..BLOCK_PACKETS + 4].copy_from_slice(&3_u32.to_ne_bytes());
    block[BLOCK_FIRST..BLOCK_FIRST + 4].copy_from_slice(&48_u32.to_ne_bytes());
    header(&mut block, 48, 128, 4, Some(0x2007));
    header(&mut block, 176, 128, 8, None);
    header(&mut block, 304, 128, 4096, None);
    block[96..100].copy_from_slice(b"abcd");
    let mut seen = Vec::new();
    frames(&block, &mut |frame| {
        seen.push((frame.meta.vlan, frame.meta.time.as_nanos(), frame.bytes.len(), frame.bytes.first().copied()))
    });
    assert_eq!(seen, [(Some(7), 7_000_000_009, 4, Some(b'a')), (None, 7_000_000_009, 8, Some(0))]);
}

#[test]
fn a_port_that_is_not_there_is_missing() {
    assert_eq!(crate::capture::link("no-such-port"), crate::capture::Link::Missing);
    let layout = Layout { block: 4096, blocks: 2, wait: Duration::from_millis(5) };
    assert!(matches!(Ring::open("no-such-port", layout, None), Err(CaptureError::Missing)));
}

/// Needs CAP_NET_RAW: the tools tree has it, a developer's account may not.
#[test]
fn a_datagram_over_the_loopback_reaches_the_ring() {
    let layout = Layout { block: 1 << 16, blocks: 4, wait: Duration::from_millis(5) };
    let mut ring = match Ring::open("lo", layout, None) {
        Ok(ring) => ring,
        Err(error) => {
            eprintln!("SKIPPED a_datagram_over_the_loopback_reaches_the_ring: {error}");
            return;
        }
    };
    assert!(ring.is_interface("lo") && ring.link_type() == LinkType::Ethernet);
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let marker = b"a marker that nothing else on this loopback sends: 7d1c";
    let mut seen = 0;
    for _ in 0..200 {
        sender.send_to(marker, receiver.local_addr().unwrap()).unwrap();
        ring.wait(Duration::from_millis(50)).unwrap();
        while ring.next_block(|frame| seen += u32::from(frame.bytes.ends_with(marker))) {}
        if seen > 0 {
            break;
        }
    }
    assert!(seen > 0, "no frame came");
    assert!(ring.statistics().unwrap().packets > 0);
}

/// Needs CAP_NET_RAW as above.
#[test]
fn a_group_of_two_rings_shares_flows_out_and_both_directions_stay_together() {
    let layout = Layout { block: 1 << 16, blocks: 16, wait: Duration::from_millis(5) };
    let group = u16::try_from(std::process::id() & 0xffff).unwrap();
    let (mut left, mut right) = match (Ring::open("lo", layout, Some(group)), Ring::open("lo", layout, Some(group))) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("SKIPPED a_group_of_two_rings_shares_flows_out_and_both_directions_stay_together: {error}");
            return;
        }
    };
    let marker = b"a marker of this test alone: 51aa";
    for flow in 0..64_u8 {
        let one = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let message = [marker.as_slice(), &[flow]].concat();
        one.send_to(&message, other.local_addr().unwrap()).unwrap();
        other.send_to(&message, one.local_addr().unwrap()).unwrap();
    }
    let mut seen = [[0_u32; 2]; 64];
    for _ in 0..40 {
        for (ring, place) in [&mut left, &mut right].into_iter().zip(0..) {
            ring.wait(Duration::from_millis(10)).unwrap();
            while ring.next_block(|frame| {
                if let Some((flow, rest)) = frame.bytes.split_last()
                    && rest.ends_with(marker)
                {
                    seen[usize::from(*flow)][place] += 1;
                }
            }) {}
        }
    }
    assert!(seen.iter().all(|one| *one == [2, 0] || *one == [0, 2]), "{seen:?}");
    assert!(seen.contains(&[2, 0]) && seen.contains(&[0, 2]), "both rings have a share: {seen:?}");
}
