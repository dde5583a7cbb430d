//! Registrations, subscriptions and exchanges: their tables and timers.

use super::{Action, Signalling, timers::Timer};
use crate::{
    engine::{
        call::At,
        exchange::{self, Exchange},
        registration::{self, Registration},
        subscription::Subscription,
    },
    sip::{Message, Method},
    slab::Id,
    time::Timestamp,
};

impl Signalling {
    pub(super) fn registration_message(&mut self, message: &Message<'_>, at: &At) {
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
        if let Some(noted) = id.and_then(|id| self.registrations.change(id, |one| one.on(message, at))) {
            self.counters.methods.count(message, noted);
        }
        while let Some(oldest) = self.registrations.evict_heavy() {
            self.actions.push_back(Action::Registration(Box::new(oldest.record(self.now))));
        }
    }

    fn begin_registration(&mut self, key: &[u8], message: &Message<'_>, at: &At) -> Option<Id> {
        while let Some(oldest) = self.registrations.evict() {
            self.actions.push_back(Action::Registration(Box::new(oldest.record(self.now))));
        }
        let registration = Registration::new(key, message, at);
        let deadline = registration.deadline(&self.settings.timeouts);
        let id = self.registrations.add(registration)?;
        self.set_timer(deadline, Timer::Registration(id));
        Some(id)
    }

    pub(super) fn registration_timer(&mut self, id: Id) {
        let Some(registration) = self.registrations.get(id) else { return };
        let deadline = registration.deadline(&self.settings.timeouts);
        if deadline > self.now {
            self.set_timer(deadline, Timer::Registration(id));
        } else if let Some(registration) = self.registrations.remove(id) {
            self.actions.push_back(Action::Registration(Box::new(registration.record(self.now))));
        }
    }

    /// Takes a message that belongs to no call and is no REGISTER.
    pub(super) fn other_message(&mut self, message: &Message<'_>, at: &At) {
        let method = message.method();
        if matches!(method, Method::Subscribe | Method::Refer | Method::Notify) {
            let begins = method != Method::Notify;
            let known = self.subscriptions.find(message.call_id);
            let id = known.or_else(|| if begins { self.begin_subscription(message, at) } else { None });
            if let Some(noted) = id.and_then(|id| self.subscriptions.change(id, |one| one.on(message, at))) {
                self.counters.methods.count(message, noted);
                return;
            }
        }
        let key = exchange::key(message, at, self.settings.hash_seed);
        let id = self.exchanges.find(&key).or_else(|| self.begin_exchange(key, message, at));
        if let Some(noted) = id.and_then(|id| self.exchanges.change(id, |one| one.on(message, at))) {
            self.counters.methods.count(message, noted);
        }
    }

    fn begin_subscription(&mut self, message: &Message<'_>, at: &At) -> Option<Id> {
        while let Some(oldest) = self.subscriptions.evict() {
            self.actions.push_back(Action::Subscription(Box::new(oldest.record(self.now))));
        }
        let subscription = Subscription::new(message, at);
        let deadline = subscription.deadline(self.settings.timeouts.registration_idle);
        let id = self.subscriptions.add(subscription)?;
        self.set_timer(deadline, Timer::Subscription(id));
        Some(id)
    }

    pub(super) fn subscription_timer(&mut self, id: Id) {
        let Some(subscription) = self.subscriptions.get(id) else { return };
        let deadline = subscription.deadline(self.settings.timeouts.registration_idle);
        if deadline > self.now {
            self.set_timer(deadline, Timer::Subscription(id));
        } else if let Some(subscription) = self.subscriptions.remove(id) {
            self.actions.push_back(Action::Subscription(Box::new(subscription.record(self.now))));
        }
    }

    fn begin_exchange(&mut self, key: [u8; 8], message: &Message<'_>, at: &At) -> Option<Id> {
        while let Some(oldest) = self.exchanges.evict() {
            self.actions.push_back(Action::Exchange(Box::new(oldest.record())));
        }
        let exchange = Exchange::new(key, message, at);
        let deadline = exchange.deadline();
        let id = self.exchanges.add(exchange)?;
        self.set_timer(deadline, Timer::Exchange(id));
        Some(id)
    }

    pub(super) fn exchange_timer(&mut self, id: Id) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let deadline = exchange.deadline();
        if deadline > self.now {
            self.set_timer(deadline, Timer::Exchange(id));
        } else if let Some(exchange) = self.exchanges.remove(id) {
            self.actions.push_back(Action::Exchange(Box::new(exchange.record())));
        }
    }

    /// Ends all registrations, subscriptions and exchanges, each in the order in which they began.
    pub fn finish_registrations(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for one in self.registrations.drain() {
            self.actions.push_back(Action::Registration(Box::new(one.record(self.now))));
        }
        for one in self.subscriptions.drain() {
            self.actions.push_back(Action::Subscription(Box::new(one.record(self.now))));
        }
        for one in self.exchanges.drain() {
            self.actions.push_back(Action::Exchange(Box::new(one.record())));
        }
    }
}
