//! The appliance itself. The only module that starts programs: fixed paths, lists of arguments, an empty environment,
//! a time limit and bounded output; never a shell.

use super::{SERVICES, System, service, services_as};
use crate::limits;
use anyhow::{Context, bail};
use nix::ifaddrs::getifaddrs;
use nix::unistd::sethostname;
use psa_model::network::PortName;
use psa_model::render::Reload;
use psa_model::status::{ClockStatus, ServiceState, ServiceStatus, parse_sources, parse_tracking};
use std::collections::BTreeMap;
use std::io::Read;
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const CHRONYC: &str = "/usr/bin/chronyc";
const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The appliance.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealSystem;

impl System for RealSystem {
    fn reload(&self, reload: &Reload) -> anyhow::Result<()> {
        run(reload.program, reload.arguments, limits::RELOAD_TIMEOUT).map(drop)
    }

    fn clock(&self) -> ClockStatus {
        let ask = |what: &str| run(CHRONYC, &["-n", "-c", what], limits::QUERY_TIMEOUT);
        let tracking = match ask("tracking") {
            Ok(text) => parse_tracking(&text),
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "chrony does not answer");
                None
            }
        };
        let Some(tracking) = tracking else { return ClockStatus::default() };
        ClockStatus { sources: ask("sources").map(|text| parse_sources(&text)).unwrap_or_default(), ..tracking }
    }

    fn services(&self) -> Vec<ServiceStatus> {
        let mut arguments = vec!["show", "--timestamp=unix", "--property=Id,ActiveState,StateChangeTimestamp", "--"];
        let units: Vec<String> = SERVICES.iter().map(|(unit, _)| format!("{unit}.service")).collect();
        arguments.extend(units.iter().map(String::as_str));
        match run(SYSTEMCTL, &arguments, limits::QUERY_TIMEOUT) {
            Ok(text) => parse_units(&text),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "systemd does not answer");
                services_as(ServiceState::Unknown)
            }
        }
    }

    fn addresses(&self, port: &PortName) -> Vec<IpAddr> {
        let Ok(all) = getifaddrs() else { return Vec::new() };
        let of_port = all.filter(|found| found.interface_name == port.as_str());
        let mut addresses: Vec<IpAddr> = of_port
            .filter_map(|found| {
                let address = found.address?;
                let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
                v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))
            })
            .filter(is_reachable)
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(limits::MAX_ADDRESSES);
        addresses
    }

    fn set_host_name(&self, name: &str) -> anyhow::Result<()> {
        sethostname(name).context("set the host name")
    }
}

/// Whether a browser elsewhere can use an address: those of the link need a zone, which no browser takes.
fn is_reachable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}

/// Reads `systemctl show`: blocks of `Name=value`, one a unit, with an empty line between them.
fn parse_units(text: &str) -> Vec<ServiceStatus> {
    let blocks = text.split("\n\n").map(|block| block.lines().filter_map(|line| line.split_once('=')).collect());
    let units: Vec<BTreeMap<&str, &str>> = blocks.collect();
    SERVICES
        .iter()
        .map(|(unit, purpose)| {
            let id = format!("{unit}.service");
            let found = units.iter().find(|block| block.get("Id") == Some(&id.as_str()));
            let get = |name: &str| found.and_then(|block| block.get(name).copied()).unwrap_or_default();
            let state = match get("ActiveState") {
                "active" => ServiceState::Active,
                "activating" | "deactivating" | "reloading" | "refreshing" | "maintenance" => ServiceState::Changing,
                "inactive" => ServiceState::Inactive,
                "failed" => ServiceState::Failed,
                _ => ServiceState::Unknown,
            };
            let since = get("StateChangeTimestamp").trim_start_matches('@').parse().ok().filter(|since| *since > 0);
            service(unit, purpose, state, since)
        })
        .collect()
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// When it cannot start, runs too long, or ends with another status than 0; with what it said.
fn run(program: &str, arguments: &[&str], timeout: Duration) -> anyhow::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (ended, stdout, stderr) = thread::scope(|scope| {
        // A program that prints more than the limit gets SIGPIPE; one that prints to both pipes cannot block itself.
        let stdout = scope.spawn(|| read_bounded(stdout));
        let stderr = scope.spawn(|| read_bounded(stderr));
        let ended = wait(&mut child, timeout);
        (ended, stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default())
    });
    let status = ended.with_context(|| format!("wait for {program}"))?;
    match status {
        None => bail!("{program} {arguments:?} took longer than {} s", timeout.as_secs()),
        Some(status) if !status.success() => {
            bail!(
                "{program} {arguments:?} ended with {status}: {:?}",
                stderr.trim().chars().take(400).collect::<String>()
            )
        }
        Some(_) => Ok(stdout),
    }
}

fn read_bounded(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe
        && let Err(error) = pipe.take(limits::MAX_OUTPUT).read_to_end(&mut bytes)
    {
        tracing::debug!(%error, "A program's output broke off");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for the end; `None` when it took too long and was killed. Counts its own steps instead of reading a clock.
fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<Option<std::process::ExitStatus>> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if waited >= timeout {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK_EVERY);
        waited = waited.saturating_add(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_whatever_their_order() {
        let text = "Id=chrony.service\nActiveState=active\nStateChangeTimestamp=@1795000000\n\n\
                    Id=psa.service\nActiveState=failed\nStateChangeTimestamp=@1795000001\n\n\
                    Id=sniffer.service\nActiveState=inactive\nStateChangeTimestamp=\n";
        let services = parse_units(text);
        let get = |unit: &str| services.iter().find(|s| s.unit == unit).map(|s| (s.state, s.since)).unwrap();
        assert_eq!(services.len(), SERVICES.len());
        assert_eq!(get("chrony"), (ServiceState::Active, Some(1_795_000_000)));
        assert_eq!(get("psa"), (ServiceState::Failed, Some(1_795_000_001)));
        assert_eq!(get("sniffer"), (ServiceState::Inactive, None));
        assert_eq!(get("nftables"), (ServiceState::Unknown, None));
    }

    #[test]
    fn a_program_is_run_with_its_list_and_an_empty_environment() {
        assert_eq!(run("/usr/bin/printf", &["%s|", "a b", "$HOME;x"], Duration::from_secs(5)).unwrap(), "a b|$HOME;x|");
        assert_eq!(run("/usr/bin/env", &[], Duration::from_secs(5)).unwrap(), "LC_ALL=C\n");
    }

    #[test]
    fn a_program_that_fails_or_hangs_is_an_error_that_says_so() {
        let failed = run("/usr/bin/cat", &["/nothing-here"], Duration::from_secs(5)).unwrap_err();
        assert!(failed.to_string().contains("No such file"), "{failed}");
        let hung = run("/usr/bin/sleep", &["60"], Duration::from_millis(50)).unwrap_err();
        assert!(hung.to_string().contains("longer than"), "{hung}");
        assert!(run("/no/such/program", &[], Duration::from_secs(1)).is_err());
    }

    #[test]
    fn endless_output_is_cut() {
        assert!(run("/usr/bin/yes", &[], Duration::from_secs(5)).is_err());
    }

    #[test]
    fn addresses_of_the_link_and_the_loopback_are_not_shown() {
        for (address, reachable) in [
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("fd00::1", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("169.254.1.1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_reachable(&address.parse().unwrap()), reachable, "{address}");
        }
        assert!(RealSystem.addresses(&PortName::parse("lo").unwrap()).is_empty());
    }
}
