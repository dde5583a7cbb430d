//! The end of a call: BYE with its credentials, CANCEL and its races, who hung up and why.

use super::{
    Call,
    invite::ForkState,
    seen::At,
    side::Side,
    texts::{Field, Texts},
};
use crate::{
    record::{CallState, Timeout},
    sip::{Header, Message, Parameters, fields, unquoted, values},
    time::Timestamp,
};

/// How a call ended.
#[derive(Debug, Default)]
pub(super) struct Release {
    /// Who ended it.
    pub(super) by: Option<Side>,
    /// Why nobody did.
    pub(super) timeout: Option<Timeout>,
    /// Seen behind a proxy only: another fork may still answer.
    pub(super) is_tentative: bool,
    /// Cause by ITU-T Q.850 (RFC 3326).
    pub(super) q850: Option<u16>,
    /// Cause as a SIP status (RFC 3326).
    pub(super) sip: Option<u16>,
    /// CSeq number of the last BYE.
    bye: u32,
}

impl Release {
    /// Takes the Reason headers of the message that ends the call. The first of each protocol stays.
    pub(super) fn learn_reason(&mut self, message: &Message<'_>, texts: &mut Texts) {
        if !message.headers.has(Header::Reason) {
            return;
        }
        for value in message.all(Header::Reason).flat_map(values) {
            let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
            let (protocol, parameters) = value.split_at_checked(end).unwrap_or((value, &[]));
            let parameters = Parameters(parameters);
            let cause = parameters.get(b"cause").and_then(fields::number).and_then(|cause| u16::try_from(cause).ok());
            let place = match protocol.trim_ascii() {
                name if name.eq_ignore_ascii_case(b"Q.850") => &mut self.q850,
                name if name.eq_ignore_ascii_case(b"SIP") => &mut self.sip,
                _ => continue,
            };
            if place.is_none() {
                *place = cause;
            }
            if let Some(text) = parameters.get(b"text") {
                texts.put(Field::ReasonText, unquoted(text, crate::limits::DISPLAY_NAME_BYTES).as_bytes());
            }
        }
    }
}

impl Call {
    pub(super) fn bye(&mut self, message: &Message<'_>, side: Side, at: &At) {
        let is_near = self.is_on_first_hop(at);
        self.release.bye = message.cseq;
        let other = match side {
            Side::Caller => message.to_tag.number,
            Side::Callee => message.from_tag.number,
        };
        if let Some(fork) = self.invite.fork_mut(other) {
            fork.state = ForkState::Ended;
            if self.invite.is_anyone_there(is_near) {
                // A surplus answer is hung up (RFC 3261, section 13.2.2.4); the call goes on with another.
                return;
            }
        }
        let others_ring = self.answered.is_none() && self.invite.forks().any(|fork| fork.state == ForkState::Early);
        self.finish(CallState::Completed, at.time, Some(side), others_ring);
        self.release.learn_reason(message, &mut self.texts);
    }

    /// The answer to a BYE tells of a BYE that was not captured; a BYE refused for want of credentials ended nothing.
    pub(super) fn bye_answer(&mut self, status: u16, message: &Message<'_>, side: Side, at: &At) {
        if status < 200 {
            return;
        }
        let asker = side.other();
        if !matches!(status, 401 | 407) {
            if self.end.is_none() {
                self.bye(message, asker, at);
            }
            return;
        }
        if self.state == CallState::Completed && message.cseq == self.release.bye {
            let other = match asker {
                Side::Caller => message.to_tag.number,
                Side::Callee => message.from_tag.number,
            };
            if let Some(fork) = self.invite.fork_mut(other) {
                fork.state = if fork.was_confirmed { ForkState::Confirmed } else { ForkState::Early };
            }
            let before = if self.answered.is_some() { CallState::InCall } else { CallState::Ringing };
            self.resume(before);
        }
    }

    pub(super) fn cancel(&mut self, message: &Message<'_>, at: &At) {
        if self.answered.is_some() || message.cseq < self.waits_for() {
            return;
        }
        let is_first_hop = self.is_from_caller(at);
        self.finish(CallState::Cancelled, at.time, Some(Side::Caller), !is_first_hop);
        self.release.learn_reason(message, &mut self.texts);
    }

    /// The answer to a CANCEL tells of a CANCEL that was not captured.
    pub(super) fn cancel_answer(&mut self, status: u16, at: &At) {
        if (200..300).contains(&status) && self.answered.is_none() {
            let is_first_hop = self.is_from_callee(at);
            self.finish(CallState::Cancelled, at.time, Some(Side::Caller), !is_first_hop);
        }
    }

    /// Ends the call unless it has ended: a CANCEL keeps its meaning when 487 follows, and a fork's refusal its time.
    pub(super) fn finish(&mut self, state: CallState, time: Timestamp, by: Option<Side>, is_tentative: bool) {
        let is_bye = state == CallState::Completed && self.state != CallState::Completed;
        let is_surer = self.release.is_tentative && !is_tentative;
        if self.end.is_some() && !is_bye && !is_surer {
            return;
        }
        if self.end.is_none() || is_bye || self.state != CallState::Cancelled {
            self.end = Some(time.max(self.start));
            self.state = state;
            self.release.by = by;
        }
        self.release.is_tentative = is_tentative;
        self.release.timeout = None;
    }

    /// The call goes on: a next round, an answer that won, a BYE that was refused.
    pub(super) fn resume(&mut self, state: CallState) {
        self.state = state;
        self.end = None;
        self.release = super::release::Release { bye: self.release.bye, ..Default::default() };
        self.texts.clear(Field::ReasonText);
    }
}
