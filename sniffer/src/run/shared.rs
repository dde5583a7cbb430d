//! What the threads share: the engine, the counters of the ports, the ended calls of late, and the way to the sink.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sniffer_core::{
    engine::{EndedCall, Event, FrameMeta, FrameUse, Settings, SipFrame},
    query::{
        CallDetail, CallFilter, CallKey, CallSummary, Counters, OtherRecord, PortCounters, PortState, RecordFilter,
        RecordKind, RecordRow,
    },
    record::RegistrationRecord,
    time::Timestamp,
};

use super::{
    Config,
    engines::{Engines, Page, Turn},
    sink::{Sinks, Tap},
};
use crate::{
    capture::{Upstream, softnet_dropped},
    limits,
    lock::lock,
    store::{Found, PacketsOf, Rows, Store},
};

/// See the module's text.
#[derive(Debug)]
pub struct Shared {
    since: Timestamp,
    engines: Engines,
    ports: Mutex<Vec<PortCounters>>,
    /// Frames of each port of which the kernel may say that it dropped them although they were captured.
    unhandled: Vec<AtomicU64>,
    recent: Mutex<VecDeque<CallSummary>>,
    /// The ways to the sinks.
    pub sinks: Arc<Sinks>,
    /// The way of SIP messages that the owner of signalling has seen.
    signalling: Mutex<Tap>,
    stopping: Mutex<bool>,
    stopped: Condvar,
}

impl Shared {
    /// Begins with everything at zero.
    #[must_use]
    pub fn new(config: &Config, now: Timestamp, sinks: Arc<Sinks>) -> Self {
        let settings =
            Settings { hash_seed: crate::seed::random(), holds_frames: sinks.packets().is_some(), ..config.engine() };
        let ports = config.ports.iter().map(|name| PortCounters {
            name: name.clone(),
            state: PortState::Down,
            received: 0,
            delivered: 0,
            kernel_dropped: 0,
            interface_dropped: 0,
        });
        Self {
            since: now,
            engines: Engines::new(settings, config.workers.get()),
            ports: Mutex::new(ports.collect()),
            unhandled: config.ports.iter().map(|_| AtomicU64::new(0)).collect(),
            recent: Mutex::new(VecDeque::new()),
            signalling: Mutex::new(sinks.tap()),
            sinks,
            stopping: Mutex::new(false),
            stopped: Condvar::new(),
        }
    }

