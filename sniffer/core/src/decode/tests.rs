//! Each encapsulation built by hand from its document, around one datagram.

mod links;
mod tunnels;

use super::*;

#[test]
fn an_endpoint_is_written_as_the_library_writes_it() {
    for address in ["0.0.0.0", "192.0.2.10", "255.255.255.255", "10.9.100.99", "::1", "2001:db8::192.0.2.1"] {
        for port in [0, 7, 10, 99, 100, 999, 5060, 10_000, 65_535] {
            let address: IpAddr = address.parse().unwrap();
            let (ours, theirs) = (Endpoint { address, port }, SocketAddr::new(address, port));
            assert_eq!((ours.to_string(), format!("{ours:>30}")), (theirs.to_string(), format!("{theirs:>30}")));
        }
    }
}

/// The datagram in a frame.
fn datagram(link: LinkType, frame: &[u8]) -> Result<Datagram<'_>, Reason> {
    let found = decode(link, None, frame)?;
    let Found::Datagram(datagram) = found else { panic!("not a datagram: {found:?}") };
    Ok(datagram)
}

fn udp(payload: &[u8]) -> Vec<u8> {
    udp_to(0x13c5, payload)
}

fn udp_to(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x13, 0xc4];
    segment.extend(port.to_be_bytes());
    segment.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    segment
}

fn ipv4(protocol: u8, fragment: u16, segment: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0xb8];
    packet.extend(u16::try_from(segment.len() + 20).unwrap().to_be_bytes());
    packet.extend([0x12, 0x34]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
    packet.extend(segment);
    packet
}

fn ipv6(next: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x6b, 0x80, 0, 0];
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
    let datagram = datagram(LinkType::Ethernet, frame).unwrap();
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
    assert_eq!(datagram(LinkType::Ethernet, &frame), Err(Reason::VlanDepth));
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
    assert_eq!(datagram(LinkType::Ethernet, &frame), Err(Reason::Ipv6Extensions));
}

#[test]
fn what_is_not_a_datagram_is_named() {
    let reason = |frame: &[u8]| decode(LinkType::Ethernet, None, frame).unwrap_err();
    assert_eq!(reason(&ethernet(&[8, 6], &[0; 28])), Reason::NotIp);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(6, 0, &[0; 20]))), Reason::TcpHeader);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(1, 0, &[0; 20]))), Reason::Transport);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(17, 0x2000, &udp(b"x")))), Reason::FragmentSize);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(17, 0x0001, b""))), Reason::FragmentSize);
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(17, 0x1fff, &udp(b"x")))), Reason::FragmentSize);
    assert_eq!(reason(&ethernet(&[8, 0], &[0x41; 20])), Reason::IpHeader);
    assert_eq!(reason(&[0; 5]), Reason::Truncated);
    assert_eq!(decode(LinkType::Other(127), None, &[0; 64]), Err(Reason::LinkType));
    let mut short = udp(b"x");
    short[5] = 7;
    assert_eq!(reason(&ethernet(&[8, 0], &ipv4(17, 0, &short))), Reason::UdpLength);
}

#[test]
fn every_cut_of_a_frame_gives_a_datagram_or_a_reason() {
    let frame = ethernet(&[0x81, 0, 0, 9, 0x86, 0xdd], &ipv6(17, &udp(b"payload")));
    for length in 0..frame.len() {
        match datagram(LinkType::Ethernet, &frame[..length]) {
            Ok(datagram) => assert!(datagram.payload.len() < 7),
            Err(reason) => assert_eq!(reason, Reason::Truncated),
        }
    }
}

#[test]
fn dscp_and_identification_are_those_of_the_innermost_packet() {
    let inner = ipv4(17, 0, &udp(b"x"));
    let datagram_of = |packet: &[u8]| {
        let found = datagram(LinkType::RawIp, packet).unwrap();
        (found.dscp, found.ip_id, found.transport)
    };
    assert_eq!(datagram_of(&inner), (46, Some(0x1234), Transport::Udp));
    let mut outer = ipv4(4, 0, &inner);
    outer[1..6].copy_from_slice(&[0, 0, 49, 9, 9]);
    assert_eq!(datagram_of(&outer), (46, Some(0x1234), Transport::Udp));
    assert_eq!(datagram_of(&ipv6(17, &udp(b"x"))), (46, None, Transport::Udp));
}

