//! Time (`ntp`): time servers for chrony, and the time zone of pages and reports. The pattern for every settings page.

use crate::limits::MAX_TIME_SERVERS;
use crate::network::Facts;
use crate::render::{ConfigFile, DiffRow, Reload, Risk};
use crate::settings::Feature;
use crate::text::{Host, TextError};
use jiff::tz::TimeZoneDatabase;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use thiserror::Error;

/// The file that chrony reads time servers from (`sourcedir` in chrony.conf(5)).
const SOURCES: &str = "run/callward/chrony/callward.sources";

/// One time server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeServer {
    /// Its name or address.
    pub host: Host,
    /// Whether it must prove itself by Network Time Security (RFC 8915).
    pub nts: bool,
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, if self.nts { ", authenticated with NTS" } else { "" })
    }
}

/// An IANA time zone such as `Europe/Lisbon`. Only pages and reports use it; the machine itself runs in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ZoneName(String);

/// The text names no time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Choose a time zone of the list, such as Europe/Lisbon")]
pub struct NotAZone;

impl ZoneName {
    /// Parses a zone's name, in any case.
    ///
    /// # Errors
    /// When the time zone database (built in) does not have it.
    pub fn parse(text: &str) -> Result<Self, NotAZone> {
        let zone = TimeZoneDatabase::bundled().get(text.trim()).map_err(|_| NotAZone)?;
        zone.iana_name().map(|name| Self(name.to_owned())).ok_or(NotAZone)
    }

    /// The zone's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every zone's name, sorted, for the page's list.
    #[must_use]
    pub fn all() -> Vec<String> {
        let mut all: Vec<String> =
            TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect();
        all.sort_unstable();
        all
    }
}

impl Default for ZoneName {
    fn default() -> Self {
        Self("UTC".into())
    }
}

impl TryFrom<String> for ZoneName {
    type Error = NotAZone;
    fn try_from(text: String) -> Result<Self, NotAZone> {
        Self::parse(&text)
    }
}

impl From<ZoneName> for String {
    fn from(zone: ZoneName) -> Self {
        zone.0
    }
}

/// What the Time page sets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct NtpSettings {
    servers: Vec<TimeServer>,
    zone: ZoneName,
}

/// The settings as they are stored and sent, before they are checked.
#[derive(Deserialize)]
struct Stored {
    servers: Vec<TimeServer>,
    zone: ZoneName,
}

impl TryFrom<Stored> for NtpSettings {
    type Error = NtpError;
    fn try_from(stored: Stored) -> Result<Self, NtpError> {
        Self::new(stored.servers, stored.zone)
    }
}

/// A rule for the servers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NtpError {
    /// More than [`MAX_TIME_SERVERS`].
    #[error("Enter at most {MAX_TIME_SERVERS} time servers")]
    TooMany,
    /// The same server twice, which chrony would take for two opinions.
    #[error("Enter each time server once")]
    Twice,
}

impl NtpSettings {
    /// Puts settings together.
    ///
    /// # Errors
    /// When there are too many servers or one is named twice.
    pub fn new(servers: Vec<TimeServer>, zone: ZoneName) -> Result<Self, NtpError> {
        if servers.len() > MAX_TIME_SERVERS {
            return Err(NtpError::TooMany);
        }
        let mut hosts: Vec<_> = servers.iter().map(|server| &server.host).collect();
        hosts.sort_unstable();
        if hosts.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(NtpError::Twice);
        }
        Ok(Self { servers, zone })
    }

    /// The servers in the page's order.
    #[must_use]
    pub fn servers(&self) -> &[TimeServer] {
        &self.servers
    }

    /// The time zone of pages and reports.
    #[must_use]
    pub fn zone(&self) -> &ZoneName {
        &self.zone
    }
}

impl Feature for NtpSettings {
    const TITLE: &'static str = "Time";

    fn diff(&self, new: &Self) -> Vec<DiffRow> {
        let count = self.servers.len().max(new.servers.len());
        let mut rows: Vec<DiffRow> = (0..count)
            .filter_map(|at| {
                let value = |settings: &Self| settings.servers.get(at).map(ToString::to_string);
                DiffRow::of(format!("Server {}", at.saturating_add(1)), value(self), value(new))
            })
            .collect();
        rows.extend(DiffRow::of("Time zone", Some(self.zone.0.clone()), Some(new.zone.0.clone())));
        rows
    }

    fn risk(&self, _new: &Self) -> Risk {
        Risk::None
    }

    fn render(&self, _facts: &Facts) -> Vec<ConfigFile> {
        let mut content = String::from("# Written by psa-helper from the Time page.\n");
        for server in &self.servers {
            let nts = if server.nts { " nts" } else { "" };
            // Writing to a String cannot fail.
            writeln!(content, "server {} iburst{nts}", server.host).unwrap_or_default();
        }
        vec![ConfigFile { path: SOURCES.into(), mode: 0o644, content }]
    }

    fn reloads(&self) -> &'static [Reload] {
        &[Reload { unit: "chrony", program: "/usr/bin/chronyc", arguments: &["reload", "sources"] }]
    }
}

