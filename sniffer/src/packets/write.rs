//! The thread that writes blocks to segments, and what the workers share with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, TrySendError, sync_channel},
    },
    time::Instant,
};

use super::{Gatherer, Kind, MediaKept, Owner, Segments, seal::Sealed};
use crate::{disk::Disk, limits, lock::lock};

/// How packets are kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// This run of the program: serials are unique in it.
    pub run: u64,
    /// How much of media.
    pub media: MediaKept,
    /// Free bytes that are left on the disk.
    pub floor: u64,
    /// Whoever hands packets over waits where the thread is behind, as when files are read. Capture does not.
    pub waits: bool,
}

/// Why packets were not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// The thread that writes is behind.
    Behind,
    /// Free space has reached the floor.
    Floor,
    /// The disk failed.
    Disk,
}

impl Dropped {
    /// Its name in the counters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Behind => "packet_store_behind",
            Self::Floor => "free_space_floor",
            Self::Disk => "disk_failed",
        }
    }
}

#[derive(Debug)]
pub(super) enum Message {
    Block(Box<Sealed>),
    /// Everything before it is to be durable; the answer says so.
    Sync(SyncSender<()>),
}

/// What workers and the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub settings: Settings,
    sender: Mutex<Option<SyncSender<Message>>>,
    dropped: Mutex<BTreeMap<Dropped, u64>>,
    incomplete: Mutex<BTreeSet<u64>>,
    is_stopped: AtomicBool,
    packets: AtomicU64,
}

impl Shared {
    /// Hands a block over.
    pub fn send(&self, message: Message) {
        // Waiting with the lock would hold others up.
        let sender = lock(&self.sender).clone();
        let refused = match sender {
            Some(sender) if self.settings.waits => match sender.send(message) {
                Ok(()) => return,
                Err(SendError(message)) => message,
            },
            Some(sender) => match sender.try_send(message) {
                Ok(()) => return,
                Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => message,
            },
            None => message,
        };
        if let Message::Block(sealed) = refused {
            self.drop_block(&sealed, Dropped::Behind);
        }
    }

    /// Counts a block that is not kept, and marks its calls.
    fn drop_block(&self, sealed: &Sealed, why: Dropped) {
        let mut dropped = lock(&self.dropped);
        let count = dropped.entry(why).or_default();
        *count = count.saturating_add(sealed.packets);
        drop(dropped);
        let mut incomplete = lock(&self.incomplete);
        // Only calls are asked for.
        for owner in sealed.owners.iter().filter(|_| sealed.kind != Kind::Other) {
            // What is marked and never asked for: the oldest calls have ended long ago.
            if incomplete.len() >= limits::PACKET_MARKS {
                incomplete.pop_first();
            }
            incomplete.insert(*owner);
        }
    }

    /// Takes note that a call has adopted a stream: what was dropped of it was the call's.
    pub fn adopt_mark(&self, stream: u64, call: u64) {
        let mut incomplete = lock(&self.incomplete);
        if incomplete.remove(&Owner::Stream(stream).number()) {
            incomplete.insert(Owner::Call(call).number());
        }
    }
}

/// The packet store. Clones are the same one.
#[derive(Clone, Debug)]
pub struct PacketStore {
    shared: Arc<Shared>,
    /// Of signalling, of other signalling and of media; not before they are open.
    segments: Arc<OnceLock<[Arc<Segments>; 3]>>,
}

/// The queue of the packet store's thread.
#[derive(Debug)]
pub struct Queue(Receiver<Message>);

impl PacketStore {
    /// A packet store that takes packets at once, and writes them once [`PacketStore::run`] has opened it.
    #[must_use]
    pub fn new(settings: Settings) -> (Self, Queue) {
        let queue = if settings.waits { limits::PACKET_QUEUE_WAITING } else { limits::PACKET_QUEUE };
        let (sender, messages) = sync_channel(queue);
        let shared = Arc::new(Shared {
            settings,
            sender: Mutex::new(Some(sender)),
            dropped: Mutex::new(BTreeMap::new()),
            incomplete: Mutex::new(BTreeSet::new()),
            is_stopped: AtomicBool::new(false),
            packets: AtomicU64::new(0),
        });
        (Self { shared, segments: Arc::new(OnceLock::new()) }, Queue(messages))
    }

    /// Opens the packet store below a folder, or makes it. What a power cut left half written is cut off and counted.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be used.
    pub fn open(&self, disk: &Arc<dyn Disk>, folder: &Path) -> io::Result<()> {
        let signalling = Arc::new(Segments::open(disk, &folder.join("signalling"))?);
        let other = Arc::new(Segments::open(disk, &folder.join("signalling-others"))?);
        let media = Arc::new(Segments::open(disk, &folder.join("media"))?);
        // Opened twice, the first stays.
        self.segments.set([signalling, other, media]).unwrap_or_default();
        Ok(())
    }

