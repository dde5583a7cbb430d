//! Captures of tunnels and fragments without VoIP: what each frame carries innermost, against the protocol stacks that
//! tshark found (`protocol_hierarchy_frames` of the oracles; a fragment counts as what its packet turned out to be).

use serde_json::Value;

use crate::captures::{folder, records};

/// Frames by what they carry innermost.
#[derive(Debug, Default, PartialEq)]
struct Carried {
    udp: u64,
    tcp: u64,
    sctp: u64,
    /// ICMP and others.
    other: u64,
    /// ARP, loop detection, spanning tree.
    not_ip: u64,
    /// Fragments of packets that the capture does not have whole.
    incomplete: u64,
}

fn carried(name: &str, summary: &Value) -> Carried {
    let mut carried = Carried { udp: summary["delivered"].as_u64().unwrap(), ..Carried::default() };
    for (stage, reasons) in summary["dropped"].as_object().unwrap() {
        for (reason, count) in reasons.as_object().unwrap() {
            let count = count.as_u64().unwrap();
            match (stage.as_str(), reason.as_str()) {
                ("classify" | "parse" | "track", _) => carried.udp += count,
                ("decode", "tcp" | "tcp_empty" | "tcp_repeated" | "rtp_over_tcp") => carried.tcp += count,
                ("decode", "sctp" | "sctp_empty") => carried.sctp += count,
                ("decode", "transport") => carried.other += count,
                ("decode", "not_ip") => carried.not_ip += count,
                ("decode", "fragment_expired") => carried.incomplete += count,
                _ => unreachable!("{name}: {stage}, {reason}: {count}"),
            }
        }
    }
    carried
}

#[test]
fn every_tunnel_is_followed_to_what_it_carries() {
    let Some(folder) = folder("every_tunnel_is_followed_to_what_it_carries") else { return };
    let expected = [
        ("arkime-gre-erspan-vxlan.pcap", Carried { tcp: 7, ..Carried::default() }),
        ("arkime-mpls-basic.pcap", Carried { tcp: 19, udp: 12, other: 21, not_ip: 6, ..Carried::default() }),
        ("suricata-bug-5437-02-erspan2.pcap", Carried { tcp: 60, ..Carried::default() }),
        ("zeek-geneve.pcap", Carried { other: 6, ..Carried::default() }),
        ("zeek-gre-erspan3-dot1q.pcap", Carried { other: 2, ..Carried::default() }),
        ("zeek-gre-sample.pcap", Carried { tcp: 22, udp: 8, other: 10, ..Carried::default() }),
        // tshark's 68, and 36 first parts of them, one of which counts as delivered: its packet waited on, as TCP.
        (
            "zeek-gtp1_gn_normal_incl_fragmentation.pcap",
            Carried { tcp: 103, udp: 1, incomplete: 4, ..Carried::default() },
        ),
        ("zeek-ipv6-fragmented-dns.pcap", Carried { udp: 7, incomplete: 1, ..Carried::default() }),
        ("zeek-mixed-vlan-mpls.pcap", Carried { tcp: 47, ..Carried::default() }),
        ("zeek-q-in-q.pcap", Carried { udp: 4, not_ip: 1, ..Carried::default() }),
        ("zeek-sctp.pcap", Carried { sctp: 74, ..Carried::default() }),
        ("zeek-vxlan-encapsulated-http.pcap", Carried { tcp: 12, ..Carried::default() }),
        ("zeek-vxlan-triple-v2.pcap", Carried { udp: 1, ..Carried::default() }),
        // 39 first parts, all of TCP, are added to tshark's 106.
        ("zeek-erspan.pcap", Carried { tcp: 145, udp: 48, other: 84, not_ip: 10, ..Carried::default() }),
    ];
    for (name, expected) in expected {
        let records = records(&folder.join("tunnels").join(name), false);
        assert_eq!(carried(name, records.last().unwrap()), expected, "{name}");
    }
}

#[test]
fn fragments_that_cannot_become_a_packet_are_counted_as_that() {
    let Some(folder) = folder("fragments_that_cannot_become_a_packet_are_counted_as_that") else { return };
    let mut fragments = 0;
    for number in 1..=4 {
        let name = format!("zeek-fragmented-{number}.pcap");
        let records = records(&folder.join("tunnels").join(&name), false);
        let summary = records.last().unwrap();
        assert_eq!((records.len(), &summary["delivered"]), (1, &Value::from(0)), "{name}");
        let decode = summary["dropped"]["decode"].as_object().unwrap();
        let lost = decode.iter().filter(|(reason, _)| reason.starts_with("fragment_"));
        fragments += lost.map(|(_, count)| count.as_u64().unwrap()).sum::<u64>();
    }
    assert!(fragments > 0);
}
