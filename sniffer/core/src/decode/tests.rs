use super::*;

fn udp(payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x13, 0xc4, 0x13, 0xc5];
    segment.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    segment
}

fn ipv4(protocol: u8, fragment: u16, segment: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(u16::try_from(segment.len() + 20).unwrap().to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
    packet.extend(segment);
    packet
}

fn ipv6(next: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    packet.extend([next, 64]);
    packet.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend("2001:db8::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    packet.extend(rest);
    packet
}

fn ethernet(header: &[u8], packet: &[u8]) -> Vec<u8> {
    [&[0; 12], header, packet].concat()
}

fn ends(frame: &[u8]) -> (String, String, Option<u16>, Vec<u8>) {
    let datagram = decode(LinkType::Ethernet, frame).unwrap();
    (datagram.source.to_string(), datagram.destination.to_string(), datagram.vlan, datagram.payload.to_vec())
}

#[test]
fn ethernet_and_ipv4_carry_a_datagram_and_padding_is_left_out() {
    let mut frame = ethernet(&[8, 0], &ipv4(17, 0x4000, &udp(b"hi")));
    frame.extend([0; 16]);
    assert_eq!(ends(&frame), ("192.0.2.1:5060".into(), "198.51.100.2:5061".into(), None, b"hi".to_vec()));
}

#[test]
fn two_vlan_tags_are_passed_and_the_outer_one_is_kept() {
    let frame = ethernet(&[0x88, 0xa8, 0x20, 7, 0x81, 0, 0, 9, 8, 0], &ipv4(17, 0, &udp(b"x")));
    assert_eq!(ends(&frame).2, Some(7));
    let tags = [0x81, 0, 0, 1].repeat(limits_plus_one());
    let frame = ethernet(&[tags.as_slice(), &[8, 0]].concat(), &ipv4(17, 0, &udp(b"x")));
    assert_eq!(decode(LinkType::Ethernet, &frame), Err(Reason::VlanDepth));
}

fn limits_plus_one() -> usize {
    crate::limits::VLAN_TAGS + 1
}

#[test]
fn ipv6_extension_headers_are_walked() {
    // Hop-by-hop (8 bytes), authentication header (12 bytes), atomic fragment, then UDP.
    let mut rest = vec![51, 0, 0, 0, 0, 0, 0, 0];
    rest.extend([44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    rest.extend([17, 0, 0, 0, 0, 0, 0, 1]);
    rest.extend(udp(b"six"));
    let (source, destination, _, payload) = ends(&ethernet(&[0x86, 0xdd], &ipv6(0, &rest)));
    assert_eq!((source.as_str(), destination.as_str()), ("[2001:db8::1]:5060", "[2001:db8::2]:5061"));
    assert_eq!(payload, b"six");
}

#[test]
fn an_endless_chain_of_extension_headers_is_refused() {
    let rest = [0, 0, 0, 0, 0, 0, 0, 0].repeat(40);
    let frame = ethernet(&[0x86, 0xdd], &ipv6(0, &rest));
    assert_eq!(decode(LinkType::Ethernet, &frame), Err(Reason::Ipv6Extensions));
}

#[test]
fn what_is_not_a_datagram_is_named() {
    let reason = |frame: &[u8]| decode(LinkType::Ethernet, frame).unwrap_err();
    assert_eq!(reason(&ethernet(&[8, 6], &[0; 28])), Reason::NotIp);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(6, 0, &[0; 20]))), Reason::Tcp);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(1, 0, &[0; 20]))), Reason::Transport);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(17, 0x2000, &udp(b"x")))), Reason::IpFragment);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(17, 0x0001, &udp(b"x")))), Reason::IpFragment);
    assert_eq!(reason(&ethernet(&[8, 0], &[0x41; 20])), Reason::IpHeader);
    assert_eq!(reason(&[0; 5]), Reason::Truncated);
    assert_eq!(decode(LinkType::Other(127), &[0; 64]), Err(Reason::LinkType));
    let mut short = udp(b"x");
    short[5] = 7;
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(17, 0, &short))), Reason::UdpLength);
}

#[test]
fn the_other_link_layers_lead_to_the_same_datagram() {
    let packet = ipv4(17, 0, &udp(b"x"));
    let cooked = [&[0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], packet.as_slice()].concat();
    let cooked2 = [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], packet.as_slice()].concat();
    let null = [&[2, 0, 0, 0], packet.as_slice()].concat();
    let expected = decode(LinkType::RawIp, &packet).unwrap();
    for (number, frame) in [(113, cooked), (276, cooked2), (0, null.clone()), (108, null), (101, packet.clone())] {
        assert_eq!(decode(LinkType::from_number(number), &frame), Ok(expected), "link type {number}");
    }
}

#[test]
fn every_cut_of_a_frame_gives_a_datagram_or_a_reason() {
    let frame = ethernet(&[0x81, 0, 0, 9, 0x86, 0xdd], &ipv6(17, &udp(b"payload")));
    for length in 0..frame.len() {
        match decode(LinkType::Ethernet, &frame[..length]) {
            Ok(datagram) => assert!(datagram.payload.len() < 7),
            Err(reason) => assert_eq!(reason, Reason::Truncated),
        }
    }
}
