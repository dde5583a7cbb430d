//! Requests outside calls, registrations and subscriptions (OPTIONS, MESSAGE, PUBLISH, INFO, …, and what is left of dialogs
//! that began before the capture): one exchange for each method between two hosts with the same From and To. A keep-alive
//! every half minute is one record an hour, and a flood of odd requests stays below the table's bound.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::{
    OtherSerial,
    call::{
        seen::{self, At, Seen, Sight, fingerprint},
        texts::{Field, Texts},
    },
    methods::{Noted, ResponseTime, Results},
    table::Keyed,
};
use crate::{
    decode::Endpoint,
    limits,
    record::ExchangeRecord,
    sip::{Header, Message, Method, StartLine, fields},
    time::Timestamp,
};

/// An exchange being counted.
#[derive(Debug)]
pub struct Exchange {
    /// Its name.
    pub serial: OtherSerial,
    key: [u8; 8],
    call_id: Box<[u8]>,
    texts: Texts,
    seen: Seen,
    method: Method,
    source: Endpoint,
    destination: Endpoint,
    start: Timestamp,
    last: Timestamp,
    /// Requests that wait for their final answer: fingerprint and time.
    open: Vec<(u32, Timestamp)>,
    requests: u32,
    unanswered: u32,
    results: Results,
    response: ResponseTime,
}

impl Keyed for Exchange {
    fn key(&self) -> &[u8] {
        &self.key
    }

    fn heap_bytes(&self) -> usize {
        self.call_id.len().saturating_add(self.texts.heap_bytes())
    }
}

/// What an exchange is found by. A request and its answer have the same.
pub fn key(message: &Message<'_>, at: &At, hash_seed: u64) -> [u8; 8] {
    let (source, destination) = ends(message, at);
    let what =
        (message.method().name(), source.address, destination.address, seen::uri(message.from), seen::uri(message.to));
    FixedState::with_seed(hash_seed).hash_one(what).to_be_bytes()
}

fn ends(message: &Message<'_>, at: &At) -> (Endpoint, Endpoint) {
    match message.start {
        StartLine::Request { .. } => (at.source, at.destination),
        StartLine::Response { .. } => (at.destination, at.source),
    }
}

impl Exchange {
    /// Begins an exchange with the first of its messages that was seen.
    pub fn new(serial: OtherSerial, key: [u8; 8], message: &Message<'_>, at: &At) -> Self {
        let (source, destination) = ends(message, at);
        let mut texts = Texts::default();
        texts.put(Field::From, seen::uri(message.from));
        texts.put(Field::To, seen::uri(message.to));
        Self {
            serial,
            key,
            call_id: message.call_id.into(),
            texts,
            seen: Seen::default(),
            method: message.method(),
            source,
            destination,
            start: at.time,
            last: at.time,
            open: Vec::new(),
            requests: 0,
            unanswered: 0,
            results: Results::default(),
            response: ResponseTime::default(),
        }
    }

    /// Takes a message of this exchange.
    pub fn on(&mut self, message: &Message<'_>, at: &At) -> Noted {
        let branch = seen::branch(message);
        let sight = self.seen.look(message, message.call_id, branch, at);
        self.last = self.last.max(at.time);
        let mut response = None;
        match sight {
            Sight::Copy | Sight::Retransmission | Sight::OtherHop => {}
            Sight::New => {
                let which = fingerprint((message.call_id, message.cseq, branch));
                match message.start {
                    StartLine::Request { .. } => self.request(which, message, at.time),
                    StartLine::Response { status, .. } if status >= 200 => {
                        self.results.add(status);
                        if let Some(place) = self.open.iter().position(|(open, _)| *open == which) {
                            let (_, asked) = self.open.swap_remove(place);
                            response = Some(at.time.since(asked));
                        }
                    }
                    StartLine::Response { .. } => {}
                }
            }
        }
        if let Some(response) = response {
            self.response.add(response);
        }
        self.texts.settle();
        Noted { sight, response }
    }

    fn request(&mut self, which: u32, message: &Message<'_>, time: Timestamp) {
        self.requests = self.requests.saturating_add(1);
        for (field, header) in [(Field::CallerAgent, Header::UserAgent), (Field::Event, Header::Event)] {
            if !self.texts.has(field)
                && let Some(value) = message.first(header)
            {
                self.texts.put(field, value);
            }
        }
        // Nothing answers an ACK.
        if self.method == Method::Ack {
            return;
        }
        if self.open.len() >= limits::EXCHANGE_REQUESTS {
            let oldest =
                self.open.iter().zip(0_usize..).min_by_key(|((_, time), place)| (*time, *place)).map(|one| one.1);
            if let Some(oldest) = oldest {
                self.open.swap_remove(oldest);
            }
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.open.reserve_exact(1);
        self.open.push((which, time));
    }

    /// When the exchange is reported: after silence, or at an age.
    pub fn deadline(&self) -> Timestamp {
        self.last.after(limits::EXCHANGE_IDLE).min(self.start.after(limits::EXCHANGE_LONGEST))
    }

    /// The exchange as a record.
    pub fn record(&self) -> ExchangeRecord {
        let from = self.texts.owned(Field::From).unwrap_or_default();
        let to = self.texts.owned(Field::To).unwrap_or_default();
        let waiting = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        ExchangeRecord {
            method: self.method.name().to_owned(),
            from,
            to,
            src: self.source.to_string(),
            dst: self.destination.to_string(),
            call_id: fields::text(&self.call_id, limits::CALL_ID_BYTES),
            event: self.texts.owned(Field::Event),
            user_agent: self.texts.owned(Field::CallerAgent),
            start: self.start,
            last: self.last,
            requests: self.requests,
            unanswered: self.unanswered.saturating_add(waiting),
            retransmissions: self.seen.retransmissions,
            copies: self.seen.copies,
            results: self.results.record(),
            response_ms_mean: self.response.mean_ms(),
            response_ms_max: self.response.max_ms(),
        }
    }
}
