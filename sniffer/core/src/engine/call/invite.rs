//! The INVITE that makes the call: its rounds (credentials, other addresses), its forks (RFC 3261, section 13.2.2.4), and
//! INVITEs within the dialog.

use super::{
    Call, Timeouts,
    seen::{At, branch, fingerprint, uri},
    side::Side,
    texts::Field,
};
use crate::{
    ends::Ends,
    few::Few,
    limits,
    record::CallState,
    sip::{Header, Message, Method, NameAddr, StartLine, fields, values},
    time::Timestamp,
};

/// What became of one answerer of an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForkState {
    Early,
    Confirmed,
    Ended,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fork {
    tag: u32,
    pub(super) state: ForkState,
    pub(super) was_confirmed: bool,
    /// Its answer was seen on the first hop. A proxy may change tags between hops: behind it the same answerer has another.
    is_near: bool,
}

/// One INVITE outside the dialog and its final answer.
#[derive(Clone, Copy, Debug)]
struct Round {
    cseq: u32,
    status: u16,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Invite {
    /// Tags of the caller: of the first INVITE, and of the last one outside the dialog.
    caller_tags: [u32; 2],
    /// Highest CSeq number of an INVITE by the caller until the answer.
    cseq: u32,
    /// Branch of that INVITE; zero when it has none.
    branch: u32,
    /// CSeq number of the INVITE that was answered.
    answered_cseq: u32,
    /// When an INVITE of the caller outside the dialog was last seen.
    pub(super) last: Timestamp,
    rounds: Few<Round, 1>,
    forks: Few<Fork, 1>,
    challenges: u16,
    stale: u16,
    is_seen: bool,
    is_acknowledged: bool,
    has_early_media: bool,
    by_caller: bool,
    by_callee: bool,
}

impl Invite {
    pub(super) fn new(message: &Message<'_>, time: Timestamp) -> Self {
        Self {
            caller_tags: [message.from_tag.number; 2],
            cseq: message.cseq,
            branch: 0,
            answered_cseq: 0,
            last: time,
            rounds: Few::default(),
            forks: Few::default(),
            challenges: 0,
            stale: 0,
            is_seen: false,
            is_acknowledged: false,
            has_early_media: false,
            by_caller: false,
            by_callee: false,
        }
    }

    pub(super) fn side_of(&self, tag: u32) -> Side {
        if self.caller_tags.contains(&tag) { Side::Caller } else { Side::Callee }
    }

    pub(super) fn saw(&mut self, side: Side) {
        match side {
            Side::Caller => self.by_caller = true,
            Side::Callee => self.by_callee = true,
        }
    }

    /// Whose messages were seen: the caller's, the callee's.
    pub(super) fn seen_sides(&self) -> (bool, bool) {
        (self.by_caller, self.by_callee)
    }

    /// The first INVITE, or one of its rounds, was seen.
    pub(super) fn is_seen(&self) -> bool {
        self.is_seen
    }

    /// An ACK came and no refusal: an answer was there, seen or not.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }

    pub(super) fn has_early_media(&self) -> bool {
        self.has_early_media
    }

    pub(super) fn challenges(&self) -> (u16, u16) {
        (self.challenges, self.stale)
    }

    pub(super) fn rounds(&self) -> impl Iterator<Item = u16> {
        self.rounds.iter().map(|round| round.status)
    }

    pub(super) fn forks(&self) -> impl Iterator<Item = &Fork> {
        self.forks.iter()
    }

    pub(super) fn fork_mut(&mut self, tag: u32) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| fork.tag == tag)
    }

    /// Says whether somebody who answered has not hung up; on the first hop, whether somebody whom it showed has not.
    pub(super) fn is_anyone_there(&self, is_near: bool) -> bool {
        self.forks.iter().any(|fork| fork.state == ForkState::Confirmed && (fork.is_near || !is_near))
    }

    fn fork(&mut self, tag: u32, state: ForkState, is_near: bool) {
        if tag == 0 {
            return;
        }
        let was_confirmed = state == ForkState::Confirmed;
        let is_near = is_near && was_confirmed;
        let has_room = self.forks.len() < limits::FORKS;
        match self.fork_mut(tag) {
            Some(fork) => {
                fork.was_confirmed |= was_confirmed;
                fork.is_near |= is_near;
                if fork.state == ForkState::Early {
                    fork.state = state;
                }
            }
            None if has_room => self.forks.push(Fork { tag, state, was_confirmed, is_near }),
            None => {}
        }
    }

    fn round(&mut self, cseq: u32, status: u16) {
        let has_room = self.rounds.len() < limits::INVITE_ROUNDS;
        let known = self.rounds.iter_mut().find(|round| round.cseq == cseq);
        match known {
            Some(round) if round.status < 200 || status < 300 || round.status >= 300 => round.status = status,
            Some(_) => {}
            None if has_room => self.rounds.push(Round { cseq, status }),
            None => {}
        }
    }
}

