//! All captures that hold SIP, each call and registration against its oracle: times, answers, who hung up, messages,
//! addresses. What differs on purpose is in `README.md` beside this file.

use std::collections::BTreeMap;

use serde_json::Value;
use sniffer_core::time::Timestamp;

use crate::captures::{files, folder, of_type, records};

/// Captures in which we see fewer messages than the oracle, and why. See `README.md`.
const FEWER: [(&str, &str); 11] = [
    ("cesnet-sip.pcap", "five messages quoted in ICMP errors"),
    ("zeek-sip-junk-before-request.pcap", "no SIP"),
    ("ndpi-fuzz-2006-06-26-2594.pcap", "damaged on purpose"),
    ("pl7m-sip-vlan-fuzzed.pcap", "damaged on purpose"),
    ("open5gs-ipsec_reg.pcapng", "ESP"),
    ("open5gs-nonipsec_to_ipsec_call.pcapng", "ESP"),
    ("open5gs-volte.pcapng", "ESP"),
    ("voipshark-SIP-over-TLS-RTP-Normal_Call_two_parties.pcap", "TLS"),
    ("ndpi-gre.pcapng", "PPP in GRE"),
    ("pl7m-gre_v1.pcapng", "PPP in GRE"),
    ("sngrep-ipip.pcap", "segments that are not there"),
];

#[derive(Default)]
struct Compared {
    files: usize,
    calls: usize,
    registrations: usize,
}

#[test]
fn every_call_and_registration_equals_its_oracle() {
    let Some(folder) = folder("every_call_and_registration_equals_its_oracle") else { return };
    let mut compared = Compared::default();
    for file in files(&folder) {
        let relative = file.strip_prefix(&folder).unwrap().display().to_string();
        let Ok(oracle) = std::fs::read(folder.join("oracle").join(format!("{relative}.json"))) else { continue };
        let oracle: Value = serde_json::from_slice(&oracle).unwrap();
        let theirs = &oracle["derived"];
        let Some(frames) = theirs["sip"]["frames"].as_u64() else { continue };
        let name = file.file_name().unwrap().to_str().unwrap();
        let records = records(&file, false);
        let summary = records.last().unwrap();
        let messages = summary["sip_messages"].as_u64().unwrap();
        let has_all = messages == frames;
        if FEWER.iter().all(|(fewer, _)| *fewer != name) {
            assert!(has_all, "{relative}: {messages} of {frames} messages");
            let calls = of_type(&records, "call").count() as u64;
            assert_eq!(calls, theirs["sip"]["invite_call_ids"].as_u64().unwrap(), "{relative}: calls");
        }
        if !has_all {
            continue;
        }
        compared.files += 1;
        methods(&relative, summary, &theirs["sip"]);
        compared.calls += calls(&relative, &records, &theirs["calls"]);
        compared.registrations += registrations(&relative, &records, &theirs["registrations"]);
    }
    let Compared { files, calls, registrations } = compared;
    assert!(files >= 45 && calls >= 123 && registrations >= 84, "{files} files, {calls} calls, {registrations}");
}

/// Requests and final answers by method: what is new, passed on, sent again and copied adds up to the oracle's counts.
fn methods(name: &str, summary: &Value, sip: &Value) {
    let methods = summary["methods"].as_object().unwrap();
    let sum = |one: &Value| {
        let results = one["results"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
        let counts = ["requests", "provisional", "hops", "retransmissions", "copies"];
        results + counts.iter().map(|count| one[count].as_u64().unwrap()).sum::<u64>()
    };
    let total: u64 = methods.values().map(sum).sum();
    assert_eq!(total, summary["sip_messages"].as_u64().unwrap(), "{name}: each message once");
    for (method, count) in sip["requests"].as_object().unwrap() {
        if let Some(ours) = summary["sip_requests"].get(method) {
            assert_eq!(ours, count, "{name}: {method}");
        }
    }
}

fn seconds(time: &Value) -> Option<f64> {
    let time: Option<Timestamp> = serde_json::from_value(time.clone()).unwrap();
    Some(time?.as_micros() as f64 / 1e6)
}

fn near(ours: Option<f64>, theirs: Option<f64>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => (ours - theirs).abs() < 0.000_01,
        _ => false,
    }
}

