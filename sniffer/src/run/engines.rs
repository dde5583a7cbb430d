//! The engine behind its locks. With one worker it is an [`Engine`] that readers use in turn. With several, each reader
//! has a [`Worker`] of its own and only SIP crosses to the one owner of signalling: through bounded queues, in bursts,
//! and nobody waits for anybody.

#[cfg(test)]
mod bound;
mod look;

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use sniffer_core::{
    decode::LinkType,
    engine::{Engine, Event, FrameMeta, FrameUse, HeldFrames, Owner, Settings, SipFrame, ToMedia, ToOwner, Worker},
    time::Timestamp,
};

pub use self::look::Page;
use crate::{limits, lock::lock};

/// See the module's text.
#[derive(Debug)]
pub struct Engines {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    One(Box<Mutex<Engine>>),
    Many(Box<Many>),
}

#[derive(Debug)]
struct Many {
    desks: Vec<Desk>,
    owner: Mutex<Owner>,
    inbox: Mutex<Inbox>,
    bell: Condvar,
}

/// A worker, and what the owner of signalling has told it since its last burst.
#[derive(Debug)]
struct Desk {
    number: u8,
    worker: Mutex<Worker>,
    mail: Mutex<VecDeque<ToMedia>>,
}

/// What waits for the owner of signalling: bounded in pieces and in bytes of messages.
#[derive(Debug, Default)]
struct Inbox {
    mail: VecDeque<Mail>,
    bytes: usize,
}

impl Inbox {
    fn has_room(&self) -> bool {
        self.mail.len() < limits::OWNER_INBOX && self.bytes < limits::OWNER_INBOX_BYTES
    }

    fn push(&mut self, mail: Mail) {
        if let Mail::Output(output) = &mail {
            self.bytes = self.bytes.saturating_add(output.message_bytes());
        }
        self.mail.push_back(mail);
    }
}

/// What goes to the owner of signalling.
#[derive(Debug)]
enum Mail {
    Output(ToOwner),
    Clock(u8, Timestamp),
}

/// A reader's turn: it has the engine, or its worker, for a burst of frames.
#[derive(Debug)]
pub enum Turn<'a> {
    /// The one engine.
    One(&'a mut Engine),
    /// One of several workers.
    Many(&'a mut Worker),
}

impl Turn<'_> {
    /// Takes a frame, and says what it was; none when the owner of signalling says it later.
    pub fn frame(&mut self, link: LinkType, meta: FrameMeta, frame: &[u8]) -> Option<FrameUse> {
        match self {
            Self::One(engine) => Some(engine.frame(link, meta, frame)),
            Self::Many(worker) => {
                let used = worker.frame_of_many(link, meta, frame);
                (used.kind != sniffer_core::engine::FrameKind::Sip).then_some(used)
            }
        }
    }
}

impl Turn<'_> {
    /// Frames that came together and whose they are, since the last time this was asked.
    pub fn take_held(&mut self) -> Vec<HeldFrames> {
        match self {
            Self::One(engine) => engine.take_held(),
            Self::Many(worker) => worker.take_held(),
        }
    }
}

impl Engines {
    /// Makes so many workers; one is an engine without a hand-over.
    #[must_use]
    pub fn new(settings: Settings, workers: u8) -> Self {
        if workers <= 1 {
            return Self { kind: Kind::One(Box::new(Mutex::new(Engine::new(settings)))) };
        }
        // Each has its share of the tables, so that the limit of memory is the same for any number of them.
        let share = Settings { tables: settings.tables.share(workers), ..settings.clone() };
        let desks = (0..workers).map(|number| Desk {
            number,
            worker: Mutex::new(Worker::new(&share, number)),
            mail: Mutex::new(VecDeque::new()),
        });
        Self {
            kind: Kind::Many(Box::new(Many {
                desks: desks.collect(),
                owner: Mutex::new(Owner::new(&settings, workers)),
                inbox: Mutex::default(),
                bell: Condvar::new(),
            })),
        }
    }

    /// Says whether there is an owner of signalling that needs a thread, see [`Engines::pump`].
    #[must_use]
    pub fn are_many(&self) -> bool {
        matches!(self.kind, Kind::Many(_))
    }

