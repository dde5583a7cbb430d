//! Asking the helper, and what its answers mean for a page.

use crate::limits;
use crate::problem::Problem;
use crate::wire::Peer;
use psa_model::limits::{MAX_REQUEST, MAX_RESPONSE};
use psa_model::protocol::{Machine, Request, Response, SessionToken};
use std::net::IpAddr;
use std::path::PathBuf;

/// The helper process.
#[derive(Debug)]
pub struct Helper(Peer);

impl Helper {
    /// The helper that listens at `socket`.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self(Peer::new(socket, limits::MAX_HELPER_QUESTIONS, MAX_REQUEST, MAX_RESPONSE))
    }

    /// Asks the helper.
    ///
    /// # Errors
    /// [`Problem::NoHelper`] when it does not answer, [`Problem::LoggedOut`] when the session does not live, and
    /// [`Problem::Failed`] when it says that it failed. All other answers are the caller's to read.
    pub async fn ask(&self, request: &Request) -> Result<Response, Problem> {
        let time = if is_slow(request) { limits::SLOW_ANSWER_TIME } else { limits::ANSWER_TIME };
        match self.0.ask(request, time).await.map_err(Problem::NoHelper)? {
            Response::Denied => Err(Problem::LoggedOut),
            Response::Failed { message, operation } => Err(Problem::Failed { message, operation }),
            answer @ (Response::Machine(_)
            | Response::TlsIdentity { .. }
            | Response::Console(_)
            | Response::LoggedIn { .. }
            | Response::Actor(_)
            | Response::Done
            | Response::Current { .. }
            | Response::Applied { .. }
            | Response::Conflict { .. }
            | Response::History(_)
            | Response::Status { .. }
            | Response::WrongCredentials
            | Response::TryLater { .. }
            | Response::WeakPassword { .. }) => Ok(answer),
        }
    }

    /// What may be known before login.
    ///
    /// # Errors
    /// As [`Helper::ask`].
    pub async fn machine(&self) -> Result<Machine, Problem> {
        let answer = self.ask(&Request::Machine).await?;
        let Response::Machine(machine) = answer else { return Err(Problem::odd_answer("machine", &answer)) };
        Ok(machine)
    }
}

/// Whether an answer may take long: hashing a password, applying settings.
fn is_slow(request: &Request) -> bool {
    use psa_model::protocol::Action;
    match request {
        Request::FirstAccount { .. } | Request::LogIn { .. } => true,
        Request::Machine | Request::TlsIdentity | Request::Console => false,
        Request::As { action, .. } => match action {
            Action::Apply { .. } | Action::Restore { .. } => true,
            Action::WhoAmI | Action::LogOut | Action::Settings | Action::History { .. } | Action::Status => false,
        },
    }
}

/// On whose behalf a question is asked.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The session of the cookie.
    pub session: SessionToken,
    /// The browser's address.
    pub from: IpAddr,
    /// The page asks by itself, not the person.
    pub is_background: bool,
}
