//! Calls and streams as records: what signalling and media know of a call, joined.

use std::collections::BTreeMap;

use super::{
    CallSerial, ClosedCall, Collected, EndedCall, Engine, EngineCounters, OtherSerial, StreamSerial, losses::Losses,
};
use crate::{
    bytes::single,
    quality,
    query::{CallSummary, DirectionQuality},
    record::{CallState, Direction, OtherRecord, RegistrationRecord, StreamRecord, SummaryRecord},
    rtcp::session::Session,
    rtp::stream::Stream,
    time::Timestamp,
};

/// Joins a call with its streams, those of all workers, and with what the capture lost meanwhile.
pub(super) fn join(
    call: ClosedCall,
    collected: impl IntoIterator<Item = Collected>,
    losses: &Losses,
    now: Timestamp,
) -> EndedCall {
    let ClosedCall { serial, key, mut record, quiets } = call;
    let mut streams = Vec::new();
    let mut rtcp: Option<Box<Session>> = None;
    for part in collected {
        record.lost_here |= part.refused > 0;
        streams.extend(part.streams);
        match (&mut rtcp, part.rtcp) {
            (Some(all), Some(theirs)) => all.merge(&theirs),
            (None, theirs) => rtcp = theirs,
            (Some(_), None) => {}
        }
    }
    streams.sort_by(|a, b| (a.start, &a.src, &a.dst, a.ssrc).cmp(&(b.start, &b.src, &b.dst, b.ssrc)));
    if matches!(record.state, CallState::TimedOut | CallState::Interrupted) {
        // Signalling knows the media's last packet to the second only.
        record.end = streams.iter().map(|stream| stream.end).chain(record.end).max();
        let talk = record.answered.zip(record.end).map(|(answered, end)| end.since(answered));
        record.details.duration_ms = talk.map(super::call::millis);
    }
    record.streams = u32::try_from(streams.len()).unwrap_or(u32::MAX);
    record.lost_here_packets = losses.within(record.start, record.end.unwrap_or(now));
    record.lost_here |= record.lost_here_packets > 0;
    for stream in &mut streams {
        stream.call_id = Some(record.call_id.clone());
        stream.lost_here = losses.within(stream.start, stream.end) > 0;
    }
    let quiets: Vec<_> = quiets
        .iter()
        .map(|quiet| quality::call::Quiet { direction: quiet.side.sends(), start: quiet.start, end: quiet.end })
        .collect();
    quality::call::fill(&mut record, &mut streams, rtcp.as_deref(), &quiets);
    let summary = CallSummary {
        id: key,
        call_id: record.call_id.clone(),
        from: record.from.clone(),
        to: record.to.clone(),
        start: record.start,
        answered: record.answered,
        end: record.end,
        state: record.state,
        final_status: record.final_status,
        lost_here: record.lost_here,
        caller_to_callee: direction_quality(&streams, Direction::CallerToCallee),
        callee_to_caller: direction_quality(&streams, Direction::CalleeToCaller),
    };
    EndedCall { serial, record, streams, summary }
}

impl Engine {
    /// All calls that are tracked, those in progress and those that ended within the last seconds.
    #[must_use]
    pub fn tracked_calls(&self) -> Vec<CallSummary> {
        self.tracked().map(|call| call.summary).collect()
    }

    /// All calls that are tracked, with their streams, as they are.
    pub fn tracked(&self) -> impl Iterator<Item = EndedCall> {
        self.owner.calls().map(|call| {
            let streams = self.worker.look(call.serial);
            self.owner.join(call, vec![streams])
        })
    }

    /// A call that is tracked, with its streams, as it is.
    #[must_use]
    pub fn call(&self, serial: CallSerial) -> Option<EndedCall> {
        let call = self.owner.call(serial)?;
        Some(self.owner.join(call, vec![self.worker.look(serial)]))
    }

    /// All calls that are tracked, and where they stand.
    pub fn states(&self) -> impl Iterator<Item = (CallSerial, CallState)> {
        self.owner.states()
    }

    /// Where a call that is tracked stands.
    #[must_use]
    pub fn call_state(&self, serial: CallSerial) -> Option<CallState> {
        self.owner.call_state(serial)
    }

    /// When each call that is tracked started.
    #[must_use]
    pub fn starts(&self) -> Vec<(Timestamp, CallSerial)> {
        self.owner.starts()
    }

    /// Gives registrations and subscriptions that go on to `tell`, those at so many places of their tables from one on:
    /// each that has come to another state since it was told last, and once an hour. False when there are no more places.
    pub fn tell_others(&mut self, from: u32, most: u32, tell: &mut dyn FnMut(OtherSerial, OtherRecord)) -> bool {
        self.owner.tell_others(from, most, tell)
    }

    /// Gives streams without a call as they are to `tell`, those at so many places of their table from one on. False when
    /// there are no more places.
    pub fn tell_streams(&self, from: u32, most: u32, tell: &mut dyn FnMut(StreamSerial, StreamRecord)) -> bool {
        self.worker.tell_streams(from, most, tell)
    }

    /// The registrations that are tracked, newest activity first, at most so many.
    #[must_use]
    pub fn newest_registrations(&self, limit: usize) -> Vec<RegistrationRecord> {
        self.owner.newest_registrations(limit)
    }

    /// How many registrations are tracked.
    #[must_use]
    pub fn registrations_tracked(&self) -> usize {
        self.owner.registrations_tracked()
    }

    /// How many calls are in progress.
    #[must_use]
    pub fn calls_in_progress(&self) -> u64 {
        u64::try_from(self.owner.calls_in_progress()).unwrap_or(u64::MAX)
    }

    /// How many streams are tracked, those that wait for their SDP left out.
    #[must_use]
    pub fn streams_active(&self) -> u64 {
        u64::try_from(self.worker.streams_active()).unwrap_or(u64::MAX)
    }

