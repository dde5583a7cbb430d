//! The engine: frames in, events out. It joins two halves that know nothing of each other's insides: [`Signalling`]
//! (calls, registrations), which has one [`Owner`], and [`Media`] (streams), of which each [`Worker`] has its own. An
//! [`Engine`] is one of each, without threads: it runs each frame to completion, and time is what the frames say.

mod call;
mod correlation;
mod counters;
mod event;
mod exchange;
mod flows;
mod frame;
mod losses;
mod media;
mod methods;
mod owner;
mod registration;
mod report;
mod serial;
mod settings;
mod signalling;
mod strays;
mod subscription;
mod table;
mod worker;

pub use self::{
    call::Side,
    correlation::Correlation,
    counters::{EngineCounters, Evicted},
    event::{EndedCall, Event},
    frame::{FrameKind, FrameMeta, FrameUse, HeldFrames},
    media::{Collected, Expect, Learnt, Media, MediaCounters, Output, PacketUse},
    methods::{MethodCounters, Methods, ResponseTime, Results},
    owner::Owner,
    serial::{CallSerial, OtherSerial, StreamSerial, Whose},
    settings::{Settings, Tables, Timeouts},
    signalling::{Action, ClosedCall, Signalling, SignallingCounters},
    strays::StrayRtcp,
    worker::{SipFrame, ToMedia, ToOwner, Worker},
};
use crate::{decode::LinkType, time::Timestamp};

/// The engine. See the module's text.
#[derive(Debug)]
pub struct Engine {
    worker: Worker,
    owner: Owner,
    now: Timestamp,
    /// What is being ended since [`Engine::finish`].
    finishing: Option<Finishing>,
}

#[derive(Clone, Copy, Debug)]
enum Finishing {
    Calls,
    Streams,
    Rest,
}

impl Engine {
    /// Makes an engine that has seen nothing.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            worker: Worker::new(&settings, 0),
            owner: Owner::new(&settings, 1),
            now: Timestamp::default(),
            finishing: None,
        }
    }

    /// Takes a frame, and says what it was.
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> FrameUse {
        // Most frames find nothing due, belong to a known stream, and leave nothing to carry.
        if meta.time >= self.worker.due().min(self.owner.due()) {
            self.advance(meta.time);
        }
        self.now = meta.time;
        match self.worker.known_rtp(link, meta, frame) {
            Some(used) => {
                if self.worker.has_media_output() {
                    self.carry();
                }
                used
            }
            None => self.other_frame(link, meta, frame),
        }
    }

    #[inline(never)]
    fn other_frame(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> FrameUse {
        let Self { worker, owner, .. } = self;
        let used =
            worker.frame(link, meta, frame, &mut |now, datagram, message| Ok(owner.message(now, datagram, message)));
        if self.has_to_carry() {
            self.carry();
        }
        used
    }

    /// Says whether there are frames that came together: see [`Engine::take_held`].
    #[must_use]
    #[inline]
    pub fn has_held(&self) -> bool {
        self.worker.has_held()
    }

    /// Frames that came together and whose they are, since the last time this was asked. With
    /// [`Settings::holds_frames`] it is to be asked after each burst of frames.
    pub fn take_held(&mut self) -> Vec<HeldFrames> {
        self.worker.take_held()
    }

    /// Takes note that the capture lost packets somewhere between two times: the figures of all calls that went on then,
    /// also of those that ended meanwhile, are not to be trusted.
    pub fn lost(&mut self, from: Timestamp, to: Timestamp, packets: u64) {
        self.owner.lost(from, to, packets);
    }

    /// Takes note that packets of one call were lost on the way to a sink.
    pub fn lost_of(&mut self, call: CallSerial, packets: u64) {
        self.owner.lost_of(call, packets);
    }

    /// Takes note of the time when no frame says it, as on a silent port.
    pub fn advance(&mut self, now: Timestamp) {
        let Self { worker, owner, .. } = self;
        worker.advance(now, &mut |now, datagram, message| Ok(owner.message(now, datagram, message)));
        self.carry();
        self.now = now;
        self.owner.advance(now);
        self.carry();
    }

    fn has_to_carry(&self) -> bool {
        self.owner.has_command() || self.worker.has_output()
    }

    /// Carries what one half says to the other.
    fn carry(&mut self) {
        while self.has_to_carry() {
            while let Some(command) = self.owner.next_command() {
                self.worker.tell(self.now, command);
            }
            while let Some(output) = self.worker.next_output() {
                self.owner.take(output);
            }
        }
    }

    /// Ends all that is neither a call nor of one, and the wait of RTP for its SDP: streams without a call,
    /// registrations, subscriptions, exchanges. Calls go on.
    pub fn finish_others(&mut self) {
        self.worker.finish_pending();
        self.carry();
        self.worker.finish_streams();
        self.carry();
        self.owner.finish_registrations();
        self.carry();
    }

    /// Ends everything that is tracked, in the order in which it began: there will be no more frames. The records are
    /// made as [`Engine::next_event`] gives them away.
    pub fn finish(&mut self) {
        let Self { worker, owner, .. } = self;
        worker.finish_ingress(&mut |now, datagram, message| Ok(owner.message(now, datagram, message)));
        self.carry();
        self.worker.finish_pending();
        self.carry();
        // Frames that are no signalling and find nothing due do not tell the owner how late it is.
        self.owner.advance(self.now);
        self.owner.finish_calls();
        self.carry();
        self.finishing = Some(Finishing::Calls);
    }

    /// Says whether there is an event: what is asked after every frame.
    #[must_use]
    #[inline]
    pub fn has_events(&self) -> bool {
        self.owner.has_events() || self.finishing.is_some()
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let event = self.owner.next_event();
            if event.is_some() {
                return event;
            }
            let stage = self.finishing?;
            if self.has_to_carry() {
                self.carry();
                continue;
            }
            self.finishing = match stage {
                Finishing::Calls => {
                    self.worker.finish_streams();
                    Some(Finishing::Streams)
                }
                Finishing::Streams => {
                    self.owner.finish_registrations();
                    Some(Finishing::Rest)
                }
                Finishing::Rest => None,
            };
            self.carry();
        }
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> EngineCounters {
        let mut counters = EngineCounters::default();
        self.worker.count(&mut counters);
        self.owner.count(&mut counters);
        counters
    }

    /// The time of the last frame.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

#[cfg(test)]
mod dialogs;
#[cfg(test)]
mod tests;