    /// Gives a reader its turn. What came to its end is returned with what the reader returned; none when there is no
    /// such worker.
    pub fn burst<T>(&self, worker: u8, work: impl FnOnce(&mut Turn<'_>) -> T) -> Option<(T, Vec<Event>)> {
        match &self.kind {
            Kind::One(engine) => {
                let mut engine = lock(engine);
                let outcome = work(&mut Turn::One(&mut engine));
                Some((outcome, events(&mut engine)))
            }
            Kind::Many(many) => {
                let desk = many.desks.get(usize::from(worker))?;
                let mut worker = lock(&desk.worker);
                desk.read_mail(&mut worker);
                let outcome = work(&mut Turn::Many(&mut worker));
                let time = worker.now();
                many.hand_over(desk.number, &mut worker, time);
                Some((outcome, Vec::new()))
            }
        }
    }

    /// Says what time it is where no frame does.
    pub fn advance(&self, now: Timestamp) -> Vec<Event> {
        match &self.kind {
            Kind::One(engine) => {
                let mut engine = lock(engine);
                engine.advance(now);
                events(&mut engine)
            }
            Kind::Many(many) => {
                for desk in &many.desks {
                    let mut worker = lock(&desk.worker);
                    desk.read_mail(&mut worker);
                    worker.advance_of_many(now);
                    // Frames of this long ago may still be in the ring.
                    many.hand_over(desk.number, &mut worker, now.before(limits::RING_BLOCK_WAIT.saturating_mul(5)));
                }
                Vec::new()
            }
        }
    }

    /// How long the owner of signalling may wait for something to do.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        match &self.kind {
            Kind::Many(many) if !lock(&many.owner).holds_messages() => limits::OWNER_IDLE,
            Kind::Many(_) | Kind::One(_) => limits::OWNER_WAIT,
        }
    }

    /// One round of the owner of signalling, which waits at most so long for something to do. `seen` is given each SIP
    /// message with its owner.
    pub fn pump(&self, now: Timestamp, longest: Duration, seen: &mut dyn FnMut(&SipFrame, FrameUse)) -> Vec<Event> {
        let Kind::Many(many) = &self.kind else { return Vec::new() };
        let mail = {
            let waited = many.bell.wait_timeout_while(lock(&many.inbox), longest, |inbox| inbox.mail.is_empty());
            std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
        };
        let mut owner = lock(&many.owner);
        for one in mail.mail {
            match one {
                Mail::Output(output) => owner.take(output),
                Mail::Clock(worker, time) => owner.clock(worker, time),
            }
        }
        owner.release(now, &mut |sip, used| seen(sip, used));
        owner.advance(now);
        while let Some(command) = owner.next_command() {
            let told = many.desks.iter().filter(|desk| desk.post(&command)).count();
            if told == many.desks.len() {
                continue;
            }
            // A worker that does not hear of it takes media of the call for that of nobody.
            match command {
                ToMedia::Expect(expect) => owner.lost_of(expect.call, 1),
                ToMedia::Learn(learnt) => owner.lost_of(learnt.call, 1),
                ToMedia::Collect(_) | ToMedia::Rtcp { .. } => {}
            }
        }
        std::iter::from_fn(|| owner.next_event()).collect()
    }

    /// Carries everything to its place that is still between threads: no reader works any more.
    pub fn drain(&self, now: Timestamp, seen: &mut dyn FnMut(&SipFrame, FrameUse)) -> Vec<Event> {
        let mut all = Vec::new();
        // To the owner, back to the workers, and the streams of ended calls to the owner again.
        for _ in 0..4 {
            all.extend(self.advance(now));
            all.extend(self.pump(now.after(limits::DRAIN_WAIT), Duration::ZERO, seen));
        }
        all
    }

    /// Ends all that is neither a call nor of one: no reader works any more.
    pub fn finish_others(&self, now: Timestamp) -> Vec<Event> {
        match &self.kind {
            Kind::One(engine) => {
                let mut engine = lock(engine);
                engine.finish_others();
                events(&mut engine)
            }
            Kind::Many(many) => {
                for desk in &many.desks {
                    let mut worker = lock(&desk.worker);
                    worker.finish_pending();
                    worker.finish_streams();
                }
                let mut all = self.drain(now, &mut |_, _| ());
                lock(&many.owner).finish_registrations();
                all.extend(self.drain(now, &mut |_, _| ()));
                all
            }
        }
    }

    /// Takes note that a ring lost packets between two times.
    pub fn lost(&self, from: Timestamp, to: Timestamp, packets: u64) {
        match &self.kind {
            Kind::One(engine) => lock(engine).lost(from, to, packets),
            Kind::Many(many) => {
                lock(&many.inbox).push(Mail::Output(ToOwner::Lost { from, to, packets }));
            }
        }
    }
}

fn events(engine: &mut Engine) -> Vec<Event> {
    std::iter::from_fn(|| engine.next_event()).collect()
}

impl Desk {
    /// Tells the worker what has come for it.
    fn read_mail(&self, worker: &mut Worker) {
        let mail = std::mem::take(&mut *lock(&self.mail));
        let now = worker.now();
        for command in mail {
            worker.tell(now, command);
        }
    }

