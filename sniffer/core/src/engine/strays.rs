//! RTCP that a worker knows nothing of: another may have the stream that it is about, since the kernel deals out flows and
//! RTCP often has a port of its own. The owner of signalling asks all of them, and counts what nobody knows.

use std::{collections::HashMap, sync::Arc};

use foldhash::quality::FixedState;

use super::{EngineCounters, ToMedia};
use crate::{
    decode::Endpoint,
    drops::{Dropped, Reason},
    limits,
    time::Timestamp,
};

/// An RTCP packet between places where no call expects media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrayRtcp {
    /// When it was seen.
    pub time: Timestamp,
    /// From where.
    pub source: Endpoint,
    /// To where.
    pub destination: Endpoint,
    /// The packet.
    pub bytes: Box<[u8]>,
}

/// The packets about which the workers have been asked.
#[derive(Debug)]
pub(super) struct Strays {
    asked: HashMap<u64, Asked, FixedState>,
    count: u64,
    dropped: Dropped,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    answers: usize,
    is_known: bool,
}

impl Strays {
    pub(super) fn new(hash_seed: u64) -> Self {
        Self { asked: HashMap::with_hasher(FixedState::with_seed(hash_seed)), count: 0, dropped: Dropped::default() }
    }

    /// The question for all workers; none when too many are open, or when there is nobody but who had it.
    pub(super) fn ask(&mut self, rtcp: StrayRtcp, workers: usize) -> Option<ToMedia> {
        if workers < 2 || self.asked.len() >= limits::STRAY_RTCP {
            let reason = if workers < 2 { Reason::NoSignalling } else { Reason::PendingFull };
            self.dropped.add(reason, 1);
            return None;
        }
        self.count = self.count.wrapping_add(1);
        self.asked.insert(self.count, Asked::default());
        Some(ToMedia::Rtcp { question: self.count, rtcp: Arc::new(rtcp) })
    }

    /// Takes the answer of one worker. The one that knows the packet has counted it.
    pub(super) fn answer(&mut self, question: u64, is_known: bool, workers: usize) {
        let Some(asked) = self.asked.get_mut(&question) else { return };
        asked.answers += 1;
        asked.is_known |= is_known;
        if asked.answers < workers {
            return;
        }
        if !asked.is_known {
            self.dropped.add(Reason::NoSignalling, 1);
        }
        self.asked.remove(&question);
    }

    pub(super) fn count(&self, counters: &mut EngineCounters) {
        counters.waiting += u64::try_from(self.asked.len()).unwrap_or(u64::MAX);
        counters.dropped.merge(&self.dropped);
    }
}
