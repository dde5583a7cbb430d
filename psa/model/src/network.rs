//! Ports: which one is for management and which ones listen, and what follows for networkd, nftables and the sniffer.

use crate::limits::MAX_PORTS;
use crate::render::{ConfigFile, DiffRow, Reload, Risk};
use crate::settings::Feature;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use thiserror::Error;

/// An Ethernet address in lower case with colons, such as `52:54:00:12:34:56`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(String);

/// The kernel's name of a port, such as `enp1s0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortName(String);

/// The text is neither an Ethernet address nor a port's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PortError {
    /// Not six pairs of hexadecimal digits.
    #[error("Enter an Ethernet address such as 52:54:00:12:34:56")]
    NotAMac,
    /// Not a name that the kernel gives to a port.
    #[error("Enter the name of a port such as enp1s0")]
    NotAName,
}

impl MacAddress {
    /// Parses an Ethernet address, in any case.
    ///
    /// # Errors
    /// When it is not six pairs of hexadecimal digits with colons.
    pub fn parse(text: &str) -> Result<Self, PortError> {
        let text = text.trim();
        let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
        if text.split(':').count() == 6 && text.split(':').all(is_pair) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(PortError::NotAMac)
        }
    }
}

impl PortName {
    /// Parses a port's name: 1 to 15 letters, digits, dots, dashes and underscores (IFNAMSIZ of netdevice(7)).
    ///
    /// # Errors
    /// When it has another length or another character.
    pub fn parse(text: &str) -> Result<Self, PortError> {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if (1..=15).contains(&text.len()) && text.bytes().all(is_allowed) && text != "." && text != ".." {
            Ok(Self(text.to_owned()))
        } else {
            Err(PortError::NotAName)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MacAddress {
    type Error = PortError;
    fn try_from(text: String) -> Result<Self, PortError> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for PortName {
    type Error = PortError;
    fn try_from(text: String) -> Result<Self, PortError> {
        Self::parse(&text)
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> Self {
        mac.0
    }
}

impl From<PortName> for String {
    fn from(name: PortName) -> Self {
        name.0
    }
}

/// A physical port as the running machine has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortFact {
    /// The kernel's name.
    pub name: PortName,
    /// Its address.
    pub mac: MacAddress,
}

/// What rendering must know of the machine. The ports are in the order of their place in the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The physical ports.
    pub ports: Vec<PortFact>,
}

/// What a port is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortRole {
    /// Carries the PSA.
    Management,
    /// Listens, and never sends.
    Monitoring,
    /// Not used.
    Unused,
}

/// Which port is for management and which ones listen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// The management port; `None` only until the first port is seen.
    pub management: Option<MacAddress>,
    /// The monitoring ports.
    pub monitoring: Vec<MacAddress>,
}

impl NetworkSettings {
    /// The settings of a machine's first boot: the first port is for management, the others listen.
    #[must_use]
    pub fn first_boot(facts: &Facts) -> Self {
        let mut macs = facts.ports.iter().map(|port| port.mac.clone());
        Self { management: macs.next(), monitoring: macs.take(MAX_PORTS).collect() }
    }

    /// The use of a port.
    #[must_use]
    pub fn role(&self, mac: &MacAddress) -> PortRole {
        if self.management.as_ref() == Some(mac) {
            PortRole::Management
        } else if self.monitoring.contains(mac) {
            PortRole::Monitoring
        } else {
            PortRole::Unused
        }
    }

    fn names(&self, facts: &Facts, role: PortRole) -> Vec<PortName> {
        facts.ports.iter().filter(|port| self.role(&port.mac) == role).map(|port| port.name.clone()).collect()
    }
}

/// A set for nftables, possibly empty. A stand-in name would not do: a chain on a device that is not there is refused.
fn nft_set(names: &[PortName]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("{{ {} }}", quoted.join(", "))
}

impl Feature for NetworkSettings {
    const TITLE: &'static str = "Network";

