//! What the web process and the console say to the helper, and what it answers.
//!
//! Over the Unix stream socket `/run/psa-helper/helper.sock`: a 32-bit big-endian length, then that many bytes of JSON,
//! one answer to each request, in order. The helper knows from the socket which process asks (`SO_PEERCRED` of unix(7));
//! who the person is it knows from the session token alone. A length beyond [`crate::limits::MAX_REQUEST`] or
//! [`crate::limits::MAX_RESPONSE`] ends the connection.

use crate::account::{PasswordRule, Role, UserName};
use crate::change::HistoryEntry;
use crate::network::Facts;
use crate::secret::Secret;
use crate::settings::{Change, Generation, Settings};
use crate::status::{ClockStatus, ServiceStatus};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A question to the helper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// What may be known before login. Answer: [`Response::Machine`].
    Machine,
    /// The key and certificate chain that the web process serves with. Answer: [`Response::TlsIdentity`].
    TlsIdentity,
    /// What the console shows; for the console's user only. Answer: [`Response::Console`].
    Console,
    /// Creates the first administrator account with the setup code of the console. Answer: [`Response::LoggedIn`].
    FirstAccount {
        /// The code as it was typed.
        code: Secret,
        /// The account's name.
        name: UserName,
        /// Its password.
        password: Secret,
        /// The browser's address.
        from: IpAddr,
    },
    /// Checks a password and opens a session. Answer: [`Response::LoggedIn`].
    LogIn {
        /// The name as it was typed: what is no account name fails like a wrong password.
        name: String,
        /// The password.
        password: Secret,
        /// The browser's address.
        from: IpAddr,
        /// The session that the browser had before, which ends (R18).
        previous: Option<SessionToken>,
    },
    /// Everything below acts for the person whose session it is. Anything but [`Response::Denied`] means that the
    /// session lives, and counts as use of it unless `is_background` says otherwise.
    As {
        /// The session.
        session: SessionToken,
        /// The browser's address, for the audit.
        from: IpAddr,
        /// The page asks by itself, as one that refreshes its status does. It does not count as use of the session:
        /// an open Status page must not keep a session alive that nobody uses (R19).
        #[serde(default)]
        is_background: bool,
        /// What to do.
        action: Action,
    },
}

/// What a person with a session can ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Who this is. Answer: [`Response::Actor`].
    WhoAmI,
    /// Ends the session. Answer: [`Response::Done`].
    LogOut,
    /// All settings. Answer: [`Response::Current`].
    Settings,
    /// Changes one page's settings. Answer: [`Response::Applied`] or [`Response::Conflict`].
    Apply {
        /// The generation which the person saw.
        base: Generation,
        /// The new settings.
        change: Box<Change>,
    },
    /// Makes the settings of an earlier generation current again, as a new generation. Answer: [`Response::Applied`]
    /// or [`Response::Conflict`].
    Restore {
        /// The generation which the person saw as current.
        base: Generation,
        /// The generation to go back to.
        to: Generation,
    },
    /// The newest generations. Answer: [`Response::History`].
    History {
        /// At most so many.
        limit: u16,
    },
    /// Clock and services. Answer: [`Response::Status`].
    Status,
}

/// An answer of the helper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Response {
    /// To [`Request::Machine`].
    Machine(Machine),
    /// To [`Request::TlsIdentity`].
    TlsIdentity {
        /// The private key, PKCS#8 in PEM.
        key: Secret,
        /// The certificate with its chain, PEM, the machine's own first.
        chain: String,
    },
    /// To [`Request::Console`].
    Console(Console),
    /// The session is open.
    LoggedIn {
        /// Its token, for the cookie.
        session: SessionToken,
        /// Who it is.
        actor: Actor,
    },
    /// To [`Action::WhoAmI`].
    Actor(Actor),
    /// It is done, and there is nothing to say.
    Done,
    /// To [`Action::Settings`].
    Current {
        /// The generation.
        generation: Generation,
        /// Its settings.
        settings: Box<Settings>,
        /// The machine they are rendered for.
        facts: Facts,
    },
    /// The change is in force.
    Applied {
        /// The generation it became.
        generation: Generation,
    },
    /// Somebody else changed the settings meanwhile. Nothing was changed.
    Conflict {
        /// The generation that is current.
        generation: Generation,
        /// Its settings.
        settings: Box<Settings>,
    },
    /// To [`Action::History`], newest first.
    #[serde(with = "entries")]
    History(Vec<HistoryEntry>),
    /// To [`Action::Status`].
    Status {
        /// The clock.
        clock: ClockStatus,
        /// The appliance's services.
        services: Vec<ServiceStatus>,
    },
    /// The session does not live, or this process or person may not do that.
    Denied,
    /// Name or password or setup code is wrong.
    WrongCredentials,
    /// Too many failures. Nothing was checked; wait so many seconds.
    TryLater {
        /// Seconds to wait.
        seconds: u32,
    },
    /// The password breaks these rules.
    WeakPassword {
        /// In the order in which a page shows them.
        rules: Vec<PasswordRule>,
    },
    /// It failed and nothing was changed; the log has the cause under this id.
    Failed {
        /// For a person: what failed and what is safe.
        message: String,
        /// Finds the cause in the log.
        operation: String,
    },
}

