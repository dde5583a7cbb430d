//! Not one frame leaves the monitoring port: from power-on, through everything that happened to the shared machine, a
//! restart included, and whatever a stranger sends.

use crate::calls::play_call;
use crate::shared::Shared;
use anyhow::{Result, ensure};
use qemu_tests::headless::wait_for_call;
use qemu_tests::machine::{MANAGEMENT_MAC, MONITORING_MAC};
use qemu_tests::probe::{self, Stranger, Target};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub fn not_one_frame_leaves_the_monitoring_port(shared: &mut Shared) -> Result<()> {
    let (booted, admin) = shared.admin()?;
    let wire = &booted.machine.monitoring;
    let stranger = Stranger::beside_the_router();
    let v4 = probe::v4_of(&booted.machine.management.received(), MANAGEMENT_MAC)?;
    // The address that this port would give itself (RFC 4291, appendix A), and the management port's own.
    let [a, b, c, d, e, f] = MONITORING_MAC;
    let [ab, cd, ef] = [u16::from_be_bytes([a ^ 2, b]), u16::from_be_bytes([0xfe, d]), u16::from_be_bytes([e, f])];
    let own = Ipv6Addr::new(0xfe80, 0, 0, 0, ab, u16::from_be_bytes([c, 0xff]), cd, ef);
    let mut frames =
        vec![stranger.router_solicitation()?, stranger.router_advertisement()?, stranger.neighbour_solicitation(own)?];
    let asked: Vec<IpAddr> =
        vec![v4.into(), Ipv4Addr::new(169, 254, 1, 1).into(), own.into(), Ipv4Addr::BROADCAST.into()];
    for ip in asked {
        if let IpAddr::V4(ip) = ip {
            frames.push(stranger.arp_request(ip));
        }
        for mac in [MONITORING_MAC, [0xff; 6], MANAGEMENT_MAC] {
            frames.push(stranger.ping(&Target { mac, ip })?);
            frames.push(stranger.connect(&Target { mac, ip }, 443)?);
        }
    }
    for frame in &frames {
        wire.send(frame)?;
    }
    // A call behind them: when it is on the page, the machine has taken everything that came before.
    let caller = "+351215550999";
    play_call(&booted.machine, caller, Duration::from_secs(2), 999)?;
    wait_for_call(&admin, Duration::from_secs(120), |row| row.from.starts_with(caller) && row.state == "Answered")?;
    let left = booted.machine.monitoring.received();
    let shown: Vec<String> =
        left.iter().take(5).map(|frame| format!("{:02x?}", frame.get(..60).unwrap_or(frame))).collect();
    ensure!(left.is_empty(), "{} frames left the port, the first ones:\n{}", left.len(), shown.join("\n"));
    // The same recording of the management port is not empty, so frames that leave a port are seen.
    ensure!(booted.machine.management.count() > 0, "nothing was recorded on the management port either");
    Ok(())
}
