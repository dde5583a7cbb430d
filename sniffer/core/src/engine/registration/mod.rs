//! One registration as its signalling tells it: REGISTER requests with one Call-ID for one address of record, their
//! challenges and answers, and the contacts that are bound. The same message twice changes nothing but counters.

mod contacts;

use self::contacts::Contacts;
use super::{
    OtherSerial, Timeouts,
    call::{
        seen::{self, At, Seen, Sight},
        texts::{Field, Texts},
    },
    methods::Noted,
    table::Keyed,
};
use crate::{
    decode::Endpoint,
    limits,
    record::{RegistrationDetails, RegistrationRecord, RegistrationState},
    sip::{Header, Message, NameAddr, StartLine, fields},
    time::Timestamp,
};

/// A registration being tracked.
#[derive(Debug)]
pub struct Registration {
    /// Its name.
    pub serial: OtherSerial,
    key: Box<[u8]>,
    call_id: Box<[u8]>,
    /// The address of record of the last request.
    aor: u32,
    texts: Texts,
    seen: Seen,
    state: RegistrationState,
    final_status: Option<u16>,
    start: Timestamp,
    last: Timestamp,
    source: Endpoint,
    destination: Endpoint,
    /// CSeq number of the request that waits for its answer, or had it.
    cseq: u32,
    asked: Option<Timestamp>,
    contacts: Contacts,
    requests: u32,
    challenges: u32,
    failures: u32,
    refreshes: u32,
    moved: u32,
    /// Microseconds from a request to its final answer, the longest.
    slowest: Option<u64>,
    /// As what it was told while it goes on, and when.
    told: Option<(RegistrationState, Timestamp)>,
}

impl Keyed for Registration {
    fn key(&self) -> &[u8] {
        &self.key
    }

    fn heap_bytes(&self) -> usize {
        let names = self.key.len().saturating_add(self.call_id.len());
        names.saturating_add(self.texts.heap_bytes()).saturating_add(self.contacts.heap_bytes())
    }
}

/// What a further registration with a known Call-ID is found by: the first is found by the Call-ID alone.
pub fn key(message: &Message<'_>, key: &mut Vec<u8>) {
    key.clear();
    key.extend(message.call_id);
    key.push(0);
    let aor = NameAddr::parse(message.to).uri;
    key.extend(aor.get(..limits::URI_BYTES).unwrap_or(aor));
}

impl Registration {
    /// Begins a registration with the first of its messages that was seen.
    pub fn new(serial: OtherSerial, key: &[u8], message: &Message<'_>, at: &At) -> Self {
        let is_request = matches!(message.start, StartLine::Request { .. });
        let (source, destination) = if is_request { (at.source, at.destination) } else { (at.destination, at.source) };
        let mut texts = Texts::default();
        texts.put(Field::To, NameAddr::parse(message.to).uri);
        Self {
            serial,
            key: key.into(),
            call_id: message.call_id.into(),
            aor: aor(message),
            texts,
            seen: Seen::default(),
            state: RegistrationState::Trying,
            final_status: None,
            start: at.time,
            last: at.time,
            source,
            destination,
            cseq: message.cseq,
            asked: None,
            contacts: Contacts::default(),
            requests: 0,
            challenges: 0,
            failures: 0,
            refreshes: 0,
            moved: 0,
            slowest: None,
            told: None,
        }
    }

    /// Says whether a message with this Call-ID is of this registration. A phone may try one account after the other with
    /// one Call-ID; a gateway may keep all its users registered with one (RFC 3261, section 10.2).
    pub fn is_of(&self, message: &Message<'_>) -> bool {
        self.state != RegistrationState::Registered || aor(message) == self.aor
    }

    /// By what registrations are put in the order of their last activity.
    pub fn activity(&self) -> (Timestamp, &[u8]) {
        (self.last, &self.call_id)
    }

    /// Takes a message of this registration.
    pub fn on(&mut self, message: &Message<'_>, at: &At) -> Noted {
        let sight = self.seen.look(message, message.call_id, seen::branch(message), at);
        self.last = self.last.max(at.time);
        if sight == Sight::Copy {
            return Noted { sight, response: None };
        }
        let is_new = sight == Sight::New;
        let response = match message.start {
            StartLine::Request { .. } => {
                self.request(message, at, is_new);
                None
            }
            StartLine::Response { status, .. } => self.answer(status, message, at.time, is_new),
        };
        self.texts.settle();
        Noted { sight, response }
    }

