//! The part of the configuration that the engine works by. What is left out has the default of `sniffer_core::limits`.

use std::time::Duration;

use serde::Deserialize;
use sniffer_core::engine::{self, Settings};

use super::Config;
use crate::limits;

/// How many workers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub struct Workers(u8);

impl Workers {
    /// The number, at least 1.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self(1)
    }
}

impl TryFrom<u8> for Workers {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        if (1..=limits::WORKERS).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("{number} workers are not between 1 and {}", limits::WORKERS))
        }
    }
}

/// A time in whole seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
struct Seconds(Duration);

impl TryFrom<u32> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, &'static str> {
        if seconds == 0 {
            Err("a timeout has at least 1 second")
        } else {
            Ok(Self(Duration::from_secs(seconds.into())))
        }
    }
}

/// The size of a table, at least one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
struct Entries(usize);

impl TryFrom<u32> for Entries {
    type Error = String;

    fn try_from(entries: u32) -> Result<Self, String> {
        match usize::try_from(entries) {
            Ok(entries) if (1..=limits::TABLE).contains(&entries) => Ok(Self(entries)),
            Ok(_) | Err(_) => Err(format!("a table has between 1 and {} entries", limits::TABLE)),
        }
    }
}

macro_rules! optional {
    ($(#[$doc:meta])* $name:ident of $whole:ident, $kind:ident: $($(#[$field_doc:meta])* $field:ident),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$field_doc])* $field: Option<$kind>),* }

        impl $name {
            /// What is set, and the defaults for the rest.
            fn over(self, mut all: engine::$whole) -> engine::$whole {
                $(if let Some(value) = self.$field { all.$field = value.0; })*
                all
            }
        }
    };
}

optional! {
    /// Timeouts in seconds.
    Timeouts of Timeouts, Seconds:
    /// Silence of an answered call.
    call_idle,
    /// Silence in signalling of an answered call whose media was never seen, or of which none is to be heard.
    call_unheard,
    /// Silence of a call that was never answered.
    call_setup_idle,
    /// How long an ended call waits for retransmissions and trailing media.
    call_linger,
    /// Age at which a call is ended whatever is heard of it.
    call_longest,
    /// Silence after which another call may take over a media endpoint.
    endpoint_idle,
    /// Silence of a registration.
    registration_idle,
    /// Silence of a stream without signalling.
    stream_idle,
    /// Age at which a stream without signalling is ended.
    stream_longest,
    /// How long RTP waits for its SDP.
    pending,
}

optional! {
    /// Entries of tables.
    Tables of Tables, Entries:
    /// Calls.
    calls,
    /// Registrations.
    registrations,
    /// Subscriptions.
    subscriptions,
    /// Exchanges: requests outside calls, by method and peers.
    exchanges,
    /// RTP streams.
    streams,
    /// RTP streams that wait for their SDP.
    pending,
}

/// Which calls belong together: see `sniffer_core::engine::Correlation`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Correlation {
    on: bool,
    headers: Vec<String>,
    by_number: bool,
    window_ms: u32,
    narrow_window_ms: u32,
    refer_window_ms: u32,
}

impl Default for Correlation {
    fn default() -> Self {
        let defaults = engine::Correlation::default();
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        Self {
            on: defaults.is_on,
            by_number: defaults.by_number,
            window_ms: millis(defaults.window),
            narrow_window_ms: millis(defaults.narrow_window),
            refer_window_ms: millis(defaults.refer_window),
            headers: defaults.headers,
        }
    }
}

impl Correlation {
    fn settings(&self) -> engine::Correlation {
        let millis = |millis: u32| Duration::from_millis(u64::from(millis));
        engine::Correlation {
            is_on: self.on,
            headers: self.headers.clone(),
            by_number: self.by_number,
            window: millis(self.window_ms),
            narrow_window: millis(self.narrow_window_ms),
            refer_window: millis(self.refer_window_ms),
        }
    }
}

impl Config {
    /// How the engine is to work.
    #[must_use]
    pub fn engine(&self) -> Settings {
        let defaults = Settings::default();
        Settings {
            rtp_without_sip: self.rtp_without_sip,
            timeouts: self.timeouts.over(defaults.timeouts),
            tables: self.tables.over(defaults.tables),
            nat_aliases: self.nat_aliases.clone(),
            correlation: self.correlation.settings(),
            ..defaults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(&format!(r#"{{"ports":[],"socket":"/s"{more}}}"#))
    }

    #[test]
    fn what_is_set_reaches_the_engine_and_the_rest_has_its_default() {
        let config = parse(
            r#","workers":2,"timeouts":{"call_idle":60},"tables":{"calls":7,"subscriptions":8,"exchanges":9},"nat_aliases":[["10.0.0.1","192.0.2.1"]]"#,
        );
        let config = config.unwrap();
        let settings = config.engine();
        let defaults = Settings::default();
        assert_eq!(config.workers.get(), 2);
        assert_eq!(settings.timeouts.call_idle, Duration::from_secs(60));
        assert_eq!(settings.timeouts.call_linger, defaults.timeouts.call_linger);
        assert_eq!((settings.tables.calls, settings.tables.streams), (7, defaults.tables.streams));
        assert_eq!((settings.tables.subscriptions, settings.tables.exchanges), (8, 9));
        assert_eq!(settings.nat_aliases, [("10.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap())]);
        assert_eq!(parse("").unwrap().workers.get(), 1);
        assert_eq!(parse("").unwrap().engine().correlation, defaults.correlation);
        let config = parse(r#","correlation":{"on":false,"headers":["X-Trunk"],"window_ms":50}"#).unwrap();
        let correlation = config.engine().correlation;
        assert_eq!(
            (correlation.is_on, correlation.headers, correlation.window),
            (false, vec!["X-Trunk".to_owned()], Duration::from_millis(50))
        );
        assert!(correlation.by_number);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for more in [
            r#","workers":0"#,
            r#","workers":17"#,
            r#","timeouts":{"call_idle":0}"#,
            r#","timeouts":{"coffee":5}"#,
            r#","tables":{"calls":0}"#,
            r#","tables":{"calls":4000000000}"#,
            r#","nat_aliases":[["10.0.0.1"]]"#,
            r#","correlation":{"headers":"X-Trunk"}"#,
        ] {
            assert!(parse(more).is_err(), "{more}");
        }
    }
}
