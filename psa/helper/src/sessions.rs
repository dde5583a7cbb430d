//! The live sessions: who a token belongs to, and when it ends. Pure; says what is to be stored.
//!
//! Only a token's SHA-256 is kept, and the token against cross-site requests is derived from the token itself: whoever
//! reads the store can act for nobody. Sessions survive a restart of the helper and end with a reboot, because their
//! limits are measured by the clock that counts from boot, which nobody can set.

use crate::store::{Batch, StoreError, VOLATILE};
use crate::world::hex;
use openssl::sha::sha256;
use psa_model::account::UserName;
use psa_model::limits::{MAX_SESSIONS, SESSION_ABSOLUTE, SESSION_IDLE};
use psa_model::protocol::SessionToken;
use psa_model::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Random bytes of a token.
pub const TOKEN: usize = 32;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub account: UserName,
    /// From where it was opened.
    pub from: IpAddr,
    /// The boot that its times count from.
    boot: String,
    began: Duration,
    used: Duration,
}

impl Session {
    fn is_alive(&self, up: Duration) -> bool {
        up.saturating_sub(self.used) < SESSION_IDLE && up.saturating_sub(self.began) < SESSION_ABSOLUTE
    }
}

/// All sessions of this boot.
#[derive(Debug, Default)]
pub struct Sessions {
    boot: String,
    live: BTreeMap<String, Session>,
}

/// The key under which a session is stored: the hash of its token.
fn key(token: &SessionToken) -> String {
    format!("{VOLATILE}{}", hex(&sha256(token.0.expose().as_bytes())))
}

/// The token that each form of the session carries.
#[must_use]
pub fn csrf(token: &SessionToken) -> Secret {
    Secret::new(hex(&sha256(format!("csrf {}", token.0.expose()).as_bytes())))
}

impl Sessions {
    /// Takes over what was stored. Sessions of another boot, or of no known one, have ended.
    #[must_use]
    pub fn restore(boot: String, stored: Vec<(String, Session)>) -> (Self, Batch) {
        let is_of_this = |session: &Session| !boot.is_empty() && session.boot == boot;
        let (live, ended): (Vec<_>, Vec<_>) = stored.into_iter().partition(|(_, session)| is_of_this(session));
        let batch = ended.into_iter().fold(Batch::default(), |batch, (key, _)| batch.remove(&key));
        (Self { boot, live: live.into_iter().collect() }, batch)
    }

    /// Opens a session with a token of `random`, ends `previous` and, beyond the limit, the one that began first.
    ///
    /// # Errors
    /// When the session cannot be written as JSON.
    pub fn begin(
        &mut self,
        account: UserName,
        from: IpAddr,
        up: Duration,
        random: [u8; TOKEN],
        previous: Option<&SessionToken>,
    ) -> Result<(SessionToken, Batch), StoreError> {
        let token = SessionToken(Secret::new(hex(&random)));
        let mut batch = self.sweep(up);
        if let Some(previous) = previous {
            batch = self.remove(&key(previous), batch);
        }
        while self.live.len() >= MAX_SESSIONS {
            let Some(oldest) = self.live.iter().min_by_key(|(_, session)| session.began).map(|(key, _)| key.clone())
            else {
                break;
            };
            batch = self.remove(&oldest, batch);
        }
        let session = Session { account, from, boot: self.boot.clone(), began: up, used: up };
        batch = batch.put(&key(&token), &session)?;
        self.live.insert(key(&token), session);
        Ok((token, batch))
    }

    /// The session of a token, and what to store of its use. `None` when it does not live. What a page asks by itself
    /// is no use.
    ///
    /// # Errors
    /// When the session cannot be written as JSON.
    pub fn find(
        &mut self,
        token: &SessionToken,
        up: Duration,
        is_background: bool,
    ) -> Result<Option<(Session, Option<Batch>)>, StoreError> {
        let key = key(token);
        let Some(session) = self.live.get_mut(&key).filter(|session| session.is_alive(up)) else { return Ok(None) };
        if is_background {
            return Ok(Some((session.clone(), None)));
        }
        // A step in whole minutes is stored; a restart in between ends the session that much earlier at worst.
        let every = crate::limits::SESSION_WRITTEN_EVERY.as_secs().max(1);
        let is_stored_step = session.used.as_secs() / every != up.as_secs() / every;
        session.used = session.used.max(up);
        let batch = is_stored_step.then(|| Batch::default().put(&key, session)).transpose()?;
        Ok(Some((session.clone(), batch)))
    }

