//! What every record keeps to: figures are finite and within their range, and what is written can be read again.

use serde::{Serialize, de::DeserializeOwned};
use sniffer_core::{
    engine::EndedCall,
    limits,
    record::{RtcpRecord, StreamRecord},
};

/// A record can be written, and read again.
pub fn fits<T: Serialize + DeserializeOwned>(record: &T) {
    let text = serde_json::to_vec(record).expect("a record is JSON");
    assert!(serde_json::from_slice::<T>(&text).is_ok(), "not read again: {}", String::from_utf8_lossy(&text));
}

fn within(name: &str, figure: Option<f64>, range: std::ops::RangeInclusive<f64>) {
    assert!(figure.is_none_or(|figure| range.contains(&figure)), "{name} is {figure:?}, not in {range:?}");
}

pub fn call(call: &EndedCall) {
    assert_eq!(usize::try_from(call.record.streams).unwrap_or(usize::MAX), call.streams.len(), "streams of a call");
    let details = &call.record.details;
    for (name, figure) in [
        ("post_dial_delay_ms", details.post_dial_delay_ms),
        ("ring_ms", details.ring_ms),
        ("setup_ms", details.setup_ms),
        ("duration_ms", details.duration_ms),
        ("held_ms", Some(details.held_ms)),
        ("silence_at_start_ms", call.record.silence_at_start_ms),
    ] {
        within(name, figure, 0.0..=1e15);
    }
    assert!(details.transfers.len() <= limits::TRANSFERS && details.holds.len() <= limits::HOLDS, "lists of a call");
    assert!(details.rounds.len() <= limits::INVITE_ROUNDS, "rounds of a call");
    fits(&call.record);
    fits(&call.summary);
    call.streams.iter().for_each(stream);
}

pub fn stream(record: &StreamRecord) {
    assert!(record.packets > 0, "a stream without a packet");
    assert!(record.start <= record.end, "{:?} to {:?}", record.start, record.end);
    assert!(record.lost <= record.expected, "{} lost of {}", record.lost, record.expected);
    assert!(record.duplicates < record.packets, "{} duplicates of {}", record.duplicates, record.packets);
    assert!(record.copies <= record.duplicates && record.reordered <= record.packets, "copies, reordered");
    assert!(record.sound_packets + record.silence_packets <= record.packets, "sound and silence");
    for late in [record.late_fixed_50, record.late_fixed_200, record.late_adaptive] {
        assert!(late.is_none_or(|late| late <= record.packets), "{late:?} late of {}", record.packets);
    }
    for (name, figure) in [
        ("mos", record.mos),
        ("mos_fixed_50", record.mos_fixed_50),
        ("mos_fixed_200", record.mos_fixed_200),
        ("mos_adaptive", record.mos_adaptive),
        ("mos_min", record.mos_min),
    ] {
        within(name, figure, 1.0..=4.5);
    }
    within("r_factor", record.r_factor, 0.0..=148.0);
    within("burst_density", record.burst_density, 0.0..=1.0);
    within("gap_density", Some(record.gap_density), 0.0..=1.0);
    within("burst_ratio", record.burst_ratio, 1.0..=1e9);
    within("adaptive_ms", record.adaptive_ms, 0.0..=500.0);
    within("round_trip_ms_max", record.round_trip_ms_max, 0.0..=20_000.0);
    for (name, figure) in [
        ("burst_ms", record.burst_ms),
        ("gap_ms", record.gap_ms),
        ("packet_ms", record.packet_ms),
        ("delta_ms_min", record.delta_ms_min),
        ("delta_ms_mean", record.delta_ms_mean),
        ("delta_ms_max", record.delta_ms_max),
        ("jitter_ms_max", record.jitter_ms_max),
        ("jitter_ms_mean", record.jitter_ms_mean),
        ("pdv_ms_max", record.pdv_ms_max),
        ("silence_at_start_ms", record.silence_at_start_ms),
        ("round_trip_ms", record.round_trip_ms),
    ] {
        within(name, figure, 0.0..=1e15);
    }
    let steps = [record.pdv_ms_p50, record.pdv_ms_p95, record.pdv_ms_p99, record.pdv_ms_max];
    assert!(steps.is_sorted(), "percentiles that fall: {steps:?}");
    if let Some(shares) = &record.jitter_ms_histogram {
        let sum: f64 = shares.iter().sum();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "shares {shares:?}");
        assert!((sum - 1.0).abs() < 0.01, "shares that add up to {sum}");
    }
    assert!(record.timeline.len() <= limits::TIMELINE_SLOTS, "{} slots", record.timeline.len());
    for slot in &record.timeline {
        within("mos of a slot", slot.mos, 1.0..=4.5);
        within("jitter_ms of a slot", slot.jitter_ms, 0.0..=1e4);
    }
    if let Some(rtcp) = &record.rtcp {
        far_end(rtcp);
    }
    fits(record);
}

fn far_end(rtcp: &RtcpRecord) {
    within("fraction_lost_max", rtcp.fraction_lost_max, 0.0..=1.0);
    within("jitter_ms_max", rtcp.jitter_ms_max, 0.0..=1e10);
    within("round_trip_receiver_ms_max", rtcp.round_trip_receiver_ms_max, 0.0..=10_000.0);
    within("round_trip_sender_ms_max", rtcp.round_trip_sender_ms_max, 0.0..=10_000.0);
    if let Some(voip) = &rtcp.voip {
        for share in [voip.loss_rate, voip.discard_rate, voip.burst_density, voip.gap_density] {
            within("a share of the VoIP metrics", Some(share), 0.0..=1.0);
        }
    }
}
