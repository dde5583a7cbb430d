//! What the sniffer printed against what the generator knows.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::Value;
use traffic::{StreamTruth, Truth};

/// Compares `sniffer read --json` with the truth; what is returned are the differences, at most `limit` of them, and how
/// many there are.
///
/// # Errors
/// When the output cannot be read.
pub fn differences(output: &Path, truth: &Truth, limit: usize) -> Result<(Vec<String>, usize)> {
    let file = File::open(output).with_context(|| format!("open {}", output.display()))?;
    let mut calls: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut streams: BTreeMap<(String, String, u64), Vec<Value>> = BTreeMap::new();
    let mut summary = Value::Null;
    for line in BufReader::with_capacity(1 << 20, file).lines() {
        let record: Value = serde_json::from_str(&line?)?;
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match text("type").as_str() {
            "call" => calls.entry(text("call_id")).or_default().push(record),
            "stream" => {
                let ssrc = record.get("ssrc").and_then(Value::as_u64).unwrap_or(u64::MAX);
                streams.entry((text("src"), text("dst"), ssrc)).or_default().push(record);
            }
            "summary" => summary = record,
            _ => {}
        }
    }
    let mut found = Findings { list: Vec::new(), count: 0, limit };
    for call in &truth.calls {
        let what = format!("call {}", call.call_id);
        match calls.remove(&call.call_id).as_deref() {
            Some([one]) => {
                let state = serde_json::to_value(call.state)?;
                // A recording that ends within a call interrupts it.
                let state = if state == "in_call" { Value::from("interrupted") } else { state };
                found.same(&what, "state", one.get("state"), &state);
                found.same(&what, "final_status", one.get("final_status"), &call.final_status.into());
                found.same(&what, "from", one.get("from"), &call.from.as_str().into());
                found.same(&what, "to", one.get("to"), &call.to.as_str().into());
                found.same(&what, "streams", one.get("streams"), &call.streams.len().into());
                found.same(&what, "lost_here", one.get("lost_here"), &false.into());
            }
            None => found.add(format!("{what}: missing")),
            Some(several) => found.add(format!("{what}: reported {} times", several.len())),
        }
        for stream in &call.streams {
            let key = (stream.src.to_string(), stream.dst.to_string(), u64::from(stream.ssrc));
            let what = format!("stream {} {} {:08x}", key.0, key.1, key.2);
            match streams.remove(&key).as_deref() {
                Some([one]) => {
                    found.same(&what, "call_id", one.get("call_id"), &call.call_id.as_str().into());
                    compare_stream(&what, one, stream, &mut found);
                }
                None => found.add(format!("{what}: missing")),
                Some(several) => found.add(format!("{what}: reported {} times", several.len())),
            }
        }
    }
    for call in calls.keys() {
        found.add(format!("call {call}: nobody made it"));
    }
    for (src, dst, ssrc) in streams.keys() {
        found.add(format!("stream {src} {dst} {ssrc:08x}: nobody made it"));
    }
    found.same("summary", "sip_errors", summary.get("sip_errors"), &0.into());
    found.same("summary", "sip_messages", summary.get("sip_messages"), &truth.messages.into());
    Ok((found.list, found.count))
}

fn compare_stream(what: &str, ours: &Value, truth: &StreamTruth, found: &mut Findings) {
    for (name, value) in [
        ("packets", truth.packets),
        ("expected", truth.expected),
        ("lost", truth.lost),
        ("duplicates", truth.duplicates),
        ("reordered", truth.reordered),
        ("payload_type", truth.payload_type.into()),
    ] {
        found.same(what, name, ours.get(name), &value.into());
    }
    found.same(what, "codec", ours.get("codec"), &truth.codec.as_str().into());
    let figure = |name: &str| ours.get(name).and_then(Value::as_f64);
    match figure("jitter_ms_max") {
        // Two percent, or the microsecond to which the file's times are cut.
        Some(jitter) if (jitter - truth.jitter_ms_max).abs() <= (truth.jitter_ms_max * 0.02).max(0.002) => {}
        other => found.add(format!("{what}: jitter_ms_max is {other:?}, not {}", truth.jitter_ms_max)),
    }
    let perfect = truth.lost == 0 && truth.jitter_ms_max < 0.1 && truth.duplicates == 0;
    match figure("mos") {
        None if truth.expected < 100 => {}
        Some(mos) if perfect && mos < 4.3 => found.add(format!("{what}: MOS {mos} of a faultless stream")),
        Some(mos) if truth.lost * 12 > truth.expected && mos >= 4.2 => {
            found.add(format!("{what}: MOS {mos} with {} of {} packets lost", truth.lost, truth.expected));
        }
        Some(_) => {}
        None => found.add(format!("{what}: no MOS")),
    }
}

struct Findings {
    list: Vec<String>,
    count: usize,
    limit: usize,
}

impl Findings {
    fn add(&mut self, text: String) {
        self.count += 1;
        if self.list.len() < self.limit {
            self.list.push(text);
        }
    }

    fn same(&mut self, what: &str, name: &str, ours: Option<&Value>, truth: &Value) {
        if ours != Some(truth) {
            let ours = ours.map_or_else(|| "missing".to_owned(), Value::to_string);
            self.add(format!("{what}: {name} is {ours}, not {truth}"));
        }
    }
}