    fn request(&mut self, message: &Message<'_>, at: &At, is_new: bool) {
        if !is_new {
            return;
        }
        self.requests = self.requests.saturating_add(1);
        self.aor = aor(message);
        self.cseq = message.cseq;
        self.asked = Some(at.time);
        if let Some(agent) = message.first(Header::UserAgent) {
            self.texts.put(Field::CallerAgent, agent);
        }
        if let Some(contact) = message.contact {
            self.texts.clear(Field::CallerContact);
            self.texts.put(Field::CallerContact, NameAddr::parse(contact).uri);
        }
        (self.source, self.destination) = (at.source, at.destination);
        self.contacts.ask(message);
    }

    fn answer(
        &mut self,
        status: u16,
        message: &Message<'_>,
        time: Timestamp,
        is_new: bool,
    ) -> Option<std::time::Duration> {
        // An answer to a request that was overtaken says nothing of the registration.
        if status < 200 || message.cseq < self.cseq {
            return None;
        }
        if message.cseq > self.cseq {
            // Its request was not captured.
            self.cseq = message.cseq;
            self.asked = None;
            self.contacts.ask_nothing();
        }
        self.final_status = Some(status);
        let was = self.state;
        self.state = match status {
            200..=299 if self.contacts.removes() => RegistrationState::Unregistered,
            200..=299 => RegistrationState::Registered,
            401 | 407 => RegistrationState::Challenged,
            _ => RegistrationState::Failed,
        };
        if !is_new {
            return None;
        }
        match self.state {
            RegistrationState::Registered => {
                if was_bound(was, &self.contacts) {
                    self.refreshes = self.refreshes.saturating_add(1);
                }
                if self.contacts.bind(message, self.source, time) {
                    self.moved = self.moved.saturating_add(1);
                }
            }
            RegistrationState::Unregistered => _ = self.contacts.bind(message, self.source, time),
            RegistrationState::Challenged => self.challenges = self.challenges.saturating_add(1),
            RegistrationState::Failed => self.failures = self.failures.saturating_add(1),
            RegistrationState::Trying => {}
        }
        let response = time.since(self.asked.take()?);
        let micros = u64::try_from(response.as_micros()).unwrap_or(u64::MAX);
        self.slowest = Some(self.slowest.map_or(micros, |slowest| slowest.max(micros)));
        Some(response)
    }

    /// When the registration is given up, if nothing more is seen of it: silence, or the last contact's end.
    pub fn deadline(&self, timeouts: &Timeouts) -> Timestamp {
        let idle = self.last.after(timeouts.registration_idle);
        self.contacts.last_end().map_or(idle, |end| end.max(idle))
    }

    /// Says whether who keeps records is to know of it: its state has settled as another one, or it was told long ago.
    pub fn is_to_tell(&self, now: Timestamp) -> bool {
        let is_settled = match self.state {
            RegistrationState::Trying | RegistrationState::Challenged => false,
            RegistrationState::Registered | RegistrationState::Unregistered | RegistrationState::Failed => true,
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

    /// The registration as a record, as it is at this time.
    pub fn record(&self, now: Timestamp) -> RegistrationRecord {
        let aor = self.texts.owned(Field::To).unwrap_or_default();
        let (number, domain) = super::call::number_and_domain(&aor);
        let expires_at = self.contacts.last_end().filter(|_| self.state == RegistrationState::Registered);
        RegistrationRecord {
            call_id: fields::text(&self.call_id, limits::CALL_ID_BYTES),
            aor,
            contact: self.texts.owned(Field::CallerContact),
            state: self.state,
            final_status: self.final_status,
            start: self.start,
            last: self.last,
            requests: self.requests,
            details: Box::new(RegistrationDetails {
                number,
                domain,
                user_agent: self.texts.owned(Field::CallerAgent),
                src: Some(self.source.to_string()),
                dst: Some(self.destination.to_string()),
                contacts: self.contacts.records(now),
                expires_at,
                expired: expires_at.is_some_and(|end| end <= now),
                challenges: self.challenges,
                failures: self.failures,
                refreshes: self.refreshes,
                moved: self.moved,
                retransmissions: self.seen.retransmissions,
                copies: self.seen.copies,
                response_ms_max: self.slowest.map(|micros| crate::bytes::float(micros) / 1000.0),
            }),
        }
    }
}

fn aor(message: &Message<'_>) -> u32 {
    seen::fingerprint(NameAddr::parse(message.to).uri)
}

fn was_bound(was: RegistrationState, contacts: &Contacts) -> bool {
    match was {
        RegistrationState::Registered => true,
        // Each refresh may be challenged anew.
        RegistrationState::Challenged => contacts.last_end().is_some(),
        RegistrationState::Trying | RegistrationState::Unregistered | RegistrationState::Failed => false,
    }
}
