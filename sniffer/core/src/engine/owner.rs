//! The owner of all signalling: takes SIP messages from the workers in the order of their times, tells the workers what
//! media to expect, and joins each call that ends with its streams from all workers and with what the capture lost.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap, VecDeque},
};

use foldhash::quality::FixedState;

use super::{
    Action, CallSerial, ClosedCall, Collected, EndedCall, EngineCounters, Event, FrameKind, FrameUse, OtherSerial,
    Output, Settings, Signalling, SipFrame, ToMedia, ToOwner, Whose, losses::Losses, report, strays::Strays,
};
use crate::{
    decode::Datagram,
    limits,
    record::{OtherRecord, RegistrationRecord},
    sip::{self, Message},
    time::Timestamp,
};

/// See the module's text.
#[derive(Debug)]
pub struct Owner {
    now: Timestamp,
    signalling: Signalling,
    losses: Losses,
    /// Calls whose streams are being collected.
    joining: HashMap<CallSerial, Joining, FixedState>,
    commands: VecDeque<ToMedia>,
    strays: Strays,
    events: VecDeque<Event>,
    /// Messages that wait until every worker's time has come as far.
    held: BinaryHeap<Reverse<Held>>,
    /// Their bytes.
    held_bytes: usize,
    taken: u64,
    /// The time of each worker.
    clocks: Vec<Timestamp>,
    /// All calls have been ended: they are reported piece by piece, as their events are taken.
    finishing: bool,
}

#[derive(Debug)]
struct Joining {
    call: Box<ClosedCall>,
    parts: Vec<Collected>,
}

#[derive(Debug)]
struct Held {
    count: u64,
    frame: Box<SipFrame>,
}

