//! Tunnels over IP and UDP.

use super::*;

fn expected(frame: &[u8]) {
    let found = datagram(LinkType::RawIp, frame).unwrap_or_else(|reason| panic!("{reason:?} in {frame:x?}"));
    assert_eq!((found.source.port, found.destination.port, found.payload), (5060, 5061, &b"in"[..]));
}

fn packet() -> Vec<u8> {
    ipv4(17, 0, &udp(b"in"))
}

fn packet6() -> Vec<u8> {
    ipv6(17, &udp(b"in"))
}

/// Ethernet around the packet.
fn framed() -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00][..], &packet()].concat()
}

fn gre(header: &[u8], inner: &[u8]) -> Vec<u8> {
    ipv4(47, 0, &[header, inner].concat())
}

fn over_udp(port: u16, header: &[u8], inner: &[u8]) -> Vec<u8> {
    ipv4(17, 0, &udp_to(port, &[header, inner].concat()))
}

#[test]
fn gre_with_every_field_and_its_payloads() {
    expected(&gre(&[0, 0, 0x08, 0x00], &packet()));
    expected(&gre(&[0, 0, 0x86, 0xdd], &packet6()));
    expected(&gre(&[0x80, 0, 0x08, 0x00, 1, 2, 0, 0], &packet()));
    expected(&gre(&[0x20, 0, 0x08, 0x00, 0, 0, 0, 1], &packet()));
    expected(&gre(&[0x10, 0, 0x08, 0x00, 0, 0, 0, 1], &packet()));
    expected(&gre(&[0xb0, 0, 0x08, 0x00, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &packet()));
    // Transparent Ethernet (also NVGRE), MPLS, a VLAN tag, PPP.
    expected(&gre(&[0x20, 0, 0x65, 0x58, 0, 0, 1, 0], &framed()));
    expected(&gre(&[0, 0, 0x88, 0x47], &[&[0, 1, 1, 64][..], &packet()].concat()));
    expected(&gre(&[0, 0, 0x81, 0x00, 0, 5, 0x08, 0x00], &packet()));
    // Source routes of RFC 1701.
    expected(&gre(&[0x40, 0, 0x08, 0x00, 0, 0, 0, 0, 8, 0, 0, 4, 10, 0, 0, 1, 0, 0, 0, 0], &packet()));
    // WCCP with its own four bytes and without.
    expected(&gre(&[0, 0, 0x88, 0x3e, 0, 1, 2, 3], &packet()));
    expected(&gre(&[0, 0, 0x88, 0x3e], &packet()));
    // Version 1 (PPTP): key with length, sequence, acknowledgement.
    let length = u8::try_from(packet().len() + 4).unwrap();
    let header = [0x30, 0x81, 0x88, 0x0b, 0, length, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0x03, 0x00, 0x21];
    expected(&gre(&header, &packet()));
    assert_eq!(datagram(LinkType::RawIp, &gre(&[0, 2, 8, 0], &packet())), Err(Reason::TunnelHeader));
    assert_eq!(datagram(LinkType::RawIp, &gre(&[0, 0, 0, 0], &[])), Err(Reason::NotIp));
}

#[test]
fn erspan_of_the_three_types() {
    expected(&gre(&[0, 0, 0x88, 0xbe], &framed()));
    let two = gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 9, 0x10, 42, 0x18, 1, 0, 0, 0, 3], &framed());
    expected(&two);
    assert_eq!(datagram(LinkType::RawIp, &two).unwrap().vlan, Some(42));
    let three = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 9, 0x20, 43, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0];
    expected(&gre(&three, &framed()));
    // With the platform's header of eight bytes; and with an IP packet in place of the frame.
    let mut long = three.to_vec();
    long[19] = 1;
    long.extend([0; 8]);
    expected(&gre(&long, &framed()));
    let mut ip = three;
    ip[18] = 2 << 2;
    expected(&gre(&ip, &packet()));
}

#[test]
fn ip_in_ip_of_all_four_kinds_and_others_by_number() {
    expected(&ipv4(4, 0, &packet()));
    expected(&ipv4(41, 0, &packet6()));
    expected(&ipv6(4, &packet()));
    expected(&ipv6(41, &packet6()));
    expected(&ipv4(97, 0, &[&[0x30, 0][..], &framed()].concat()));
    expected(&ipv4(137, 0, &[&[0, 1, 1, 64][..], &packet()].concat()));
}

#[test]
fn vxlan_geneve_and_tzsp_on_their_ports() {
    for port in [4789, 8472] {
        expected(&over_udp(port, &[8, 0, 0, 0, 0, 0, 1, 0], &framed()));
    }
    // Group policy.
    expected(&over_udp(4789, &[0x88, 0, 0, 9, 0, 0, 1, 0], &framed()));
    expected(&over_udp(4790, &[0x0c, 0, 0, 1, 0, 0, 1, 0], &packet()));
    expected(&over_udp(4790, &[0x0c, 0, 0, 2, 0, 0, 1, 0], &packet6()));
    expected(&over_udp(4790, &[0x0c, 0, 0, 3, 0, 0, 1, 0], &framed()));
    expected(&over_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 1, 0], &framed()));
    expected(&over_udp(6081, &[2, 0x40, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 1, 9, 9, 9, 9], &framed()));
    expected(&over_udp(6081, &[0, 0, 0x86, 0xdd, 0, 0, 1, 0], &packet6()));
    expected(&over_udp(37008, &[1, 0, 0, 1, 0, 10, 1, 200, 1], &framed()));
    expected(&over_udp(6635, &[0, 1, 1, 64], &packet6()));
    expected(&over_udp(1701, &[0x00, 0x02, 0, 1, 0, 2, 0xff, 0x03, 0x00, 0x21], &packet()));
    // Version 3, its session's number with a cookie of 0, 4 and 8 bytes, and with a sublayer behind it.
    for between in [0, 4, 8, 12] {
        let session = [&[0, 0, 0, 77][..], &vec![0x40; between]].concat();
        expected(&over_udp(1701, &[&[0, 3, 0, 0][..], &session].concat(), &framed()));
        expected(&ipv4(115, 0, &[&session[..], &framed()].concat()));
    }
    let control = [&[0; 4][..], &framed()].concat();
    assert_eq!(datagram(LinkType::RawIp, &ipv4(115, 0, &control)), Err(Reason::Transport));
    expected(&over_udp(1701, &[0x48, 0x02, 0, 90, 0, 1, 0, 2, 0, 1, 0, 2, 0xff, 0x03, 0x00, 0x21], &packet()));
}

