//! The sinks: calls to the store, packets to the packet store. Each has a bounded queue to a thread of its own; capture
//! never waits for one. What does not fit is counted, and the calls concerned are marked.

mod tap;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use sniffer_core::{
    engine::{CallSerial, EndedCall, FrameKind, FrameUse, StreamSerial},
    query::{CallKey, StorageReport, StoreState},
    record::{CallState, OtherRecord},
    time::Timestamp,
};

pub use self::tap::{Tap, spawn_packets};
use super::records::Records;
use crate::{
    limits,
    lock::lock,
    packets::{Gatherer, PacketStore},
    store::{Detail, Kept, KeptRecord, PacketsOf, Store},
};

/// The ways to the sinks.
#[derive(Debug)]
pub struct Sinks {
    calls: Mutex<Option<SyncSender<Kept>>>,
    /// Records that wait in the queue.
    queued: AtomicUsize,
    /// Records that were lost because the queue was full or the store failed.
    full: AtomicU64,
    /// Calls whose last record was lost: the store may hold them as calls in progress.
    unfinished: Mutex<Vec<CallKey>>,
    store: Mutex<(StoreState, Option<Store>)>,
    packets: OnceLock<PacketStore>,
    /// Packets of calls' signalling are kept, and those of all other signalling.
    signalling: AtomicBool,
    signalling_others: AtomicBool,
    /// Which streams calls adopted is told by whoever asked the engine.
    adoptions: Mutex<Option<Gatherer>>,
    /// In which state the store knows the calls that are tracked, and since when.
    known: Mutex<BTreeMap<CallSerial, (CallState, Timestamp)>>,
    report: Mutex<StorageReport>,
    /// The way of records of all else.
    pub records: Records,
    is_closed: (Mutex<bool>, Condvar),
}

impl Sinks {
    /// The sinks, and the queue of calls for [`spawn`].
    #[must_use]
    pub fn new() -> (Arc<Self>, Receiver<Kept>) {
        let (sender, calls) = sync_channel(limits::SINK_QUEUE);
        let sinks = Self {
            calls: Mutex::new(Some(sender)),
            queued: AtomicUsize::new(0),
            full: AtomicU64::new(0),
            unfinished: Mutex::new(Vec::new()),
            store: Mutex::new((StoreState::Off, None)),
            packets: OnceLock::new(),
            signalling: AtomicBool::new(true),
            signalling_others: AtomicBool::new(true),
            adoptions: Mutex::new(None),
            known: Mutex::new(BTreeMap::new()),
            report: Mutex::new(StorageReport::default()),
            records: Records::default(),
            is_closed: (Mutex::new(false), Condvar::new()),
        };
        (Arc::new(sinks), calls)
    }

    /// Takes a call that will not change any more.
    pub fn ended(&self, call: EndedCall) {
        lock(&self.known).remove(&call.serial);
        self.keep(call, true);
    }

    /// Takes a call as it is.
    pub fn progress(&self, call: EndedCall) {
        self.keep(call, false);
    }

    /// Says whether the store is to know of a call in this state: one that it has not seen so, or not for a while. It is
    /// taken for known from here on.
    #[must_use]
    pub fn wants(&self, call: CallSerial, state: CallState, now: Timestamp) -> bool {
        let mut known = lock(&self.known);
        let is_known = known.get(&call).is_some_and(|(before, since)| {
            *before == state && (state.is_final() || now.since(*since) < limits::STORE_REFRESH)
        });
        if is_known {
            return false;
        }
        // More than the engine tracks: some were given up without a word. The oldest go.
        if known.len() >= limits::KNOWN_CALLS {
            known.pop_first();
        }
        known.insert(call, (state, now));
        true
    }

