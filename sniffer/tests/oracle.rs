//! Real captures against the figures of their oracles (tshark, and figures derived from its fields).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::captures::{dropped, files, folder, of_type, output, records};

/// A stream as both sides name it: source, destination, SSRC.
type Key = (String, String, u64);

#[derive(Debug, PartialEq)]
struct Figures {
    packets: u64,
    expected: u64,
    lost: u64,
    duplicates: u64,
    codec: Option<String>,
    jitter_max: Option<f64>,
    jitter_mean: Option<f64>,
}

fn ours(records: &[Value]) -> BTreeMap<Key, Figures> {
    of_type(records, "stream")
        .map(|stream| {
            let text = |name: &str| stream[name].as_str().unwrap().to_owned();
            let number = |name: &str| stream[name].as_u64().unwrap();
            let figures = Figures {
                packets: number("packets"),
                expected: number("expected"),
                lost: number("lost"),
                duplicates: number("duplicates"),
                codec: stream["codec"].as_str().map(str::to_owned),
                jitter_max: stream["jitter_ms_max"].as_f64(),
                jitter_mean: stream["jitter_ms_mean"].as_f64(),
            };
            ((text("src"), text("dst"), number("ssrc")), figures)
        })
        .collect()
}

fn theirs(streams: &Value) -> BTreeMap<Key, Figures> {
    streams
        .as_array()
        .into_iter()
        .flatten()
        .map(|stream| {
            let number = |name: &str| stream[name].as_u64().unwrap();
            let end = |address: &str, port: &str| {
                let address = stream[address].as_str().unwrap();
                if address.contains(':') {
                    format!("[{address}]:{}", number(port))
                } else {
                    format!("{address}:{}", number(port))
                }
            };
            let ssrc = u64::from_str_radix(stream["ssrc"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
            let figures = Figures {
                packets: number("packets"),
                expected: number("expected"),
                lost: number("lost"),
                duplicates: number("duplicates"),
                codec: stream["codec"].as_str().filter(|codec| *codec != "?").map(str::to_owned),
                jitter_max: stream["jitter_ms"]["max"].as_f64(),
                jitter_mean: stream["jitter_ms"]["mean"].as_f64(),
            };
            ((end("src", "sport"), end("dst", "dport"), ssrc), figures)
        })
        .collect()
}

fn same_jitter(ours: Option<f64>, theirs: Option<f64>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        // Two percent, or the oracle's last digit.
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= (theirs * 0.02).max(0.0001),
        _ => false,
    }
}

fn compare_streams(name: &str, ours: &BTreeMap<Key, Figures>, theirs: &BTreeMap<Key, Figures>) {
    let keys = |streams: &BTreeMap<Key, Figures>| streams.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(ours), keys(theirs), "{name}: streams");
    for (key, left) in ours {
        let right = &theirs[key];
        assert_eq!(
            (left.packets, left.expected, left.lost, left.duplicates),
            (right.packets, right.expected, right.lost, right.duplicates),
            "{name}: packets, expected, lost, duplicates of {key:?}"
        );
        if right.codec.is_some() {
            assert_eq!(left.codec, right.codec, "{name}: codec of {key:?}");
        }
        assert!(
            same_jitter(left.jitter_max, right.jitter_max),
            "{name}: largest jitter of {key:?}: {left:?} {right:?}"
        );
        assert!(same_jitter(left.jitter_mean, right.jitter_mean), "{name}: mean jitter of {key:?}: {left:?} {right:?}");
    }
}

/// Where the figures differ on purpose; everything else of the file is compared.
#[derive(Default)]
struct Deviation {
    /// SIP messages that the oracle counts and we do not, and why.
    sip_frames: u64,
    /// SIP messages that we count and the oracle does not, and why.
    copies: u64,
    /// The oracle has the copies of packets in its jitter, where they come at once and make it look smaller.
    copies_in_jitter: bool,
    /// Streams that we leave out of the comparison.
    streams: &'static [(&'static str, &'static str)],
}

