//! Asking the sniffer.

use crate::limits;
use crate::problem::Problem;
use crate::wire::{Peer, WireError};
use sniffer_core::query::{CallKey, CallSummary, Counters, MAX_ANSWER, MAX_REQUEST, Request, Response};
use std::path::PathBuf;

/// The sniffer process.
#[derive(Debug)]
pub struct Sniffer(Peer);

impl Sniffer {
    /// The sniffer that listens at `socket`.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Self(Peer::new(socket, limits::MAX_SNIFFER_QUESTIONS, MAX_REQUEST, MAX_ANSWER))
    }

    async fn ask(&self, request: &Request) -> Result<Response, WireError> {
        self.0.ask(request, limits::ANSWER_TIME).await
    }

    /// A page of calls, the newest first, and whether there are older ones.
    ///
    /// # Errors
    /// [`Problem::NoSniffer`] when it does not answer or says that it cannot.
    pub async fn calls(&self, limit: u16, before: Option<CallKey>) -> Result<(Vec<CallSummary>, bool), Problem> {
        match self.ask(&Request::Calls { limit, before }).await.map_err(|error| Problem::NoSniffer(Some(error)))? {
            Response::Calls { calls, more } => Ok((calls, more)),
            Response::Error { message } => {
                tracing::warn!(reason = ?message, "The sniffer could not answer for calls");
                Err(Problem::NoSniffer(None))
            }
            Response::Found { .. }
            | Response::Call(_)
            | Response::Records { .. }
            | Response::Record(_)
            | Response::Capture { .. }
            | Response::Storage(_)
            | Response::Counters(_)
            | Response::Registrations { .. } => Err(Problem::NoSniffer(None)),
        }
    }

    /// Everything that is counted; `None` when the sniffer does not answer, which the Status page says in its place.
    pub async fn counters(&self) -> Option<Counters> {
        match self.ask(&Request::Counters).await {
            Ok(Response::Counters(counters)) => Some(*counters),
            Ok(Response::Error { message }) => {
                tracing::warn!(reason = ?message, "The sniffer could not answer for counters");
                None
            }
            Ok(
                Response::Calls { .. }
                | Response::Found { .. }
                | Response::Call(_)
                | Response::Records { .. }
                | Response::Record(_)
                | Response::Capture { .. }
                | Response::Storage(_)
                | Response::Registrations { .. },
            ) => None,
            Err(error) => {
                tracing::warn!(%error, "The sniffer does not answer");
                None
            }
        }
    }
}