    /// Opens the store and writes what comes until [`PacketStore::stop`]. A store that cannot be opened is tried again.
    pub fn run(&self, disk: &Arc<dyn Disk>, folder: &Path, queue: &Queue) {
        let mut has_failed = false;
        while let Err(error) = self.open(disk, folder) {
            if !std::mem::replace(&mut has_failed, true) {
                tracing::error!("Packets are not being kept: {error}");
            }
            let begin = moment();
            while begin.elapsed() < limits::STORE_RETRY {
                match queue.0.recv_timeout(limits::STORE_RETRY) {
                    Ok(Message::Block(sealed)) => self.shared.drop_block(&sealed, Dropped::Disk),
                    Ok(Message::Sync(_)) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
        self.write(&queue.0);
    }

    /// The way of a worker to the store.
    #[must_use]
    pub fn gatherer(&self) -> Gatherer {
        Gatherer::new(Arc::clone(&self.shared))
    }

    /// Ends the thread once it has written what waits. What gatherers still hold is to be flushed before.
    pub fn stop(&self) {
        lock(&self.shared.sender).take();
    }

    /// Waits until everything that was handed over is durable. Says whether it is.
    #[must_use]
    pub fn sync(&self) -> bool {
        let (sender, answer) = sync_channel(1);
        let queue = lock(&self.shared.sender).clone();
        queue.is_some_and(|queue| queue.send(Message::Sync(sender)).is_ok()) && answer.recv().is_ok()
    }

    /// Packets that were kept since start.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.shared.packets.load(Ordering::Relaxed)
    }

    /// Packets that were not kept, by reason.
    #[must_use]
    pub fn dropped(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.dropped).iter().map(|(why, count)| (why.name().to_owned(), *count)).collect()
    }

    /// Free space has reached the floor: nothing is kept until there is more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.is_stopped.load(Ordering::Relaxed)
    }

    /// Says whether packets of a call were dropped, and forgets it: asked when the call has ended.
    #[must_use]
    pub fn take_incomplete(&self, call: u64) -> bool {
        lock(&self.shared.incomplete).remove(&Owner::Call(call).number())
    }

    /// Says whether packets of a call were dropped so far.
    #[must_use]
    pub fn is_incomplete(&self, call: u64) -> bool {
        lock(&self.shared.incomplete).contains(&Owner::Call(call).number())
    }

    /// The run of the program.
    #[must_use]
    pub fn run_number(&self) -> u64 {
        self.shared.settings.run
    }

    /// Segments of a kind; none before the store is open.
    #[must_use]
    pub fn segments(&self, kind: Kind) -> Option<&Arc<Segments>> {
        let [signalling, other, media] = self.segments.get()?;
        Some(match kind {
            Kind::Signalling => signalling,
            Kind::Other => other,
            Kind::Media => media,
        })
    }

    /// Blocks and ends of segments that were damaged.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.segments.get().into_iter().flatten().map(|segments| segments.damaged()).fold(0, u64::saturating_add)
    }

    /// Segments of all kinds.
    pub(super) fn all_segments(&self) -> impl Iterator<Item = &Arc<Segments>> {
        self.segments.get().into_iter().flatten()
    }

    fn write(&self, messages: &Receiver<Message>) {
        let mut has_failed = false;
        let mut ages = [(None, moment()); 3];
        let mut synced = moment();
        loop {
            match messages.recv_timeout(limits::PACKET_SYNC) {
                Ok(Message::Block(sealed)) => {
                    self.write_block(&sealed, &mut has_failed);
                    if synced.elapsed() < limits::PACKET_SYNC {
                        continue;
                    }
                }
                Ok(Message::Sync(answer)) => {
                    self.sync_all(&mut has_failed);
                    // Who asked may have gone.
                    answer.send(()).unwrap_or_default();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.sync_all(&mut has_failed);
                    return;
                }
            }
            self.sync_all(&mut has_failed);
            synced = moment();
            self.end_old(&mut ages, &mut has_failed);
        }
    }

    fn write_block(&self, sealed: &Sealed, has_failed: &mut bool) {
        let Some(segments) = self.segments(sealed.kind) else { return };
        match segments.append(&sealed.bytes, sealed.earliest, self.shared.settings.floor) {
            Ok(true) => {
                *has_failed = false;
                self.shared.is_stopped.store(false, Ordering::Relaxed);
                self.shared.packets.fetch_add(sealed.packets, Ordering::Relaxed);
            }
            Ok(false) => {
                if !self.shared.is_stopped.swap(true, Ordering::Relaxed) {
                    tracing::warn!("Packets are not kept: free space has reached its floor");
                }
                self.shared.drop_block(sealed, Dropped::Floor);
            }
            Err(error) => {
                if !std::mem::replace(has_failed, true) {
                    tracing::error!("Packets are not kept: {error}");
                }
                self.shared.drop_block(sealed, Dropped::Disk);
            }
        }
    }

    /// Ends segments that have been written to for long: days are a promise, also where little comes.
    fn end_old(&self, ages: &mut [(Option<u64>, Instant)], has_failed: &mut bool) {
        for (segments, (number, since)) in self.all_segments().zip(ages) {
            let writing = segments.writing();
            if *number != writing {
                (*number, *since) = (writing, moment());
            } else if writing.is_some()
                && since.elapsed() >= limits::PACKET_SEGMENT_AGE
                && let Err(error) = segments.end()
                && !std::mem::replace(has_failed, true)
            {
                tracing::error!("A segment of packets cannot be ended: {error}");
            }
        }
    }

    fn sync_all(&self, has_failed: &mut bool) {
        for segments in self.all_segments() {
            if let Err(error) = segments.sync()
                && !std::mem::replace(has_failed, true)
            {
                tracing::error!("Packets may not be durable: {error}");
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the thread's main loop: how long what was written is not durable")]
fn moment() -> Instant {
    Instant::now()
}
