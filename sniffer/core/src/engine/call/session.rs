//! The session of an answered call: its timer (RFC 4028), who is to be heard as SDP tells it, and what is counted of
//! re-INVITE, UPDATE, PRACK (RFC 3262) and INFO.

use std::time::Duration;

use super::{
    Call, Side,
    audio::{self, Audio, Hold, Quiet, Voice},
};
use crate::{
    limits, sdp,
    sip::{Header, Message, Method, Parameters, StartLine},
    time::Timestamp,
};

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Seconds a session lives without a refresh; zero without a timer.
    expires_s: u32,
    /// Who is to refresh; none when nobody said.
    pub(super) refresher: Option<Side>,
    refreshed: Timestamp,
    /// CSeq number of an INVITE or UPDATE within the dialog that had no offer: the answer makes it.
    offerless: Option<u32>,
    /// Last reliable provisional answer that no PRACK acknowledged.
    unacknowledged: Option<u32>,
    /// Who is to be heard; none while that is both all the time.
    audio: Option<Box<Audio>>,
    pub(super) refreshes: u16,
    pub(super) reinvites: u16,
    pub(super) updates: u16,
    pub(super) reliable: u16,
    pub(super) pracks: u16,
    pub(super) infos: u16,
    pub(super) dtmf: u16,
}

/// That of a call of which nothing was said about its session.
static NONE: Session = Session {
    expires_s: 0,
    refresher: None,
    refreshed: Timestamp::from_nanos(0),
    offerless: None,
    unacknowledged: None,
    audio: None,
    refreshes: 0,
    reinvites: 0,
    updates: 0,
    reliable: 0,
    pracks: 0,
    infos: 0,
    dtmf: 0,
};

impl Session {
    /// When the session is over unless somebody refreshes it.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        (self.expires_s > 0).then(|| self.refreshed.after(Duration::from_secs(u64::from(self.expires_s))))
    }

    /// Seconds the session lives without a refresh.
    pub(super) fn expires_s(&self) -> Option<u32> {
        (self.expires_s > 0).then_some(self.expires_s)
    }

    pub(super) fn count_reinvite(&mut self) {
        self.reinvites = self.reinvites.saturating_add(1);
    }

    pub(super) fn count_reliable(&mut self, message: &Message<'_>) {
        self.reliable = self.reliable.saturating_add(1);
        self.unacknowledged = message.first(Header::RSeq).and_then(number);
    }

    /// Takes a 2xx to INVITE or UPDATE: it sets the session's timer, or ends it (RFC 4028, section 7.2).
    pub(super) fn agreed(&mut self, message: &Message<'_>, asker: Side, time: Timestamp, is_refresh: bool) {
        let Some(value) = message.first(Header::SessionExpires) else {
            self.expires_s = 0;
            return;
        };
        let end = value.iter().position(|&byte| byte == b';').unwrap_or(value.len());
        let (seconds, parameters) = value.split_at_checked(end).unwrap_or((value, &[]));
        self.expires_s = number(seconds).unwrap_or(0).min(limits::SESSION_EXPIRES_SECONDS);
        self.refresher = match Parameters(parameters).get(b"refresher") {
            Some(who) if who.eq_ignore_ascii_case(b"uac") => Some(asker),
            Some(who) if who.eq_ignore_ascii_case(b"uas") => Some(asker.other()),
            _ => None,
        };
        self.refreshed = self.refreshed.max(time);
        if is_refresh && self.expires_s > 0 {
            self.refreshes = self.refreshes.saturating_add(1);
        }
    }

    /// The times on hold.
    pub(super) fn holds(&self) -> &[Hold] {
        self.audio.as_ref().map_or(&[], |audio| audio.holds())
    }

    /// The times in which a side was not to be heard.
    pub(super) fn quiets(&self) -> &[Quiet] {
        self.audio.as_ref().map_or(&[], |audio| audio.quiets())
    }

    /// Says whether neither side is to be heard at present.
    pub(super) fn is_quiet(&self) -> bool {
        self.audio.as_ref().is_some_and(|audio| audio.is_quiet())
    }

    /// The last offer of this side was accepted.
    pub(super) fn accept(&mut self, cseq: u32, side: Side) {
        if let Some(audio) = &mut self.audio {
            audio.accept(cseq, side);
        }
    }

    /// The last offer of this side was refused: the session stays as it was before.
    pub(super) fn refuse(&mut self, cseq: u32, side: Side, time: Timestamp) {
        if let Some(audio) = &mut self.audio {
            audio.refuse(cseq, side, time);
        }
        if self.offerless == Some(cseq) {
            self.offerless = None;
        }
    }
}