/// The Time page's form as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NtpForm {
    /// Host names or addresses; empty ones are left out.
    pub servers: Vec<String>,
    /// Whether the server of the same place must authenticate with NTS.
    pub nts: Vec<bool>,
    /// The time zone's name; empty means UTC.
    pub zone: String,
}

/// What is wrong with a form, by field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NtpFormErrors {
    /// Place of the server in the form, and what to do.
    pub servers: Vec<(usize, String)>,
    /// What to do about the time zone.
    pub zone: Option<String>,
    /// What to do about the servers together.
    pub together: Option<String>,
}

impl NtpForm {
    /// Turns what was typed into settings.
    ///
    /// # Errors
    /// Every field that needs mending, each with what to do.
    pub fn parse(&self) -> Result<NtpSettings, NtpFormErrors> {
        let mut errors = NtpFormErrors::default();
        let mut servers = Vec::new();
        for (at, typed) in self.servers.iter().enumerate() {
            match Host::parse(typed) {
                Ok(host) => servers.push(TimeServer { host, nts: self.nts.get(at).copied().unwrap_or(false) }),
                Err(TextError::Empty) => {}
                Err(error) => errors.servers.push((at, error.to_string())),
            }
        }
        let typed_zone = if self.zone.trim().is_empty() { "UTC" } else { &self.zone };
        let zone = ZoneName::parse(typed_zone).map_err(|error| errors.zone = Some(error.to_string()));
        let settings = NtpSettings::new(servers, zone.unwrap_or_default());
        match settings {
            Ok(settings) if errors == NtpFormErrors::default() => Ok(settings),
            Ok(_) => Err(errors),
            Err(error) => Err(NtpFormErrors { together: Some(error.to_string()), ..errors }),
        }
    }

    /// The form that shows these settings.
    #[must_use]
    pub fn of(settings: &NtpSettings) -> Self {
        Self {
            servers: settings.servers.iter().map(|server| server.host.to_string()).collect(),
            nts: settings.servers.iter().map(|server| server.nts).collect(),
            zone: settings.zone.0.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(servers: &[&str]) -> NtpForm {
        NtpForm {
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            nts: vec![true],
            zone: "europe/lisbon".into(),
        }
    }

    #[test]
    fn a_form_becomes_a_chrony_sources_file() {
        let settings = form(&["ntp1.example.net", "", "192.0.2.123"]).parse().unwrap();
        let files = settings.render(&Facts::default());
        assert_eq!(files[0].path, "run/callward/chrony/callward.sources");
        assert_eq!(
            files[0].content,
            "# Written by psa-helper from the Time page.\nserver ntp1.example.net iburst nts\nserver 192.0.2.123 iburst\n"
        );
        assert_eq!(settings.zone().as_str(), "Europe/Lisbon");
    }

    #[test]
    fn a_line_break_cannot_reach_the_config_file() {
        let errors = form(&["ntp1.example.net\nbindcmdaddress 0.0.0.0"]).parse().unwrap_err();
        assert_eq!(errors.servers[0].0, 0);
        let stored = r#"{"servers":[{"host":"a\ncommandkey 1","nts":false}],"zone":"UTC"}"#;
        assert!(serde_json::from_str::<NtpSettings>(stored).is_err());
    }

    #[test]
    fn each_field_is_told_what_to_do() {
        let mut typed = form(&["ntp1.example.net", "ntp2 example.net"]);
        typed.zone = "Europe/Atlantis".into();
        let errors = typed.parse().unwrap_err();
        assert_eq!(errors.servers, [(1, TextError::NotAHost.to_string())]);
        assert_eq!(errors.zone, Some(NotAZone.to_string()));
        assert_eq!(form(&["a.example", "A.example"]).parse().unwrap_err().together, Some(NtpError::Twice.to_string()));
        let many: Vec<String> = (0..9).map(|n| format!("ntp{n}.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(form(&many).parse().unwrap_err().together, Some(NtpError::TooMany.to_string()));
    }

    #[test]
    fn too_many_servers_cannot_be_sent_past_the_form() {
        let server = |n: usize| format!(r#"{{"host":"ntp{n}.example","nts":false}}"#);
        let stored = format!(r#"{{"servers":[{}],"zone":"UTC"}}"#, (0..9).map(server).collect::<Vec<_>>().join(","));
        assert!(serde_json::from_str::<NtpSettings>(&stored).is_err());
    }

    #[test]
    fn a_form_shows_what_was_stored() {
        let settings = form(&["ntp1.example.net", "2001:db8::123"]).parse().unwrap();
        assert_eq!(NtpForm::of(&settings).parse().unwrap(), settings);
    }

    #[test]
    fn the_review_names_old_and_new() {
        let old = form(&["ntp1.example.net"]).parse().unwrap();
        let new = form(&["ntp1.example.net", "ntp2.example.net"]).parse().unwrap();
        let rows = old.diff(&new);
        assert_eq!(rows, [DiffRow { setting: "Server 2".into(), was: None, will: Some("ntp2.example.net".into()) }]);
    }
}