#[test]
fn gtp_u_with_its_optional_fields_and_extension_headers() {
    let gtp = |flags: u8, optional: &[u8]| {
        let inner = [optional, &packet6()].concat();
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        over_udp(2152, &[flags, 255, length[0], length[1], 0, 0, 0, 1], &inner)
    };
    expected(&gtp(0x30, &[]));
    expected(&gtp(0x32, &[0, 1, 0, 0]));
    expected(&gtp(0x31, &[0, 0, 7, 0]));
    // The PDU session container of 5G, then another.
    expected(&gtp(0x34, &[0, 0, 0, 0x85, 1, 0x10, 1, 0]));
    expected(&gtp(0x36, &[0, 9, 0, 0x85, 1, 0x10, 1, 0xc0, 2, 0, 0, 0, 0, 0, 0, 0]));
    // A next extension that is only announced by a flag which is not set.
    expected(&gtp(0x32, &[0, 1, 0, 0x85]));
    assert_eq!(datagram(LinkType::RawIp, &gtp(0x34, &[0, 0, 0, 0x85, 0, 0, 0, 0])), Err(Reason::TunnelHeader));
    let ethernet = [&[0x30, 255, 0, u8::try_from(framed().len()).unwrap(), 0, 0, 0, 1][..], &framed()].concat();
    expected(&over_udp(2152, &[], &ethernet));
    // An echo request is a datagram like others.
    let echo = over_udp(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 1, 0, 0], &[]);
    assert_eq!(datagram(LinkType::RawIp, &echo).unwrap().destination.port, 2152);
}

#[test]
fn rtp_sip_and_stun_to_a_tunnel_s_port_stay_what_they_are() {
    let invite = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCall-ID: 1\r\n\r\n".to_vec();
    let stun = [&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[5; 20]].concat();
    let mut payloads = vec![invite, stun, Vec::new(), vec![8], vec![0x30; 9]];
    // RTP of all first bytes and payload types, with content that changes.
    for first in 0x80..=0xbf_u8 {
        for kind in 0..=255_u8 {
            let mut rtp = vec![first, kind];
            rtp.extend((0..170_u8).map(|n| n.wrapping_mul(kind | 1) ^ first));
            payloads.push(rtp);
        }
    }
    for port in [4789, 8472, 4790, 6081, 2152, 6635, 1701, 37008] {
        for payload in &payloads {
            let frame = over_udp(port, payload, &[]);
            let found = datagram(LinkType::RawIp, &frame).unwrap();
            assert_eq!((found.destination.port, found.payload), (port, payload.as_slice()));
        }
    }
}

#[test]
fn nesting_ends_at_the_limit_and_not_before() {
    let nested = |depth: usize| (0..depth).fold(packet(), |inner, _| ipv4(4, 0, &inner));
    expected(&nested(usize::from(limits::LAYERS) - 1));
    assert_eq!(datagram(LinkType::RawIp, &nested(usize::from(limits::LAYERS))), Err(Reason::TunnelDepth));
    // A frame in VXLAN in GRE in PPPoE.
    let vxlan = over_udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0], &framed());
    expected(&gre(&[0, 0, 0x88, 0x64, 0x11, 0, 0, 1, 1, 0, 0x00, 0x21], &vxlan));
}

#[test]
fn every_cut_and_every_damage_of_every_tunnel_gives_something_or_a_reason() {
    let frames = [
        gre(&[0xb0, 0, 0x65, 0x58, 1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &framed()),
        gre(
            &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 9, 0x20, 43, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            &framed(),
        ),
        over_udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0], &framed()),
        over_udp(6081, &[2, 0x40, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 3, 1, 9, 9, 9, 9], &framed()),
        over_udp(2152, &[0x34, 255, 0, 60, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0], &packet()),
        over_udp(37008, &[1, 0, 0, 1, 0, 10, 1, 200, 1], &framed()),
        ipv4(115, 0, &[&[0, 0, 0, 77][..], &framed()].concat()),
        over_udp(1701, &[0, 3, 0, 0, 0, 0, 0, 77], &framed()),
        over_udp(1701, &[0x48, 0x02, 0, 90, 0, 1, 0, 2, 0, 1, 0, 2, 0xff, 0x03, 0x00, 0x21], &packet()),
        ipv6(44, &[&[17, 0, 0, 1, 0, 0, 0, 1][..], &udp(b"in")].concat()),
    ];
    let (mut found, mut refused) = (0, 0);
    for frame in &frames {
        for length in 0..frame.len() {
            match decode(LinkType::RawIp, None, &frame[..length]) {
                Ok(_) => found += 1,
                Err(_) => refused += 1,
            }
        }
        for at in 0..frame.len() {
            for value in [0, 1, 0x45, 0x7f, 0x80, 0xff] {
                let mut damaged = frame.clone();
                damaged[at] = value;
                match decode(LinkType::RawIp, None, &damaged) {
                    Ok(_) => found += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(found > 500 && refused > 500, "{found} {refused}");
}