fn calls(name: &str, records: &[Value], theirs: &Value) -> usize {
    let mut compared = 0;
    for theirs in theirs.as_array().into_iter().flatten() {
        let id = &theirs["call_id"];
        let context = format!("{name}: {id}");
        let ours: Vec<_> = of_type(records, "call").filter(|call| call["call_id"] == *id).collect();
        assert_eq!(ours.len(), 1, "{context}: one record");
        let ours = ours[0];
        let number = |field: &str| theirs[field].as_f64();
        let first = number("first").unwrap();
        assert!(near(seconds(&ours["start"]), Some(first)), "{context}: start");
        assert!(
            near(seconds(&ours["answered"]), number("t_answer").map(|at| first + at)),
            "{context}: answered {ours}"
        );
        assert_eq!(ours["from"], theirs["from"], "{context}");
        // Two To headers: the oracle has the last.
        if name != "sip/suricata-sip-header-multi-value.pcap" {
            assert_eq!(ours["to"], theirs["to"], "{context}");
        }
        let rings = theirs["first_18x"].as_u64().is_some_and(|status| (180..190).contains(&status));
        let rang = number("t_first_18x").filter(|_| rings);
        let delay = ours["post_dial_delay_ms"].as_f64().map(|ms| ms / 1000.0);
        // Ringing that comes after the answer is none.
        if number("t_answer").is_none_or(|answer| number("t_first_18x").is_none_or(|rang| rang < answer)) {
            assert!(near(delay, rang), "{context}: post dial delay {delay:?} {rang:?}");
        }
        let messages = ours["messages"].as_u64().unwrap() + ours["copies"].as_u64().unwrap();
        // One answer to a CANCEL comes 33 s after it, when the call has been reported.
        let late = u64::from(name == "sip/sngrep-aaa.pcap" && id.as_str().unwrap().starts_with("105090259-"));
        assert_eq!(Some(messages + late), theirs["messages"].as_u64(), "{context}: messages");
        state(&context, ours, theirs);
        if theirs["first_method"] == "INVITE" {
            // The oracle writes IPv6 without brackets.
            let address = |side: &str| ours[side]["address"].as_str().unwrap().replace(['[', ']'], "");
            assert_eq!(address("caller"), theirs["src"], "{context}");
            assert_eq!(address("callee"), theirs["dst"], "{context}");
            assert_eq!(ours["invite_seen"], true, "{context}");
        }
        if theirs["reasons"].is_array() && !theirs["t_bye"].is_null() && theirs["t_failure"].is_null() {
            assert!(!ours["reason"].is_null(), "{context}: reason");
        }
        compared += 1;
    }
    compared
}

fn state(context: &str, ours: &Value, theirs: &Value) {
    if theirs["t_bye"].is_null() {
        if let (true, Some(last)) = (theirs["t_answer"].is_null(), theirs["last_invite_final"].as_u64()) {
            assert_eq!(ours["final_status"], last, "{context}: final status");
            assert_eq!(ours["rounds"].as_array().unwrap().last().unwrap(), last, "{context}: last round");
        }
        if theirs["t_answer"].is_null() && !theirs["t_cancel"].is_null() {
            assert_eq!((&ours["state"], &ours["ended_by"]), (&"cancelled".into(), &"caller".into()), "{context}");
        }
        return;
    }
    assert_eq!(ours["state"], "completed", "{context}");
    let caller = ours["caller"]["address"].as_str().unwrap();
    let callee = ours["callee"]["address"].as_str().unwrap();
    let host = |address: &str| address.rsplit_once(':').unwrap().0.trim_matches(['[', ']']).to_owned();
    let by = theirs["bye_from"].as_str().unwrap();
    if host(caller) != host(callee) {
        let expected = if by == host(caller) { "caller" } else { "callee" };
        assert_eq!(ours["ended_by"], expected, "{context}: BYE from {by}");
    }
    if let Some(connected) = theirs["connected_s"].as_f64() {
        assert!(
            near(ours["duration_ms"].as_f64().map(|ms| ms / 1000.0), Some(connected)),
            "{context}: duration {ours}"
        );
    }
}

fn registrations(name: &str, records: &[Value], theirs: &Value) -> usize {
    let mut compared = 0;
    for theirs in theirs.as_array().into_iter().flatten() {
        let id = &theirs["call_id"];
        let context = format!("{name}: {id}");
        let ours: Vec<_> = of_type(records, "registration").filter(|one| one["call_id"] == *id).collect();
        assert_eq!(ours.len(), 1, "{context}: one record");
        let ours = ours[0];
        assert_eq!(ours["aor"], theirs["aor"], "{context}");
        let count = |name: &str| ours[name].as_u64().unwrap();
        let sent = theirs["requests"].as_u64().unwrap();
        assert!(count("requests") <= sent, "{context}");
        assert!(count("requests") + count("retransmissions") + count("copies") >= sent, "{context}: {ours}");
        let statuses: BTreeMap<_, _> = theirs["statuses"].as_object().unwrap().iter().collect();
        let last = ours["final_status"].as_u64().map(|status| status.to_string());
        match &last {
            Some(last) => assert!(statuses.contains_key(last), "{context}: {last}"),
            None => assert!(statuses.keys().all(|status| status.starts_with('1')), "{context}: {statuses:?}"),
        }
        if let Some(agent) = theirs["user_agent"].as_str().filter(|agent| !agent.is_empty())
            && sent > 0
        {
            assert_eq!(ours["user_agent"], agent.trim(), "{context}");
        }
        compared += 1;
    }
    compared
}

#[test]
fn the_legs_of_back_to_back_user_agents_are_correlated() {
    let Some(folder) = folder("the_legs_of_back_to_back_user_agents_are_correlated") else { return };
    let records = records(&folder.join("sip/sipnab-b2bua-asterisk.pcapng"), false);
    let calls: Vec<_> = of_type(&records, "call").collect();
    assert_eq!(calls.len(), 2);
    assert!(calls[0]["correlation"].is_string());
    assert_eq!(calls[0]["correlation"], calls[1]["correlation"]);
    assert!(calls.iter().all(|call| call["correlated_by"] == "number"));
}

#[test]
fn calls_that_have_nothing_to_do_with_each_other_are_not_correlated() {
    let Some(folder) = folder("calls_that_have_nothing_to_do_with_each_other_are_not_correlated") else { return };
    // 1,334 calls between the same two hosts with the same numbers, ten a second.
    let records = records(&folder.join("sip/sipnab-sipp-branch-scenario.pcapng"), false);
    assert_eq!(of_type(&records, "call").count(), 1334);
    assert!(of_type(&records, "call").all(|call| call["correlated_by"].is_null()));
}
