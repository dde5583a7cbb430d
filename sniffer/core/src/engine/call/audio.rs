//! Which side of a call is to be heard when, as SDP agrees it (RFC 3264, section 6.1): who is held, only listens or has
//! gone over to fax is not silent by mistake. Hold is what one side's offer says of the other.

use super::Side;
use crate::{limits, sdp, time::Timestamp};

/// What a description says of its author's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    speaks: bool,
    listens: bool,
}

impl Voice {
    const BOTH: Self = Self { speaks: true, listens: true };

    /// By all audio that is not refused. Neither where there is none, as in a call that has gone over to fax.
    pub(super) fn of(media: &[sdp::Media]) -> Self {
        let speaks = |one: &sdp::Media| {
            matches!(one.direction, sdp::MediaDirection::SendReceive | sdp::MediaDirection::SendOnly)
        };
        Self { speaks: audio(media).any(speaks), listens: audio(media).any(|one| !one.hold) }
    }
}

/// Says whether a description keeps its author from hearing the other in all its audio; none when it has no audio.
pub(super) fn holds(media: &[sdp::Media]) -> Option<bool> {
    audio(media).fold(None, |all, one| Some(all.unwrap_or(true) && one.hold))
}

fn audio(media: &[sdp::Media]) -> impl Iterator<Item = &sdp::Media> {
    media.iter().filter(|one| one.kind == sdp::Kind::Audio && !one.is_refused())
}

/// One time on hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) by: Side,
    pub(super) start: Timestamp,
    pub(super) end: Option<Timestamp>,
}

/// A time in which a side was not to be heard, by what both sides said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Who was not to be heard.
    pub side: Side,
    /// Since when.
    pub start: Timestamp,
    /// Until when; none while it lasts.
    pub end: Option<Timestamp>,
}

/// What an offer changed, until it is answered: a refusal leaves everything as it was (RFC 3261, section 14.1; RFC 3311,
/// section 5.3).
#[derive(Clone, Copy, Debug)]
struct Offer {
    cseq: u32,
    side: Side,
    before: Voice,
    hold: Change,
}

/// What an offer did to the hold of its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Began,
    Ended,
}

/// See the module's text. A call in which both always speak and listen has none.
#[derive(Debug)]
pub(super) struct Audio {
    voices: [Voice; 2],
    quiets: Vec<Quiet>,
    holds: Vec<Hold>,
    offers: Vec<Offer>,
}

impl Audio {
    /// Takes what a side says when there was nothing to keep until now; none when there still is not.
    pub(super) fn begin(voice: Voice, is_held: bool) -> Option<Box<Self>> {
        let is_plain = voice == Voice::BOTH && !is_held;
        let new = || Self { voices: [Voice::BOTH; 2], quiets: Vec::new(), holds: Vec::new(), offers: Vec::new() };
        (!is_plain).then(|| Box::new(new()))
    }

    /// Takes what a side says of its own audio outside an offer that may be refused.
    pub(super) fn says(&mut self, side: Side, voice: Voice, time: Timestamp) {
        *self.voice(side) = voice;
        self.settle(time);
    }

    /// Takes the offer of a request within the dialog: it counts from here on, unless it is refused.
    pub(super) fn offers(&mut self, cseq: u32, side: Side, voice: Voice, is_held: Option<bool>, time: Timestamp) {
        let before = std::mem::replace(self.voice(side), voice);
        self.settle(time);
        let hold = is_held.map_or(Change::None, |is_held| self.hold(side, is_held, time));
        self.offers.retain(|offer| offer.side != side);
        self.offers.push(Offer { cseq, side, before, hold });
    }

    /// The offer of this side was accepted.
    pub(super) fn accept(&mut self, cseq: u32, side: Side) {
        self.offers.retain(|offer| (offer.cseq, offer.side) != (cseq, side));
    }

