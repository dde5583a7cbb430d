//! A stream's figures as a record: totals, loss pattern, delay, jitter buffers, MOS and the time line.

use super::{Loss, mos_of_r, rating, round3};
use crate::{
    bytes::{float, round4},
    codec::{self, Impairment, Media},
    limits,
    record::{SlotRecord, StreamRecord},
    rtp::{loss::LossPattern, playout::Kind, sequence::Sequence, stream::Stream, timeline::Slot},
};

/// Mean opinion score of a stream for the codec with this name, without a jitter buffer; none with too few packets or
/// unknown figures.
#[must_use]
pub fn mos(stream: &Stream, codec: Option<&str>) -> Option<f64> {
    let sequence = enough(stream)?;
    let impairment = codec::impairment(codec?)?;
    rate(impairment, network_loss(sequence, &sequence.pattern()), 0.0).map(|rated| rated.1)
}

fn enough(stream: &Stream) -> Option<&Sequence> {
    stream.sequence().filter(|sequence| sequence.unique() >= limits::MOS_PACKETS)
}

/// R and MOS.
fn rate(impairment: Impairment, loss: Loss, delay_ms: f64) -> Option<(f64, f64)> {
    let r = rating(impairment, loss, delay_ms)?;
    Some((round3(r), round3(mos_of_r(impairment.scale, r))))
}

fn network_loss(sequence: &Sequence, pattern: &LossPattern) -> Loss {
    Loss::of(float(sequence.lost()), float(sequence.expected()), f64::from(pattern.runs()))
}

/// Fills in everything that is measured of a stream; `codec` is the name and clock rate of its main payload type.
pub fn fill(record: &mut StreamRecord, stream: &Stream, codec: Option<(&str, u32)>) {
    let Some(sequence) = stream.sequence() else { return };
    let pattern = sequence.pattern();
    let counts = stream.counts();
    record.packets = sequence.packets();
    record.expected = sequence.expected();
    record.lost = sequence.lost();
    record.duplicates = sequence.duplicates();
    record.copies = sequence.copies();
    record.reordered = sequence.reordered();
    record.restarts = sequence.restarts();
    record.sound_packets = u64::from(counts.sounding);
    record.silence_packets = u64::from(stream.silent());
    record.silent_at_end = stream.ends_in_silence();
    record.events = u64::from(stream.events());
    record.dscp = counts.dscp;
    record.dscp_last = counts.dscp_last;
    record.dscp_changed = counts.dscp_changed;
    fill_timing(record, stream);
    fill_pattern(record, sequence, &pattern);
    let is_video = stream.main_type().and_then(|main| main.timing()).is_some_and(|main| main.media == Media::Video);
    if !is_video {
        fill_buffers(record, stream);
    }
    let impairment = codec.and_then(|codec| codec::impairment(codec.0));
    record.mos_scale = impairment.map(|impairment| impairment.scale);
    if let (Some(sequence), Some(impairment)) = (enough(stream), impairment) {
        fill_mos(record, stream, sequence, &pattern, impairment);
    }
    let slots = stream.timeline().slots(sequence);
    record.timeline = slots.iter().map(|slot| slot_record(slot, impairment)).collect();
    record.mos_min = record.timeline.iter().filter_map(|slot| slot.mos).reduce(f64::min);
}

fn fill_timing(record: &mut StreamRecord, stream: &Stream) {
    let counts = stream.counts();
    let different = record.packets.saturating_sub(record.duplicates);
    if different > 1 {
        let duration = float(u64::try_from(stream.last.since(stream.first).as_nanos()).unwrap_or(0)) / 1e6;
        record.delta_ms_min = Some(round4(f64::from(counts.shortest_gap) / 1000.0));
        record.delta_ms_mean = Some(round4(duration / float(different - 1)));
        record.delta_ms_max = Some(round4(f64::from(counts.longest_gap) / 1000.0));
    }
    record.jitter_ms_max = stream.jitter().max_ms();
    record.jitter_ms_mean = stream.jitter().mean_ms();
    record.jitter_ms_histogram = stream.jitter().shares();
    record.pdv_ms_p50 = stream.delay().percentile_ms(0.5);
    record.pdv_ms_p95 = stream.delay().percentile_ms(0.95);
    record.pdv_ms_p99 = stream.delay().percentile_ms(0.99);
    record.pdv_ms_max = stream.delay().max_ms();
    record.packet_ms = stream
        .clock_rate()
        .filter(|_| counts.interval > 0)
        .map(|rate| round4(f64::from(counts.interval) * 1000.0 / f64::from(rate)));
}

