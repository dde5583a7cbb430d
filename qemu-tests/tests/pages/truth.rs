//! What `sniffer read --json` says of made traffic is what the generator knows: calls, packets, loss, reordering, codec.

use qemu_tests::process::Program;
use qemu_tests::scratch::programs;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Times in a capture file are whole microseconds, which moves a jitter of milliseconds by less than this.
const JITTER_TOLERANCE_MS: f64 = 0.01;
/// Both compute the same formula (ITU-T G.107) from the same counts; a figure is printed with fewer digits.
const MOS_TOLERANCE: f64 = 0.01;

/// Writes an office's traffic into a capture file and returns the truth about it.
fn make(seed: u64, capture: &Path) -> Value {
    let program = Program::new(env!("CARGO_BIN_EXE_callward-traffic"));
    let output = program.args(["--calls", "30", "--seconds", "12", "--seed", &seed.to_string(), "--out"]).arg(capture);
    serde_json::from_slice(&output.run().unwrap().stdout).unwrap()
}

/// The records that the sniffer prints, by their kind.
fn read(capture: &Path) -> BTreeMap<String, Vec<Value>> {
    let sniffer = Program::new(programs().unwrap().join("sniffer")).args(["read", "--json"]).arg(capture);
    let printed = String::from_utf8(sniffer.run().unwrap().stdout).unwrap();
    let mut kinds: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in printed.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        kinds.entry(record["type"].as_str().unwrap().to_owned()).or_default().push(record);
    }
    kinds
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap()
}

fn total(streams: &[&Value], field: &str) -> u64 {
    streams.iter().map(|stream| stream[field].as_u64().unwrap()).sum()
}

/// Compares fields that must be the same, and says where they are not.
fn compare(truth: &Value, seen: &Value, fields: &[&str], wrong: &mut Vec<String>) {
    for field in fields {
        if truth[field] != seen[field] {
            wrong.push(format!("{field}: {} in truth, {} seen: {truth}", truth[field], seen[field]));
        }
    }
}

fn compare_about(truth: &Value, seen: &Value, field: &str, tolerance: f64, wrong: &mut Vec<String>) {
    let is_near = truth[field].as_f64().zip(seen[field].as_f64()).is_some_and(|(a, b)| (a - b).abs() <= tolerance);
    if !is_near {
        wrong.push(format!("{field}: {} in truth, {} seen: {truth}", truth[field], seen[field]));
    }
}

#[test]
fn what_the_sniffer_reads_is_what_the_generator_knows() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for seed in 1..=3 {
        let capture = folder.path().join(format!("{seed}.pcap"));
        let truth = make(seed, &capture);
        let seen = read(&capture);
        let records = |kind: &str| seen.get(kind).map(Vec::as_slice).unwrap_or_default();
        let (calls, streams) = (list(&truth, "calls"), records("stream"));
        let true_streams: Vec<&Value> = calls.iter().flat_map(|call| list(call, "streams")).collect();
        // Nothing is compared with nothing: the traffic has each fault.
        for fault in ["lost", "duplicates", "reordered"] {
            assert!(total(&true_streams, fault) > 0, "seed {seed}: no packet is {fault}");
        }
        assert_eq!(records("call").len(), calls.len(), "seed {seed}: calls");
        assert_eq!(streams.len(), true_streams.len(), "seed {seed}: streams");
        assert_eq!(Some(records("registration").len()), truth["registrations"].as_u64().map(|n| n.try_into().unwrap()));
        for call in calls {
            let id = &call["call_id"];
            let Some(found) = records("call").iter().find(|record| record["call_id"] == *id) else {
                wrong.push(format!("no call {id}"));
                continue;
            };
            compare(call, found, &["from", "to", "state", "final_status"], &mut wrong);
            for stream in list(call, "streams") {
                let is_it = |record: &&Value| record["ssrc"] == stream["ssrc"] && record["call_id"] == *id;
                let Some(found) = streams.iter().find(is_it) else {
                    wrong.push(format!("no stream {stream} of call {id}"));
                    continue;
                };
                let what = ["src", "dst", "payload_type", "codec"];
                let counts = ["packets", "expected", "lost", "duplicates", "reordered"];
                compare(stream, found, &what, &mut wrong);
                compare(stream, found, &counts, &mut wrong);
                compare_about(stream, found, "jitter_ms_max", JITTER_TOLERANCE_MS, &mut wrong);
                compare_about(stream, found, "mos", MOS_TOLERANCE, &mut wrong);
            }
        }
        let summary = &records("summary")[0];
        if summary["rtp_packets"] != total(&true_streams, "packets") || summary["delivered"] != summary["packets"] {
            wrong.push(format!("seed {seed}: packets went astray: {summary}"));
        }
    }
    assert!(wrong.is_empty(), "{} figures differ:\n{}", wrong.len(), wrong.join("\n"));
}