    /// The offer of this side was refused.
    pub(super) fn refuse(&mut self, cseq: u32, side: Side, time: Timestamp) {
        let Some(at) = self.offers.iter().position(|offer| (offer.cseq, offer.side) == (cseq, side)) else { return };
        let offer = self.offers.swap_remove(at);
        *self.voice(side) = offer.before;
        self.settle(time);
        let last = self.holds.iter().rposition(|hold| hold.by == side);
        match (offer.hold, last) {
            (Change::Began, Some(last)) => {
                self.holds.remove(last);
            }
            (Change::Ended, Some(last)) => {
                if let Some(hold) = self.holds.get_mut(last) {
                    hold.end = None;
                }
            }
            (Change::None, _) | (_, None) => {}
        }
    }

    /// Takes note that a side holds the other, or takes it back.
    fn hold(&mut self, by: Side, is_held: bool, time: Timestamp) -> Change {
        let has_room = self.holds.len() < limits::HOLDS;
        let open = self.holds.iter_mut().rev().find(|hold| hold.by == by && hold.end.is_none());
        match (open, is_held) {
            (Some(hold), false) => {
                hold.end = Some(time.max(hold.start));
                Change::Ended
            }
            (None, true) if has_room => {
                self.holds.push(Hold { by, start: time, end: None });
                Change::Began
            }
            (Some(_), true) | (None, _) => Change::None,
        }
    }

    /// The times on hold.
    pub(super) fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// The times in which a side was not to be heard.
    pub(super) fn quiets(&self) -> &[Quiet] {
        &self.quiets
    }

    /// Says whether neither side is to be heard.
    pub(super) fn is_quiet(&self) -> bool {
        [Side::Caller, Side::Callee].iter().all(|&side| !self.is_to_be_heard(side))
    }

    fn is_to_be_heard(&self, side: Side) -> bool {
        let [caller, callee] = self.voices;
        match side {
            Side::Caller => caller.speaks && callee.listens,
            Side::Callee => callee.speaks && caller.listens,
        }
    }

    fn voice(&mut self, side: Side) -> &mut Voice {
        let [caller, callee] = &mut self.voices;
        match side {
            Side::Caller => caller,
            Side::Callee => callee,
        }
    }

    fn settle(&mut self, time: Timestamp) {
        for side in [Side::Caller, Side::Callee] {
            let is_heard = self.is_to_be_heard(side);
            let has_room = self.quiets.len() < limits::QUIETS;
            let open = self.quiets.iter_mut().rev().find(|quiet| quiet.side == side && quiet.end.is_none());
            match (open, is_heard) {
                (Some(quiet), true) => quiet.end = Some(time.max(quiet.start)),
                (None, false) if has_room => self.quiets.push(Quiet { side, start: time, end: None }),
                (Some(_), false) | (None, _) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hold_is_what_the_sender_of_the_offer_does_not_want_to_hear() {
        let audio = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n";
        for (body, expected, speaks) in [
            (audio.to_owned(), Some(false), true),
            (format!("{audio}a=sendonly\r\n"), Some(true), true),
            (format!("{audio}a=inactive\r\n"), Some(true), false),
            (format!("{audio}a=recvonly\r\n"), Some(false), false),
            (format!("{audio}c=IN IP4 0.0.0.0\r\n"), Some(true), true),
            (format!("{audio}a=sendonly\r\nm=audio 4002 RTP/AVP 8\r\na=sendrecv\r\n"), Some(false), true),
            (format!("{audio}a=sendonly\r\nm=audio 0 RTP/AVP 8\r\na=sendrecv\r\n"), Some(true), true),
            ("v=0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n".to_owned(), Some(true), true),
            ("v=0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n".to_owned(), Some(false), true),
            ("v=0\r\nm=video 4000 RTP/AVP 96\r\na=sendonly\r\n".to_owned(), None, false),
            (String::new(), None, false),
        ] {
            let media = sdp::describe(body.as_bytes()).media;
            assert_eq!((holds(&media), Voice::of(&media).speaks), (expected, speaks), "{body}");
        }
    }
}
