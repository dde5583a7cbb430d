//! SIP messages to calls and registrations, and the timers of both.

use std::cmp::Reverse;

use super::{Call, Engine, Event, Registration, Timer};
use crate::{
    limits, sdp,
    sip::{Message, Method, StartLine},
    slab::Id,
    time::Timestamp,
};

impl Engine {
    /// Takes a parsed message.
    pub(super) fn sip_message(&mut self, message: &Message<'_>) {
        self.counters.sip_messages += 1;
        let method = match message.start {
            StartLine::Request { method, .. } => {
                *self.counters.sip_requests.entry(method).or_default() += 1;
                method
            }
            StartLine::Response { .. } => message.cseq_method,
        };
        if method == Method::Register {
            self.registration_message(message);
        } else {
            self.call_message(message, method);
        }
    }

    fn call_message(&mut self, message: &Message<'_>, method: Method) {
        let mut id = self.call_ids.get(message.call_id).copied();
        if let Some(old) = id
            && self.calls.get(old).is_some_and(|call| call.is_reused_by(message, self.now))
        {
            self.remove_call(old);
            id = None;
        }
        let id = match id {
            Some(id) => id,
            // Only an INVITE or an answer to one begins a call: the rest of a call that began before the capture is
            // counted and nothing else.
            None if method == Method::Invite => match self.begin_call(message) {
                Some(id) => id,
                None => return,
            },
            None => return,
        };
        let now = self.now;
        let Some(call) = self.calls.get_mut(id) else { return };
        call.on(message, now);
        let author = call.author(message);
        if sdp::is_sdp(message.content_type, message.body) {
            self.announce(id, author, sdp::parse(message.body));
        }
        self.schedule_call(id);
    }

    fn begin_call(&mut self, message: &Message<'_>) -> Option<Id> {
        while self.calls.is_full() {
            let oldest = self.call_order.pop_front()?;
            if self.calls.get(oldest).is_some() {
                self.counters.evicted += 1;
                self.remove_call(oldest);
            }
        }
        let id = self.calls.insert(Call::new(message, self.now))?;
        self.call_ids.insert(message.call_id.into(), id);
        self.call_order.push_back(id);
        if self.call_order.len() > limits::CALLS.saturating_mul(2) {
            let calls = &self.calls;
            self.call_order.retain(|&id| calls.get(id).is_some());
        }
        self.counters.calls += 1;
        Some(id)
    }

    /// Sets the call's timer where it has none, or a later one than it needs. At most one timer of a call counts; one
    /// that was overtaken is passed over when it comes.
    fn schedule_call(&mut self, id: Id) {
        let last_seen = self.last_seen(id);
        let Some(call) = self.calls.get_mut(id) else { return };
        let deadline = call.deadline(last_seen);
        if call.timer.is_none_or(|timer| deadline < timer) {
            call.timer = Some(deadline);
            self.timers.push(Reverse((deadline, Timer::Call(id))));
        }
    }

    pub(super) fn call_timer(&mut self, id: Id, time: Timestamp) {
        let last_seen = self.last_seen(id);
        let now = self.now;
        let Some(call) = self.calls.get_mut(id) else { return };
        if call.timer != Some(time) {
            return;
        }
        call.timer = None;
        if call.deadline(last_seen) > now {
            self.schedule_call(id);
            return;
        }
        call.time_out(last_seen);
        self.remove_call(id);
    }

    /// The last sign of life of a call, in signalling or media.
    pub(super) fn last_seen(&self, id: Id) -> Timestamp {
        let Some(call) = self.calls.get(id) else { return self.now };
        let media = call.streams.iter().filter_map(|&(stream, _)| self.streams.get(stream)).map(|one| one.stream.last);
        media.fold(call.last_message, Timestamp::max)
    }

    /// Takes a call out of all tables and reports it.
    pub(super) fn remove_call(&mut self, id: Id) {
        let Some(ended) = self.ended_call(id) else { return };
        let Some(call) = self.calls.remove(id) else { return };
        if self.call_ids.get(&call.call_id) == Some(&id) {
            self.call_ids.remove(&call.call_id);
        }
        for announced in &call.announced {
            if self.expectations.get(&announced.rtp).is_some_and(|expectation| expectation.call == id) {
                self.expectations.remove(&announced.rtp);
            }
        }
        for (stream, _) in call.streams {
            self.forget_stream(stream);
        }
        self.events.push_back(Event::Call(Box::new(ended)));
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
                self.counters.evicted += 1;
                self.remove_registration(oldest);
            }
        }
        let registration = Registration::new(message, self.now);
        let deadline = registration.deadline();
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

    pub(super) fn registration_timer(&mut self, id: Id) {
        let Some(registration) = self.registrations.get(id) else { return };
        let deadline = registration.deadline();
        if deadline > self.now {
            self.timers.push(Reverse((deadline, Timer::Registration(id))));
        } else {
            self.remove_registration(id);
        }
    }

    pub(super) fn remove_registration(&mut self, id: Id) {
        let Some(registration) = self.registrations.remove(id) else { return };
        self.registration_ids.remove(&registration.call_id);
        self.events.push_back(Event::Registration(Box::new(registration.record())));
    }
}
