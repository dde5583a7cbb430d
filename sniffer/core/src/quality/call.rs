//! What the streams of a call say together: audio in one direction only, silence at the start, the round trip.

use std::net::SocketAddr;

use crate::{
    bytes::{float, round4},
    limits,
    record::{CallRecord, Direction, RtcpRecord, StreamRecord, VoipRecord},
    rtcp::{
        session::{Session, Source, Way},
        xr::VoipMetrics,
    },
    time::Timestamp,
};

const DIRECTIONS: [Direction; 2] = [Direction::CallerToCallee, Direction::CalleeToCaller];

/// Fills in what the streams of a call say together, and what RTCP says of them.
pub fn fill(call: &mut CallRecord, streams: &mut [StreamRecord], rtcp: Option<&Session>) {
    if let Some(session) = rtcp {
        for stream in streams.iter_mut() {
            if let Some(source) = session.get(stream.ssrc, way(stream)) {
                stream.rtcp = Some(Box::new(rtcp_record(source, stream.clock_rate)));
            }
        }
    }
    round_trips(streams);
    if let Some(answered) = call.answered {
        for stream in streams.iter_mut() {
            stream.silence_at_start_ms = Some(milliseconds(answered, stream.start));
        }
        call.silence_at_start_ms = silence_at_start(answered, streams);
        call.one_way_audio = one_way(call, answered, streams);
    }
}

/// From where to where a stream goes, by its record.
fn way(stream: &StreamRecord) -> Option<Way> {
    let address = |endpoint: &str| endpoint.parse::<SocketAddr>().ok().map(|endpoint| endpoint.ip());
    Some((address(&stream.src)?, address(&stream.dst)?))
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    round4(float(u64::try_from(to.since(from).as_micros()).unwrap_or(u64::MAX)) / 1000.0)
}

/// From the answer to the first packet of the direction that came last; none while one has not come.
fn silence_at_start(answered: Timestamp, streams: &[StreamRecord]) -> Option<f64> {
    let mut longest = 0.0_f64;
    for direction in DIRECTIONS {
        let mine = streams.iter().filter(|stream| stream.direction == Some(direction));
        let first = mine.map(|stream| stream.start).min()?;
        longest = longest.max(milliseconds(answered, first));
    }
    Some(longest)
}

/// The direction that was silent while the other was not: no packets, or only comfort noise and silence descriptors. A
/// call is judged from some seconds after its answer on.
fn one_way(call: &CallRecord, answered: Timestamp, streams: &[StreamRecord]) -> Option<Direction> {
    let last = streams.iter().map(|stream| stream.end).chain(call.end).max()?;
    if last.since(answered) < limits::ONE_WAY_AFTER {
        return None;
    }
    let sounds = |direction| {
        let mine = streams.iter().filter(move |stream| stream.direction == Some(direction) && stream.end >= answered);
        // Without a known clock rate nothing is known of a packet but that it came.
        mine.map(|stream| if stream.clock_rate.is_some() { stream.sound_packets } else { stream.packets }).sum::<u64>()
    };
    match DIRECTIONS.map(sounds) {
        [0, callee] if callee >= limits::MOS_PACKETS => Some(Direction::CallerToCallee),
        [caller, 0] if caller >= limits::MOS_PACKETS => Some(Direction::CalleeToCaller),
        _ => None,
    }
}

/// The whole round trip of each stream: its half towards the receiver, and the half towards its sender, which is that of
/// the opposite stream towards its receiver.
fn round_trips(streams: &mut [StreamRecord]) {
    type Half = Option<(f64, f64)>;
    let receiver = |stream: &StreamRecord| -> Half {
        let rtcp = stream.rtcp.as_ref()?;
        Some((rtcp.round_trip_receiver_ms?, rtcp.round_trip_receiver_ms_max?))
    };
    let halves = DIRECTIONS.map(|direction| {
        let mine = streams.iter().filter(|stream| stream.direction == Some(direction));
        mine.filter_map(receiver).max_by(|a, b| a.1.total_cmp(&b.1))
    });
    let [to_callee, to_caller] = halves;
    for stream in streams {
        let opposite = match stream.direction {
            Some(Direction::CallerToCallee) => to_caller,
            Some(Direction::CalleeToCaller) => to_callee,
            None => None,
        };
        let sender =
            stream.rtcp.as_ref().and_then(|rtcp| Some((rtcp.round_trip_sender_ms?, rtcp.round_trip_sender_ms_max?)));
        if let (Some(far), Some(near)) = (receiver(stream), opposite.or(sender)) {
            stream.round_trip_ms = Some(round4(far.0 + near.0));
            stream.round_trip_ms_max = Some(round4(far.1 + near.1));
        }
    }
}

/// What RTCP says of a stream, as a record.
#[must_use]
pub fn rtcp_record(source: &Source, clock_rate: Option<u32>) -> RtcpRecord {
    let reported = source.reports > 0;
    let ticks = |ticks: u32| {
        let rate = clock_rate.filter(|&rate| rate > 0 && reported)?;
        Some(round4(f64::from(ticks) * 1000.0 / f64::from(rate)))
    };
    RtcpRecord {
        sender_reports: u64::from(source.sender_reports),
        sent_packets: (source.sender_reports > 0).then(|| u64::from(source.sent_packets)),
        reports: u64::from(source.reports),
        lost: reported.then(|| i64::from(source.lost)),
        fraction_lost_max: reported.then(|| round4(f64::from(source.fraction_max) / 256.0)),
        jitter_ms_last: ticks(source.jitter_last),
        jitter_ms_max: ticks(source.jitter_max),
        round_trip_receiver_ms: source.receiver_half.mean_ms(),
        round_trip_receiver_ms_max: source.receiver_half.max_ms(),
        round_trip_sender_ms: source.sender_half.mean_ms(),
        round_trip_sender_ms_max: source.sender_half.max_ms(),
        bye: source.bye,
        encrypted: source.is_encrypted,
        voip: source.voip.map(|metrics| Box::new(voip_record(metrics))),
    }
}

/// 127 means unknown for ratings, zero for delays (RFC 3611, sections 4.7.3 and 4.7.5).
fn voip_record(metrics: VoipMetrics) -> VoipRecord {
    let share = |byte: u8| round4(f64::from(byte) / 256.0);
    let tenths = |byte: u8| (byte != 127).then(|| f64::from(byte) / 10.0);
    VoipRecord {
        loss_rate: share(metrics.loss_rate),
        discard_rate: share(metrics.discard_rate),
        burst_density: share(metrics.burst_density),
        gap_density: share(metrics.gap_density),
        burst_ms: metrics.burst_duration,
        gap_ms: metrics.gap_duration,
        round_trip_ms: Some(metrics.round_trip).filter(|&ms| ms > 0),
        end_system_ms: Some(metrics.end_system_delay).filter(|&ms| ms > 0),
        r_factor: Some(metrics.r_factor).filter(|&r| r != 127),
        mos_listening: tenths(metrics.mos_listening),
        mos_conversational: tenths(metrics.mos_conversational),
        buffer_nominal_ms: metrics.buffer_nominal,
        buffer_maximum_ms: metrics.buffer_maximum,
    }
}

#[cfg(test)]
mod tests;
