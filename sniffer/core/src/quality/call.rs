//! What the streams of a call say together: audio in one direction only, silence at the start, the round trip.

use std::{net::SocketAddr, time::Duration};

use crate::{
    bytes::{float, round4},
    codec, limits,
    record::{CallRecord, Direction, MediaKind, RtcpRecord, SidesSeen, StreamRecord, VoipRecord},
    rtcp::{
        session::{Session, Source, Way},
        xr::VoipMetrics,
    },
    time::Timestamp,
};

const DIRECTIONS: [Direction; 2] = [Direction::CallerToCallee, Direction::CalleeToCaller];

/// A time in which a direction was to have no sound, as SDP agreed it.
#[derive(Clone, Copy, Debug)]
pub struct Quiet {
    /// The direction.
    pub direction: Direction,
    /// Since when.
    pub start: Timestamp,
    /// Until when; none while it lasts.
    pub end: Option<Timestamp>,
}

/// Fills in what the streams of a call say together, and what RTCP says of them.
pub fn fill(call: &mut CallRecord, streams: &mut [StreamRecord], rtcp: Option<&Session>, quiets: &[Quiet]) {
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
        let one_way = one_way(call, answered, streams, quiets);
        call.one_way_audio = one_way.map(|(direction, _)| direction);
        call.one_way_audio_ms = one_way.map(|(_, silent)| round4(silent.as_secs_f64() * 1000.0));
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

/// The streams of a direction that may carry speech.
pub(crate) fn audio(streams: &[StreamRecord], direction: Direction) -> impl Iterator<Item = &StreamRecord> {
    streams.iter().filter(move |stream| stream.direction == Some(direction) && may_be_speech(stream))
}

/// Says whether a stream may carry speech: by its m= line, and by its codec where no SDP says what it is for.
pub(crate) fn may_be_speech(stream: &StreamRecord) -> bool {
    let is_video = || stream.codec.as_deref().is_some_and(|name| codec::media(name) == codec::Media::Video);
    match stream.media {
        Some(MediaKind::Video | MediaKind::Text | MediaKind::Other) => false,
        Some(MediaKind::Audio) | None => !is_video(),
    }
}

/// From the answer to the first packet of the direction that came last; none while one has not come.
fn silence_at_start(answered: Timestamp, streams: &[StreamRecord]) -> Option<f64> {
    let mut longest = 0.0_f64;
    for direction in DIRECTIONS {
        let first = audio(streams, direction).map(|stream| stream.start).min()?;
        longest = longest.max(milliseconds(answered, first));
    }
    Some(longest)
}

/// What was heard of a direction after the answer.
#[derive(Clone, Copy, Debug)]
struct Heard {
    sounds: u64,
    /// Its last packet, where it had sound at all.
    last: Option<Timestamp>,
    /// The longest time between two of its packets.
    longest_gap: Duration,
    /// Its last packet said that a pause begins, of which nobody knows how long it is.
    is_pausing: bool,
}

fn heard(streams: &[StreamRecord], direction: Direction, answered: Timestamp) -> Heard {
    let mut heard = Heard { sounds: 0, last: None, longest_gap: Duration::ZERO, is_pausing: false };
    for stream in audio(streams, direction).filter(|stream| stream.end >= answered) {
        // Without a known clock rate nothing is known of a packet but that it came.
        let sounds = if stream.clock_rate.is_some() { stream.sound_packets } else { stream.packets };
        if sounds > 0 || is_pause(stream) {
            heard.sounds = heard.sounds.saturating_add(sounds);
            if heard.last < Some(stream.end) {
                heard.last = Some(stream.end);
                heard.is_pausing = stream.silent_at_end && !repeats_silence(stream);
            }
            let gap = Duration::from_secs_f64(stream.delta_ms_max.unwrap_or(0.0).clamp(0.0, 1e9) / 1000.0);
            heard.longest_gap = heard.longest_gap.max(gap);
        }
    }
    heard
}

/// Says whether a stream is one long pause of somebody who listens: a silence descriptor now and then, and not comfort
/// noise instead of each packet of speech.
fn is_pause(stream: &StreamRecord) -> bool {
    let pauses = u32::try_from(stream.packets.saturating_sub(1)).unwrap_or(u32::MAX);
    stream.silence_packets > 0 && stream.end.since(stream.start) >= limits::PAUSE_PACKETS.saturating_mul(pauses)
}

/// Says whether a codec's silence descriptors come again and again, so that their end says something: those of AMR, AMR-WB
/// and EVS at least every 160 ms (3GPP TS 26.093), of opus every 400 ms (RFC 6716, section 2.1.9). G.729 Annex B, G.723.1
/// Annex A and comfort noise (RFC 3389, section 4) send one only when the noise changes.
fn repeats_silence(stream: &StreamRecord) -> bool {
    stream.codec.as_deref().is_some_and(|name| matches!(name, "AMR" | "AMR-WB" | "EVS" | "opus"))
}

/// The direction that fell silent while the other went on, and for how long: from the answer on no packets, or only
/// comfort noise instead of speech; or no packets any more, for much longer than in its pauses before. Who says that he
/// pauses, by a silence descriptor that needs no other, is no more silent than he wants to be. Time in which
/// SDP wants no sound of it does not count.
fn one_way(
    call: &CallRecord,
    answered: Timestamp,
    streams: &[StreamRecord],
    quiets: &[Quiet],
) -> Option<(Direction, Duration)> {
    // Where the messages of one side alone were seen, its media alone is.
    if call.details.sides_seen != SidesSeen::Both {
        return None;
    }
    let [forth, back] = DIRECTIONS.map(|direction| heard(streams, direction, answered));
    // Who goes on sending after the BYE is heard by nobody.
    let end = call.end.or_else(|| streams.iter().map(|stream| stream.end).max())?;
    let [caller, callee] = DIRECTIONS;
    [(caller, forth, back), (callee, back, forth)].into_iter().find_map(|(direction, mine, other)| {
        if other.sounds < limits::MOS_PACKETS || mine.is_pausing {
            return None;
        }
        let (since, until, longest) = match mine.last {
            None => (answered, end, limits::ONE_WAY_AFTER),
            Some(last) => (
                last.max(answered),
                other.last?.min(end),
                limits::ONE_WAY_LATER.max(mine.longest_gap.saturating_mul(2)),
            ),
        };
        let wanted = until.since(since).saturating_sub(quiet(quiets, direction, since, until));
        (until > since && wanted >= longest).then_some((direction, wanted))
    })
}

/// How much of a time a direction was to have no sound.
fn quiet(quiets: &[Quiet], direction: Direction, since: Timestamp, until: Timestamp) -> Duration {
    let mine = quiets.iter().filter(|quiet| quiet.direction == direction);
    mine.map(|quiet| quiet.end.unwrap_or(until).min(until).since(quiet.start.max(since))).sum()
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
