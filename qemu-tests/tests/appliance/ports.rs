//! What a stranger on the management network finds: one open port.

use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use qemu_tests::clock;
use qemu_tests::machine::MANAGEMENT_MAC;
use qemu_tests::probe::{self, Stranger, Target};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub fn only_443_is_open(shared: &mut Shared) -> Result<()> {
    let machine = &shared.booted()?.machine;
    let (wire, stranger) = (&machine.management, Stranger::beside_the_router());
    let v4 = probe::v4_of(&wire.received(), MANAGEMENT_MAC)?;
    // It says who it is to its own network: ARP and ping are answered there, by decision.
    let said = stranger.ask(wire, &stranger.arp_request(v4), |frame| probe::arp_answer(frame, v4))?;
    ensure!(said == Some(MANAGEMENT_MAC), "ARP: {said:?}");
    let started = clock::now();
    let mut targets = vec![Target { mac: MANAGEMENT_MAC, ip: v4.into() }];
    let seen = probe::addresses_of(&wire.received(), MANAGEMENT_MAC);
    let v6 = seen.keys().find(|ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
    targets.push(Target { mac: MANAGEMENT_MAC, ip: *v6.context("no IPv6 address of its own link")? });
    for target in &targets {
        let answer = stranger.ask(wire, &stranger.ping(target)?, |frame| probe::is_ping_answer(frame).then_some(()))?;
        ensure!(answer.is_some(), "{} does not answer a ping", target.ip);
        let ports = stranger.scan_tcp(wire, target, 443)?;
        ensure!(ports.open == BTreeSet::from([443]), "open on {}: {:?}", target.ip, ports.open);
        ensure!(ports.refused.is_empty(), "refused, not silent, on {}: {:?}", target.ip, ports.refused);
        let udp: Vec<u16> = (1..=1024).chain([1900, 3702, 4500, 5060, 5353, 5355, 33_434]).collect();
        let answers = stranger.scan_udp(wire, target, &udp, 443)?;
        ensure!(answers.is_empty(), "{} answers or refuses {} datagrams", target.ip, answers.len());
    }
    println!(
        "FIGURE 65535 TCP ports of two addresses tried in {:.1} s",
        clock::now().duration_since(started).as_secs_f64()
    );
    Ok(())
}
