//! One call as its signalling tells it: the state machine of an INVITE with its retransmissions, authentication rounds,
//! CANCEL races, re-INVITEs and BYE. Idempotent: the same message twice changes nothing.

use super::{CallSerial, Timeouts};
use crate::{
    decode::Endpoint,
    limits,
    query::CallKey,
    record::{CallRecord, CallState, Direction},
    sip::{Message, Method, StartLine, fields},
    time::Timestamp,
};

/// Who of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who sent the first INVITE.
    Caller,
    /// Who was called.
    Callee,
}

impl Side {
    /// The one it talks to.
    pub fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }

    /// The direction of media that this side receives.
    pub fn receives(self) -> Direction {
        match self {
            Self::Caller => Direction::CalleeToCaller,
            Self::Callee => Direction::CallerToCallee,
        }
    }

    /// The direction of media that this side sends.
    pub fn sends(self) -> Direction {
        match self {
            Self::Caller => Direction::CallerToCallee,
            Self::Callee => Direction::CalleeToCaller,
        }
    }
}

/// A call being tracked.
#[derive(Debug)]
pub struct Call {
    /// Its name, never used again.
    pub serial: CallSerial,
    /// The Call-ID as on the wire.
    pub call_id: Box<[u8]>,
    from: String,
    to: String,
    caller_tag: Box<[u8]>,
    /// First message.
    pub start: Timestamp,
    answered: Option<Timestamp>,
    end: Option<Timestamp>,
    state: CallState,
    final_status: Option<u16>,
    /// Highest CSeq number of an INVITE by the caller.
    invite_cseq: u32,
    /// When an INVITE of the caller outside the dialog was last seen.
    last_invite: Timestamp,
    /// Last signalling message.
    pub last_message: Timestamp,
    /// The earliest time at which the engine looks at this call.
    pub timer: Option<Timestamp>,
    /// The last sign of life in media, cut off to the second.
    pub last_media: Timestamp,
    /// Messages or announcements of the call that found no place.
    pub refused: u64,
    /// Places announced for media, whether they are expected for this call or for another that has them.
    pub endpoints: Vec<Endpoint>,
}

impl Call {
    /// Begins a call with the first of its messages that was seen: an INVITE, or an answer to one.
    pub fn new(serial: CallSerial, message: &Message<'_>, time: Timestamp) -> Self {
        Self {
            serial,
            call_id: message.call_id.into(),
            from: fields::uri(message.from),
            to: fields::uri(message.to),
            caller_tag: fields::tag(message.from).into(),
            start: time,
            answered: None,
            end: None,
            state: CallState::Trying,
            final_status: None,
            invite_cseq: message.cseq,
            last_invite: time,
            last_message: time,
            timer: None,
            last_media: Timestamp::default(),
            refused: 0,
            endpoints: Vec::new(),
        }
    }

    /// Says whether a message begins another call with the same Call-ID: an INVITE outside a dialog after the BYE, or
    /// one that comes too late to be a retransmission (RFC 3261, timer B).
    pub fn is_reused_by(&self, message: &Message<'_>, time: Timestamp, timeouts: &Timeouts) -> bool {
        let is_invite = matches!(message.start, StartLine::Request { method: Method::Invite, .. });
        let is_late = message.cseq <= self.invite_cseq && self.last_invite.after(timeouts.call_linger) < time;
        is_invite && fields::tag(message.to).is_empty() && (self.state == CallState::Completed || is_late)
    }

    /// Takes a message of this call.
    pub fn on(&mut self, message: &Message<'_>, time: Timestamp) {
        self.last_message = time;
        match message.start {
            StartLine::Request { method: Method::Invite, .. } => self.invite(message, time),
            StartLine::Request { method: Method::Bye, .. } => self.finish(CallState::Completed, time),
            StartLine::Request { method: Method::Cancel, .. } if self.answered.is_none() => {
                self.finish(CallState::Cancelled, time);
            }
            StartLine::Request { .. } => {}
            StartLine::Response { status, .. } => match message.cseq_method {
                Method::Invite => self.invite_answer(status, time),
                // A BYE that was refused for want of credentials ended nothing.
                Method::Bye if matches!(status, 401 | 407) && self.state == CallState::Completed => {
                    self.state = if self.answered.is_some() { CallState::InCall } else { CallState::Ringing };
                    self.end = None;
                }
                Method::Bye
                | Method::Ack
                | Method::Cancel
                | Method::Register
                | Method::Options
                | Method::Prack
                | Method::Update
                | Method::Info
                | Method::Refer
                | Method::Subscribe
                | Method::Notify
                | Method::Message
                | Method::Publish
                | Method::Other => {}
            },
        }
    }

