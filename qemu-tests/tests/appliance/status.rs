//! What the Status page says of a machine in order.

use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use qemu_tests::admin::{Admin, Row};

fn table(admin: &Admin<'_>, caption: &str) -> Result<Vec<Row>> {
    // Captions are the tables' names; the script marks the one that is meant.
    let script = "for (const table of document.querySelectorAll('table')) {
        table.classList.toggle('wanted', table.caption?.textContent.trim() === arguments[0]); }";
    admin.browser.script(script, &[caption.into()])?;
    let rows = admin.rows("table.wanted")?;
    ensure!(!rows.is_empty(), "no table {caption:?} on the page");
    Ok(rows)
}

pub fn no_unit_has_failed(shared: &mut Shared) -> Result<()> {
    let (booted, admin) = shared.admin()?;
    let text = admin.read_status()?;
    let services = table(&admin, "Services")?;
    for service in &services {
        let state = service.get("State").context("a state")?;
        ensure!(state.starts_with("Running"), "{service:?}\n{text}");
    }
    for unit in ["sniffer", "chrony", "psa"] {
        let has = services.iter().any(|row| row.get("Service").is_some_and(|name| name.contains(unit)));
        ensure!(has, "{unit} is not among the services: {services:?}");
    }
    // systemd says so on the console when a unit fails.
    ensure!(booted.machine.serial.failure_after(0).is_none());
    Ok(())
}

pub fn monitoring_ports_have_no_address(shared: &mut Shared) -> Result<()> {
    let (_, admin) = shared.admin()?;
    admin.read_status()?;
    let ports = table(&admin, "Ports")?;
    let (mut management, mut monitoring) = (0, 0);
    for port in &ports {
        let get = |column: &str| port.get(column).cloned().unwrap_or_default();
        match get("Use").as_str() {
            "Management" => {
                management += 1;
                ensure!(get("Addresses").contains("10.0.2."), "{port:?}");
            }
            "Monitoring" => {
                monitoring += 1;
                ensure!(get("Addresses").starts_with("None"), "{port:?}");
            }
            other => anyhow::bail!("a port for {other:?}: {port:?}"),
        }
    }
    ensure!((management, monitoring) == (1, 1), "{ports:?}");
    Ok(())
}
