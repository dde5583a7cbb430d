//! The signalling half: SIP messages to calls and registrations, and the timers of both. It knows of media only what it
//! is told with [`Signalling::active`], and decides which call a media endpoint belongs to.

mod calls;
mod links;
mod order;
mod others;
mod timers;

use std::collections::VecDeque;

use foldhash::quality::FixedState;

use self::{
    order::Order,
    timers::{Timer, Timers},
};
use super::{
    CallSerial, Expect, OtherSerial, Settings, Whose,
    call::{At, Call, Quiet},
    correlation::Correlator,
    exchange::Exchange,
    methods::Methods,
    registration::Registration,
    subscription::Subscription,
    table::Table,
};
use crate::{
    decode::{Datagram, Transport},
    index::Index,
    limits,
    query::CallKey,
    record::{CallRecord, ExchangeRecord, RegistrationRecord, SipTransport, SubscriptionRecord},
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
    Registration {
        /// Its serial.
        serial: OtherSerial,
        /// What is known of it.
        record: Box<RegistrationRecord>,
    },
    /// A subscription is out of all tables.
    Subscription {
        /// Its serial.
        serial: OtherSerial,
        /// What is known of it.
        record: Box<SubscriptionRecord>,
    },
    /// An exchange is out of all tables.
    Exchange {
        /// Its serial.
        serial: OtherSerial,
        /// What is known of it.
        record: Box<ExchangeRecord>,
    },
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
    /// The times in which a side was not to be heard, as SDP agreed it.
    pub quiets: Vec<Quiet>,
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
    /// Subscriptions begun.
    pub subscriptions: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// Calls given up early because their table was full.
    pub evicted_calls: u64,
    /// Registrations given up early because their table was full.
    pub evicted_registrations: u64,
    /// Subscriptions given up early because their table was full.
    pub evicted_subscriptions: u64,
    /// Exchanges reported early because their table was full.
    pub evicted_exchanges: u64,
    /// What is counted of each method.
    pub methods: Methods,
}

/// See the module's text.
#[derive(Debug)]
pub struct Signalling {
    settings: Settings,
    now: Timestamp,
    begun: u64,
    /// Registrations, subscriptions and exchanges begun.
    others_begun: u64,
    calls: Slab<Call>,
    /// Bytes that all calls together have on the heap.
    call_bytes: usize,
    /// The place of each call by its Call-ID.
    call_ids: Index,
    call_order: Order,
    registrations: Table<Registration>,
    subscriptions: Table<Subscription>,
    exchanges: Table<Exchange>,
    correlator: Correlator,
    /// The key of the registration that is looked for.
    key: Vec<u8>,
    /// The place of the call that an announced media endpoint belongs to.
    endpoints: Index,
    hasher: FixedState,
    /// Calls that are still to be ended since [`Signalling::finish_calls`].
    finishing: VecDeque<Id>,
    timers: Timers,
    actions: VecDeque<Action>,
    counters: SignallingCounters,
}