    /// Lets a reader use the engine, or its worker, for a burst of frames, and takes what came to its end.
    pub fn burst<T>(&self, worker: u8, work: impl FnOnce(&mut Turn<'_>) -> T) -> Option<T> {
        let (outcome, events) = self.engines.burst(worker, work)?;
        self.ended(events);
        Some(outcome)
    }

    /// Says whether the owner of signalling needs a thread: [`Shared::pump`].
    pub fn has_owner(&self) -> bool {
        self.engines.are_many()
    }

    /// One round of the owner of signalling.
    pub fn pump(&self, now: Timestamp) {
        let longest = self.engines.longest_wait();
        self.with_signalling(now, |seen| self.engines.pump(now, longest, seen));
    }

    /// Carries everything that is still between threads to its place.
    pub fn drain(&self, now: Timestamp) {
        self.with_signalling(now, |seen| self.engines.drain(now, seen));
    }

    fn with_signalling(&self, now: Timestamp, work: impl FnOnce(&mut dyn FnMut(&SipFrame, FrameUse)) -> Vec<Event>) {
        let mut tap = lock(&self.signalling);
        let events = work(&mut |sip, used| {
            let meta = FrameMeta { time: sip.time, vlan: sip.vlan };
            tap.frame(sip.link, meta, &sip.frame, used);
            tap.held_of(&sip.held, used);
        });
        tap.idle(now);
        self.tell_ends(&mut tap);
        drop(tap);
        self.ended(events);
    }

    /// Hands calls that ended by one of a reader's frames to the store at once: the engine watches them for some time
    /// more.
    pub fn tell_ends(&self, tap: &mut Tap) {
        for call in tap.take_touched() {
            // A call that was refused for want of a password goes on, and its end is told again.
            if let Some(state) = self.engines.call_state(call)
                && state.is_final()
                && self.sinks.wants(call, state, super::now())
                && let Some(call) = self.engines.call(call)
            {
                self.sinks.progress(call);
            }
        }
    }

    /// Takes note that a ring lost packets between two times.
    pub fn lost(&self, from: Timestamp, to: Timestamp, packets: u64) {
        self.engines.lost(from, to, packets);
    }

    /// Takes what came to its end.
    fn ended(&self, events: Vec<Event>) {
        for event in events {
            let mut call: EndedCall = match event {
                Event::Call(call) => *call,
                Event::Adopted { stream, call } => {
                    self.sinks.adopted(stream, call, super::now());
                    continue;
                }
                Event::Stream { serial, record } => {
                    self.sinks.record(OtherRecord::Stream(record), serial.get(), true);
                    continue;
                }
                Event::Registration { serial, record } => {
                    self.sinks.record(OtherRecord::Registration(record), serial.get(), true);
                    continue;
                }
                Event::Subscription { serial, record } => {
                    self.sinks.record(OtherRecord::Subscription(record), serial.get(), true);
                    continue;
                }
                Event::Exchange { serial, record } => {
                    self.sinks.record(OtherRecord::Exchange(record), serial.get(), true);
                    continue;
                }
            };
            call.summary.lost_here |= self.sinks.is_incomplete(call.serial);
            let mut recent = lock(&self.recent);
            if recent.len() == limits::RECENT_CALLS {
                recent.pop_front();
            }
            recent.push_back(call.summary.clone());
            drop(recent);
            self.sinks.ended(call);
        }
    }

    /// Tells the engine the time.
    pub fn advance(&self, now: Timestamp) {
        self.ended(self.engines.advance(now));
    }

    /// Gives tracked calls to the sink as they are, so that they survive a power cut: those that have come to another
    /// state since the last time, and each from time to time. The engine is asked for one call at a time, so that no
    /// reader waits long.
    pub fn snapshot(&self, now: Timestamp) {
        for (call, state) in self.engines.states() {
            if self.sinks.wants(call, state, now)
                && let Some(call) = self.engines.call(call)
            {
                self.sinks.progress(call);
            }
        }
    }

    /// Gives all tracked calls to the sink as they are: the program ends.
    pub fn snapshot_all(&self) {
        for (call, _) in self.engines.states() {
            if let Some(call) = self.engines.call(call) {
                self.sinks.progress(call);
            }
        }
    }

    /// Gives registrations and subscriptions to the sink that have come to another state, or were not told for an hour.
    pub fn snapshot_others(&self) {
        self.engines.tell_others(&mut |serial, record| self.sinks.record(record, serial.get(), false));
    }

    /// Gives streams without a call to the sink as they are.
    pub fn snapshot_streams(&self) {
        self.engines.tell_streams(&mut |serial, record| {
            self.sinks.record(OtherRecord::Stream(Box::new(record)), serial.get(), false);
        });
    }

    /// Ends all that is neither a call nor of one and gives it to the sink: the program ends.
    pub fn finish_others(&self, now: Timestamp) {
        self.ended(self.engines.finish_others(now));
    }

    /// Lets the threads of the sinks end once they have written what waits.
    pub fn close_sinks(&self) {
        // What the tap still holds goes before.
        *lock(&self.signalling) = self.sinks.tap();
        self.sinks.close();
    }

    /// Tells all threads to stop.
    pub fn stop(&self) {
        *lock(&self.stopping) = true;
        self.stopped.notify_all();
    }

    /// Waits, and says whether it is time to stop.
    pub fn wait_for_stop(&self, longest: Duration) -> bool {
        let stopping = lock(&self.stopping);
        let waited = self.stopped.wait_timeout_while(stopping, longest, |stopping| !*stopping);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Says whether it is time to stop.
    pub fn is_stopping(&self) -> bool {
        *lock(&self.stopping)
    }

    /// Changes the counters of a port.
    pub fn with_port<T>(&self, place: usize, work: impl FnOnce(&mut PortCounters) -> T) -> Option<T> {
        lock(&self.ports).get_mut(place).map(work)
    }

    /// Adds frames of a port of which the kernel may say that it dropped them although they were captured.
    pub fn add_unhandled(&self, place: usize, frames: u64) {
        if let Some(unhandled) = self.unhandled.get(place).filter(|_| frames > 0) {
            unhandled.fetch_add(frames, Ordering::Relaxed);
        }
    }

    /// Counts what was lost before the rings, and tells the engine: calls in progress suffered. There is one of `upstream`
    /// for each port, in their order.
    pub fn look_upstream(&self, now: Timestamp, upstream: &mut [Upstream]) {
        for (place, (upstream, unhandled)) in upstream.iter_mut().zip(&self.unhandled).enumerate() {
            if self.with_port(place, |port| port.state == PortState::Up) != Some(true) {
                // Without a listener an interface drops what nobody wants.
                upstream.forget();
                continue;
            }
            let Some(lost) = upstream.look(now, unhandled.load(Ordering::Relaxed)) else { continue };
            self.lost(lost.from, lost.to, lost.packets);
            self.with_port(place, |port| {
                port.interface_dropped = port.interface_dropped.saturating_add(lost.packets);
            });
        }
    }

    /// The newest calls, those in memory and those in the store; memory is fresher. The second part says whether there
    /// are more.
    ///
    /// # Errors
    /// When the store fails.
    pub fn calls(&self, limit: usize, before: Option<CallKey>) -> anyhow::Result<(Vec<CallSummary>, bool)> {
        let mut calls: BTreeMap<CallKey, CallSummary> = BTreeMap::new();
        let store = self.sinks.store();
        let mut more = false;
        if let Some(store) = store {
            let page = store.page(limit, before)?;
            more = page.more;
            calls.extend(page.calls.into_iter().map(|call| (call.id, call)));
        }
        // A page from the store ends somewhere: older calls in memory belong to a later page.
        let oldest = if more { calls.keys().next().copied() } else { None };
        let recent: Vec<_> = lock(&self.recent).iter().cloned().collect();
        let mut tracked = Vec::new();
        // One more tells whether there are more.
        let page = Page { limit: limit.saturating_add(1), before, oldest };
        self.engines.page(&page, |call| {
            let lost_here = call.summary.lost_here || self.sinks.is_incomplete(call.serial);
            tracked.push(CallSummary { lost_here, ..call.summary });
        });
        for call in recent.into_iter().chain(tracked) {
            if before.is_none_or(|before| call.id < before) && oldest.is_none_or(|oldest| call.id >= oldest) {
                calls.insert(call.id, call);
            }
        }
        let more = more || calls.len() > limit;
        Ok((calls.into_values().rev().take(limit).collect(), more))
    }

    fn store(&self) -> anyhow::Result<Store> {
        self.sinks.store().ok_or_else(|| anyhow::anyhow!("no store of calls is open"))
    }

    /// Kept calls that fit a filter.
    ///
    /// # Errors
    /// When there is no store, or it fails.
    pub fn search(&self, filter: &CallFilter, limit: usize, before: Option<CallKey>) -> anyhow::Result<Found> {
        Ok(self.store()?.search(filter, limit, before)?)
    }

    /// A kept call, and where its packets are.
    ///
    /// # Errors
    /// When there is no store, or it fails.
    pub fn call(&self, id: CallKey) -> anyhow::Result<Option<(CallDetail, Option<PacketsOf>)>> {
        Ok(self.store()?.call(id)?)
    }

    fn records(&self, kind: RecordKind) -> anyhow::Result<Store> {
        let store = self.sinks.records.store(kind);
        store.ok_or_else(|| anyhow::anyhow!("no store of {} is open", kind.plural()))
    }

    /// Kept records that fit a filter.
    ///
    /// # Errors
    /// When there is no store of this kind, or it fails.
    pub fn search_records(
        &self,
        filter: &RecordFilter,
        limit: usize,
        before: Option<CallKey>,
    ) -> anyhow::Result<Rows<RecordRow>> {
        Ok(self.records(filter.kind)?.search_records(filter, limit, before)?)
    }

    /// A kept record, and where its packets are.
    ///
    /// # Errors
    /// When there is no store of this kind, or it fails.
    pub fn record(&self, kind: RecordKind, id: CallKey) -> anyhow::Result<Option<(RecordRow, Option<PacketsOf>)>> {
        Ok(self.records(kind)?.record(id)?)
    }

    /// The registrations that are tracked, newest activity first, at most so many; and how many there are.
    pub fn registrations(&self, limit: usize) -> (Vec<RegistrationRecord>, usize) {
        self.engines.registrations(limit)
    }

    /// Everything that is counted.
    pub fn counters(&self, now: Timestamp) -> Counters {
        let figures = self.engines.figures();
        let counters = figures.counters;
        Counters {
            since: self.since,
            now,
            ports: lock(&self.ports).clone(),
            received: counters.received,
            delivered: counters.delivered,
            waiting: counters.waiting,
            dropped: counters.dropped.by_stage(),
            evicted: counters.evicted.by_table(),
            lost_here: counters.lost_by_capture,
            // A kernel that does not show it has dropped none that anybody knows of.
            softnet_dropped: softnet_dropped().unwrap_or(0),
            records_dropped: self.sinks.full(),
            sip_messages: counters.sip_messages,
            sip_errors: counters.sip_errors,
            rtp_packets: counters.rtp_packets,
            rtcp_packets: counters.rtcp_packets,
            calls: counters.calls,
            calls_in_progress: figures.calls_in_progress,
            streams_active: figures.streams_active,
            registrations: figures.registrations,
            store: self.sinks.state(),
        }
    }
}
