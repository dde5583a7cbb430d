//! How long a call is followed: until its end and a little longer, or until it has been silent for too long.

use super::Call;
use crate::{
    engine::Timeouts,
    record::{CallState, Timeout},
    time::Timestamp,
};

impl Call {
    /// Says whether the end was seen. A refusal on the way behind a proxy is not the end yet.
    pub fn has_ended(&self) -> bool {
        self.end.is_some() && !self.release.is_tentative
    }

    /// The last sign of life, in signalling or media.
    pub fn last_seen(&self) -> Timestamp {
        self.last_message.max(self.last_media)
    }

    /// When the call is to be given up, if nothing more is seen of it.
    pub fn deadline(&self, timeouts: &Timeouts) -> Timestamp {
        self.quiet_until(timeouts).min(self.start.after(timeouts.call_longest))
    }

    fn quiet_until(&self, timeouts: &Timeouts) -> Timestamp {
        if let Some(end) = self.end
            && !self.release.is_tentative
        {
            // People type passwords: the next round may take a while, and is the same call.
            let is_challenged = matches!(self.final_status, Some(401 | 407)) && self.answered.is_none();
            return end.after(if is_challenged { timeouts.call_setup_idle } else { timeouts.call_linger });
        }
        if !self.is_answered() {
            return self.last_seen().after(timeouts.call_setup_idle);
        }
        match self.session().expires() {
            // RFC 4028, section 10: a session that nobody refreshed is over. Where media flows on, it was the refresh
            // that was not seen.
            Some(expires) if self.last_media > Timestamp::default() => {
                expires.max(self.last_media.after(timeouts.endpoint_idle))
            }
            Some(expires) => expires,
            // Where no media was ever seen, or none is to be heard, its silence says nothing.
            None if self.last_media == Timestamp::default() || self.session().is_quiet() => {
                self.last_seen().after(timeouts.call_unheard)
            }
            None => self.last_seen().after(timeouts.call_idle),
        }
    }

    /// Says whether somebody has answered, as far as it was seen.
    pub fn is_answered(&self) -> bool {
        self.answered.is_some() || self.invite.is_acknowledged()
    }

    /// Gives the call up for want of room: it went on, and its figures are not the whole call's.
    pub fn evict(&mut self) {
        if self.has_ended() {
            return;
        }
        self.end = Some(self.end.unwrap_or(self.last_seen()).max(self.start));
        self.release.is_tentative = false;
        self.release.timeout = Some(Timeout::Evicted);
        self.refused = self.refused.saturating_add(1);
        self.state = CallState::Interrupted;
    }

    /// Gives the call up at this time.
    pub fn time_out(&mut self, now: Timestamp, timeouts: &Timeouts) {
        self.release.is_tentative = false;
        if self.end.is_some() {
            return;
        }
        self.end = Some(self.last_seen().max(self.start));
        let is_timed = self.state == CallState::InCall && self.session().expires().is_some();
        self.release.timeout = Some(if self.start.after(timeouts.call_longest) <= now {
            Timeout::Longest
        } else if is_timed {
            Timeout::SessionTimer
        } else if self.state == CallState::InCall || self.invite.is_acknowledged() {
            Timeout::Idle
        } else {
            Timeout::Setup
        });
        self.state = CallState::TimedOut;
    }
}