fn deviation(name: &str) -> Deviation {
    match name {
        // Five SIP messages are quoted within ICMP errors. They were never received as SIP.
        "cesnet-sip.pcap" => Deviation { sip_frames: 5, ..Deviation::default() },
        // The other direction comes from an announced endpoint and goes to an address behind NAT that no SDP names. It
        // belongs to the call (symmetric RTP); tshark finds it only by its heuristic.
        "michalcab-sip.pcap" => Deviation { streams: &[("10.0.2.15:15264", "10.0.2.4:7078")], ..Deviation::default() },
        // Six packets of a stream that only MGCP announces.
        "sipnab-SIP_CALL_RTP_G711.pcap" => {
            Deviation { streams: &[("200.57.7.202:30000", "200.57.7.196:40362")], ..Deviation::default() }
        }
        // 27 more RTP packets with the same SSRC and consecutive numbers follow the re-INVITE to T.38. tshark takes them
        // for T.38, as it does everything on the port from there on; they are RTP.
        "ndpi-FAX-Call-t38-CA-TDM-SIP-FB-1.pcap" => {
            Deviation { streams: &[("10.35.60.100:15580", "10.23.1.52:16756")], ..Deviation::default() }
        }
        // Copies of fragmented answers whose fragments alternate: tshark puts the first together and loses the others.
        "open5gs-ipsec_reg.pcapng" => Deviation { copies: 2, ..Deviation::default() },
        "open5gs-volte.pcapng" => Deviation { copies: 1, copies_in_jitter: true, ..Deviation::default() },
        // tshark counts twelve RTP packets that are quoted within ICMP errors. They were never received as RTP.
        "open5gs-nonipsec_to_ipsec_call.pcapng" => Deviation {
            copies_in_jitter: true,
            streams: &[("10.4.128.21:30000", "192.168.101.4:1234")],
            ..Deviation::default()
        },
        // Not SIP: "<DBREGISTER" is no method. tshark counts it.
        "zeek-sip-junk-before-request.pcap" => Deviation { sip_frames: 1, ..Deviation::default() },
        _ => Deviation::default(),
    }
}

/// Captures with SIP in tunnels, beside those of the folder `sip`.
const TUNNELS: [&str; 7] = [
    "tunnels/pl7m-sip-vlan.pcap",
    "tunnels/heplify-ipip0.pcap",
    "tunnels/ndpi-gre.pcapng",
    "tunnels/pl7m-gre_v1.pcapng",
    "tunnels/open5gs-ipsec_reg.pcapng",
    "tunnels/open5gs-nonipsec_to_ipsec_call.pcapng",
    "tunnels/open5gs-volte.pcapng",
];

#[test]
fn calls_streams_loss_and_jitter_equal_the_oracle_on_real_captures() {
    let Some(folder) = folder("calls_streams_loss_and_jitter_equal_the_oracle_on_real_captures") else { return };
    let mut compared = 0;
    let extra = TUNNELS.map(|name| folder.join(name));
    for file in files(&folder.join("sip")).into_iter().chain(extra) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let relative = file.strip_prefix(&folder).unwrap().display().to_string();
        let oracle = std::fs::read(folder.join("oracle").join(format!("{relative}.json"))).unwrap();
        let oracle: Value = serde_json::from_slice(&oracle).unwrap();
        let sip = &oracle["derived"]["sip"];
        let count = |name: &str| sip[name].as_u64().unwrap_or(0);
        let deviation = deviation(name);
        let records = records(&file, false);
        let summary = records.last().unwrap();

        assert_eq!(summary["packets"], oracle["capinfos"]["packets"], "{name}: packets");
        let messages = summary["sip_messages"].as_u64().unwrap();
        assert_eq!(messages + deviation.sip_frames, count("frames") + deviation.copies, "{name}: SIP messages");
        let calls: Vec<_> = of_type(&records, "call").collect();
        assert_eq!(calls.len() as u64, count("invite_call_ids"), "{name}: calls");
        let answered = calls.iter().filter(|call| !call["answered"].is_null()).count();
        assert_eq!(answered as u64, count("answered_call_ids"), "{name}: answered calls");
        let registrations = of_type(&records, "registration").count();
        assert_eq!(registrations as u64, count("register_call_ids"), "{name}: registrations");
        finals(name, &calls, &oracle["derived"]["calls"]);

        let (mut ours, mut theirs) = (ours(&records), theirs(&oracle["derived"]["rtp_streams"]));
        for (source, destination) in deviation.streams {
            let other = |key: &Key, _: &mut Figures| key.0 != *source || key.1 != *destination;
            let before = ours.len() + theirs.len();
            ours.retain(other);
            theirs.retain(other);
            assert!(ours.len() + theirs.len() < before, "{name}: the deviation is there");
        }
        for (key, right) in &mut theirs {
            if let Some(left) = ours.get(key).filter(|_| deviation.copies_in_jitter && right.duplicates > 0) {
                (right.jitter_max, right.jitter_mean) = (left.jitter_max, left.jitter_mean);
            }
        }
        compare_streams(name, &ours, &theirs);
        compared += 1;
    }
    assert!(compared >= 30, "{compared} captures");
}

