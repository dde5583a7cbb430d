//! What the helper does to the running system: tell units, and ask for clock, services and addresses.

mod real;
mod recorded;

pub use real::RealSystem;
pub use recorded::Recorded;

use psa_model::network::PortName;
use psa_model::render::Reload;
use psa_model::status::{ClockStatus, ServiceState, ServiceStatus};
use std::net::IpAddr;

/// The running system.
pub trait System: Send + Sync {
    /// Tells a unit that its files changed.
    ///
    /// # Errors
    /// When it cannot be told, or does not take them.
    fn reload(&self, reload: &Reload) -> anyhow::Result<()>;

    /// The clock's state; unknown where chrony does not answer.
    fn clock(&self) -> ClockStatus;

    /// The state of every unit in [`SERVICES`].
    fn services(&self) -> Vec<ServiceStatus>;

    /// The addresses of a port that others can reach: none of the link, none of the loopback. Sorted.
    fn addresses(&self, port: &PortName) -> Vec<IpAddr>;

    /// Names the running machine.
    ///
    /// # Errors
    /// When the kernel refuses.
    fn set_host_name(&self, name: &str) -> anyhow::Result<()>;
}

/// The appliance's units and what they do, in the order of the Status page.
pub const SERVICES: [(&str, &str); 7] = [
    ("psa", "Platform Setup Application: these pages"),
    ("psa-helper", "Keeps and applies the settings"),
    ("sniffer", "Captures and measures calls"),
    ("chrony", "Keeps the time"),
    ("nftables", "Packet filter"),
    ("systemd-networkd", "Network ports"),
    ("systemd-journald", "System log"),
];

/// Every service in the given state, for a system that knows no better.
fn services_as(state: ServiceState) -> Vec<ServiceStatus> {
    SERVICES.iter().map(|(unit, purpose)| service(unit, purpose, state, None)).collect()
}

fn service(unit: &str, purpose: &str, state: ServiceState, since: Option<u64>) -> ServiceStatus {
    ServiceStatus { unit: unit.to_owned(), purpose: purpose.to_owned(), state, since }
}
