//! What a configuration may hold, as text for `--help` and the manual pages. Defaults are what the program has.

use std::time::Duration;

use sniffer_core::engine::{Correlation, Settings};

use super::Keep;
use crate::{limits, retention::Bound};

/// Every key with what it means and its default, in 80 columns.
#[must_use]
pub fn configuration() -> String {
    let defaults = Settings::default();
    let mut text = String::from("The configuration is JSON. `ports` and `socket` are needed, the rest has defaults:\n");
    let mut add = |key: &str, default: &str, what: &str| {
        let key = if default.is_empty() { key.to_owned() } else { format!("{key} ({default})") };
        text.push_str(&format!("\n  {key}\n      {what}"));
    };
    add("ports", "", "interfaces to capture from, as [\"enp0s3\"]; [] for none");
    add("socket", "", "path of the query socket");
    add("store", "nothing is kept", "folder for calls, packets and the archive");
    add("rtp_without_sip", "false", "count RTP that no signalling announces, too");
    let most = format!("readers of each port, 1 to {}; of all ports at most {}", limits::WORKERS, limits::READERS);
    add("workers", "1", &most);
    add("nat_aliases", "[]", "pairs of addresses of one host: [[\"10.0.0.1\", \"192.0.2.1\"]]");
    add("keep_calls", &limits::STORE_CALLS.to_string(), "calls in the store; the oldest go first");
    let keep = Keep::default();
    let bound = |bound: Bound| format!("{{\"days\": {}, \"gigabytes\": {}}}", bound.days, bound.gigabytes);
    for (key, value, what) in [
        ("calls", keep.calls, "calls and streams in the store"),
        ("registrations", keep.registrations, "registrations in the store"),
        ("subscriptions", keep.subscriptions, "subscriptions in the store"),
        ("exchanges", keep.exchanges, "OPTIONS and other requests outside calls, counted, in the store"),
        ("streams", keep.streams, "streams without a call in the store"),
        ("archive", keep.archive, "hourly Parquet files of calls; 0 gigabytes: none"),
        ("archive_others", keep.archive_others, "the same of all else"),
        ("signalling", keep.signalling, "packets of the calls' signalling; 0 gigabytes: none"),
        ("signalling_others", keep.signalling_others, "packets of all other signalling"),
        ("media", keep.media, "packets of media; 0 gigabytes: none"),
    ] {
        add(&format!("keep.{key}"), &bound(value), what);
    }
    add("keep.media_packets", "\"headers\"", "of media packets \"headers\", \"full\" or \"none\"");
    add("keep.free_gigabytes", "a twentieth of the disk, at most 20", "what stays free on the disk");
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    let timeouts = defaults.timeouts;
    for (key, value, what) in [
        ("call_idle", timeouts.call_idle, "silence that ends an answered call"),
        ("call_unheard", timeouts.call_unheard, "the same where its media was never seen, or all is on hold"),
        ("call_setup_idle", timeouts.call_setup_idle, "silence that ends a call that was not answered"),
        ("call_linger", timeouts.call_linger, "how long an ended call is watched for what trails"),
        ("call_longest", timeouts.call_longest, "age at which a call is ended"),
        ("endpoint_idle", timeouts.endpoint_idle, "silence after which another call may have its port"),
        ("registration_idle", timeouts.registration_idle, "silence that ends a registration"),
        ("stream_idle", timeouts.stream_idle, "silence that ends a stream without a call"),
        ("stream_longest", timeouts.stream_longest, "age at which such a stream is ended"),
        ("pending", timeouts.pending, "how long RTP waits for the SDP that announces it"),
    ] {
        add(&format!("timeouts.{key}"), &seconds(value), what);
    }
    let tables = defaults.tables;
    for (key, value, what) in [
        ("calls", tables.calls, "calls at once, about 2 KiB each"),
        ("registrations", tables.registrations, "registrations"),
        ("subscriptions", tables.subscriptions, "subscriptions"),
        ("exchanges", tables.exchanges, "other requests, by method and hosts"),
        ("streams", tables.streams, "RTP streams, about 600 bytes each"),
        ("pending", tables.pending, "RTP streams that wait for their SDP"),
    ] {
        add(&format!("tables.{key}"), &value.to_string(), what);
    }
    let links = Correlation::default();
    let millis = |time: Duration| time.as_millis().to_string();
    add("correlation.on", "true", "find calls that belong together");
    add("correlation.headers", &links.headers.join(", "), "headers whose value both legs have");
    add("correlation.by_number", "true", "also by caller, callee and time");
    add("correlation.window_ms", &millis(links.window), "how far apart such legs begin");
    add("correlation.narrow_window_ms", &millis(links.narrow_window), "the same with one number alone");
    add("correlation.refer_window_ms", &millis(links.refer_window), "how long a transfer waits for its call");
    text.push_str("\n\nExample: { \"ports\": [\"enp0s3\"], \"store\": \"/capture/sniffer\",\n           \"socket\": \"/run/sniffer/query.sock\" }");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Config;

    /// The keys that reading a configuration knows at a place, as it names them itself.
    fn keys(place: &str) -> Vec<String> {
        let inner = r#"{"no such key":1}"#;
        let text = match place {
            "" => inner.to_owned(),
            place => format!(r#"{{"ports":[],"socket":"/s","{place}":{inner}}}"#),
        };
        let message = Config::parse(text.as_bytes()).unwrap_err().message;
        let (_, names) = message.split_once("expected one of ").unwrap_or_else(|| panic!("{message}"));
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn help_and_readme_know_every_key_and_no_others() {
        let (help, readme) = (configuration(), include_str!("../../README.md"));
        let mut all = 0;
        for place in ["", "keep", "timeouts", "tables", "correlation"] {
            for key in keys(place) {
                if matches!(key.as_str(), "keep" | "timeouts" | "tables" | "correlation") {
                    continue;
                }
                let whole = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                let is_told = help.lines().any(|line| line.trim_start().split(' ').next() == Some(whole.as_str()));
                assert!(is_told, "{whole} is not in the help");
                assert!(
                    readme.contains(&format!("`{key}`"))
                        || readme.contains(&format!("`{whole}`"))
                        || readme.contains(&format!("\"{key}\"")),
                    "{whole} is not in README.md"
                );
                all += 1;
            }
        }
        let told = help.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count();
        assert_eq!(told, all, "no key is told that there is not");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}
