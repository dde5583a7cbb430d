//! What can go wrong on the way to a page, and what a person is told: what happened, what is safe, what to do.

use crate::wire::WireError;
use actix_web::http::StatusCode;
use psa_model::protocol::Response;
use std::fmt::Debug;

/// Why there is no page.
#[derive(Debug)]
pub enum Problem {
    /// There is no such page.
    NotFound,
    /// The page has no such method; the value is for the Allow header.
    NoSuchMethod(String),
    /// A form came from another site, or without the token of the session.
    Forbidden(&'static str),
    /// The body is longer than a form may be.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body is no form, or a field that no person types is wrong.
    NoForm(&'static str),
    /// The session ended, or there was none.
    LoggedOut,
    /// Somebody else changed the settings, so that there is nothing to undo.
    Overtaken,
    /// The helper does not answer.
    NoHelper(WireError),
    /// The sniffer does not answer, or says that it cannot.
    NoSniffer(Option<WireError>),
    /// The helper says that it failed.
    Failed {
        /// For a person: what failed and what is safe.
        message: String,
        /// Finds the cause in the log.
        operation: String,
    },
    /// A fault of this program; the text is for the log.
    Fault(String),
}

/// What an error page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The heading.
    pub title: &'static str,
    /// What happened.
    pub what: String,
    /// What is safe.
    pub safe: &'static str,
    /// What to do.
    pub next: &'static str,
}

const NOTHING_CHANGED: &str = "Nothing was changed.";

impl Problem {
    /// The helper answered something that is no answer to the question. Only the kind of the answer is kept.
    #[must_use]
    pub fn odd_answer(question: &str, answer: &Response) -> Self {
        let shown = format!("{answer:?}");
        let kind: String = shown.chars().take_while(|c| c.is_alphanumeric()).collect();
        Self::Fault(format!("the helper answered {kind} to {question}"))
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NoSuchMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoForm(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::LoggedOut => StatusCode::SEE_OTHER,
            Self::Overtaken => StatusCode::CONFLICT,
            Self::NoHelper(_) | Self::NoSniffer(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed { .. } | Self::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the page says.
    #[must_use]
    pub fn words(&self) -> Words {
        let words = |title, what: &str, safe, next| Words { title, what: what.to_owned(), safe, next };
        match self {
            Self::NotFound => words(
                "No such page",
                "The address names no page of this machine.",
                NOTHING_CHANGED,
                "Check the address, or start again.",
            ),
            Self::NoSuchMethod(_) => words(
                "Not this way",
                "The page cannot be asked for in this way.",
                NOTHING_CHANGED,
                "Open the page from the menu and use its buttons.",
            ),
            Self::Forbidden(why) => {
                words("Not from there", why, NOTHING_CHANGED, "Open the page from the menu and send it again.")
            }
            Self::TooLarge => words(
                "Too much text",
                "What was sent is longer than any form of this machine.",
                NOTHING_CHANGED,
                "Go back and shorten what you typed.",
            ),
            Self::TooSlow => words(
                "The form did not arrive",
                "What your browser sent did not arrive in time.",
                NOTHING_CHANGED,
                "Check the connection to this machine and send it again.",
            ),
            Self::NoForm(why) => {
                words("Not a form", why, NOTHING_CHANGED, "Open the page from the menu and try again.")
            }
            Self::LoggedOut => words("Logged out", "Your session ended.", NOTHING_CHANGED, "Log in again."),
            Self::Overtaken => words(
                "Changed meanwhile",
                "Somebody else changed the settings since, so the change was not undone.",
                NOTHING_CHANGED,
                "Open the page from the menu, look at the settings that are in force, and change them there.",
            ),
            Self::NoHelper(_) => words(
                "Settings are out of reach",
                "The service that keeps accounts and settings (psa-helper) does not answer.",
                "The settings in force stay in force, and calls are recorded as before. A change that was on its way is either whole in force or not at all.",
                "Wait a minute and load this page again. If it stays like this, restart the machine from its console.",
            ),
            Self::NoSniffer(_) => words(
                "Calls are out of reach",
                "The service that records calls (sniffer) does not answer.",
                "Calls that were recorded stay on the CAPTURE disk, and settings stay in force. Calls that pass at the moment may be missed.",
                "See Status for the state of the sniffer, wait a minute, and load this page again.",
            ),
            Self::Failed { message, .. } => words(
                "That failed",
                message,
                "The settings that were in force before are in force.",
                "Try again. If it fails again, give the operation's id to support.",
            ),
            Self::Fault(_) => words(
                "That failed",
                "This page met a fault of the program.",
                "The settings in force stay in force, and calls are recorded as before.",
                "Try again. If it fails again, give the operation's id to support.",
            ),
        }
    }

    /// Writes to the log what a person is not told; once, where the page is made.
    pub fn log(&self, operation: &str) {
        match self {
            Self::NoHelper(error) => tracing::error!(operation, error = chain(error), "The helper does not answer"),
            Self::NoSniffer(Some(error)) => {
                tracing::error!(operation, error = chain(error), "The sniffer does not answer");
            }
            Self::NoSniffer(None) => tracing::error!(operation, "The sniffer could not answer"),
            Self::Failed { message, operation } => {
                tracing::error!(operation, reason = ?message, "The helper failed");
            }
            Self::Fault(reason) => tracing::error!(operation, reason = ?reason, "A page failed"),
            Self::Forbidden(why) => tracing::warn!(operation, why, "Refused a form"),
            Self::NotFound
            | Self::NoSuchMethod(_)
            | Self::TooLarge
            | Self::TooSlow
            | Self::NoForm(_)
            | Self::LoggedOut
            | Self::Overtaken => tracing::debug!(operation, status = self.status().as_u16(), "No page"),
        }
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        Self::Fault(format!("a template failed: {error}"))
    }
}

/// An error and what caused it, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use psa_model::protocol::SessionToken;
    use psa_model::secret::Secret;

    #[test]
    fn an_odd_answer_is_named_without_its_content() {
        let Problem::Fault(text) = Problem::odd_answer(
            "machine",
            &Response::TlsIdentity { key: Secret::new("KEY".into()), chain: "CHAIN".into() },
        ) else {
            unreachable!()
        };
        assert_eq!(text, "the helper answered TlsIdentity to machine");
        assert!(!format!("{:?}", SessionToken(Secret::new("a".into()))).contains("\"a\""));
    }
}