    /// Ends a session.
    pub fn end(&mut self, token: &SessionToken) -> Batch {
        self.remove(&key(token), Batch::default())
    }

    /// Ends those whose time is over.
    fn sweep(&mut self, up: Duration) -> Batch {
        let over: Vec<String> =
            self.live.iter().filter(|(_, session)| !session.is_alive(up)).map(|(key, _)| key.clone()).collect();
        over.iter().fold(Batch::default(), |batch, key| self.remove(key, batch))
    }

    fn remove(&mut self, key: &str, batch: Batch) -> Batch {
        self.live.remove(key);
        batch.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::restore("boot-1".into(), Vec::new()).0
    }

    fn begin(sessions: &mut Sessions, seconds: u64, n: u8, previous: Option<&SessionToken>) -> SessionToken {
        let anna = UserName::parse("anna").unwrap();
        let up = Duration::from_secs(seconds);
        sessions.begin(anna, [192, 0, 2, 1].into(), up, [n; TOKEN], previous).unwrap().0
    }

    fn lives(sessions: &mut Sessions, token: &SessionToken, seconds: u64) -> bool {
        sessions.find(token, Duration::from_secs(seconds), false).unwrap().is_some()
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it() {
        let mut sessions = sessions();
        let token = begin(&mut sessions, 0, 1, None);
        assert!(lives(&mut sessions, &token, 899));
        assert!(lives(&mut sessions, &token, 899 + 899));
        assert!(!lives(&mut sessions, &token, 899 + 899 + 900));
    }

    #[test]
    fn a_page_that_refreshes_itself_keeps_no_session_alive() {
        let mut sessions = sessions();
        let token = begin(&mut sessions, 0, 1, None);
        let ask = |sessions: &mut Sessions, second| sessions.find(&token, Duration::from_secs(second), true).unwrap();
        assert!((0..900).step_by(5).all(|second| ask(&mut sessions, second).is_some_and(|(_, batch)| batch.is_none())));
        assert!(ask(&mut sessions, 900).is_none());
    }

    #[test]
    fn a_session_ends_after_a_working_day_however_much_it_is_used() {
        let mut sessions = sessions();
        let token = begin(&mut sessions, 0, 1, None);
        let end = SESSION_ABSOLUTE.as_secs();
        assert!((0..end).step_by(600).all(|second| lives(&mut sessions, &token, second)));
        assert!(!lives(&mut sessions, &token, end));
    }

    #[test]
    fn a_login_ends_the_session_before_it_and_only_that() {
        let mut sessions = sessions();
        let (first, other) = (begin(&mut sessions, 0, 1, None), begin(&mut sessions, 0, 2, None));
        let second = begin(&mut sessions, 1, 3, Some(&first));
        assert!(!lives(&mut sessions, &first, 2));
        assert!(lives(&mut sessions, &second, 2) && lives(&mut sessions, &other, 2));
        drop(sessions.end(&second));
        assert!(!lives(&mut sessions, &second, 2));
    }

    #[test]
    fn beyond_the_limit_the_oldest_ends() {
        let mut sessions = sessions();
        let tokens: Vec<_> = (0..=64_u8).map(|n| begin(&mut sessions, n.into(), n, None)).collect();
        assert!(!lives(&mut sessions, &tokens[0], 65));
        assert!(tokens[1..].iter().all(|token| lives(&mut sessions, token, 65)));
    }

    #[test]
    fn a_restart_keeps_the_sessions_of_this_boot_only() {
        let mut before = sessions();
        let token = begin(&mut before, 10, 1, None);
        let stored: Vec<_> = before.live.clone().into_iter().collect();
        let json = serde_json::to_string(&stored).unwrap();
        assert!(!json.contains(token.0.expose()) && !json.contains(csrf(&token).expose()), "{json}");
        for (boot, expected) in [("boot-1", true), ("boot-2", false), ("", false)] {
            let mut after = Sessions::restore(boot.into(), stored.clone()).0;
            assert_eq!(lives(&mut after, &token, 20), expected, "{boot:?}");
        }
    }

    #[test]
    fn the_last_use_is_stored_once_a_minute() {
        let mut sessions = sessions();
        let token = begin(&mut sessions, 0, 1, None);
        let stored = (1..=180)
            .filter(|second| sessions.find(&token, Duration::from_secs(*second), false).unwrap().unwrap().1.is_some());
        assert_eq!(stored.count(), 3);
    }
}
