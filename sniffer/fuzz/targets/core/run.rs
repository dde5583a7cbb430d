//! An engine under the rules that hold whatever comes: each frame is counted once, tables keep their bounds, what was
//! begun is reported once, and nothing is left when everything has ended.

use sniffer_core::{
    decode::LinkType,
    engine::{Engine, Event, FrameMeta, Settings, Tables},
    time::Timestamp,
};

use super::records;

/// When a run begins: in November 2026.
pub const BEGIN: i64 = 1_795_000_000_000_000_000;

pub struct Run {
    engine: Engine,
    tables: Tables,
    pub now: i64,
    pub frames: u64,
    seen: Seen,
}

/// What was reported.
#[derive(Default)]
struct Seen {
    calls: u64,
    streams: u64,
    registrations: u64,
    rtp_packets: u64,
}

/// Settings whose tables are soon full.
pub fn small() -> Settings {
    let mut settings = Settings { rtp_without_sip: true, ..Settings::default() };
    settings.tables = Tables {
        calls: 12,
        registrations: 6,
        subscriptions: 6,
        exchanges: 6,
        streams: 40,
        pending: 10,
        reassembly_bytes: 64 * 1024,
        tcp_flows: 8,
        sctp_flows: 2,
    };
    settings
}

impl Run {
    pub fn new(settings: Settings) -> Self {
        let tables = settings.tables;
        Self { engine: Engine::new(settings), tables, now: BEGIN, frames: 0, seen: Seen::default() }
    }

    pub fn frame(&mut self, link: LinkType, frame: &[u8]) {
        let meta = FrameMeta { time: Timestamp::from_nanos(self.now), vlan: None };
        let used = self.engine.frame(link, meta, frame);
        assert!(used.keep <= frame.len(), "more is kept than there is");
        self.frames += 1;
        self.events();
        // Counting is dear beside a frame.
        if self.frames.is_multiple_of(64) {
            self.balance();
        }
    }

    /// The capture says that it lost packets.
    pub fn lost(&mut self, before: i64, packets: u64) {
        let time = Timestamp::from_nanos;
        self.engine.lost(time(self.now.saturating_sub(before)), time(self.now), packets);
    }

    fn events(&mut self) {
        while let Some(event) = self.engine.next_event() {
            self.seen.take(event);
        }
    }

    fn balance(&self) {
        let counters = self.engine.counters();
        let told = counters.delivered + counters.waiting + counters.dropped.total();
        assert_eq!((counters.received, told), (self.frames, self.frames), "each frame is counted once: {counters:?}");
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let (calls, streams) = (self.engine.calls_in_progress(), self.engine.streams_active());
        assert!(number(calls) <= self.tables.calls, "{calls} calls of {}", self.tables.calls);
        assert!(number(streams) <= self.tables.streams, "{streams} streams of {}", self.tables.streams);
        assert!(self.engine.newest_registrations(usize::MAX).len() <= self.tables.registrations, "registrations");
    }

    pub fn end(mut self) {
        // What is shown of calls in progress is made like their records.
        for call in self.engine.tracked() {
            records::call(&call);
        }
        self.engine.finish();
        self.events();
        self.balance();
        let counters = self.engine.counters();
        assert_eq!(counters.waiting, 0, "something waits although there will be no more frames");
        assert_eq!(self.engine.calls_in_progress() + self.engine.streams_active(), 0, "something is left");
        let Seen { calls, streams, registrations, rtp_packets } = self.seen;
        assert_eq!((calls, registrations), (counters.calls, counters.registrations), "records of what was begun");
        assert_eq!((streams, rtp_packets), (counters.streams, counters.rtp_packets), "streams and their packets");
        records::fits(&self.engine.summary());
    }
}

impl Seen {
    fn take(&mut self, event: Event) {
        match event {
            Event::Call(call) => {
                self.calls += 1;
                records::call(&call);
                call.streams.iter().for_each(|stream| self.stream(stream));
            }
            Event::Stream { record, .. } => {
                records::stream(&record);
                self.stream(&record);
            }
            Event::Registration { record, .. } => {
                self.registrations += 1;
                records::fits(&record);
            }
            Event::Subscription { record, .. } => records::fits(&record),
            Event::Exchange { record, .. } => records::fits(&record),
            Event::Adopted { .. } => {}
        }
    }

    fn stream(&mut self, record: &sniffer_core::record::StreamRecord) {
        self.streams += 1;
        self.rtp_packets += record.packets;
    }
}
