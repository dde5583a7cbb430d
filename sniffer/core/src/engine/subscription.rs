//! One subscription as its signalling tells it (RFC 6665): SUBSCRIBE, or REFER outside a call (RFC 3515), with its NOTIFY
//! requests.

use std::time::Duration;

use super::{
    OtherSerial,
    call::{
        fragment_status, refer_target,
        seen::{self, At, Seen, Sight},
        texts::{Field, Texts},
    },
    methods::Noted,
    table::Keyed,
};
use crate::{
    decode::Endpoint,
    limits,
    record::{SubscriptionRecord, SubscriptionState},
    sip::{Header, Message, Method, NameAddr, Parameters, StartLine, fields},
    time::Timestamp,
};

/// A subscription being tracked.
#[derive(Debug)]
pub struct Subscription {
    /// Its name.
    pub serial: OtherSerial,
    call_id: Box<[u8]>,
    texts: Texts,
    seen: Seen,
    state: SubscriptionState,
    final_status: Option<u16>,
    start: Timestamp,
    last: Timestamp,
    source: Endpoint,
    destination: Endpoint,
    method: Method,
    cseq: u32,
    asked: Option<Timestamp>,
    asked_seconds: Option<u32>,
    until: Option<Timestamp>,
    outcome: Option<u16>,
    requests: u32,
    notifies: u32,
    /// As what it was told while it goes on, and when.
    told: Option<(SubscriptionState, Timestamp)>,
}

impl Keyed for Subscription {
    fn key(&self) -> &[u8] {
        &self.call_id
    }

    fn heap_bytes(&self) -> usize {
        self.call_id.len().saturating_add(self.texts.heap_bytes())
    }
}

impl Subscription {
    /// Begins a subscription with the first of its messages that was seen.
    pub fn new(serial: OtherSerial, message: &Message<'_>, at: &At) -> Self {
        let is_request = matches!(message.start, StartLine::Request { .. });
        let (source, destination) = if is_request { (at.source, at.destination) } else { (at.destination, at.source) };
        let mut texts = Texts::default();
        texts.put(Field::From, seen::uri(message.from));
        texts.put(Field::To, seen::uri(message.to));
        texts.settle();
        Self {
            serial,
            call_id: message.call_id.into(),
            texts,
            seen: Seen::default(),
            state: SubscriptionState::Trying,
            final_status: None,
            start: at.time,
            last: at.time,
            source,
            destination,
            method: message.method(),
            cseq: message.cseq,
            asked: None,
            asked_seconds: None,
            until: None,
            outcome: None,
            requests: 0,
            notifies: 0,
            told: None,
        }
    }

    /// Takes a message of this subscription.
    pub fn on(&mut self, message: &Message<'_>, at: &At) -> Noted {
        let sight = self.seen.look(message, message.call_id, seen::branch(message), at);
        self.last = self.last.max(at.time);
        if sight != Sight::New {
            return Noted { sight, response: None };
        }
        let mut response = None;
        match (message.start, message.method()) {
            (StartLine::Request { .. }, Method::Subscribe | Method::Refer) => self.request(message, at.time),
            (StartLine::Request { .. }, Method::Notify) => self.notify(message, at.time),
            (StartLine::Response { status, .. }, Method::Subscribe | Method::Refer) => {
                response = self.answer(status, message, at.time);
            }
            _ => {}
        }
        self.texts.settle();
        Noted { sight, response }
    }

    fn request(&mut self, message: &Message<'_>, time: Timestamp) {
        self.requests = self.requests.saturating_add(1);
        self.cseq = message.cseq;
        self.asked = Some(time);
        self.asked_seconds = message.expires.and_then(seconds);
        if let Some(event) = message.first(Header::Event) {
            self.texts.put(Field::Event, event);
        }
        if let Some(agent) = message.first(Header::UserAgent) {
            self.texts.put(Field::CallerAgent, agent);
        }
        if let Some(value) = message.first(Header::ReferTo) {
            self.texts.put(Field::Redirect, refer_target(value).0);
        }
    }

    fn answer(&mut self, status: u16, message: &Message<'_>, time: Timestamp) -> Option<Duration> {
        if status < 200 || message.cseq < self.cseq {
            return None;
        }
        self.final_status = Some(status);
        let granted = message.expires.and_then(seconds).or(self.asked_seconds);
        match status {
            200..=299 if granted == Some(0) => self.state = SubscriptionState::Terminated,
            200..=299 => {
                // What NOTIFY said already stays: it may overtake the answer.
                if matches!(
                    self.state,
                    SubscriptionState::Trying | SubscriptionState::Challenged | SubscriptionState::Failed
                ) {
                    self.state = SubscriptionState::Active;
                }
                self.until = granted.map(|seconds| time.after(Duration::from_secs(u64::from(seconds))));
            }
            401 | 407 => self.state = SubscriptionState::Challenged,
            _ => self.state = SubscriptionState::Failed,
        }
        Some(time.since(self.asked.take()?))
    }