/// A bare list has no place for the tag of [`Response`], so it travels as the field `entries`.
mod entries {
    use crate::change::HistoryEntry;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize)]
    struct Sent<'a> {
        entries: &'a [HistoryEntry],
    }

    #[derive(Deserialize)]
    struct Received {
        entries: Vec<HistoryEntry>,
    }

    pub fn serialize<S: Serializer>(entries: &[HistoryEntry], serializer: S) -> Result<S::Ok, S::Error> {
        Sent { entries }.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HistoryEntry>, D::Error> {
        Received::deserialize(deserializer).map(|received| received.entries)
    }
}

/// What may be known of a machine before login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its host name.
    pub name: String,
    /// The product's version.
    pub version: String,
    /// Whether the first account is still to be created.
    pub needs_setup: bool,
}

/// What the console shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// Host name, version, whether it needs setup.
    pub machine: Machine,
    /// Addresses of the management port.
    pub addresses: Vec<IpAddr>,
    /// SHA-256 of the PSA's certificate, hexadecimal with colons.
    pub fingerprint: String,
    /// The one-time code, until the first account exists.
    pub setup_code: Option<Secret>,
}

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The account's name.
    pub name: UserName,
    /// Its role.
    pub role: Role,
    /// The token that each form of this session carries against cross-site requests.
    pub csrf: Secret,
}

/// The secret that a browser's cookie carries: 256 random bits in hexadecimal. The helper keeps only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionToken(pub Secret);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_request_shows_no_secret() {
        let request = Request::LogIn {
            name: "anna".into(),
            password: Secret::new("Correct horse 7".into()),
            from: [192, 0, 2, 1].into(),
            previous: Some(SessionToken(Secret::new("0123abcd".into()))),
        };
        let text = format!("{request:?}");
        assert!(!text.contains("horse") && !text.contains("0123abcd"), "{text}");
    }

    #[test]
    fn every_answer_can_be_sent_and_read() {
        let machine = Machine { name: "lisbon-1".into(), version: "1.0.0".into(), needs_setup: false };
        let secret = || Secret::new("s".into());
        let name = || UserName::parse("anna").unwrap();
        let actor = || Actor { name: name(), role: Role::Administrator, csrf: secret() };
        let entry = HistoryEntry {
            generation: Generation(2),
            at: "2026-11-24T14:03:10Z".into(),
            by: "anna".into(),
            from: None,
            why: "Time".into(),
            rows: vec![],
        };
        for answer in [
            Response::Machine(machine.clone()),
            Response::TlsIdentity { key: secret(), chain: "c".into() },
            Response::Console(Console { machine, addresses: vec![], fingerprint: "f".into(), setup_code: None }),
            Response::LoggedIn { session: SessionToken(secret()), actor: actor() },
            Response::Actor(actor()),
            Response::Done,
            Response::Current { generation: Generation(1), settings: Box::default(), facts: Facts::default() },
            Response::Applied { generation: Generation(1) },
            Response::Conflict { generation: Generation(1), settings: Box::default() },
            Response::History(vec![entry]),
            Response::Status { clock: ClockStatus::default(), services: vec![] },
            Response::Denied,
            Response::WrongCredentials,
            Response::TryLater { seconds: 1 },
            Response::WeakPassword { rules: vec![PasswordRule::Length] },
            Response::Failed { message: "m".into(), operation: "o".into() },
        ] {
            let sent = serde_json::to_string(&answer).unwrap();
            let received: Response = serde_json::from_str(&sent).unwrap();
            assert_eq!(serde_json::to_string(&received).unwrap(), sent);
        }
    }

    #[test]
    fn a_change_that_does_not_parse_is_no_request() {
        let bad = r#"{"ask":"as","session":"x","from":"192.0.2.1","action":{"do":"apply","base":1,
            "change":{"ntp":{"servers":[{"host":"a b","nts":false}],"zone":"UTC"}}}}"#;
        assert!(serde_json::from_str::<Request>(bad).is_err());
        let good = bad.replace("a b", "a.example");
        assert!(serde_json::from_str::<Request>(&good).is_ok());
    }
}