    fn keep(&self, call: EndedCall, is_last: bool) {
        let EndedCall { serial, mut record, streams, mut summary } = call;
        let packets = self.packets.get();
        let is_incomplete = |packets: &PacketStore| match is_last {
            true => packets.take_incomplete(serial.get()),
            false => packets.is_incomplete(serial.get()),
        };
        if packets.is_some_and(is_incomplete) {
            record.lost_here = true;
            summary.lost_here = true;
        }
        let packets = packets.map(|packets| PacketsOf { run: packets.run_number(), serial: serial.get() });
        let id = summary.id;
        let kept = Kept { summary, detail: Some(Detail { record, streams }), packets, is_last };
        let calls = lock(&self.calls);
        let Some(sender) = calls.as_ref() else { return };
        // What is known of calls in progress comes again: it leaves half of the queue to what does not.
        if !is_last && self.queued.load(Ordering::Relaxed) >= limits::SINK_QUEUE / 2 {
            lock(&self.known).remove(&serial);
            return;
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sender.try_send(kept) {
            self.taken(1);
            self.lost(1);
            let mut unfinished = lock(&self.unfinished);
            if is_last && unfinished.len() < limits::KNOWN_CALLS {
                unfinished.push(id);
            }
        }
    }

    /// Says whether packets of a call that is tracked were dropped on their way to the packet store.
    #[must_use]
    pub fn is_incomplete(&self, call: CallSerial) -> bool {
        self.packets.get().is_some_and(|packets| packets.is_incomplete(call.get()))
    }

    /// Takes note that records were taken out of the queue.
    pub fn taken(&self, records: usize) {
        self.queued.fetch_sub(records, Ordering::Relaxed);
    }

    /// Counts records that are not kept.
    pub fn lost(&self, records: u64) {
        self.full.fetch_add(records, Ordering::Relaxed);
    }

    /// Calls whose last record was lost since this was asked.
    pub fn take_unfinished(&self) -> Vec<CallKey> {
        std::mem::take(&mut *lock(&self.unfinished))
    }

    /// Takes note that a call has adopted a stream.
    pub fn adopted(&self, stream: StreamSerial, call: CallSerial, now: Timestamp) {
        let Some(packets) = self.packets.get() else { return };
        lock(&self.adoptions).get_or_insert_with(|| packets.gatherer()).adopted(stream.get(), call.get(), now);
    }

    /// Takes note of the time, so that nothing waits long.
    pub fn idle(&self, now: Timestamp) {
        if let Some(gatherer) = lock(&self.adoptions).as_mut() {
            gatherer.tick(now);
        }
    }

    /// Lets the threads end once they have written what waits.
    pub fn close(&self) {
        lock(&self.adoptions).take();
        if let Some(packets) = self.packets.get() {
            packets.stop();
        }
        lock(&self.calls).take();
        *lock(&self.is_closed.0) = true;
        self.is_closed.1.notify_all();
    }

    /// Says whether nothing will come any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        *lock(&self.is_closed.0)
    }