    fn notify(&mut self, message: &Message<'_>, time: Timestamp) {
        self.notifies = self.notifies.saturating_add(1);
        if let Some(event) = message.first(Header::Event) {
            self.texts.put(Field::Event, event);
        }
        if let Some(status) = fragment_status(message.body) {
            self.outcome = Some(status);
        }
        let Some(value) = message.first(Header::SubscriptionState) else { return };
        let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
        let (state, parameters) = value.split_at_checked(end).unwrap_or((value, &[]));
        let state = state.trim_ascii();
        if state.eq_ignore_ascii_case(b"active") {
            self.state = SubscriptionState::Active;
        } else if state.eq_ignore_ascii_case(b"pending") {
            self.state = SubscriptionState::Pending;
        } else if state.eq_ignore_ascii_case(b"terminated") {
            self.state = SubscriptionState::Terminated;
            if let Some(reason) = Parameters(parameters).get(b"reason") {
                self.texts.put(Field::ReasonText, reason);
            }
        }
        if let Some(seconds) = Parameters(parameters).get(b"expires").and_then(seconds) {
            self.until = Some(time.after(Duration::from_secs(u64::from(seconds))));
        }
    }

    /// When the subscription is given up, if nothing more is seen of it.
    pub fn deadline(&self, idle: Duration) -> Timestamp {
        let linger = match self.state {
            SubscriptionState::Terminated | SubscriptionState::Failed => limits::CALL_LINGER,
            SubscriptionState::Trying | SubscriptionState::Challenged => limits::CALL_SETUP_IDLE,
            SubscriptionState::Active | SubscriptionState::Pending => {
                let quiet = self.last.after(idle);
                return self.until.map_or(quiet, |until| {
                    until.after(limits::CALL_LINGER).min(self.last.after(limits::CALL_LONGEST))
                });
            }
        };
        self.last.after(linger)
    }

    /// Says whether who keeps records is to know of it: its state has settled as another one, or it was told long ago.
    pub fn is_to_tell(&self, now: Timestamp) -> bool {
        let is_settled = match self.state {
            SubscriptionState::Trying | SubscriptionState::Challenged => false,
            SubscriptionState::Pending
            | SubscriptionState::Active
            | SubscriptionState::Terminated
            | SubscriptionState::Failed => true,
        };
        match self.told {
            None => is_settled,
            Some((state, when)) => {
                is_settled && state != self.state || self.last > when && now.since(when) >= limits::OTHER_TELL
            }
        }
    }

    /// Takes note that it was told.
    pub fn told(&mut self, now: Timestamp) {
        self.told = Some((self.state, now));
    }

    /// The subscription as a record, as it is at this time.
    pub fn record(&self, now: Timestamp) -> SubscriptionRecord {
        let is_on = matches!(self.state, SubscriptionState::Active | SubscriptionState::Pending);
        let expires_at = self.until.filter(|_| is_on);
        SubscriptionRecord {
            call_id: fields::text(&self.call_id, limits::CALL_ID_BYTES),
            method: self.method.name().to_owned(),
            from: self.texts.owned(Field::From).unwrap_or_default(),
            to: self.texts.owned(Field::To).unwrap_or_default(),
            event: self.texts.owned(Field::Event),
            refer_to: self.texts.owned(Field::Redirect),
            user_agent: self.texts.owned(Field::CallerAgent),
            src: self.source.to_string(),
            dst: self.destination.to_string(),
            state: self.state,
            final_status: self.final_status,
            outcome: self.outcome,
            reason: self.texts.owned(Field::ReasonText),
            start: self.start,
            last: self.last,
            expires_at,
            expired: expires_at.is_some_and(|end| end <= now),
            requests: self.requests,
            notifies: self.notifies,
            retransmissions: self.seen.retransmissions,
            copies: self.seen.copies,
        }
    }
}

fn seconds(value: &[u8]) -> Option<u32> {
    let digits = NameAddr::parse(value).uri;
    if digits.len() > 9 && digits.iter().all(u8::is_ascii_digit) {
        return Some(999_999_999);
    }
    fields::number(digits).and_then(|seconds| u32::try_from(seconds).ok())
}
