//! One registration as its signalling tells it: REGISTER requests with one Call-ID, their challenges and answers.

use super::Timeouts;
use crate::{
    limits,
    record::{RegistrationRecord, RegistrationState},
    sip::{Message, Method, StartLine, fields},
    time::Timestamp,
};

/// A registration being tracked.
#[derive(Debug)]
pub struct Registration {
    /// The Call-ID as on the wire.
    pub call_id: Box<[u8]>,
    aor: String,
    contact: Option<String>,
    state: RegistrationState,
    final_status: Option<u16>,
    /// First message.
    pub start: Timestamp,
    /// Last message.
    pub last: Timestamp,
    requests: u32,
    cseq: Option<u32>,
    removes: bool,
}

impl Registration {
    /// Begins a registration with the first of its messages that was seen.
    pub fn new(message: &Message<'_>, time: Timestamp) -> Self {
        Self {
            call_id: message.call_id.into(),
            aor: fields::uri(message.to),
            contact: None,
            state: RegistrationState::Trying,
            final_status: None,
            start: time,
            last: time,
            requests: 0,
            cseq: None,
            removes: false,
        }
    }

    /// Takes a message of this registration.
    pub fn on(&mut self, message: &Message<'_>, time: Timestamp) {
        self.last = time;
        match message.start {
            StartLine::Request { method: Method::Register, .. } => self.request(message),
            StartLine::Request { .. } => {}
            StartLine::Response { status, .. } => self.answer(status),
        }
    }

    fn request(&mut self, message: &Message<'_>) {
        // A retransmission has the same number.
        if self.cseq.replace(message.cseq) != Some(message.cseq) {
            self.requests = self.requests.saturating_add(1);
        }
        if let Some(contact) = message.contact {
            self.contact = Some(fields::uri(contact));
        }
        // A contact's own expires wins over the header (RFC 3261, section 10.2.1.1).
        let of_contact = message.contact.and_then(|contact| fields::contact_parameter(contact, b"expires"));
        let expires = of_contact.or(message.expires).and_then(fields::number);
        self.removes = expires == Some(0);
    }

    fn answer(&mut self, status: u16) {
        if status < 200 {
            return;
        }
        self.final_status = Some(status);
        self.state = match status {
            200..=299 if self.removes => RegistrationState::Unregistered,
            200..=299 => RegistrationState::Registered,
            401 | 407 => RegistrationState::Challenged,
            _ => RegistrationState::Failed,
        };
    }

    /// When the registration is given up, if nothing more is seen of it.
    pub fn deadline(&self, timeouts: &Timeouts) -> Timestamp {
        self.last.after(timeouts.registration_idle)
    }

    /// The registration as a record.
    pub fn record(&self) -> RegistrationRecord {
        RegistrationRecord {
            call_id: fields::text(&self.call_id, limits::CALL_ID_BYTES),
            aor: self.aor.clone(),
            contact: self.contact.clone(),
            state: self.state,
            final_status: self.final_status,
            start: self.start,
            last: self.last,
            requests: self.requests,
        }
    }
}
