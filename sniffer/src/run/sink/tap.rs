//! The way of packets to the packet store: one for each worker, and one for what the owner of signalling has seen.

use std::{
    sync::{Arc, atomic::Ordering},
    thread::{Builder, JoinHandle},
};

use anyhow::{Context, Result};
use sniffer_core::{
    decode::LinkType,
    engine::{CallSerial, FrameKind, FrameMeta, FrameUse, HeldFrames},
    ingress::Held,
    time::Timestamp,
};

use super::{
    super::{Config, now},
    Sinks,
};
use crate::{
    disk::{Disk, RealDisk},
    packets::{Gatherer, PacketStore, Settings},
};

/// A worker's way of its packets to the packet store.
#[derive(Debug)]
pub struct Tap {
    sinks: Arc<Sinks>,
    gatherer: Option<Gatherer>,
    touched: Vec<CallSerial>,
}

impl Tap {
    pub(super) fn new(sinks: &Arc<Sinks>) -> Self {
        Self { sinks: Arc::clone(sinks), gatherer: None, touched: Vec::new() }
    }

    /// Takes a frame and what the engine says of it.
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, bytes: &[u8], used: FrameUse) {
        if let (FrameKind::Sip, Some(call)) = (used.kind, used.owner)
            && self.touched.last() != Some(&call)
        {
            self.touched.push(call);
        }
        let used = self.sinks.kept(used);
        if let Some(gatherer) = self.gatherer() {
            gatherer.frame(link, meta, bytes, used);
        }
    }

    /// Takes frames that came together.
    pub fn held(&mut self, all: &[HeldFrames]) {
        for together in all {
            if let (FrameKind::Sip, Some(call)) = (together.used.kind, together.used.owner)
                && self.touched.last() != Some(&call)
            {
                self.touched.push(call);
            }
            let used = self.sinks.kept(together.used);
            if used.whose().is_none() && used.stream.is_none() {
                continue;
            }
            if let Some(gatherer) = self.gatherer() {
                gatherer.held(together);
            }
        }
    }

    /// Takes the frames of a message that the owner of signalling has seen.
    pub fn held_of(&mut self, frames: &[Held], used: FrameUse) {
        let Some(whose) = used.whose() else { return };
        let frames: Vec<_> = frames.iter().filter(|frame| frame.give(whose)).cloned().collect();
        if !frames.is_empty() {
            self.held(&[HeldFrames { used, frames }]);
        }
    }

    fn gatherer(&mut self) -> Option<&mut Gatherer> {
        if self.gatherer.is_none() {
            self.gatherer = self.sinks.packets.get().map(PacketStore::gatherer);
        }
        self.gatherer.as_mut()
    }

    /// Takes note of the time when no frame came.
    pub fn idle(&mut self, now: Timestamp) {
        if let Some(gatherer) = &mut self.gatherer {
            gatherer.tick(now);
        }
    }

    /// Calls that a SIP message belonged to since the last time this was asked.
    pub fn take_touched(&mut self) -> Vec<CallSerial> {
        std::mem::take(&mut self.touched)
    }
}

/// Starts the thread that keeps packets; none where none are kept. Packets are taken from here on.
pub fn spawn_packets(config: &Config, sinks: &Sinks) -> Result<Option<JoinHandle<()>>> {
    let keep = config.keep;
    let Some(folder) = config.store.clone() else { return Ok(None) };
    if [keep.signalling, keep.signalling_others, keep.media].iter().all(|bound| bound.gigabytes == 0) {
        return Ok(None);
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    // A folder that cannot be made is said by the stores that try again; the floor is then the least there is.
    let total = disk.make_folder(&folder).and_then(|()| disk.space(&folder)).map_or(0, |space| space.total);
    // Two runs begin at different nanoseconds.
    let run = now().as_nanos().cast_unsigned();
    let (packets, queue) =
        PacketStore::new(Settings { run, media: keep.media_kept(), floor: keep.floor(total), waits: false });
    sinks.signalling.store(keep.signalling.gigabytes > 0, Ordering::Relaxed);
    sinks.signalling_others.store(keep.signalling_others.gigabytes > 0, Ordering::Relaxed);
    let of_thread = packets.clone();
    sinks.packets.set(packets).map_err(|_| anyhow::anyhow!("packets are kept already"))?;
    let thread = Builder::new().name("packets".into()).spawn(move || {
        of_thread.run(&disk, &folder.join("packets"), &queue);
    });
    thread.map(Some).context("start the packet store's thread")
}