    /// Puts something into the worker's mail. False when there is no room for it; the end of a call always has room,
    /// as there are no more of them than calls.
    fn post(&self, command: &ToMedia) -> bool {
        let mut mail = lock(&self.mail);
        let has_room = match command {
            // Of questions about RTCP few are open at once, and each needs its answer.
            ToMedia::Collect(_) | ToMedia::Rtcp { .. } => true,
            ToMedia::Expect(_) | ToMedia::Learn(_) => mail.len() < limits::WORKER_MAIL,
        };
        if has_room {
            mail.push_back(command.clone());
        }
        has_room
    }
}

impl Many {
    /// Hands over what a worker has for the owner of signalling, as much as there is room for; the rest stays with the
    /// worker, which has a bound of its own.
    fn hand_over(&self, number: u8, worker: &mut Worker, time: Timestamp) {
        let mut inbox = lock(&self.inbox);
        while inbox.has_room() {
            match worker.next_output() {
                Some(output) => inbox.push(Mail::Output(output)),
                None => {
                    inbox.push(Mail::Clock(number, time));
                    break;
                }
            }
        }
        drop(inbox);
        self.bell.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use sniffer_core::record::CallState;

    use super::*;

    pub fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000_000 + millis * 1_000_000)
    }

    pub fn frame(source: u8, port: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap();
        let mut bytes = vec![0x45, 0];
        bytes.extend((length + 28).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source, 192, 0, 2, 3 - source]);
        bytes.extend([port.to_be_bytes(), port.to_be_bytes()].concat());
        bytes.extend([(length + 8).to_be_bytes(), [0, 0]].concat());
        bytes.extend(payload);
        bytes
    }

    fn sip(start: &str, cseq: &str) -> Vec<u8> {
        let sdp = "v=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 4000 RTP/AVP 0\r\n";
        let text = format!(
            "{start}\r\nCall-ID: c1\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: {cseq}\r\n\
             Content-Type: application/sdp\r\n\r\n{sdp}"
        );
        frame(2, 5060, text.as_bytes())
    }

    /// SIP goes to one worker and its media to another, each by a thread of its own, while the owner works.
    #[test]
    fn a_call_whose_media_another_worker_sees_is_one_call_with_all_its_packets() {
        let engines = Engines::new(Settings::default(), 3);
        let meta = |millis| FrameMeta { time: at(millis), vlan: None };
        let mut seen = Vec::new();
        let mut ended = Vec::new();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for n in 0..200_u16 {
                    let mut packet = vec![0x80, 0];
                    packet.extend(n.to_be_bytes());
                    packet.extend((u32::from(n) * 160).to_be_bytes());
                    packet.extend([0, 0, 0, 9]);
                    packet.extend([0xff; 160]);
                    let bytes = frame(1, 4000, &packet);
                    let link = LinkType::RawIp;
                    let used = engines.burst(1, |turn| turn.frame(link, meta(i64::from(n) * 20), &bytes)).unwrap().0;
                    assert!(used.unwrap().stream.is_some());
                }
            });
            for (millis, bytes) in [(5, sip("SIP/2.0 200 OK", "1 INVITE")), (3900, sip("BYE sip:b@x SIP/2.0", "2 BYE"))]
            {
                let used = engines.burst(2, |turn| turn.frame(LinkType::RawIp, meta(millis), &bytes)).unwrap().0;
                assert_eq!(used, None, "the owner of signalling says it");
                ended.extend(engines.pump(at(millis), Duration::from_millis(1), &mut |_, used| seen.push(used.owner)));
            }
        });
        engines.lost(at(100), at(200), 5);
        // All is between threads or waits for retransmissions: nothing may get lost on the way.
        ended.extend(engines.drain(at(4000), &mut |_, used| seen.push(used.owner)));
        ended.extend(engines.drain(at(60_000), &mut |_, used| seen.push(used.owner)));
        let calls: Vec<_> = ended
            .iter()
            .filter_map(|event| match event {
                Event::Call(call) => Some(call),
                Event::Adopted { .. }
                | Event::Stream { .. }
                | Event::Registration { .. }
                | Event::Subscription { .. }
                | Event::Exchange { .. } => None,
            })
            .collect();
        assert_eq!((calls.len(), seen.len()), (1, 2));
        assert!(seen.iter().all(|owner| *owner == Some(calls[0].serial)));
        assert_eq!((calls[0].record.state, calls[0].streams[0].packets), (CallState::Completed, 200));
        assert_eq!(calls[0].record.lost_here_packets, 5);
        let figures = engines.figures();
        assert_eq!((figures.counters.received, figures.counters.delivered, figures.counters.waiting), (202, 202, 0));
    }
}