/// Runs, bursts and gaps. A stream begins and ends with a packet that came, so that there is a gap more than bursts.
fn fill_pattern(record: &mut StreamRecord, sequence: &Sequence, pattern: &LossPattern) {
    record.loss_runs = pattern.run_bins().iter().map(|&count| u64::from(count)).collect();
    record.loss_run_longest = u64::from(pattern.longest_run());
    if sequence.lost() > 0 {
        record.burst_ratio = Some(round3(network_loss(sequence, pattern).burst_ratio()));
    }
    let (expected, lost) = (float(sequence.expected()), float(sequence.lost()));
    let (in_bursts, burst_lost) = (f64::from(pattern.burst_packets()), f64::from(pattern.burst_lost()));
    let bursts = f64::from(pattern.bursts());
    let packet_ms = record.packet_ms.or(record.delta_ms_mean);
    record.bursts = u64::from(pattern.bursts());
    record.gap_density = round5((lost - burst_lost).max(0.0) / (expected - in_bursts).max(1.0));
    record.gap_ms = packet_ms.map(|ms| round4((expected - in_bursts).max(0.0) / (bursts + 1.0) * ms));
    if pattern.bursts() > 0 {
        record.burst_density = Some(round5(burst_lost / in_bursts));
        record.burst_ms = packet_ms.map(|ms| round4(in_bursts / bursts * ms));
    }
}

fn round5(number: f64) -> f64 {
    (number * 100_000.0).round() / 100_000.0
}

fn fill_buffers(record: &mut StreamRecord, stream: &Stream) {
    let playout = stream.playout();
    if playout.packets() == 0 {
        return;
    }
    let late = |kind| Some(u64::from(playout.late(kind).0));
    record.late_fixed_50 = late(Kind::Fixed50);
    record.late_fixed_200 = late(Kind::Fixed200);
    record.late_adaptive = late(Kind::Adaptive);
    record.adaptive_ms = Some(round4(playout.depth_ms(Kind::Adaptive)));
}

fn fill_mos(
    record: &mut StreamRecord,
    stream: &Stream,
    sequence: &Sequence,
    pattern: &LossPattern,
    impairment: Impairment,
) {
    let rated = rate(impairment, network_loss(sequence, pattern), 0.0);
    record.r_factor = rated.map(|rated| rated.0);
    record.mos = rated.map(|rated| rated.1);
    let playout = stream.playout();
    if playout.packets() == 0 {
        return;
    }
    let with = |kind| {
        let (late, late_runs) = playout.late(kind);
        let lost = float(sequence.lost()) + f64::from(late);
        let loss = Loss::of(lost, float(sequence.expected()), f64::from(pattern.runs()) + f64::from(late_runs));
        rate(impairment, loss, playout.depth_ms(kind)).map(|rated| rated.1)
    };
    record.mos_fixed_50 = with(Kind::Fixed50);
    record.mos_fixed_200 = with(Kind::Fixed200);
    record.mos_adaptive = with(Kind::Adaptive);
}

fn slot_record(slot: &Slot, impairment: Option<Impairment>) -> SlotRecord {
    let expected = u32::from(slot.packets) + u32::from(slot.lost);
    let is_enough = u64::from(expected) >= limits::MOS_PACKETS;
    let loss = Loss::of(f64::from(slot.lost), f64::from(expected), f64::from(slot.runs.max(u16::from(slot.lost > 0))));
    SlotRecord {
        packets: slot.packets,
        lost: slot.lost,
        late: slot.late,
        jitter_ms: (slot.jitter != u16::MAX).then(|| round4(f64::from(slot.jitter) / 10.0)),
        mos: impairment.filter(|_| is_enough).and_then(|impairment| rate(impairment, loss, 0.0)).map(|rated| rated.1),
    }
}
