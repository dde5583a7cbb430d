//! The signalling half: SIP messages to calls and registrations, and the timers of both. It knows of media only what it
//! is told with [`Signalling::active`], and decides which call a media endpoint belongs to.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

use foldhash::quality::FixedState;

use super::{CallSerial, Expect, Settings, Side, call::Call, registration::Registration};
use crate::{
    decode::{Datagram, Endpoint},
    limits,
    query::CallKey,
    record::{CallRecord, RegistrationRecord},
    sdp,
    sip::{Message, Method, StartLine},
    slab::{Id, Slab},
    time::Timestamp,
};

/// What signalling wants done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Expect media of a call: to the media half of every worker.
    Expect(Expect),
    /// A call is out of all tables: its streams are to be collected from every worker, and the call reported.
    Ended(Box<ClosedCall>),
    /// A registration is out of all tables.
    Registration(Box<RegistrationRecord>),
}

/// A call as signalling tells it, without its media.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedCall {
    /// Its name.
    pub serial: CallSerial,
    /// Its stable identity.
    pub key: CallKey,
    /// The record; what media knows is filled in when its streams are joined.
    pub record: CallRecord,
}

/// What is counted of signalling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignallingCounters {
    /// SIP messages.
    pub messages: u64,
    /// Requests by method, in the order of [`Method::ALL`].
    pub requests: [u64; Method::ALL.len()],
    /// Calls begun.
    pub calls: u64,
    /// Registrations begun.
    pub registrations: u64,
    /// Calls given up early because their table was full.
    pub evicted_calls: u64,
    /// Registrations given up early because their table was full.
    pub evicted_registrations: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Call(Id),
    Registration(Id),
}

/// See the module's text.
#[derive(Debug)]
pub struct Signalling {
    settings: Settings,
    now: Timestamp,
    begun: u64,
    calls: Slab<Call>,
    call_ids: HashMap<Box<[u8]>, Id, FixedState>,
    call_order: VecDeque<Id>,
    registrations: Slab<Registration>,
    registration_ids: HashMap<Box<[u8]>, Id, FixedState>,
    registration_order: VecDeque<Id>,
    /// Which call each announced media endpoint belongs to.
    endpoints: HashMap<Endpoint, CallSerial, FixedState>,
    timers: BinaryHeap<Reverse<(Timestamp, Timer)>>,
    actions: VecDeque<Action>,
    counters: SignallingCounters,
}

