//! What the console shows, and that nobody is behind it.

use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use qemu_tests::console::Welcome;
use qemu_tests::machine::{BOOT_LIMIT, MANAGEMENT_MAC};
use qemu_tests::probe;
use qemu_tests::serial::Serial;
use std::net::IpAddr;
use std::time::Duration;

pub fn the_certificate_is_the_one_the_console_names(shared: &mut Shared) -> Result<()> {
    let booted = shared.booted()?;
    // Refuses any certificate but the one whose fingerprint the console shows.
    let certificate = booted.machine.certificate(&booted.welcome)?;
    ensure!(certificate.is_self_signed, "{certificate:?}");
    ensure!(!certificate.names.is_empty(), "no name in {certificate:?}");
    let name = booted.machine.serial.wait_for_line("Host name:", Duration::from_secs(5))?;
    let name = name.split(':').nth(1).unwrap_or_default().trim().to_owned();
    ensure!(certificate.names.contains(&name), "{name:?} is not in {certificate:?}");
    let address = probe::v4_of(&booted.machine.management.received(), MANAGEMENT_MAC)?;
    ensure!(certificate.addresses.contains(&IpAddr::V4(address)), "{address} is not in {certificate:?}");
    let shown = format!("https://{address}/");
    ensure!(booted.welcome.addresses.contains(&shown), "{shown} is not on the console: {:?}", booted.welcome);
    Ok(())
}

/// The console's welcome as it is shown last, once it says that the machine is ready.
pub fn ready_welcome(serial: &Serial, mark: usize) -> Result<Welcome> {
    serial.wait_after(mark, BOOT_LIMIT, |line| (line.trim() == "State: ready").then_some(()))?;
    let text = serial.text();
    qemu_tests::console::parse(text.get(mark..).unwrap_or_default()).context("a welcome")
}

pub fn nobody_answers_on_the_serial_line(shared: &mut Shared) -> Result<()> {
    let serial = &shared.booted()?.machine.serial;
    let whole = serial.text().to_lowercase();
    for word in ["login:", "password:", "press enter for maintenance", "sulogin", "dracut", "~#", "sh-5"] {
        ensure!(!whole.contains(word), "the console says {word:?}");
    }
    let mark = serial.mark();
    serial.type_keys("\r\n\r\nroot\r\n\r\nid; echo SHELL$((40+2))\r\n\u{3}\u{4}\u{1a}\r\nid\r\n")?;
    // A shell or a getty would say something within this time; what is typed may be echoed by the line itself.
    let answered = serial.wait_after(mark, Duration::from_secs(15), |line| {
        let line = line.to_lowercase();
        ["shell42", "uid=", "login:", "password", "incorrect"].iter().any(|word| line.contains(word)).then_some(())
    });
    ensure!(answered.is_err(), "somebody answers:\n{}", serial.text().get(mark..).unwrap_or_default());
    ensure!(
        !format!("{:#}", answered.err().context("an end")?).contains("boot failed"),
        "the keys made something fail"
    );
    Ok(())
}