impl Call {
    /// Says whether a message begins another call with the same Call-ID: an INVITE outside a dialog after the BYE that is
    /// not the old one seen late, or one that comes too late to be a retransmission (RFC 3261, timer B).
    pub fn is_reused_by(&self, message: &Message<'_>, time: Timestamp, timeouts: &Timeouts) -> bool {
        let is_invite = matches!(message.start, StartLine::Request { method: Method::Invite, .. });
        if !is_invite || !message.to_tag.is_none() {
            return false;
        }
        let branch = branch(message);
        let invite = &self.invite;
        let is_late = message.cseq <= invite.cseq && invite.last.after(timeouts.call_linger) < time;
        let is_other = !invite.caller_tags.contains(&message.from_tag.number)
            || message.cseq > invite.cseq
            || (message.cseq == invite.cseq && (branch.is_empty() || fingerprint(branch) != invite.branch));
        is_late || (self.state == CallState::Completed && !self.release.is_tentative && is_other)
    }

    /// An INVITE with a higher number after a refusal is the next round: credentials, or another address after 3xx.
    pub(super) fn invite_request(&mut self, message: &Message<'_>, branch: &[u8], side: Side, at: &At, is_new: bool) {
        let is_outside = message.to_tag.is_none();
        if !is_outside {
            if is_new && (self.answered.is_some() || self.invite.is_seen) {
                self.session_mut().count_reinvite();
            }
            if is_new {
                self.note_offer(message);
            }
        }
        let invite = &mut self.invite;
        if is_outside {
            invite.last = invite.last.max(at.time);
            let from = message.from_tag.number;
            if !invite.caller_tags.contains(&from) {
                invite.caller_tags = [invite.caller_tags[0], from];
            }
            if !invite.is_seen {
                invite.is_seen = true;
                self.hop = Ends::new(at.source, at.destination);
            }
            super::parties::learn_invite(&mut self.texts, message);
        }
        if self.answered.is_some() || side == Side::Callee || message.cseq < invite.cseq {
            return;
        }
        if message.cseq == invite.cseq {
            if invite.branch == 0 && !branch.is_empty() {
                invite.branch = fingerprint(branch);
            }
            return;
        }
        invite.cseq = message.cseq;
        invite.branch = if branch.is_empty() { 0 } else { fingerprint(branch) };
        invite.is_acknowledged = false;
        if self.state.is_final() && self.state != CallState::Completed {
            self.resume(CallState::Trying);
            self.final_status = None;
        }
    }

    pub(super) fn invite_answer(&mut self, status: u16, message: &Message<'_>, at: &At, is_new: bool) {
        let by_caller = self.invite.side_of(message.from_tag.number) == Side::Caller;
        let to = message.to_tag.number;
        // An answer to a round that was overtaken says nothing of the call.
        let is_current = by_caller && message.cseq >= self.invite.cseq;
        match status {
            ..=100 => {}
            101..=199 => {
                if is_new && message.headers.has(Header::RSeq) {
                    self.session_mut().count_reliable(message);
                }
                if self.answered.is_none() && is_current {
                    self.ringing(status, to, message, at);
                }
            }
            200..=299 => self.accepted(status, to, by_caller, message, at, is_new),
            _ => {
                if is_new && matches!(status, 401 | 407) {
                    self.challenged(message);
                }
                let asker = if by_caller { Side::Caller } else { Side::Callee };
                self.refuse_offer(message.cseq, asker, at.time);
                if self.answered.is_none() && is_current {
                    self.refused(status, message, at);
                }
            }
        }
    }

    fn ringing(&mut self, status: u16, to: u32, message: &Message<'_>, at: &At) {
        self.invite.fork(to, ForkState::Early, self.is_on_first_hop(at));
        if self.state == CallState::Trying {
            self.state = CallState::Ringing;
        }
        if (180..190).contains(&status) {
            self.rang.get_or_insert(at.time);
        }
        self.invite.has_early_media |= !message.body.is_empty() && message.content_type.is_some();
    }