    /// The last line of a run over files.
    #[must_use]
    pub fn summary(&self) -> SummaryRecord {
        self.counters().summary()
    }
}

impl EngineCounters {
    /// The counts as a record.
    #[must_use]
    pub fn summary(&self) -> SummaryRecord {
        let requests = self.sip_requests.iter().map(|(method, count)| (method.name().to_owned(), *count));
        SummaryRecord {
            packets: self.received,
            delivered: self.delivered,
            sip_messages: self.sip_messages,
            sip_errors: self.sip_errors,
            rtp_packets: self.rtp_packets,
            rtcp_packets: self.rtcp_packets,
            fax_packets: self.fax_packets,
            calls: self.calls,
            streams: self.streams,
            registrations: self.registrations,
            sip_requests: requests.collect(),
            methods: self.methods.records(),
            subscriptions: self.subscriptions,
            exchanges: self.exchanges,
            dropped: self.dropped.by_stage(),
            evicted: self.evicted.by_table(),
            joined: self.joined.by_kind(),
            // An engine believes the times it is given.
            times_contradicted: 0,
        }
    }
}

impl super::Evicted {
    /// The sum over all tables.
    #[must_use]
    pub fn total(&self) -> u64 {
        let tables = [self.calls, self.registrations, self.subscriptions, self.exchanges, self.pending_streams];
        tables.iter().sum::<u64>() + self.tcp_flows + self.sctp_flows
    }

    /// The counts that are not zero, by table.
    #[must_use]
    pub fn by_table(&self) -> BTreeMap<String, u64> {
        let tables = [
            ("calls", self.calls),
            ("registrations", self.registrations),
            ("subscriptions", self.subscriptions),
            ("exchanges", self.exchanges),
            ("pending_streams", self.pending_streams),
            ("tcp_flows", self.tcp_flows),
            ("sctp_flows", self.sctp_flows),
        ];
        tables.into_iter().filter(|&(_, count)| count > 0).map(|(table, count)| (table.to_owned(), count)).collect()
    }
}

/// A stream as a record: `codec` is the name and clock rate of its main payload type. Whose it is, is filled in when it is
/// joined with its call.
pub(super) fn stream_record(stream: &Stream, codec: Option<(&str, u32)>, direction: Option<Direction>) -> StreamRecord {
    let key = stream.key();
    let payload_type = stream.main_type().map_or(0, |main| main.number());
    let mut record = StreamRecord {
        ssrc: key.ssrc,
        src: key.source.to_string(),
        dst: key.destination.to_string(),
        payload_type,
        codec: codec.map(|codec| codec.0.to_owned()),
        clock_rate: codec.map(|codec| codec.1),
        vlan: stream.vlan,
        start: stream.first,
        end: stream.last,
        direction,
        ..StreamRecord::default()
    };
    quality::stream::fill(&mut record, stream, codec);
    let way = (key.source.address, key.destination.address);
    if let Some(source) = stream.rtcp().and_then(|session| session.get(key.ssrc, Some(way))) {
        record.rtcp = Some(Box::new(quality::call::rtcp_record(source, record.clock_rate)));
    }
    record
}

/// The streams of one direction taken together: those that may carry speech, where there are any. Video has more packets
/// and comes in bursts, and would stand for the call.
fn direction_quality(streams: &[StreamRecord], direction: Direction) -> Option<DirectionQuality> {
    let has_sound = quality::call::audio(streams, direction).next().is_some();
    let mine = || {
        let ours = streams.iter().filter(move |stream| stream.direction == Some(direction));
        ours.filter(move |stream| !has_sound || quality::call::may_be_speech(stream))
    };
    let main = mine().reduce(|best, next| if next.packets > best.packets { next } else { best })?;
    let largest = mine().filter_map(|stream| stream.jitter_ms_max).reduce(f64::max);
    Some(DirectionQuality {
        codec: main.codec.clone(),
        packets: mine().map(|stream| stream.packets).sum(),
        lost: mine().map(|stream| stream.lost).sum(),
        expected: mine().map(|stream| stream.expected).sum(),
        jitter_ms_mean: main.jitter_ms_mean.map(single),
        jitter_ms_max: largest.map(single),
        mos: main.mos.map(single),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(codec: &str, packets: u64, lost: u64, jitter: f64, mos: Option<f64>) -> StreamRecord {
        StreamRecord {
            direction: Some(Direction::CallerToCallee),
            codec: Some(codec.to_owned()),
            packets,
            lost,
            expected: packets + lost,
            jitter_ms_mean: Some(jitter),
            jitter_ms_max: Some(jitter),
            mos,
            ..StreamRecord::default()
        }
    }

    #[test]
    fn the_row_of_a_video_call_shows_its_sound() {
        let streams = [stream("H264", 9000, 90, 25.0, None), stream("PCMA", 1500, 3, 1.5, Some(4.2))];
        let row = direction_quality(&streams, Direction::CallerToCallee).unwrap();
        assert_eq!((row.codec.as_deref(), row.mos), (Some("PCMA"), Some(4.2)));
        assert_eq!((row.packets, row.lost, row.expected), (1500, 3, 1503));
        assert_eq!((row.jitter_ms_mean, row.jitter_ms_max), (Some(1.5), Some(1.5)));
    }

    #[test]
    fn without_sound_the_row_shows_what_there_is() {
        let streams = [stream("H264", 9000, 90, 25.0, None)];
        let row = direction_quality(&streams, Direction::CallerToCallee).unwrap();
        assert_eq!((row.codec.as_deref(), row.packets, row.lost), (Some("H264"), 9000, 90));
        assert_eq!(direction_quality(&streams, Direction::CalleeToCaller), None);
    }
}