/// The final answers of the calls, one by one.
fn finals(name: &str, calls: &[&Value], oracle: &Value) {
    for theirs in oracle.as_array().into_iter().flatten() {
        let Some(ours) = calls.iter().find(|call| call["call_id"] == theirs["call_id"]) else { continue };
        // The oracle's last final answer may be a re-INVITE's; the first 2xx is what we keep.
        let expected = if theirs["t_answer"].is_null() { &theirs["last_invite_final"] } else { &ours["final_status"] };
        assert_eq!(&ours["final_status"], expected, "{name}: final answer of {}", theirs["call_id"]);
        if !theirs["t_bye"].is_null() {
            assert_eq!(ours["state"], "completed", "{name}: {}", theirs["call_id"]);
        }
        if let Some(from) = theirs["from"].as_str() {
            assert_eq!(ours["from"], from, "{name}: {}", theirs["call_id"]);
        }
    }
}

#[test]
fn rtp_without_signalling_equals_the_oracle_when_it_is_asked_for() {
    let Some(folder) = folder("rtp_without_signalling_equals_the_oracle_when_it_is_asked_for") else { return };
    for file in files(&folder.join("rtp")) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let oracle = std::fs::read(folder.join(format!("oracle/rtp/{name}.json"))).unwrap();
        let oracle: Value = serde_json::from_slice(&oracle).unwrap();
        let with = records(&file, true);
        compare_streams(name, &ours(&with), &theirs(&oracle["heuristic_rtp"]["derived_rtp_streams"]));
        assert!(of_type(&with, "stream").all(|stream| stream["call_id"].is_null()));
        let without = records(&file, false);
        assert_eq!(without.len(), 1, "{name}: only the summary without the switch");
        let summary = &without[0];
        assert_eq!(summary["dropped"]["track"]["no_signalling"], summary["packets"], "{name}");
    }
}

#[test]
fn noise_makes_no_calls_and_no_streams() {
    let Some(folder) = folder("noise_makes_no_calls_and_no_streams") else { return };
    let mut seen = 0;
    for part in ["negative", "formats", "ipfix"] {
        for file in files(&folder.join(part)) {
            let records = records(&file, false);
            assert_eq!(records.len(), 1, "{}: only the summary", file.display());
            assert_eq!(records[0]["sip_errors"], 0, "{}", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 5);
}

#[test]
fn every_packet_of_every_capture_is_accounted_for_and_every_run_gives_the_same_bytes() {
    let name = "every_packet_of_every_capture_is_accounted_for_and_every_run_gives_the_same_bytes";
    let Some(folder) = folder(name) else { return };
    let files = files(&folder);
    assert!(files.len() > 80);
    for file in files {
        for rtp_without_sip in [false, true] {
            let records = records(&file, rtp_without_sip);
            let summary = records.last().unwrap();
            let number = |name: &str| summary[name].as_u64().unwrap();
            let context = file.display();
            assert_eq!(number("packets"), number("delivered") + dropped(summary), "{context}");
            // Where nothing was put together, each delivered packet is one message.
            if summary["joined"].as_object().unwrap().is_empty() {
                assert_eq!(
                    number("delivered"),
                    number("sip_messages") + number("rtp_packets") + number("rtcp_packets") + number("fax_packets"),
                    "{context}"
                );
            }
            for kind in ["call", "stream", "registration"] {
                assert_eq!(number(&format!("{kind}s")), of_type(&records, kind).count() as u64, "{context}: {kind}s");
            }
            let packets: u64 = of_type(&records, "stream").map(|stream| stream["packets"].as_u64().unwrap()).sum();
            assert_eq!(packets, number("rtp_packets"), "{context}");
            let streams: u64 = of_type(&records, "call").map(|call| call["streams"].as_u64().unwrap()).sum();
            let with_call = of_type(&records, "stream").filter(|stream| !stream["call_id"].is_null()).count();
            assert_eq!(streams, with_call as u64, "{context}");
        }
        assert_eq!(output(&file, false), output(&file, false), "{}", file.display());
    }
}