    fn accepted(&mut self, status: u16, to: u32, by_caller: bool, message: &Message<'_>, at: &At, is_new: bool) {
        let is_first = self.answered.is_none();
        if is_first {
            self.answered =
                Some(self.end.map_or(at.time, |end| if self.is_over_by_bye() { end.min(at.time) } else { at.time }));
            self.final_status = Some(status);
            self.invite.answered_cseq = message.cseq;
            self.invite.round(message.cseq, status);
        }
        if by_caller && message.cseq == self.invite.answered_cseq {
            self.invite.fork(to, ForkState::Confirmed, self.is_on_first_hop(at));
        }
        // An answer that crossed the CANCEL wins; one seen after the BYE (another capture port) does not, unless it was
        // another fork that was told BYE.
        let is_told_bye = self.invite.forks.iter().any(|fork| fork.tag == to && fork.state == ForkState::Ended);
        if is_first && (!self.is_over_by_bye() || (self.release.is_tentative && !is_told_bye)) {
            self.answered = Some(at.time);
            self.resume(CallState::InCall);
        }
        let asker = if by_caller { Side::Caller } else { Side::Callee };
        if is_new || is_first {
            self.agreed(message, asker, at.time, !is_first);
            self.accept_offer(message.cseq, asker);
        }
    }

    fn is_over_by_bye(&self) -> bool {
        self.state == CallState::Completed
    }

    fn challenged(&mut self, message: &Message<'_>) {
        self.invite.challenges = self.invite.challenges.saturating_add(1);
        let mut lines = message.all(Header::WwwAuthenticate).chain(message.all(Header::ProxyAuthenticate));
        if lines.any(is_stale) {
            self.invite.stale = self.invite.stale.saturating_add(1);
        }
    }

    fn refused(&mut self, status: u16, message: &Message<'_>, at: &At) {
        self.final_status = Some(status);
        self.invite.cseq = message.cseq;
        self.invite.round(message.cseq, status);
        self.invite.is_acknowledged = false;
        if status < 400 {
            for value in message.all(Header::Contact).flat_map(values) {
                self.texts.add(Field::Redirect, NameAddr::parse(value).uri);
            }
        }
        let by = if status == 487 { Side::Caller } else { Side::Callee };
        let is_tentative = self.invite.is_seen && !self.is_from_callee(at);
        self.finish(refusal(status), at.time, Some(by), is_tentative);
        self.release.learn_reason(message, &mut self.texts);
    }

    /// Says whether an answer takes the way that the first INVITE took: behind a forking proxy there are refusals that
    /// the caller never sees.
    pub(super) fn is_from_callee(&self, at: &At) -> bool {
        at.source.address == self.hop.destination().address && at.destination.address == self.hop.source().address
    }

    /// Says whether a message takes the way that the first INVITE took.
    pub(super) fn is_from_caller(&self, at: &At) -> bool {
        at.source.address == self.hop.source().address && at.destination.address == self.hop.destination().address
    }

    /// Says whether a message goes between the two that the first INVITE went between.
    pub(super) fn is_on_first_hop(&self, at: &At) -> bool {
        self.is_from_caller(at) || self.is_from_callee(at)
    }

    pub(super) fn ack(&mut self, message: &Message<'_>) {
        // A refusal is acknowledged too; without one it is an answer that was acknowledged.
        let is_refused = self.answered.is_none() && self.end.is_some();
        if !is_refused && !message.to_tag.is_none() && message.cseq >= self.invite.cseq {
            self.invite.is_acknowledged = true;
        }
    }

    /// The CSeq number of the INVITE that is waiting for its answer.
    pub(super) fn waits_for(&self) -> u32 {
        self.invite.cseq
    }
}

fn is_stale(line: &[u8]) -> bool {
    let mut parts = line.split(|&byte| byte == b',' || byte == b' ').map(<[u8]>::trim_ascii);
    parts.any(|part| part.eq_ignore_ascii_case(b"stale=true") || part.eq_ignore_ascii_case(b"stale=\"true\""))
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

/// The Call-ID of a Replaces value (RFC 3891).
pub fn replaced(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
    value.get(..end).unwrap_or(value).trim_ascii()
}

/// What an INVITE outside a dialog says about calls that it belongs to.
pub(super) fn learn_links(texts: &mut super::texts::Texts, message: &Message<'_>) {
    if let Some(value) = message.first(Header::Replaces) {
        texts.put(Field::Replaces, &fields::unfolded(replaced(value)));
    }
    if let Some(value) = message.first(Header::ReferredBy) {
        texts.put(Field::ReferredBy, uri(value));
    }
}
