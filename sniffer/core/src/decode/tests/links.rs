//! Link layers, tags, labels and PPP.

use super::*;

/// The datagram that all of these frames carry.
fn expected() -> (String, u16, Vec<u8>) {
    ("192.0.2.1:5060".into(), 5061, b"x".to_vec())
}

fn packet() -> Vec<u8> {
    let mut packet = ipv4(17, 0, &udp(b"x"));
    // A right checksum: heuristics look at it.
    let sum: u32 = packet[..20].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    packet[10..12].copy_from_slice(&(!sum).to_be_bytes());
    packet
}

fn read(number: u32, frame: &[u8]) -> (String, u16, Vec<u8>) {
    let found = datagram(LinkType::from_number(number), frame).unwrap_or_else(|reason| panic!("{reason:?}"));
    (found.source.to_string(), found.destination.port, found.payload.to_vec())
}

fn with(header: &[u8]) -> Vec<u8> {
    [header, &packet()].concat()
}

fn mac() -> [u8; 12] {
    [0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2]
}

fn in_ethernet(header: &[u8]) -> Vec<u8> {
    [&mac()[..], header, &packet()].concat()
}

#[test]
fn link_layers_lead_to_the_same_datagram() {
    let cooked = [0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0];
    let cooked2 = [8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    let nflog = [2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 1, 0, 5, 0, 10, 0, b'x', 0, 0, 0, 33, 0, 9, 0];
    let pflog = [61, 2, 0, 0].into_iter().chain([0; 60]).collect::<Vec<_>>();
    let cases: [(u32, &[u8]); 22] = [
        (101, &[]),
        (12, &[]),
        (14, &[]),
        (228, &[]),
        // OpenBSD's LOOP under the number that others use for raw IP.
        (12, &[0, 0, 0, 2]),
        (0, &[2, 0, 0, 0]),
        (0, &[0, 0, 0, 2]),
        (108, &[0, 0, 0, 2]),
        (108, &[2, 0, 0, 0]),
        (113, &cooked),
        (276, &cooked2),
        (9, &[0xff, 0x03, 0x00, 0x21]),
        (9, &[0x00, 0x21]),
        (9, &[0x21]),
        (50, &[0xff, 0x03, 0x21]),
        (104, &[0x0f, 0x00, 0x08, 0x00]),
        (204, &[1, 0xff, 0x03, 0x00, 0x21]),
        (51, &[0x11, 0, 0, 7, 0, 31, 0x00, 0x21]),
        (100, &[0xaa, 0xaa, 0x03, 0, 0, 0, 8, 0]),
        (109, &[0; 12]),
        (117, &pflog),
        (239, &nflog),
    ];
    for (number, header) in cases {
        assert_eq!(read(number, &with(header)), expected(), "link type {number}, header {header:x?}");
    }
    for family in [10_u8, 24, 28, 30] {
        let packet = ipv6(17, &udp(b"x"));
        for header in [[family, 0, 0, 0], [0, 0, 0, family]] {
            let frame = [&header[..], &packet].concat();
            assert_eq!(datagram(LinkType::Null, &frame).unwrap().payload, b"x", "family {family}");
        }
    }
    assert_eq!(datagram(LinkType::Null, &with(&[7, 0, 0, 0])), Err(Reason::NotIp));
    // Netlink in a cooked capture has no EtherType.
    let netlink = with(&[0, 4, 3, 56, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0]);
    assert_eq!(datagram(LinkType::LinuxCooked, &netlink), Err(Reason::NotIp));
}

#[test]
fn tags_and_ethertypes_lead_to_the_same_datagram() {
    let cases: [&[u8]; 14] = [
        &[0x08, 0x00],
        &[0x81, 0x00, 0x00, 5, 0x08, 0x00],
        &[0x88, 0xa8, 0x00, 5, 0x81, 0x00, 0x00, 6, 0x08, 0x00],
        &[0x91, 0x00, 0x00, 5, 0x81, 0x00, 0x00, 6, 0x08, 0x00],
        &[0x92, 0x00, 0x00, 5, 0x81, 0x00, 0x00, 6, 0x08, 0x00],
        // VN-Tag, E-Tag, provider backbone bridging.
        &[0x89, 0x26, 1, 2, 3, 4, 0x08, 0x00],
        &[0x89, 0x3f, 1, 2, 3, 4, 5, 6, 0x08, 0x00],
        &[0x88, 0xe7, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x08, 0x00],
        // A length, LLC and SNAP.
        &[0x00, 0x25, 0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00],
        &[0x00, 0x20, 0x06, 0x06, 0x03],
        // PPPoE, and with a protocol of one byte.
        &[0x88, 0x64, 0x11, 0x00, 0x00, 0x09, 0x00, 0x1f, 0x00, 0x21],
        &[0x88, 0x64, 0x11, 0x00, 0x00, 0x09, 0x00, 0x1e, 0x21],
        // PPPoE in QinQ.
        &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x88, 0x64, 0x11, 0x00, 0x00, 0x09, 0x00, 0x1f, 0x00, 0x21],
        // PPP in Ethernet's type.
        &[0x88, 0x0b, 0x00, 0x21],
    ];
    for header in cases {
        assert_eq!(read(1, &in_ethernet(header)), expected(), "{header:x?}");
    }
    let outer = datagram(LinkType::Ethernet, &in_ethernet(cases[2])).unwrap().vlan;
    assert_eq!(outer, Some(5));
    // A priority tag names no VLAN; the card's own tag is the outermost.
    let priority = in_ethernet(&[0x81, 0x00, 0xe0, 0, 0x08, 0x00]);
    assert_eq!(datagram(LinkType::Ethernet, &priority).unwrap().vlan, None);
    let tagged = in_ethernet(cases[1]);
    let Ok(Found::Datagram(inner)) = decode(LinkType::Ethernet, Some(3), &tagged) else { panic!() };
    assert_eq!(inner.vlan, Some(3));
    // PPPoE's length leaves padding out; discovery is not IP.
    let mut padded = in_ethernet(cases[10]);
    padded.extend([0; 20]);
    assert_eq!(read(1, &padded), expected());
    let discovery = in_ethernet(&[0x88, 0x64, 0x11, 0x09, 0, 0, 0, 4]);
    assert_eq!(datagram(LinkType::Ethernet, &discovery), Err(Reason::NotIp));
}

