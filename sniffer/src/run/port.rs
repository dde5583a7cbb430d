//! Ports: one thread that opens them, and one reader for each, which survives a port that is down or missing.

use std::{
    sync::{Arc, mpsc},
    thread::{Builder, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use caps::{CapSet, Capability, CapsHashSet};
use sniffer_core::{query::PortState, time::Timestamp};
use tracing::{info, warn};

use super::{
    Open, Shared,
    losing::{Losing, Said},
    now,
    sink::Tap,
};
use crate::{
    capture::{self, CaptureError, Layout, Link, Ring},
    limits,
};

/// Starts the thread that opens ports. It alone keeps CAP_NET_RAW, and never sees a frame.
pub fn opener() -> Result<mpsc::Sender<Open>> {
    let (sender, requests) = mpsc::channel::<Open>();
    let layout = Layout { block: limits::RING_BLOCK, blocks: limits::RING_BLOCKS, wait: limits::RING_BLOCK_WAIT };
    let thread = Builder::new().name("opener".into()).spawn(move || {
        keep_net_raw();
        for (name, group, answer) in requests {
            // Who asked may have stopped.
            drop(answer.send(Ring::open(&name, layout, group)));
        }
    });
    thread.context("start the thread that opens ports")?;
    Ok(sender)
}

/// Gives up all capabilities of this thread but CAP_NET_RAW.
fn keep_net_raw() {
    let held = caps::has_cap(None, CapSet::Permitted, Capability::CAP_NET_RAW).unwrap_or(false);
    let kept: CapsHashSet = held.then_some(Capability::CAP_NET_RAW).into_iter().collect();
    let none = CapsHashSet::new();
    // In this order: what is not permitted can be neither effective nor inheritable.
    for (set, kept) in
        [(CapSet::Ambient, &none), (CapSet::Inheritable, &none), (CapSet::Effective, &kept), (CapSet::Permitted, &kept)]
    {
        if let Err(error) = caps::set(None, set, kept) {
            warn!("Capabilities could not be given up: {error}");
        }
    }
}

/// Which port a reader reads, for which worker.
#[derive(Clone, Copy, Debug)]
pub struct Fanout {
    place: usize,
    worker: u8,
    /// The group of rings among which the kernel deals out the flows of the port; none when one reader has all.
    group: Option<u16>,
}

impl Fanout {
    /// The reader of the port at this place of the configuration for one of so many workers.
    pub fn of(place: usize, worker: u8, workers: u8) -> Self {
        // Groups are named within the machine: this process and port. A group of another kind of program would make the
        // port fail to open, and it says so.
        let process = std::process::id().wrapping_mul(64).wrapping_add(u32::try_from(place).unwrap_or(0));
        let group = (workers > 1).then(|| u16::try_from(process & 0xffff).unwrap_or(0));
        Self { place, worker, group }
    }
}

/// Starts a reader of a port.
pub fn spawn(shared: Arc<Shared>, fanout: Fanout, opener: mpsc::Sender<Open>) -> Result<JoinHandle<()>> {
    let Fanout { place, worker, group } = fanout;
    let thread = Builder::new().name(format!("port-{place}-{worker}")).spawn(move || {
        let Some(name) = shared.with_port(place, |port| port.name.clone()) else { return };
        let tap = shared.sinks.tap();
        let mut reader = Reader { shared: &shared, place, worker, name, asked: now(), losing: Losing::default(), tap };
        while !shared.is_stopping() {
            match open(&opener, &reader.name, group) {
                Ok(ring) => reader.read(ring),
                Err(CaptureError::Missing) => reader.set_state(PortState::Missing),
                Err(error) => {
                    reader.set_state(PortState::Failed { message: format!("{:#}", anyhow::Error::new(error)) });
                }
            }
            shared.wait_for_stop(limits::PORT_RETRY);
        }
    });
    thread.context("start a port's reader")
}

fn open(opener: &mpsc::Sender<Open>, name: &str, group: Option<u16>) -> Result<Ring, CaptureError> {
    let gone =
        || CaptureError::System { step: "ask for the port", error: std::io::Error::other("the opener has ended") };
    let (sender, answer) = mpsc::channel();
    opener.send((name.to_owned(), group, sender)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

struct Reader<'a> {
    shared: &'a Shared,
    place: usize,
    worker: u8,
    name: String,
    /// When the kernel was last asked what it dropped.
    asked: Timestamp,
    /// What was said of its losses.
    losing: Losing,
    /// The way of its packets to the packet store.
    tap: Tap,
}

impl Reader<'_> {
    /// Shows the state, and logs it where it changed.
    fn set_state(&mut self, state: PortState) {
        let before = self.shared.with_port(self.place, |port| std::mem::replace(&mut port.state, state.clone()));
        if before.as_ref() == Some(&state) {
            return;
        }
        match state {
            PortState::Up => info!(port = self.name, "Port {} captures", self.name),
            PortState::Down => warn!(port = self.name, "Port {} has no link", self.name),
            PortState::Missing => warn!(port = self.name, "There is no port {}", self.name),
            PortState::Failed { message } => {
                warn!(port = self.name, "Port {} cannot be captured: {message}", self.name)
            }
        }
    }

    /// Reads until told to stop, or until the interface is another one or gone.
    fn read(&mut self, mut ring: Ring) {
        let mut idle = Duration::ZERO;
        self.look(&ring);
        while !self.shared.is_stopping() {
            if self.burst(&mut ring) {
                // Statistics at most every few bursts would miss which calls suffered; they cost a microsecond.
                self.statistics(&ring);
                continue;
            }
            self.tap.idle(now());
            if let Err(error) = ring.wait(limits::POLL_WAIT) {
                self.set_state(PortState::Failed { message: format!("wait for packets: {error}") });
                return;
            }
            idle = idle.saturating_add(limits::POLL_WAIT);
            if idle >= limits::POLL_WAIT.saturating_mul(4) {
                idle = Duration::ZERO;
                self.statistics(&ring);
                if !self.look(&ring) {
                    return;
                }
            }
        }
        self.statistics(&ring);
    }

    /// One block of the ring to the engine. False when none was ready.
    fn burst(&mut self, ring: &mut Ring) -> bool {
        let link = ring.link_type();
        let (mut frames, mut unhandled) = (0_u64, 0_u64);
        let tap = &mut self.tap;
        let ready = self.shared.burst(self.worker, |turn| {
            let ready = ring.next_block(|frame| {
                if let Some(used) = turn.frame(link, frame.meta, frame.bytes) {
                    tap.frame(link, frame.meta, frame.bytes, used);
                }
                frames = frames.saturating_add(1);
                unhandled = unhandled.saturating_add(u64::from(capture::is_unhandled(&frame)));
            });
            tap.held(&turn.take_held());
            ready
        });
        self.shared.tell_ends(&mut self.tap);
        self.shared.add_unhandled(self.place, unhandled);
        self.shared.with_port(self.place, |port| port.delivered = port.delivered.saturating_add(frames));
        ready.unwrap_or(false)
    }

    /// Adds what the kernel dropped, and tells the engine: calls in progress suffered.
    fn statistics(&mut self, ring: &Ring) {
        let Ok(statistics) = ring.statistics() else { return };
        let (from, to) = (self.asked, now());
        self.asked = to;
        self.shared.with_port(self.place, |port| {
            port.kernel_dropped = port.kernel_dropped.saturating_add(statistics.drops);
            // Received is what is accounted for: packets that still wait in the ring are counted when they are read.
            port.received = port.delivered.saturating_add(port.kernel_dropped);
        });
        if statistics.drops > 0 {
            self.shared.lost(from, to, statistics.drops);
        }
        let seconds = |time: Duration| time.as_secs_f64();
        match self.losing.look(to, statistics.drops) {
            None => {}
            Some(Said::Begins) => warn!(port = self.name, "Port {} loses packets: its ring is full", self.name),
            Some(Said::GoesOn(packets, time)) => {
                let time = seconds(time);
                warn!(port = self.name, packets, "Port {} loses packets: {packets} in {time:.0} s so far", self.name);
            }
            Some(Said::Ended(packets, time)) => {
                let time = seconds(time);
                info!(port = self.name, packets, "Port {} has lost {packets} packets in {time:.1} s", self.name);
            }
        }
    }

    /// Looks at the interface. False when the ring belongs to one that is gone.
    fn look(&mut self, ring: &Ring) -> bool {
        if !ring.is_interface(&self.name) {
            self.set_state(PortState::Missing);
            return false;
        }
        match capture::link(&self.name) {
            Link::Up => self.set_state(PortState::Up),
            Link::Down => self.set_state(PortState::Down),
            Link::Missing => {
                self.set_state(PortState::Missing);
                return false;
            }
        }
        true
    }
}
