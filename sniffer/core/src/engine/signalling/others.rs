//! Registrations, subscriptions and exchanges: their tables and timers, and what is told of those that go on.

use super::{Action, Signalling, timers::Timer};
use crate::{
    engine::{
        OtherSerial,
        call::At,
        exchange::{self, Exchange},
        registration::{self, Registration},
        subscription::Subscription,
    },
    record::OtherRecord,
    sip::{Message, Method},
    slab::Id,
    time::Timestamp,
};

impl Signalling {
    fn next_other(&mut self) -> OtherSerial {
        self.others_begun = self.others_begun.saturating_add(1);
        OtherSerial::new(self.others_begun)
    }

    pub(super) fn registration_message(&mut self, message: &Message<'_>, at: &At) -> Option<OtherSerial> {
        let first = self.registrations.find(message.call_id);
        let id = match first.and_then(|id| self.registrations.get(id)) {
            None => self.begin_registration(message.call_id, message, at),
            Some(registration) if registration.is_of(message) => first,
            Some(_) => {
                let mut key = std::mem::take(&mut self.key);
                registration::key(message, &mut key);
                let id = self.registrations.find(&key).or_else(|| self.begin_registration(&key, message, at));
                self.key = key;
                id
            }
        };
        let noted = id.and_then(|id| self.registrations.change(id, |one| (one.serial, one.on(message, at))));
        if let Some((_, noted)) = noted {
            self.counters.methods.count(message, noted);
        }
        while let Some(oldest) = self.registrations.evict_heavy() {
            self.end_registration(&oldest);
        }
        noted.map(|(serial, _)| serial)
    }

    fn begin_registration(&mut self, key: &[u8], message: &Message<'_>, at: &At) -> Option<Id> {
        while let Some(oldest) = self.registrations.evict() {
            self.end_registration(&oldest);
        }
        let registration = Registration::new(self.next_other(), key, message, at);
        let deadline = registration.deadline(&self.settings.timeouts);
        let id = self.registrations.add(registration)?;
        self.set_timer(deadline, Timer::Registration(id));
        Some(id)
    }

    fn end_registration(&mut self, one: &Registration) {
        self.actions.push_back(Action::Registration { serial: one.serial, record: Box::new(one.record(self.now)) });
    }

    pub(super) fn registration_timer(&mut self, id: Id) {
        let Some(registration) = self.registrations.get(id) else { return };
        let deadline = registration.deadline(&self.settings.timeouts);
        if deadline > self.now {
            self.set_timer(deadline, Timer::Registration(id));
        } else if let Some(registration) = self.registrations.remove(id) {
            self.end_registration(&registration);
        }
    }

    /// Takes a message that belongs to no call and is no REGISTER.
    pub(super) fn other_message(&mut self, message: &Message<'_>, at: &At) -> Option<OtherSerial> {
        let method = message.method();
        if matches!(method, Method::Subscribe | Method::Refer | Method::Notify) {
            let begins = method != Method::Notify;
            let known = self.subscriptions.find(message.call_id);
            let id = known.or_else(|| if begins { self.begin_subscription(message, at) } else { None });
            let noted = id.and_then(|id| self.subscriptions.change(id, |one| (one.serial, one.on(message, at))));
            if let Some((serial, noted)) = noted {
                self.counters.methods.count(message, noted);
                return Some(serial);
            }
        }
        let key = exchange::key(message, at, self.settings.hash_seed);
        let id = self.exchanges.find(&key).or_else(|| self.begin_exchange(key, message, at))?;
        let (serial, noted) = self.exchanges.change(id, |one| (one.serial, one.on(message, at)))?;
        self.counters.methods.count(message, noted);
        Some(serial)
    }

    fn begin_subscription(&mut self, message: &Message<'_>, at: &At) -> Option<Id> {
        while let Some(oldest) = self.subscriptions.evict() {
            self.end_subscription(&oldest);
        }
        let subscription = Subscription::new(self.next_other(), message, at);
        let deadline = subscription.deadline(self.settings.timeouts.registration_idle);
        let id = self.subscriptions.add(subscription)?;
        self.set_timer(deadline, Timer::Subscription(id));
        Some(id)
    }

    fn end_subscription(&mut self, one: &Subscription) {
        self.actions.push_back(Action::Subscription { serial: one.serial, record: Box::new(one.record(self.now)) });
    }

    pub(super) fn subscription_timer(&mut self, id: Id) {
        let Some(subscription) = self.subscriptions.get(id) else { return };
        let deadline = subscription.deadline(self.settings.timeouts.registration_idle);
        if deadline > self.now {
            self.set_timer(deadline, Timer::Subscription(id));
        } else if let Some(subscription) = self.subscriptions.remove(id) {
            self.end_subscription(&subscription);
        }
    }

    fn begin_exchange(&mut self, key: [u8; 8], message: &Message<'_>, at: &At) -> Option<Id> {
        while let Some(oldest) = self.exchanges.evict() {
            self.end_exchange(&oldest);
        }
        let exchange = Exchange::new(self.next_other(), key, message, at);
        let deadline = exchange.deadline();
        let id = self.exchanges.add(exchange)?;
        self.set_timer(deadline, Timer::Exchange(id));
        Some(id)
    }

    fn end_exchange(&mut self, one: &Exchange) {
        self.actions.push_back(Action::Exchange { serial: one.serial, record: Box::new(one.record()) });
    }

    pub(super) fn exchange_timer(&mut self, id: Id) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let deadline = exchange.deadline();
        if deadline > self.now {
            self.set_timer(deadline, Timer::Exchange(id));
        } else if let Some(exchange) = self.exchanges.remove(id) {
            self.end_exchange(&exchange);
        }
    }

    /// Ends all registrations, subscriptions and exchanges, each in the order in which they began.
    pub fn finish_registrations(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for one in self.registrations.drain() {
            self.end_registration(&one);
        }
        for one in self.subscriptions.drain() {
            self.end_subscription(&one);
        }
        for one in self.exchanges.drain() {
            self.end_exchange(&one);
        }
    }

    /// Gives registrations and subscriptions that go on to `tell`, those at so many places of their tables from one on:
    /// each that has come to another state since it was told last, and from time to time. False when there are no more
    /// places. Exchanges are short, and told at their end.
    pub fn tell_others(&mut self, from: u32, most: u32, tell: &mut dyn FnMut(OtherSerial, OtherRecord)) -> bool {
        let now = self.now;
        for place in from..from.saturating_add(most) {
            if let Some(one) = self.registrations.peek_mut(place).filter(|one| one.is_to_tell(now)) {
                one.told(now);
                tell(one.serial, OtherRecord::Registration(Box::new(one.record(now))));
            }
            if let Some(one) = self.subscriptions.peek_mut(place).filter(|one| one.is_to_tell(now)) {
                one.told(now);
                tell(one.serial, OtherRecord::Subscription(Box::new(one.record(now))));
            }
        }
        self.registrations.has_place(from) || self.subscriptions.has_place(from)
    }
}