#[test]
fn copies_of_a_datagram_have_the_same_content_hash_and_others_another() {
    let hash = |payload: &[u8]| datagram(LinkType::RawIp, &ipv4(17, 0, &udp(payload))).unwrap().content_hash();
    assert_eq!(hash(b"OPTIONS"), hash(b"OPTIONS"));
    assert_ne!(hash(b"OPTIONS"), hash(b"OPTIONT"));
}

#[test]
fn fragments_of_both_versions_are_recognised() {
    let found = |packet: &[u8]| {
        let found = decode(LinkType::RawIp, None, packet).unwrap();
        let Found::Fragment(fragment) = found else { panic!("{found:?}") };
        (fragment.id, fragment.protocol, fragment.offset, fragment.more, fragment.payload.len())
    };
    assert_eq!(found(&ipv4(17, 0x2000, &[1; 16])), (0x1234, 17, 0, true, 16));
    assert_eq!(found(&ipv4(17, 0x0002, &[1; 5])), (0x1234, 17, 16, false, 5));
    let header = [17, 0, 0, 0x09, 0, 1, 2, 3];
    assert_eq!(found(&ipv6(44, &[&header[..], &[0; 8]].concat())), (0x0001_0203, 17, 8, true, 8));
    // A fragment that the capture cut is of no use.
    let cut = ipv4(17, 0x2000, &[1; 16]);
    assert_eq!(decode(LinkType::RawIp, None, &cut[..30]), Err(Reason::Truncated));
}

#[test]
fn a_tcp_segment_says_what_it_is_and_what_the_capture_cut_off() {
    let mut header = vec![0x13, 0xc4, 0x20, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0x60, 0x12, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1];
    header.extend(b"data");
    let packet = ipv4(6, 0, &header);
    let Found::Tcp(segment) = decode(LinkType::RawIp, None, &packet[..packet.len() - 1]).unwrap() else {
        panic!("no segment")
    };
    assert_eq!((segment.source.port, segment.destination.port, segment.sequence), (5060, 8192, 9));
    assert_eq!((segment.syn, segment.fin, segment.reset), (true, false, false));
    assert_eq!((segment.payload, segment.missing), (&b"dat"[..], 1));
}

#[test]
fn the_fast_path_says_the_same_as_the_long_way_or_nothing() {
    let packet = ipv4(17, 0x4000, &udp(b"payload"));
    let plain = ethernet(&[8, 0], &packet);
    let tagged = ethernet(&[0x81, 0, 0x60, 7, 8, 0], &packet);
    let mut padded = plain.clone();
    padded.extend([0; 9]);
    for frame in [&plain, &tagged, &padded] {
        let fast = plain_udp(None, frame);
        assert_eq!(fast, Some(datagram(LinkType::Ethernet, frame).unwrap()));
        assert_eq!(fast.unwrap().payload, b"payload");
        assert_eq!(plain_udp(Some(99), frame).unwrap().vlan, Some(99));
    }
    // Any damage to any byte: the two still agree wherever the fast one answers.
    let mut answered = 0;
    for frame in [plain, tagged] {
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut damaged = frame.clone();
                damaged[at] ^= 1 << bit;
                if let Some(fast) = plain_udp(None, &damaged) {
                    answered += 1;
                    assert_eq!(decode(LinkType::Ethernet, None, &damaged), Ok(Found::Datagram(fast)), "{at} {bit}");
                }
            }
        }
        for length in 0..frame.len() {
            assert_eq!(plain_udp(None, &frame[..length]), None, "a cut frame goes the long way");
        }
    }
    assert!(answered > 500);
}
