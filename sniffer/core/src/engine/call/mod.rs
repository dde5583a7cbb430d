//! One call as its signalling tells it: an INVITE with its retransmissions, rounds, forks and CANCEL races, what
//! happens in its dialogs, and its end. Idempotent: the same message twice changes nothing but counters. Messages may be
//! missing, doubled or out of order; time is what they carry.

mod age;
mod audio;
mod invite;
mod parties;
mod release;
mod report;
pub mod seen;
mod session;
mod side;
pub mod texts;
mod transfer;

use std::time::Duration;

pub use self::{
    audio::Quiet,
    invite::replaced,
    parties::{is_anonymous, number_and_domain},
    seen::At,
    side::Side,
    transfer::{fragment_status, refer_target},
};
use self::{
    invite::Invite,
    seen::{Seen, Sight},
    session::Session,
    texts::{Field, Texts},
    transfer::Transfers,
};
use super::{CallSerial, Timeouts, methods::Noted};
use crate::{
    decode::Endpoint,
    ends::Ends,
    few::Few,
    limits,
    query::CallKey,
    record::{CallState, Correlated, SipTransport},
    sip::{Header, Message, Method, StartLine, fields},
    time::Timestamp,
};

/// A call being tracked.
#[derive(Debug)]
pub struct Call {
    /// Its name, never used again.
    pub serial: CallSerial,
    /// The Call-ID as on the wire.
    pub call_id: Box<[u8]>,
    /// What stands for the Call-ID in the call's key.
    key_hash: u64,
    /// First message.
    pub start: Timestamp,
    /// Last signalling message.
    pub last_message: Timestamp,
    /// The earliest time at which the engine looks at this call.
    pub timer: Option<Timestamp>,
    /// The last sign of life in media, cut off to the second; zero when there was none.
    pub last_media: Timestamp,
    /// Messages or announcements of the call that found no place.
    pub refused: u32,
    /// Bytes on the heap when it was looked at last.
    pub charged: u32,
    /// It is among those that go first when the table is full.
    pub is_listed: bool,
    /// Codecs that its announcements name.
    codecs: u16,
    /// Places announced for media.
    places: Few<Place, 2>,
    /// What other calls it belongs to; none when it is alone.
    pub group: Option<Box<(CallKey, Correlated)>>,
    /// Where the first message came from and went to, as the caller sees it.
    hop: Ends,
    state: CallState,
    answered: Option<Timestamp>,
    end: Option<Timestamp>,
    /// First 180 to 189.
    rang: Option<Timestamp>,
    final_status: Option<u16>,
    invite: Invite,
    /// Kept from the first thing on that has to do with it.
    session: Option<Box<Session>>,
    texts: Texts,
    seen: Seen,
    transfers: Option<Box<Transfers>>,
    release: release::Release,
    /// The request that waits for its answer: CSeq number, method, when.
    asked: Option<(u32, Method, Timestamp)>,
    messages: u32,
    transport: SipTransport,
}

/// What media keeps of a codec, or of a place, about.
const CODING_BYTES: usize = 40;

/// A place announced for media.
#[derive(Clone, Copy, Debug)]
struct Place {
    endpoint: Endpoint,
    /// It is expected for this call, and not for another that has it.
    is_own: bool,
}

impl Call {
    /// Begins a call with the first of its messages that was seen: an INVITE, or an answer to one.
    pub fn new(serial: CallSerial, message: &Message<'_>, at: &At) -> Self {
        let is_request = matches!(message.start, StartLine::Request { .. });
        let (caller, callee) = if is_request { (at.source, at.destination) } else { (at.destination, at.source) };
        let mut call = Self {
            serial,
            call_id: message.call_id.into(),
            key_hash: CallKey::hash_of(&fields::plain_text(message.call_id, limits::CALL_ID_BYTES)),
            start: at.time,
            last_message: at.time,
            timer: None,
            last_media: Timestamp::default(),
            refused: 0,
            charged: 0,
            is_listed: false,
            codecs: 0,
            places: Few::default(),
            group: None,
            hop: Ends::new(caller, callee),
            state: CallState::Trying,
            answered: None,
            end: None,
            rang: None,
            final_status: None,
            invite: Invite::new(message, at.time),
            session: None,
            texts: Texts::default(),
            seen: Seen::default(),
            transfers: None,
            release: release::Release::default(),
            asked: None,
            messages: 0,
            transport: at.transport,
        };
        // From and To with what follows the URIs, which makes room for the heads of all texts; and what both sides say of
        // themselves, the other about as long.
        let own = message.first(Header::UserAgent).map_or(0, <[u8]>::len);
        let own = own.saturating_add(message.contact.map_or(0, <[u8]>::len)).saturating_mul(2);
        call.texts.expect(message.from.len().saturating_add(message.to.len()).saturating_add(own));
        call.texts.put(Field::From, seen::uri(message.from));
        call.texts.put(Field::To, seen::uri(message.to));
        call
    }

    /// Takes a message of this call and says what it was to it.
    pub fn on(&mut self, message: &Message<'_>, at: &At) -> Noted {
        let branch = seen::branch(message);
        let sight = self.seen.look(message, b"", branch, at);
        self.last_message = self.last_message.max(at.time);
        if sight == Sight::Copy {
            return Noted { sight, response: None };
        }
        self.messages = self.messages.saturating_add(1);
        let side = self.author(message);
        self.invite.saw(side);
        self.learn_party(message, side);
        let is_new = sight == Sight::New;
        match message.start {
            StartLine::Request { method, .. } => self.request(method, message, branch, side, at, is_new),
            StartLine::Response { status, .. } => self.response(status, message, side, at, is_new),
        }
        self.texts.settle();
        let response = if is_new { self.response_time(message, at.time) } else { None };
        Noted { sight, response }
    }

