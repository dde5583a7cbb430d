//! The end of streams: with their call, or alone.

use std::cmp::Reverse;

use super::{Collected, FREE, Media, Output, places::CallMedia};
use crate::{
    codec,
    engine::{CallSerial, StreamSerial, report::stream_record},
    record::{MediaKind, StreamRecord},
    rtp::stream::Stream,
    slab::Id,
    time::Timestamp,
};

impl Media {
    /// Lets go of RTP that has waited long enough, and of streams without signalling that fell silent.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = now;
        self.advance_pending();
        while let Some(&Reverse((time, id))) = self.idle.peek()
            && time <= now
        {
            self.idle.pop();
            let Some(tracked) = self.streams.get(id) else { continue };
            let deadline = tracked.stream.last.after(self.settings.timeouts.stream_idle);
            let longest = tracked.stream.first.after(self.settings.timeouts.stream_longest);
            if deadline.min(longest) > now {
                self.idle.push(Reverse((deadline.min(longest), id)));
            } else {
                self.end_free(id);
            }
        }
        self.due = self.next_due();
    }

    fn end_free(&mut self, id: Id) {
        if self.streams.get(id).is_none_or(|one| one.owner != FREE) {
            return;
        }
        let Some(tracked) = self.forget_stream(id) else { return };
        self.pending.unlist(id, &tracked.stream.key());
        let record = Box::new(free_record(&tracked.stream));
        self.outputs.push_back(Output::Stream { serial: tracked.serial, record });
    }

    /// Gives streams without a call as they are to `tell`, those at so many places from one on. False when there are no
    /// more places.
    pub fn tell_streams(&self, from: u32, most: u32, tell: &mut dyn FnMut(StreamSerial, StreamRecord)) -> bool {
        for place in from..from.saturating_add(most) {
            if let Some(tracked) = self.streams.peek(place).filter(|tracked| tracked.owner == FREE) {
                tell(tracked.serial, free_record(&tracked.stream));
            }
        }
        self.streams.has_place(from)
    }

    /// Ends all streams without a call, in the order in which they began.
    pub fn finish(&mut self) {
        let mut streams: Vec<_> =
            self.streams.iter().map(|(id, one)| (one.stream.first, one.stream.key(), id)).collect();
        streams.sort_unstable();
        for (_, _, id) in streams {
            self.end_free(id);
        }
    }

    /// The streams of a call as they are.
    #[must_use]
    pub fn look(&self, call: CallSerial) -> Collected {
        self.calls.get(call).map_or_else(Collected::default, |known| self.collected(known))
    }

    fn collected(&self, known: &CallMedia) -> Collected {
        let streams = known.streams().filter_map(|(id, direction)| {
            let stream = &self.streams.get(id)?.stream;
            let key = stream.key();
            let main = stream.main_type().map(|main| main.number());
            let codec = main.and_then(|main| known.codec(main, key.destination));
            let mut record = stream_record(stream, codec, Some(direction));
            record.encryption = known.encryption(key.source, key.destination);
            record.media = known.kind(main, key.source, key.destination).map(MediaKind::from);
            Some(record)
        });
        Collected { streams: streams.collect(), refused: known.refused.into(), rtcp: known.rtcp.clone() }
    }

    /// Takes a call out of all tables.
    pub fn collect(&mut self, call: CallSerial) -> Collected {
        let Some(known) = self.calls.remove(call) else { return Collected::default() };
        let collected = self.collected(&known);
        for (id, _) in known.streams() {
            self.forget_stream(id);
        }
        collected
    }
}

/// The record of a stream without a call.
fn free_record(stream: &Stream) -> StreamRecord {
    let known = stream.main_type().and_then(|main| codec::static_type(main.number()));
    stream_record(stream, known, None)
}