    fn diff(&self, new: &Self) -> Vec<DiffRow> {
        let text = |mac: &Option<MacAddress>| mac.as_ref().map(ToString::to_string);
        let list = |macs: &[MacAddress]| {
            let all: Vec<String> = macs.iter().map(ToString::to_string).collect();
            (!all.is_empty()).then(|| all.join(", "))
        };
        [
            DiffRow::of("Management port", text(&self.management), text(&new.management)),
            DiffRow::of("Monitoring ports", list(&self.monitoring), list(&new.monitoring)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn risk(&self, new: &Self) -> Risk {
        if self.management == new.management { Risk::None } else { Risk::MayDisconnect }
    }

    fn render(&self, facts: &Facts) -> Vec<ConfigFile> {
        let mut files = Vec::new();
        let mut file = |path: String, content: String| files.push(ConfigFile { path, mode: 0o644, content });
        if let Some(mac) = &self.management {
            file(
                "run/systemd/network/10-management.network".into(),
                format!(
                    "[Match]\nMACAddress={mac}\n\n[Network]\nDHCP=yes\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\n\
                     LLMNR=no\nMulticastDNS=no\nLLDP=no\n\n[DHCPv4]\nUseNTP=no\nUseHostname=no\n\n[DHCPv6]\nUseNTP=no\nUseHostname=no\n"
                ),
            );
        }
        for mac in &self.monitoring {
            // A frame sent here would reach the network under watch: no address, no ARP, no neighbour discovery.
            file(
                format!("run/systemd/network/20-monitoring-{}.network", mac.0.replace(':', "")),
                format!(
                    "[Match]\nMACAddress={mac}\n\n[Link]\nARP=no\nMulticast=no\nRequiredForOnline=no\nActivationPolicy=always-up\n\n\
                     [Network]\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nIPv6SendRA=no\nLLDP=no\nEmitLLDP=no\n\
                     LLMNR=no\nMulticastDNS=no\nConfigureWithoutCarrier=yes\n"
                ),
            );
        }
        let management = self.names(facts, PortRole::Management);
        let monitoring = self.names(facts, PortRole::Monitoring);
        let mut rules = String::from("# Written by psa-helper from the Network settings.\n");
        // Writing to a String cannot fail.
        writeln!(rules, "define management = {}", nft_set(&management)).unwrap_or_default();
        writeln!(rules, "define monitoring = {}", nft_set(&monitoring)).unwrap_or_default();
        file("run/callward/nftables/ports.nft".into(), rules);
        let ports: Vec<String> = monitoring.iter().map(|name| format!("\"{name}\"")).collect();
        file(
            "run/callward/sniffer.json".into(),
            format!(
                "{{\"ports\":[{}],\"store\":\"/capture/sniffer\",\"socket\":\"/run/sniffer/query.sock\"}}\n",
                ports.join(",")
            ),
        );
        files
    }

    fn reloads(&self) -> &'static [Reload] {
        &[
            Reload {
                unit: "nftables",
                program: "/usr/bin/systemctl",
                arguments: &["reload-or-restart", "nftables.service"],
            },
            Reload {
                unit: "systemd-networkd",
                program: "/usr/bin/systemctl",
                arguments: &["restart", "systemd-networkd.service"],
            },
            Reload { unit: "sniffer", program: "/usr/bin/systemctl", arguments: &["try-restart", "sniffer.service"] },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(count: u8) -> Facts {
        let port = |n: u8| PortFact {
            name: PortName::parse(&format!("enp0s{n}")).unwrap(),
            mac: MacAddress::parse(&format!("52:54:00:00:00:0{n}")).unwrap(),
        };
        Facts { ports: (1..=count).map(port).collect() }
    }

    fn content(files: &[ConfigFile], path: &str) -> String {
        files.iter().find(|file| file.path == path).map(|file| file.content.clone()).unwrap_or_default()
    }

    #[test]
    fn the_first_port_is_for_management_and_the_others_listen() {
        let settings = NetworkSettings::first_boot(&facts(3));
        let files = settings.render(&facts(3));
        let rules = content(&files, "run/callward/nftables/ports.nft");
        assert!(rules.contains("define management = { \"enp0s1\" }"), "{rules}");
        assert!(rules.contains("define monitoring = { \"enp0s2\", \"enp0s3\" }"), "{rules}");
        let sniffer: serde_json::Value = serde_json::from_str(&content(&files, "run/callward/sniffer.json")).unwrap();
        assert_eq!(sniffer["ports"], serde_json::json!(["enp0s2", "enp0s3"]));
        assert!(content(&files, "run/systemd/network/20-monitoring-525400000002.network").contains("ARP=no"));
    }

    #[test]
    fn a_machine_with_one_port_or_none_still_renders() {
        for count in [0, 1] {
            let settings = NetworkSettings::first_boot(&facts(count));
            let files = settings.render(&facts(count));
            assert!(content(&files, "run/callward/nftables/ports.nft").contains("define monitoring = {  }"));
            assert!(content(&files, "run/callward/sniffer.json").contains("\"ports\":[]"));
        }
    }

    #[test]
    fn only_a_change_of_the_management_port_may_disconnect() {
        let old = NetworkSettings::first_boot(&facts(2));
        let mut new = old.clone();
        new.monitoring.clear();
        assert_eq!(old.risk(&new), Risk::None);
        new.management = None;
        assert_eq!(old.risk(&new), Risk::MayDisconnect);
    }

    #[test]
    fn names_that_could_break_a_rule_are_refused() {
        for name in ["", "a b", "a\"b", "a\nb", "0123456789abcdef", ".."] {
            assert!(PortName::parse(name).is_err(), "{name:?}");
        }
        for mac in ["", "52:54:00:12:34", "52:54:00:12:34:5g", "52-54-00-12-34-56", "52:54:00:12:34:56:78"] {
            assert!(MacAddress::parse(mac).is_err(), "{mac:?}");
        }
    }
}