    /// How long the last request waited, when this answers it finally; an INVITE, when this answers it at all.
    fn response_time(&mut self, message: &Message<'_>, time: Timestamp) -> Option<Duration> {
        let method = message.method();
        match message.status() {
            None if method != Method::Ack => self.asked = Some((message.cseq, method, time)),
            Some(status) if status >= 200 || method == Method::Invite => {
                if let Some((cseq, asked, since)) = self.asked
                    && (cseq, asked) == (message.cseq, method)
                {
                    self.asked = None;
                    return Some(time.since(since));
                }
            }
            None | Some(_) => {}
        }
        None
    }

    fn request(&mut self, method: Method, message: &Message<'_>, branch: &[u8], side: Side, at: &At, is_new: bool) {
        match method {
            Method::Invite => self.invite_request(message, branch, side, at, is_new),
            Method::Ack => self.ack(message),
            Method::Bye => self.bye(message, side, at),
            Method::Cancel => self.cancel(message, at),
            Method::Prack | Method::Update | Method::Info => self.dialog_request(message, is_new),
            Method::Refer => self.refer(message, side, at.time, is_new),
            Method::Notify => self.notify(message, side),
            Method::Register
            | Method::Options
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other => {}
        }
    }

    fn response(&mut self, status: u16, message: &Message<'_>, side: Side, at: &At, is_new: bool) {
        match message.cseq_method {
            Method::Invite => self.invite_answer(status, message, at, is_new),
            Method::Bye => self.bye_answer(status, message, side, at),
            Method::Cancel => self.cancel_answer(status, at),
            Method::Update => self.update_answer(status, message, side, at.time, is_new),
            Method::Refer => self.refer_answer(status, message, side),
            Method::Ack
            | Method::Register
            | Method::Options
            | Method::Prack
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other => {}
        }
    }

    /// Whose message this is: requests come from the From side, answers from the To side. Who sent the first INVITE is
    /// the caller, also in a dialog that a box in between opens under the same Call-ID with a tag of its own.
    pub fn author(&self, message: &Message<'_>) -> Side {
        match message.start {
            StartLine::Request { method: Method::Invite | Method::Cancel, .. } if message.to_tag.is_none() => {
                Side::Caller
            }
            StartLine::Request { .. } => self.invite.side_of(message.from_tag.number),
            StartLine::Response { .. } => self.invite.side_of(message.from_tag.number).other(),
        }
    }

    /// Bytes on the heap, here and where media keeps what it announced, roughly: what messages can make large is counted.
    pub fn heap_bytes(&self) -> u32 {
        let transfers = self.transfers.as_ref().map_or(0, |transfers| transfers.heap_bytes());
        let places = self.places.len().saturating_mul(size_of::<Place>().saturating_add(CODING_BYTES));
        let codecs = usize::from(self.codecs).saturating_mul(CODING_BYTES).min(limits::CALL_CODING_BYTES);
        let parts = [self.call_id.len(), self.texts.heap_bytes(), places, codecs, transfers];
        let bytes = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(*part));
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Keeps a place announced for media with so many codecs. False when there are too many.
    pub fn announce(&mut self, endpoint: Endpoint, codecs: usize) -> bool {
        if self.places.iter().any(|place| place.endpoint == endpoint) {
            return true;
        }
        if self.places.len() >= limits::ENDPOINTS_PER_CALL {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        self.places.push(Place { endpoint, is_own: false });
        self.codecs = self.codecs.saturating_add(u16::try_from(codecs).unwrap_or(u16::MAX));
        true
    }

    /// Says whether an announced place is this call's own.
    pub fn owns(&self, endpoint: &Endpoint) -> bool {
        self.owned().any(|own| own == endpoint)
    }

    /// Makes an announced place this call's own, or no more.
    pub fn own(&mut self, endpoint: &Endpoint, is_own: bool) {
        if let Some(place) = self.places.iter_mut().find(|place| place.endpoint == *endpoint) {
            place.is_own = is_own;
        }
    }

    /// The announced places that are this call's own.
    pub fn owned(&self) -> impl Iterator<Item = &Endpoint> {
        self.places.iter().filter(|place| place.is_own).map(|place| &place.endpoint)
    }

    /// The times in which a side was not to be heard, as SDP agreed it.
    pub fn quiets(&self) -> &[Quiet] {
        self.session().quiets()
    }

    /// Where the call stands.
    pub fn state(&self) -> CallState {
        self.state
    }

    /// The stable identity of the call.
    pub fn key(&self) -> CallKey {
        CallKey::of_hash(self.start, self.key_hash)
    }

    /// The Call-ID as text.
    pub fn call_id_text(&self) -> String {
        fields::text(&self.call_id, limits::CALL_ID_BYTES)
    }

    /// The user part of the URI that From, or To, had in the first INVITE, and whether an INVITE still waits for a
    /// ringing or an answer.
    pub fn is_setting_up(&self) -> bool {
        self.state == CallState::Trying && self.end.is_none()
    }

    /// When an INVITE outside the dialog was last seen.
    pub fn last_invite(&self) -> Timestamp {
        self.invite.last
    }

    /// A text of the call.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.texts.get(field)
    }

    fn learn_party(&mut self, message: &Message<'_>, side: Side) {
        parties::learn(&mut self.texts, message, side);
    }
}

/// Whole milliseconds and their fraction, to the microsecond.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