impl Call {
    /// What is known of the session.
    pub(super) fn session(&self) -> &Session {
        self.session.as_deref().unwrap_or(&NONE)
    }

    pub(super) fn session_mut(&mut self) -> &mut Session {
        self.session.get_or_insert_default()
    }

    /// Takes a 2xx to INVITE or UPDATE.
    pub(super) fn agreed(&mut self, message: &Message<'_>, asker: Side, time: Timestamp, is_refresh: bool) {
        if self.session.is_some() || message.headers.has(Header::SessionExpires) {
            self.session_mut().agreed(message, asker, time, is_refresh);
        }
    }

    /// The last offer of this side was accepted.
    pub(super) fn accept_offer(&mut self, cseq: u32, side: Side) {
        if let Some(session) = &mut self.session {
            session.accept(cseq, side);
        }
    }

    /// The last offer of this side was refused.
    pub(super) fn refuse_offer(&mut self, cseq: u32, side: Side, time: Timestamp) {
        if let Some(session) = &mut self.session {
            session.refuse(cseq, side, time);
        }
    }

    /// PRACK, UPDATE and INFO within the dialog.
    pub(super) fn dialog_request(&mut self, message: &Message<'_>, is_new: bool) {
        let session = self.session_mut();
        let method = message.method();
        if is_new && method == Method::Prack {
            session.pracks = session.pracks.saturating_add(1);
            let rack = message.first(Header::RAck).and_then(|value| value.split(|&byte| byte == b' ').next());
            if rack.and_then(number) == session.unacknowledged {
                session.unacknowledged = None;
            }
        }
        if is_new && method == Method::Info {
            session.infos = session.infos.saturating_add(1);
            if is_dtmf(message) {
                session.dtmf = session.dtmf.saturating_add(1);
            }
        }
        if is_new && method == Method::Update {
            session.updates = session.updates.saturating_add(1);
            self.note_offer(message);
        }
    }

    pub(super) fn update_answer(
        &mut self,
        status: u16,
        message: &Message<'_>,
        side: Side,
        time: Timestamp,
        is_new: bool,
    ) {
        let asker = side.other();
        if status >= 300 {
            self.refuse_offer(message.cseq, asker, time);
        } else if is_new && status >= 200 {
            self.agreed(message, asker, time, self.answered.is_some());
            self.accept_offer(message.cseq, asker);
        }
    }

    /// A reliable provisional answer waits for its PRACK.
    pub(super) fn lacks_prack(&self) -> bool {
        self.session().unacknowledged.is_some()
    }

    /// Takes note whether an INVITE or UPDATE within the dialog makes an offer: without one the answer makes it.
    pub(super) fn note_offer(&mut self, message: &Message<'_>) {
        if self.answered.is_some() && self.end.is_none() {
            self.session_mut().offerless = Some(message.cseq).filter(|_| message.sdp().is_none());
        }
    }

    /// Takes what a message's SDP says of who is to be heard. Who sends only, or nothing, in an offer within the dialog
    /// holds the other (RFC 3264, section 8.4; `c=0.0.0.0` of RFC 2543 too).
    pub fn described(&mut self, message: &Message<'_>, media: &[sdp::Media], side: Side, time: Timestamp) {
        if self.end.is_some() || media.is_empty() {
            return;
        }
        let (is_offer, may_be_refused) = match message.start {
            StartLine::Request { method, .. } => (self.answered.is_some() && method != Method::Ack, true),
            StartLine::Response { .. } => (self.session().offerless == Some(message.cseq), false),
        };
        let voice = Voice::of(media);
        let is_held = if is_offer { audio::holds(media) } else { None };
        if self.session().audio.is_none()
            && let Some(audio) = Audio::begin(voice, is_held == Some(true))
        {
            self.session_mut().audio = Some(audio);
        }
        let Some(session) = &mut self.session else { return };
        let Some(audio) = &mut session.audio else { return };
        if is_offer {
            audio.offers(message.cseq, side, voice, is_held, time);
        } else {
            audio.says(side, voice, time);
        }
        if is_offer && !may_be_refused {
            audio.accept(message.cseq, side);
            session.offerless = None;
        }
    }
}

/// A number of any header, up to the 2^31 - 1 of RSeq and CSeq (RFC 3262, section 3) and beyond.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    let digits = value.trim_ascii();
    if digits.first().is_none_or(|first| !first.is_ascii_digit()) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// INFO with a key press: `application/dtmf-relay` and `application/dtmf` in practice.
fn is_dtmf(message: &Message<'_>) -> bool {
    message.content_type.is_some_and(|kind| {
        let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        kind.eq_ignore_ascii_case(b"application/dtmf-relay") || kind.eq_ignore_ascii_case(b"application/dtmf")
    })
}
