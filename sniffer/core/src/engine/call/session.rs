//! The session of an answered call: its timer (RFC 4028), hold and resume as SDP tells them, and what is counted of
//! re-INVITE, UPDATE, PRACK (RFC 3262) and INFO.

use std::time::Duration;

use super::{Call, Side};
use crate::{
    limits, sdp,
    sip::{Header, Message, Method, Parameters, fields},
    time::Timestamp,
};

/// One time on hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) by: Side,
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
}

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
    pub(super) holds: Vec<Hold>,
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
    holds: Vec::new(),
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

    fn hold(&mut self, by: Side, is_held: bool, time: Timestamp) {
        let has_room = self.holds.len() < limits::HOLDS;
        let open = self.holds.iter_mut().rev().find(|hold| hold.by == by && hold.end.is_none());
        match (open, is_held) {
            (Some(hold), false) => hold.end = Some(time.max(hold.start)),
            (None, true) if has_room => {
                self.holds.push(Hold { by, start: time, end: None });
            }
            (Some(_), true) | (None, _) => {}
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

    fn hold(&mut self, by: Side, is_held: bool, time: Timestamp) {
        if self.session.is_some() || is_held {
            self.session_mut().hold(by, is_held, time);
        }
    }

    /// PRACK, UPDATE and INFO within the dialog.
    pub(super) fn dialog_request(&mut self, message: &Message<'_>, side: Side, time: Timestamp, is_new: bool) {
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
            self.offer(message, side, time);
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
        if is_new && (200..300).contains(&status) {
            let asker = side.other();
            self.agreed(message, asker, time, self.answered.is_some());
            self.answer_offer(message, asker, time);
        }
    }

    /// A reliable provisional answer waits for its PRACK.
    pub(super) fn lacks_prack(&self) -> bool {
        self.session().unacknowledged.is_some()
    }

    /// Takes the offer that an INVITE or UPDATE within the dialog makes: who sends only, or nothing, holds the other
    /// (RFC 3264, section 8.4; `c=0.0.0.0` of RFC 2543 too).
    pub(super) fn offer(&mut self, message: &Message<'_>, side: Side, time: Timestamp) {
        if self.answered.is_none() || self.end.is_some() {
            return;
        }
        let Some(body) = message.sdp() else {
            self.session_mut().offerless = Some(message.cseq);
            return;
        };
        if let Some(session) = &mut self.session {
            session.offerless = None;
        }
        if let Some(is_held) = offers_hold(body) {
            self.hold(side, is_held, time);
        }
    }

    /// Takes the answer to a request without an offer: it is the offer.
    pub(super) fn answer_offer(&mut self, message: &Message<'_>, asker: Side, time: Timestamp) {
        if self.session().offerless == Some(message.cseq)
            && let Some(body) = message.sdp()
        {
            self.session_mut().offerless = None;
            if let Some(is_held) = offers_hold(body) {
                self.hold(asker.other(), is_held, time);
            }
        }
    }
}

/// A number of any header: at most nine digits.
fn number(value: &[u8]) -> Option<u32> {
    fields::number(value).and_then(|number| u32::try_from(number).ok())
}

/// INFO with a key press: `application/dtmf-relay` and `application/dtmf` in practice.
fn is_dtmf(message: &Message<'_>) -> bool {
    message.content_type.is_some_and(|kind| {
        let kind = kind.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        kind.eq_ignore_ascii_case(b"application/dtmf-relay") || kind.eq_ignore_ascii_case(b"application/dtmf")
    })
}

/// Says whether an SDP body keeps its sender from hearing the other in all its audio; none when it has no audio.
fn offers_hold(body: &[u8]) -> Option<bool> {
    let media = sdp::describe(body).media;
    let audio = media.iter().filter(|media| media.kind == sdp::Kind::Audio && !media.is_refused());
    audio.fold(None, |all, media| Some(all.unwrap_or(true) && media.hold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hold_is_what_the_sender_of_the_offer_does_not_want_to_hear() {
        let audio = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n";
        for (body, expected) in [
            (audio.to_owned(), Some(false)),
            (format!("{audio}a=sendonly\r\n"), Some(true)),
            (format!("{audio}a=inactive\r\n"), Some(true)),
            (format!("{audio}a=recvonly\r\n"), Some(false)),
            (format!("{audio}c=IN IP4 0.0.0.0\r\n"), Some(true)),
            (format!("{audio}a=sendonly\r\nm=audio 4002 RTP/AVP 8\r\na=sendrecv\r\n"), Some(false)),
            (format!("{audio}a=sendonly\r\nm=audio 0 RTP/AVP 8\r\na=sendrecv\r\n"), Some(true)),
            ("v=0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n".to_owned(), Some(true)),
            ("v=0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n".to_owned(), Some(false)),
            ("v=0\r\nm=video 4000 RTP/AVP 96\r\na=sendonly\r\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(offers_hold(body.as_bytes()), expected, "{body}");
        }
    }
}
