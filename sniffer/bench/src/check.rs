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
    compare_heard(what, ours, truth, found);
}

/// What a listener heard: runs, bursts, late packets exactly, and scores to the third decimal that is printed. Of the
/// buffers' scores, the bundles of late packets are counted as they come: where more than a hundredth come out of order, the
/// true ones are somewhat larger.
fn compare_heard(what: &str, ours: &Value, stream: &StreamTruth, found: &mut Findings) {
    let truth = &stream.heard;
    let room = if stream.reordered * 100 > stream.expected { 0.2 } else { 0.002 };
    found.same(what, "loss_runs", ours.get("loss_runs"), &truth.loss_runs.clone().into());
    let [fixed_50, fixed_200, adaptive] = truth.late;
    for (name, value) in [
        ("loss_run_longest", truth.longest_run),
        ("bursts", truth.bursts),
        ("late_fixed_50", fixed_50),
        ("late_fixed_200", fixed_200),
        ("late_adaptive", adaptive),
    ] {
        found.same(what, name, ours.get(name), &value.into());
    }
    let [mos_50, mos_200, mos_adaptive] = truth.mos_buffers;
    for (name, value, room) in [
        ("burst_density", truth.burst_density, 0.000_02),
        ("pdv_ms_max", Some(truth.delay_variation_ms), 0.000_2),
        ("mos", truth.mos, 0.001),
        ("mos_fixed_50", mos_50, room),
        ("mos_fixed_200", mos_200, room),
        ("mos_adaptive", mos_adaptive, room),
    ] {
        let ours = ours.get(name).and_then(Value::as_f64);
        let is_same = match (ours, value) {
            (Some(ours), Some(value)) => (ours - value).abs() <= room,
            (ours, value) => ours.is_none() && value.is_none(),
        };
        if !is_same {
            found.add(format!("{what}: {name} is {ours:?}, not {value:?}"));
        }
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