impl Held {
    fn order(&self) -> (Timestamp, u64) {
        (self.frame.time, self.count)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl Owner {
    /// Makes an owner of the signalling that so many workers see.
    #[must_use]
    pub fn new(settings: &Settings, workers: u8) -> Self {
        Self {
            now: Timestamp::default(),
            signalling: Signalling::new(settings),
            losses: Losses::default(),
            joining: HashMap::with_hasher(FixedState::with_seed(settings.hash_seed)),
            commands: VecDeque::new(),
            strays: Strays::new(settings.hash_seed),
            events: VecDeque::new(),
            held: BinaryHeap::new(),
            held_bytes: 0,
            taken: 0,
            clocks: vec![Timestamp::default(); usize::from(workers.max(1))],
            finishing: false,
        }
    }

    /// Takes a message at once, and says whose it is.
    pub(super) fn message(&mut self, now: Timestamp, datagram: &Datagram<'_>, message: &Message<'_>) -> Option<Whose> {
        self.now = now;
        let whose = self.signalling.message(now, datagram, message);
        self.settle();
        whose
    }

    /// Takes what a worker says. SIP messages are held until [`Owner::release`].
    pub fn take(&mut self, output: ToOwner) {
        match output {
            ToOwner::Sip(frame) => {
                self.taken += 1;
                self.held_bytes = self.held_bytes.saturating_add(frame.bytes());
                self.held.push(Reverse(Held { count: self.taken, frame }));
            }
            ToOwner::Media(output) => self.media(output),
            ToOwner::Collected { call, collected } => self.collected(call, *collected),
            ToOwner::Lost { from, to, packets } => self.losses.add(from, to, packets),
            ToOwner::Rtcp { question, is_known } => self.strays.answer(question, is_known, self.clocks.len()),
        }
    }

    fn media(&mut self, output: Output) {
        match output {
            Output::Active { call, last } => self.signalling.active(call, last),
            Output::Adopted { stream, call } => self.events.push_back(Event::Adopted { stream, call }),
            Output::Learnt(learnt) => {
                if self.clocks.len() > 1 {
                    self.commands.push_back(ToMedia::Learn(learnt));
                }
            }
            Output::Rtcp(rtcp) => self.commands.extend(self.strays.ask(*rtcp, self.clocks.len())),
            Output::Stream { serial, mut record } => {
                record.lost_here = self.losses.within(record.start, record.end) > 0;
                self.events.push_back(Event::Stream { serial, record });
            }
        }
    }

    fn collected(&mut self, call: CallSerial, collected: Collected) {
        let workers = self.clocks.len();
        let Some(joining) = self.joining.get_mut(&call) else { return };
        joining.parts.push(collected);
        if joining.parts.len() < workers {
            return;
        }
        if let Some(Joining { call, parts }) = self.joining.remove(&call) {
            let ended = report::join(*call, parts, &self.losses, self.now);
            self.events.push_back(Event::Call(Box::new(ended)));
        }
    }

    /// Carries out what signalling wants.
    fn settle(&mut self) {
        while (!self.finishing || self.events.len().saturating_add(self.joining.len()) < limits::FINISH_PIECE)
            && let Some(action) = self.signalling.next_action()
        {
            match action {
                Action::Expect(expect) => self.commands.push_back(ToMedia::Expect(expect)),
                Action::Ended(call) => {
                    let serial = call.serial;
                    self.joining.insert(serial, Joining { call, parts: Vec::with_capacity(self.clocks.len()) });
                    self.commands.push_back(ToMedia::Collect(serial));
                }
                Action::Registration { serial, record } => {
                    self.events.push_back(Event::Registration { serial, record });
                }
                Action::Subscription { serial, record } => {
                    self.events.push_back(Event::Subscription { serial, record });
                }
                Action::Exchange { serial, record } => self.events.push_back(Event::Exchange { serial, record }),
            }
        }
    }

    /// Takes note how far a worker has come.
    pub fn clock(&mut self, worker: u8, time: Timestamp) {
        if let Some(clock) = self.clocks.get_mut(usize::from(worker)) {
            *clock = time.max(*clock);
        }
    }

    /// Says whether messages are held that [`Owner::release`] will handle when time has passed.
    #[must_use]
    pub fn holds_messages(&self) -> bool {
        !self.held.is_empty()
    }

    /// Handles the messages that no earlier one can overtake any more: all workers have come as far, or have been silent
    /// for so long that nothing is waited for. `seen` is told whose each was.
    pub fn release(&mut self, now: Timestamp, seen: &mut impl FnMut(&SipFrame, FrameUse)) {
        let slowest = self.clocks.iter().copied().min().unwrap_or(now);
        let until = slowest.max(now.before(limits::WORKER_WAIT));
        while let Some(Reverse(held)) = self.held.peek()
            && (held.frame.time <= until
                || self.held.len() > limits::WORKER_MESSAGES
                || self.held_bytes > limits::WORKER_BYTES)
        {
            let Some(Reverse(Held { frame, .. })) = self.held.pop() else { return };
            self.held_bytes = self.held_bytes.saturating_sub(frame.bytes());
            let datagram = frame.datagram();
            // The worker has parsed it: it is a message.
            let Ok(message) = sip::parse(datagram.payload) else { continue };
            // What had fallen silent before this message is not woken by it.
            self.advance(frame.time);
            let whose = self.message(frame.time, &datagram, &message);
            seen(
                &frame,
                FrameUse {
                    kind: FrameKind::Sip,
                    owner: whose.and_then(Whose::call),
                    other: whose.and_then(Whose::other),
                    stream: None,
                    keep: frame.frame.len(),
                    is_held: !frame.held.is_empty(),
                    place: 0,
                    rtp_at: None,
                },
            );
        }
    }

    /// When [`Owner::advance`] has something to do.
    #[inline]
    pub(super) fn due(&self) -> Timestamp {
        self.signalling.due()
    }

    /// Takes note of the time: what has been silent for too long is given up.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = now;
        if now >= self.signalling.due() {
            self.signalling.advance(now);
            self.settle();
        }
    }

    /// Takes note that the capture lost packets somewhere between two times.
    pub fn lost(&mut self, from: Timestamp, to: Timestamp, packets: u64) {
        self.losses.add(from, to, packets);
    }

    /// Takes note that packets of one call were lost on the way to a sink.
    pub fn lost_of(&mut self, call: CallSerial, packets: u64) {
        self.signalling.lost_of(call, packets);
    }

    /// Ends all calls: there will be no more messages. They are reported piece by piece, so that not all of them are
    /// held as records at once: what to tell the workers and what has ended is to be taken until there is nothing more.
    pub fn finish_calls(&mut self) {
        self.finishing = true;
        self.signalling.finish_calls();
        self.settle();
    }

    /// Ends all that is neither call nor stream.
    pub fn finish_registrations(&mut self) {
        self.signalling.finish_registrations(self.now);
        self.settle();
    }

    /// Says whether there is something to tell the workers.
    #[must_use]
    #[inline]
    pub fn has_command(&self) -> bool {
        !self.commands.is_empty()
    }

    /// The next thing to tell every worker.
    pub fn next_command(&mut self) -> Option<ToMedia> {
        self.commands.pop_front()
    }

    /// Says whether there may be an event.
    #[inline]
    pub(super) fn has_events(&self) -> bool {
        self.finishing || !self.events.is_empty()
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        if self.finishing && self.events.is_empty() && self.joining.is_empty() {
            self.settle();
        }
        self.events.pop_front()
    }

    /// All calls that are tracked, as signalling tells them.
    pub fn calls(&self) -> impl Iterator<Item = ClosedCall> {
        self.signalling.calls()
    }

    /// A call that is tracked, as signalling tells it.
    #[must_use]
    pub fn call(&self, serial: CallSerial) -> Option<ClosedCall> {
        self.signalling.call(serial)
    }

    /// All calls that are tracked, and where they stand.
    pub fn states(&self) -> impl Iterator<Item = (CallSerial, crate::record::CallState)> {
        self.signalling.states()
    }

    /// Where a call that is tracked stands.
    #[must_use]
    pub fn call_state(&self, serial: CallSerial) -> Option<crate::record::CallState> {
        self.signalling.call_state(serial)
    }

    /// A call with its streams as they are.
    #[must_use]
    pub fn join(&self, call: ClosedCall, parts: Vec<Collected>) -> EndedCall {
        report::join(call, parts, &self.losses, self.now)
    }

    /// When each call that is tracked started.
    #[must_use]
    pub fn starts(&self) -> Vec<(Timestamp, CallSerial)> {
        self.signalling.starts()
    }

    /// Gives registrations and subscriptions that go on to `tell`, see [`Engine::tell_others`](super::Engine::tell_others).
    pub fn tell_others(&mut self, from: u32, most: u32, tell: &mut dyn FnMut(OtherSerial, OtherRecord)) -> bool {
        self.signalling.tell_others(from, most, tell)
    }

    /// The registrations that are tracked, newest activity first, at most so many.
    #[must_use]
    pub fn newest_registrations(&self, limit: usize) -> Vec<RegistrationRecord> {
        self.signalling.newest_registrations(self.now, limit)
    }

    /// How many registrations are tracked.
    #[must_use]
    pub fn registrations_tracked(&self) -> usize {
        self.signalling.registrations_tracked()
    }

    /// How many calls are in progress.
    #[must_use]
    pub fn calls_in_progress(&self) -> usize {
        self.signalling.calls_in_progress()
    }

    /// Adds what is counted of signalling.
    pub fn count(&self, counters: &mut EngineCounters) {
        counters.add_signalling(&self.signalling.counters());
        counters.lost_by_capture += self.losses.total();
        self.strays.count(counters);
    }

    /// Entries of the tables of signalling.
    #[cfg(test)]
    pub(super) fn signalling_sizes(&self) -> (usize, usize, usize, usize) {
        self.signalling.sizes()
    }
}