impl Signalling {
    /// Makes a signalling half that has seen nothing.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            now: Timestamp::default(),
            begun: 0,
            others_begun: 0,
            calls: Slab::new(settings.tables.calls),
            call_bytes: 0,
            call_ids: Index::default(),
            call_order: Order::default(),
            registrations: Table::new(
                settings.tables.registrations,
                limits::REGISTRATION_HEAP_BYTES,
                settings.hash_seed,
            ),
            subscriptions: Table::new(settings.tables.subscriptions, limits::OTHER_HEAP_BYTES, settings.hash_seed),
            exchanges: Table::new(settings.tables.exchanges, limits::OTHER_HEAP_BYTES, settings.hash_seed),
            correlator: Correlator::new(&settings.correlation, settings.hash_seed),
            key: Vec::new(),
            endpoints: Index::default(),
            hasher: FixedState::with_seed(settings.hash_seed),
            finishing: VecDeque::new(),
            timers: Timers::default(),
            actions: VecDeque::new(),
            counters: SignallingCounters::default(),
        }
    }

    /// Takes a parsed message, and says whose it was.
    pub fn message(&mut self, now: Timestamp, datagram: &Datagram<'_>, message: &Message<'_>) -> Option<Whose> {
        self.now = now;
        self.counters.messages += 1;
        if let StartLine::Request { method, .. } = message.start {
            self.count(method);
        }
        let at = At {
            time: now,
            source: datagram.source,
            destination: datagram.destination,
            // Systems that never fragment send zero.
            ip_id: datagram.ip_id.filter(|&id| id != 0),
            transport: match datagram.transport {
                Transport::Udp => SipTransport::Udp,
                Transport::Tcp => SipTransport::Tcp,
                Transport::Sctp => SipTransport::Sctp,
                Transport::WebSocket => SipTransport::WebSocket,
            },
        };
        if message.method() == Method::Register {
            return self.registration_message(message, &at).map(Whose::Other);
        }
        match self.call_message(message, &at) {
            Some(call) => Some(Whose::Call(call)),
            None => self.other_message(message, &at).map(Whose::Other),
        }
    }

    fn count(&mut self, method: Method) {
        if let Some(count) = self.counters.requests.get_mut(method.number()) {
            *count += 1;
        }
    }

    /// When [`Signalling::advance`] has something to do.
    #[must_use]
    #[inline]
    pub fn due(&self) -> Timestamp {
        self.timers.due()
    }

    /// Gives up what has been silent for too long.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = now;
        while let Some((time, timer)) = self.timers.take(now) {
            match timer {
                Timer::Call(id) => self.call_timer(id, time),
                Timer::Registration(id) => self.registration_timer(id),
                Timer::Subscription(id) => self.subscription_timer(id),
                Timer::Exchange(id) => self.exchange_timer(id),
            }
        }
    }

    /// Ends all calls, in the order in which they began. Each is made into a record when its turn comes, see
    /// [`Signalling::next_action`]: the records of all would be as much memory again.
    pub fn finish_calls(&mut self) {
        let mut calls: Vec<_> = self.calls.iter().map(|(id, call)| (call.start, id)).collect();
        calls.sort_unstable();
        self.finishing = calls.into_iter().map(|(_, id)| id).collect();
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<Action> {
        while self.actions.is_empty()
            && let Some(id) = self.finishing.pop_front()
        {
            self.remove_call(id);
        }
        self.actions.pop_front()
    }

    /// What is counted.
    #[must_use]
    pub fn counters(&self) -> SignallingCounters {
        SignallingCounters {
            registrations: self.registrations.begun,
            subscriptions: self.subscriptions.begun,
            exchanges: self.exchanges.begun,
            evicted_registrations: self.registrations.evicted,
            evicted_subscriptions: self.subscriptions.evicted,
            evicted_exchanges: self.exchanges.evicted,
            ..self.counters.clone()
        }
    }

    /// All calls that are tracked, as they are.
    pub fn calls(&self) -> impl Iterator<Item = ClosedCall> {
        let is_grouped = self.correlator.is_on();
        self.calls.iter().map(move |(_, call)| closed(call, is_grouped))
    }

    /// A call that is tracked, as it is.
    pub fn call(&self, serial: CallSerial) -> Option<ClosedCall> {
        self.find(serial).map(|call| closed(call, self.correlator.is_on()))
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

    /// When each call that is tracked started.
    #[must_use]
    pub fn starts(&self) -> Vec<(Timestamp, CallSerial)> {
        self.calls.iter().map(|(_, call)| (call.start, call.serial)).collect()
    }

    /// The registrations that are tracked, as they are at this time, newest activity first, at most so many. Only those
    /// are made records.
    #[must_use]
    pub fn newest_registrations(&self, now: Timestamp, limit: usize) -> Vec<RegistrationRecord> {
        let mut newest: Vec<_> = self.registrations.iter().collect();
        if limit < newest.len() {
            newest.select_nth_unstable_by(limit, |a, b| b.activity().cmp(&a.activity()));
            newest.truncate(limit);
        }
        newest.sort_unstable_by(|a, b| b.activity().cmp(&a.activity()));
        newest.into_iter().map(|registration| registration.record(now)).collect()
    }

    /// How many registrations are tracked.
    #[must_use]
    pub fn registrations_tracked(&self) -> usize {
        self.registrations.len()
    }

    /// Entries of the tables: calls, Call-IDs, endpoints, timers.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize, usize) {
        (self.calls.len(), self.call_ids.len(), self.endpoints.len(), self.timers.len())
    }
}

fn closed(call: &Call, is_grouped: bool) -> ClosedCall {
    ClosedCall { serial: call.serial, key: call.key(), record: call.record(is_grouped), quiets: call.quiets().to_vec() }
}