    /// An INVITE with a higher number after a refusal is the next round: credentials, or another address after 3xx.
    fn invite(&mut self, message: &Message<'_>, time: Timestamp) {
        if fields::tag(message.to).is_empty() {
            self.last_invite = time;
        }
        let by_caller = fields::tag(message.from) == &*self.caller_tag || fields::tag(message.to).is_empty();
        if self.answered.is_some() || !by_caller || message.cseq <= self.invite_cseq {
            return;
        }
        self.invite_cseq = message.cseq;
        if self.state.is_final() && self.state != CallState::Completed {
            self.state = CallState::Trying;
            self.end = None;
            self.final_status = None;
        }
    }

    fn invite_answer(&mut self, status: u16, time: Timestamp) {
        if self.answered.is_some() {
            // A re-INVITE, or another fork: the first answer counts.
            return;
        }
        match status {
            ..=100 => {}
            101..=199 => {
                if self.state == CallState::Trying {
                    self.state = CallState::Ringing;
                }
            }
            200..=299 => {
                self.answered = Some(time);
                self.final_status = Some(status);
                // An answer that crossed the CANCEL wins; one seen after the BYE (another capture port) does not.
                if self.state != CallState::Completed {
                    self.state = CallState::InCall;
                    self.end = None;
                }
            }
            _ => {
                self.final_status = Some(status);
                self.finish(refusal(status), time);
            }
        }
    }

    /// Ends the call unless it has ended: a CANCEL keeps its meaning when 487 follows, and a fork's refusal its time.
    fn finish(&mut self, state: CallState, time: Timestamp) {
        if self.end.is_none() || (state == CallState::Completed && self.state != CallState::Completed) {
            self.end = Some(time);
            self.state = state;
        }
    }

    /// Gives the call up after silence.
    pub fn time_out(&mut self, last_seen: Timestamp) {
        if self.end.is_none() {
            self.state = CallState::TimedOut;
            self.end = Some(last_seen);
        }
    }

    /// Where it stands.
    pub fn state(&self) -> CallState {
        self.state
    }

    /// Says whether the end was seen.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// The last sign of life, in signalling or media.
    pub fn last_seen(&self) -> Timestamp {
        self.last_message.max(self.last_media)
    }

    /// When the call is to be given up, if nothing more is seen of it.
    pub fn deadline(&self, timeouts: &Timeouts) -> Timestamp {
        let quiet = match (self.end, self.answered) {
            // People type passwords: the next round may take a while, and is the same call.
            (Some(end), _) if matches!(self.final_status, Some(401 | 407)) => end.after(timeouts.call_setup_idle),
            (Some(end), _) => end.after(timeouts.call_linger),
            (None, Some(_)) => self.last_seen().after(timeouts.call_idle),
            (None, None) => self.last_seen().after(timeouts.call_setup_idle),
        };
        quiet.min(self.start.after(timeouts.call_longest))
    }

    /// Whose message this is: requests come from the From side, answers from the To side.
    pub fn author(&self, message: &Message<'_>) -> Side {
        let tag = match message.start {
            StartLine::Request { .. } => fields::tag(message.from),
            StartLine::Response { .. } => fields::tag(message.to),
        };
        if tag == &*self.caller_tag { Side::Caller } else { Side::Callee }
    }

    /// Keeps a place announced for media. False when there are too many.
    pub fn announce(&mut self, endpoint: Endpoint) -> bool {
        if self.endpoints.contains(&endpoint) {
            return true;
        }
        if self.endpoints.len() >= limits::ENDPOINTS_PER_CALL {
            self.refused += 1;
            return false;
        }
        if self.endpoints.len() < 2 {
            self.endpoints.reserve_exact(1);
        }
        self.endpoints.push(endpoint);
        true
    }

    /// The stable identity of the call.
    pub fn key(&self) -> CallKey {
        CallKey::new(self.start, &self.call_id_text())
    }

    /// The Call-ID as text.
    pub fn call_id_text(&self) -> String {
        fields::text(&self.call_id, limits::CALL_ID_BYTES)
    }

    /// The call as a record, without what media knows.
    pub fn record(&self) -> CallRecord {
        CallRecord {
            call_id: self.call_id_text(),
            from: self.from.clone(),
            to: self.to.clone(),
            start: self.start,
            answered: self.answered,
            end: self.end,
            state: self.state,
            final_status: self.final_status,
            lost_here: self.refused > 0,
            ..CallRecord::default()
        }
    }
}

fn refusal(status: u16) -> CallState {
    match status {
        300..=399 => CallState::Redirected,
        408 | 480 => CallState::NoAnswer,
        486 | 600 => CallState::Busy,
        487 => CallState::Cancelled,
        603 => CallState::Declined,
        _ => CallState::Failed,
    }
}