    /// Waits until nothing will come any more.
    pub fn wait_for_close(&self) {
        let closed = self.is_closed.1.wait_while(lock(&self.is_closed.0), |closed| !*closed);
        drop(closed.unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes a record of what is neither a call nor of one, with its serial. What goes on will come again.
    pub fn record(&self, record: OtherRecord, serial: u64, is_last: bool) {
        let packets = self.packets.get().map(|packets| PacketsOf { run: packets.run_number(), serial });
        if !self.records.push(KeptRecord::new(record, packets, is_last)) && is_last {
            self.lost(1);
        }
    }

    /// Records that were lost because the queue was full or the store failed.
    #[must_use]
    pub fn full(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    /// How the store is.
    #[must_use]
    pub fn state(&self) -> StoreState {
        lock(&self.store).0.clone()
    }

    /// The store, where one is open.
    #[must_use]
    pub fn store(&self) -> Option<Store> {
        lock(&self.store).1.clone()
    }

    /// The packet store, where one is open.
    #[must_use]
    pub fn packets(&self) -> Option<&PacketStore> {
        self.packets.get()
    }

    /// What is kept on the disk.
    #[must_use]
    pub fn report(&self) -> StorageReport {
        lock(&self.report).clone()
    }

    /// Sets what is kept on the disk.
    pub fn set_report(&self, report: StorageReport) {
        *lock(&self.report) = report;
    }

    /// Sets how the store is.
    pub fn set_store(&self, state: StoreState, store: Option<Store>) {
        *lock(&self.store) = (state, store);
    }

    /// What a frame is to the packet store: of signalling that is not kept nobody's.
    fn kept(&self, used: FrameUse) -> FrameUse {
        let is_kept = match used.owner {
            Some(_) => &self.signalling,
            None => &self.signalling_others,
        };
        if used.kind == FrameKind::Sip && !is_kept.load(Ordering::Relaxed) {
            return FrameUse { owner: None, other: None, ..used };
        }
        used
    }

    /// A worker's way of its packets.
    #[must_use]
    pub fn tap(self: &Arc<Self>) -> Tap {
        Tap::new(self)
    }
}

#[cfg(test)]
mod tests {
    use sniffer_core::{decode::LinkType, engine::FrameMeta};

    use super::*;
    use crate::{
        packets::Settings,
        store::tests::{at, template},
    };

    #[test]
    fn a_call_is_written_when_its_state_changes_and_from_time_to_time_and_not_else() {
        let (sinks, _calls) = Sinks::new();
        let call = template().serial;
        assert!(sinks.wants(call, CallState::Trying, at(0)) && !sinks.wants(call, CallState::Trying, at(5)));
        assert!(sinks.wants(call, CallState::InCall, at(6)) && !sinks.wants(call, CallState::InCall, at(60)));
        assert!(sinks.wants(call, CallState::InCall, at(66)));
        assert!(sinks.wants(call, CallState::Completed, at(70)) && !sinks.wants(call, CallState::Completed, at(900)));
    }

    #[test]
    fn a_full_queue_counts_and_does_not_wait() {
        let (sinks, calls) = Sinks::new();
        for _ in 0..limits::SINK_QUEUE + 3 {
            sinks.ended(template());
        }
        assert_eq!((sinks.full(), calls.try_iter().count()), (3, limits::SINK_QUEUE));
        assert_eq!(sinks.take_unfinished(), [template().summary.id; 3], "the store is told of their end");
        assert_eq!(sinks.take_unfinished(), []);
    }

    #[test]
    fn calls_in_progress_leave_half_of_the_queue_to_ends() {
        let (sinks, calls) = Sinks::new();
        let call = template();
        for second in 0..limits::SINK_QUEUE {
            assert!(sinks.wants(call.serial, CallState::InCall, at(100 * u64::try_from(second).unwrap())));
            sinks.progress(call.clone());
        }
        assert_eq!(sinks.full(), 0, "they come again");
        assert!(sinks.wants(call.serial, CallState::InCall, at(0)), "at once");
        sinks.ended(call);
        assert_eq!((sinks.full(), calls.try_iter().count()), (0, limits::SINK_QUEUE / 2 + 1));
    }

    #[test]
    fn a_call_whose_packets_were_dropped_is_marked_when_it_ends() {
        let (sinks, calls) = Sinks::new();
        let settings = Settings { run: 1, media: crate::packets::MediaKept::Full, floor: 0, waits: false };
        let (packets, queue) = PacketStore::new(settings);
        // Nobody takes what is handed over.
        drop(queue);
        sinks.packets.set(packets).unwrap();
        let call = template();
        let mut tap = sinks.tap();
        let used = FrameUse { kind: FrameKind::Rtp, owner: Some(call.serial), ..FrameUse::default() };
        tap.frame(LinkType::RawIp, FrameMeta { time: at(1), vlan: None }, b"a packet", used);
        drop(tap);
        // It has ended and is watched for some time more, then it is over, then another has its serial.
        sinks.progress(call.clone());
        sinks.ended(call.clone());
        sinks.ended(call);
        let marks: Vec<_> = calls.try_iter().map(|kept| kept.summary.lost_here).collect();
        assert_eq!(marks, [true, true, false], "whenever it is told, and once it is over no more");
    }
}