#[test]
fn mpls_carries_ip_and_ethernet_with_and_without_a_control_word() {
    let label = [0x00, 0x01, 0x00, 0x40];
    let bottom = [0x00, 0x02, 0x01, 0x40];
    let labels = |below: &[u8]| [&mac()[..], &[0x88, 0x47], &label, &bottom, below].concat();
    assert_eq!(read(1, &labels(&packet())), expected());
    // Addresses that look like IPv4, like IPv6, like a control word, and like nothing.
    for first in [0x45, 0x60, 0x00, 0x02, 0x9c] {
        let mut inner = ethernet(&[0x81, 0, 0, 9, 0x08, 0x00], &packet());
        inner[0] = first;
        assert_eq!(read(1, &labels(&inner)), expected(), "address begins with {first:x}");
        let control = [&[0, 0, 0x12, 0x34][..], &inner].concat();
        assert_eq!(read(1, &labels(&control)), expected(), "after a control word: {first:x}");
    }
    assert_eq!(read(219, &[&bottom[..], &packet()].concat()), expected());
    // The associated channel (RFC 4385) is not traffic.
    assert_eq!(datagram(LinkType::Ethernet, &labels(&[0x10, 0, 0, 0x21, 1, 2, 3, 4])), Err(Reason::NotIp));
    let endless = [&mac()[..], &[0x88, 0x47], &label.repeat(limits::MPLS_LABELS + 1)].concat();
    assert_eq!(datagram(LinkType::Ethernet, &endless), Err(Reason::LabelDepth));
}

#[test]
fn ipv4_options_and_headers_of_authentication_are_passed() {
    let mut options = vec![0x47, 0, 0, 37, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    options.extend([0x94, 4, 0, 0, 1, 1, 1, 0]);
    options.extend(udp(b"x"));
    assert_eq!(read(101, &options), expected());
    let authentication = [&[17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1][..], &[7; 12], &udp(b"x")].concat();
    assert_eq!(read(101, &ipv4(51, 0, &authentication)), expected());
    assert_eq!(datagram(LinkType::RawIp, &ipv4(136, 0, &udp(b"lite"))).unwrap().payload, b"lite");
}

#[test]
fn every_link_type_has_a_number_that_leads_back_to_it() {
    for number in 0..300 {
        let link = LinkType::from_number(number);
        assert_eq!(LinkType::from_number(link.number()), link, "{number}");
    }
}
