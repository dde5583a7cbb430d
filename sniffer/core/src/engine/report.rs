//! Calls and streams as records.

use super::{EndedCall, Engine, call::Call};
use crate::{
    bytes::single,
    codec,
    query::{CallSummary, DirectionQuality},
    record::{Direction, RegistrationRecord, StreamRecord, SummaryRecord},
    rtp::stream::Stream,
    slab::Id,
};

impl Engine {
    /// A call with its streams, as it is.
    pub(super) fn ended_call(&self, id: Id) -> Option<EndedCall> {
        let call = self.calls.get(id)?;
        let mut streams: Vec<_> = call
            .streams
            .iter()
            .filter_map(|&(id, direction)| Some((&self.streams.get(id)?.stream, direction)))
            .map(|(stream, direction)| stream_record(stream, Some((call, direction))))
            .collect();
        streams.sort_by(|a, b| (a.start, &a.src, &a.dst, a.ssrc).cmp(&(b.start, &b.src, &b.dst, b.ssrc)));
        let record = call.record();
        let summary = CallSummary {
            id: call.key(),
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
        Some(EndedCall { record, streams, summary })
    }

    /// All calls that are tracked, those in progress and those that ended within the last seconds.
    #[must_use]
    pub fn tracked_calls(&self) -> Vec<CallSummary> {
        self.calls.iter().filter_map(|(id, _)| self.ended_call(id)).map(|call| call.summary).collect()
    }

    /// All registrations that are tracked.
    #[must_use]
    pub fn tracked_registrations(&self) -> Vec<RegistrationRecord> {
        self.registrations.iter().map(|(_, registration)| registration.record()).collect()
    }

    /// How many calls are in progress.
    #[must_use]
    pub fn calls_in_progress(&self) -> u64 {
        u64::try_from(self.calls.iter().filter(|(_, call)| !call.has_ended()).count()).unwrap_or(u64::MAX)
    }

    /// How many streams are tracked, those that wait for their SDP left out.
    #[must_use]
    pub fn streams_active(&self) -> u64 {
        u64::try_from(self.streams.len().saturating_sub(self.pending_at_work())).unwrap_or(u64::MAX)
    }

    fn pending_at_work(&self) -> usize {
        self.pending
            .iter()
            .filter(|&&id| self.streams.get(id).is_some_and(|one| one.owner == super::Owner::Pending))
            .count()
    }

    /// The last line of a run over files.
    #[must_use]
    pub fn summary(&self) -> SummaryRecord {
        let counters = &self.counters;
        let requests = counters.sip_requests.iter().map(|(method, count)| (method.name().to_owned(), *count));
        SummaryRecord {
            packets: counters.received,
            delivered: counters.delivered,
            sip_messages: counters.sip_messages,
            sip_errors: counters.sip_errors,
            rtp_packets: counters.rtp_packets,
            rtcp_packets: counters.rtcp_packets,
            calls: counters.calls,
            streams: counters.streams,
            registrations: counters.registrations,
            sip_requests: requests.collect(),
            dropped: counters.dropped.by_stage(),
        }
    }
}

/// A stream as a record, with what its call says of it.
pub(super) fn stream_record(stream: &Stream, owner: Option<(&Call, Direction)>) -> StreamRecord {
    let key = stream.key;
    let main = stream.main_type();
    let payload_type = main.map_or(0, |main| main.number);
    let known = match owner {
        Some((call, _)) => call.codec(payload_type, key.destination),
        None => codec::static_type(payload_type),
    };
    let name = known.map(|known| known.0);
    let count = |figure: fn(&crate::rtp::sequence::Sequence) -> u64| stream.sequence().map_or(0, figure);
    StreamRecord {
        ssrc: key.ssrc,
        src: key.source.to_string(),
        dst: key.destination.to_string(),
        payload_type,
        codec: name.map(str::to_owned),
        clock_rate: known.map(|known| known.1),
        vlan: stream.vlan,
        start: stream.first,
        end: stream.last,
        packets: stream.packets(),
        expected: count(|sequence| sequence.expected()),
        lost: count(|sequence| sequence.lost()),
        duplicates: count(|sequence| sequence.duplicates()),
        reordered: count(|sequence| sequence.reordered()),
        jitter_ms_max: stream.jitter().max_ms(),
        jitter_ms_mean: stream.jitter().mean_ms(),
        mos: stream.mos(name),
        direction: owner.map(|(_, direction)| direction),
        call_id: owner.map(|(call, _)| call.call_id_text()),
    }
}

/// The streams of one direction taken together.
fn direction_quality(streams: &[StreamRecord], direction: Direction) -> Option<DirectionQuality> {
    let mine = || streams.iter().filter(|stream| stream.direction == Some(direction));
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