impl Signalling {
    /// Makes a signalling half that has seen nothing.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let hasher = || FixedState::with_seed(settings.hash_seed);
        Self {
            settings: settings.clone(),
            now: Timestamp::default(),
            begun: 0,
            calls: Slab::new(settings.tables.calls),
            call_ids: HashMap::with_hasher(hasher()),
            call_order: VecDeque::new(),
            registrations: Slab::new(settings.tables.registrations),
            registration_ids: HashMap::with_hasher(hasher()),
            registration_order: VecDeque::new(),
            endpoints: HashMap::with_hasher(hasher()),
            timers: BinaryHeap::new(),
            actions: VecDeque::new(),
            counters: SignallingCounters::default(),
        }
    }

    /// Takes a parsed message, and says whose it was.
    pub fn message(&mut self, now: Timestamp, _datagram: &Datagram<'_>, message: &Message<'_>) -> Option<CallSerial> {
        self.now = now;
        self.counters.messages += 1;
        let method = match message.start {
            StartLine::Request { method, .. } => {
                self.count(method);
                method
            }
            StartLine::Response { .. } => message.cseq_method,
        };
        if method == Method::Register {
            self.registration_message(message);
            None
        } else {
            self.call_message(message, method)
        }
    }

    fn count(&mut self, method: Method) {
        for (known, count) in Method::ALL.iter().zip(&mut self.counters.requests) {
            if *known == method {
                *count += 1;
            }
        }
    }

    fn call_message(&mut self, message: &Message<'_>, method: Method) -> Option<CallSerial> {
        let mut id = self.call_ids.get(message.call_id).copied();
        if let Some(old) = id
            && self.calls.get(old).is_some_and(|call| call.is_reused_by(message, self.now, &self.settings.timeouts))
        {
            self.remove_call(old);
            id = None;
        }
        let id = match id {
            Some(id) => id,
            // Only an INVITE or an answer to one begins a call: the rest of a call that began before the capture is
            // counted and nothing else.
            None if method == Method::Invite => self.begin_call(message)?,
            None => return None,
        };
        let now = self.now;
        let call = self.calls.get_mut(id)?;
        call.on(message, now);
        let (serial, author) = (call.serial, call.author(message));
        if sdp::is_sdp(message.content_type, message.body) {
            self.announce(id, author, sdp::parse(message.body));
        }
        self.schedule_call(id);
        Some(serial)
    }

    fn begin_call(&mut self, message: &Message<'_>) -> Option<Id> {
        while self.calls.is_full() {
            let oldest = self.call_order.pop_front()?;
            if self.calls.get(oldest).is_some() {
                self.counters.evicted_calls += 1;
                self.remove_call(oldest);
            }
        }
        // The serial holds the place, which is known once the call has one.
        let id = self.calls.insert(Call::new(CallSerial::new(0, 0), message, self.now))?;
        self.begun += 1;
        if let Some(call) = self.calls.get_mut(id) {
            call.serial = CallSerial::new(self.begun, id.place());
        }
        self.call_ids.insert(message.call_id.into(), id);
        self.call_order.push_back(id);
        if self.call_order.len() > self.settings.tables.calls.saturating_mul(2) {
            let calls = &self.calls;
            self.call_order.retain(|&id| calls.get(id).is_some());
        }
        self.counters.calls += 1;
        Some(id)
    }

    /// Tells media what one side of a call announced.
    fn announce(&mut self, id: Id, side: Side, announced: Vec<sdp::Media>) {
        for media in announced {
            let Some(call) = self.calls.get_mut(id) else { return };
            let serial = call.serial;
            if !call.announce(media.rtp) {
                continue;
            }
            let takes = self.take_endpoint(media.rtp, serial);
            self.actions.push_back(Action::Expect(Expect { call: serial, side, media, takes }));
        }
    }

    /// Gives an endpoint to a call unless another that is alive has it: with a back-to-back user agent two calls announce
    /// the same endpoints, and the streams stay together in the first. False when the other keeps it.
    fn take_endpoint(&mut self, endpoint: Endpoint, serial: CallSerial) -> bool {
        if let Some(&old) = self.endpoints.get(&endpoint)
            && old != serial
            && let Some(owner) = self.find(old)
            && !owner.has_ended()
            && owner.last_seen().after(self.settings.timeouts.endpoint_idle) > self.now
        {
            return false;
        }
        self.endpoints.insert(endpoint, serial);
        true
    }

    /// The call with a serial.
    fn find(&self, serial: CallSerial) -> Option<&Call> {
        self.calls.get(self.calls.at(serial.place())?).filter(|call| call.serial == serial)
    }

    fn find_mut(&mut self, serial: CallSerial) -> Option<&mut Call> {
        self.calls.get_mut(self.calls.at(serial.place())?).filter(|call| call.serial == serial)
    }

    /// Takes note that media of a call flowed in this second.
    pub fn active(&mut self, serial: CallSerial, last: Timestamp) {
        if let Some(call) = self.find_mut(serial) {
            call.last_media = call.last_media.max(last);
        }
    }

    /// Takes note that packets of a call were lost on the way to a sink.
    pub fn lost_of(&mut self, serial: CallSerial, packets: u64) {
        if let Some(call) = self.find_mut(serial) {
            call.refused = call.refused.saturating_add(packets);
        }
    }

    /// Sets the call's timer where it has none, or a later one than it needs. At most one timer of a call counts; one
    /// that was overtaken is passed over when it comes.
    fn schedule_call(&mut self, id: Id) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let deadline = call.deadline(&self.settings.timeouts);
        if call.timer.is_none_or(|timer| deadline < timer) {
            call.timer = Some(deadline);
            self.timers.push(Reverse((deadline, Timer::Call(id))));
        }
    }

    /// When [`Signalling::advance`] has something to do.
    #[must_use]
    #[inline]
    pub fn due(&self) -> Timestamp {
        self.timers.peek().map_or(Timestamp::NEVER, |&Reverse((time, _))| time)
    }

    /// Gives up what has been silent for too long.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = now;
        while let Some(&Reverse((time, timer))) = self.timers.peek()
            && time <= now
        {
            self.timers.pop();
            match timer {
                Timer::Call(id) => self.call_timer(id, time),
                Timer::Registration(id) => self.registration_timer(id),
            }
        }
    }

    fn call_timer(&mut self, id: Id, time: Timestamp) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.timer != Some(time) {
            return;
        }
        call.timer = None;
        if call.deadline(&self.settings.timeouts) > now {
            self.schedule_call(id);
            return;
        }
        call.time_out(call.last_seen());
        self.remove_call(id);
    }

    /// Takes a call out of all tables and reports it.
    fn remove_call(&mut self, id: Id) {
        let Some(call) = self.calls.remove(id) else { return };
        if self.call_ids.get(&call.call_id) == Some(&id) {
            self.call_ids.remove(&call.call_id);
        }
        for endpoint in &call.endpoints {
            if self.endpoints.get(endpoint) == Some(&call.serial) {
                self.endpoints.remove(endpoint);
            }
        }
        self.actions.push_back(Action::Ended(Box::new(closed(&call))));
    }

    fn registration_message(&mut self, message: &Message<'_>) {
        let id = match self.registration_ids.get(message.call_id) {
            Some(&id) => id,
            None => match self.begin_registration(message) {
                Some(id) => id,
                None => return,
            },
        };
        let now = self.now;
        if let Some(registration) = self.registrations.get_mut(id) {
            registration.on(message, now);
        }
    }

    fn begin_registration(&mut self, message: &Message<'_>) -> Option<Id> {
        while self.registrations.is_full() {
            let oldest = self.registration_order.pop_front()?;
            if self.registrations.get(oldest).is_some() {
                self.counters.evicted_registrations += 1;
                self.remove_registration(oldest);
            }
        }
        let registration = Registration::new(message, self.now);
        let deadline = registration.deadline(&self.settings.timeouts);
        let id = self.registrations.insert(registration)?;
        self.registration_ids.insert(message.call_id.into(), id);
        self.registration_order.push_back(id);
        if self.registration_order.len() > limits::REGISTRATIONS.saturating_mul(2) {
            let registrations = &self.registrations;
            self.registration_order.retain(|&id| registrations.get(id).is_some());
        }
        self.timers.push(Reverse((deadline, Timer::Registration(id))));
        self.counters.registrations += 1;
        Some(id)
    }

    fn registration_timer(&mut self, id: Id) {
        let Some(registration) = self.registrations.get(id) else { return };
        let deadline = registration.deadline(&self.settings.timeouts);
        if deadline > self.now {
            self.timers.push(Reverse((deadline, Timer::Registration(id))));
        } else {
            self.remove_registration(id);
        }
    }

    fn remove_registration(&mut self, id: Id) {
        let Some(registration) = self.registrations.remove(id) else { return };
        self.registration_ids.remove(&registration.call_id);
        self.actions.push_back(Action::Registration(Box::new(registration.record())));
    }

    /// Ends all calls, in the order in which they began.
    pub fn finish_calls(&mut self) {
        let mut calls: Vec<_> = self.calls.iter().map(|(id, call)| (call.start, id)).collect();
        calls.sort_unstable();
        for (_, id) in calls {
            self.remove_call(id);
        }
    }

    /// Ends all registrations, in the order in which they began.
    pub fn finish_registrations(&mut self) {
        let mut registrations: Vec<_> = self.registrations.iter().map(|(id, one)| (one.start, id)).collect();
        registrations.sort_unstable();
        for (_, id) in registrations {
            self.remove_registration(id);
        }
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> &SignallingCounters {
        &self.counters
    }

    /// All calls that are tracked, as they are.
    pub fn calls(&self) -> impl Iterator<Item = ClosedCall> {
        self.calls.iter().map(|(_, call)| closed(call))
    }

    /// A call that is tracked, as it is.
    pub fn call(&self, serial: CallSerial) -> Option<ClosedCall> {
        self.find(serial).map(closed)
    }

    /// Where a call that is tracked stands.
    pub fn call_state(&self, serial: CallSerial) -> Option<crate::record::CallState> {
        self.find(serial).map(Call::state)
    }

    /// All calls that are tracked, and where they stand.
    pub fn states(&self) -> impl Iterator<Item = (CallSerial, crate::record::CallState)> {
        self.calls.iter().map(|(_, call)| (call.serial, call.state()))
    }

    /// How many calls are in progress.
    #[must_use]
    pub fn calls_in_progress(&self) -> usize {
        self.calls.iter().filter(|(_, call)| !call.has_ended()).count()
    }

    /// All registrations that are tracked, as they are.
    pub fn registrations(&self) -> impl Iterator<Item = RegistrationRecord> {
        self.registrations.iter().map(|(_, registration)| registration.record())
    }

    /// Entries of the tables: calls, Call-IDs, endpoints, timers.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.calls.len(), self.call_ids.len(), self.endpoints.len(), self.timers.len())
    }
}

fn closed(call: &Call) -> ClosedCall {
    ClosedCall { serial: call.serial, key: call.key(), record: call.record() }
}
