//! A system that is only written down: for developers without privileges, and for tests.

use super::{System, services_as};
use psa_model::network::PortName;
use psa_model::render::Reload;
use psa_model::status::{ClockStatus, ServiceState, ServiceStatus};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most reloads remembered. A developer's session has a few; the oldest is forgotten first.
const MAX_TOLD: usize = 1000;

/// Records reloads instead of running them. Knows no clock and no services, and says so.
#[derive(Debug, Default)]
pub struct Recorded(Mutex<State>);

#[derive(Debug)]
struct State {
    told: Vec<&'static str>,
    failing: Option<String>,
    addresses: Vec<IpAddr>,
}

impl Default for State {
    fn default() -> Self {
        Self { told: Vec::new(), failing: None, addresses: vec![Ipv4Addr::LOCALHOST.into()] }
    }
}

impl Recorded {
    /// The units that were told, in order.
    #[must_use]
    pub fn told(&self) -> Vec<&'static str> {
        self.state().told.clone()
    }

    /// Makes a unit's reloads fail from here on; `None` heals all.
    pub fn fail(&self, unit: Option<&str>) {
        self.state().failing = unit.map(str::to_owned);
    }

    /// Gives the management port other addresses.
    pub fn set_addresses(&self, addresses: &[IpAddr]) {
        self.state().addresses = addresses.to_vec();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Recorded {
    fn reload(&self, reload: &Reload) -> anyhow::Result<()> {
        let mut state = self.state();
        if state.told.len() >= MAX_TOLD {
            state.told.remove(0);
        }
        state.told.push(reload.unit);
        tracing::info!(unit = reload.unit, program = reload.program, "Recorded a reload, ran nothing");
        match &state.failing {
            Some(unit) if unit == reload.unit => Err(anyhow::anyhow!("{} was made to fail", reload.unit)),
            _ => Ok(()),
        }
    }

    fn clock(&self) -> ClockStatus {
        ClockStatus::default()
    }

    fn services(&self) -> Vec<ServiceStatus> {
        services_as(ServiceState::Unknown)
    }

    fn addresses(&self, _port: &PortName) -> Vec<IpAddr> {
        self.state().addresses.clone()
    }

    fn set_host_name(&self, _name: &str) -> anyhow::Result<()> {
        Ok(())
    }
}
