//! What was acknowledged survives the reset button and a power cut.

use crate::calls::play_call;
use crate::console::ready_welcome;
use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use qemu_tests::admin::Admin;
use qemu_tests::browser::Browser;
use qemu_tests::headless::{NAME, PASSWORD, wait_for_call};
use qemu_tests::machine::{Boot, Image, Machine};
use qemu_tests::qmp::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Plays a call, and a longer one after it. The sniffer writes calls to its disk every 5 s (`STORE_SNAPSHOT`): when the
/// second has ended too, the first one's end is there, and the power may go at once.
fn play_call_and_let_it_settle(machine: &Machine, admin: &Admin<'_>, caller: &str, seed: u64) -> Result<()> {
    play_call(machine, caller, Duration::from_secs(3), seed)?;
    let second = "+351215550666";
    play_call(machine, second, Duration::from_secs(9), seed + 1)?;
    wait_for_call(admin, LIMIT, |row| row.from.starts_with(second) && row.state == "Answered")?;
    wait_for_call(admin, LIMIT, |row| row.from.starts_with(caller) && row.state == "Answered").map(drop)
}

pub fn a_reset_keeps_account_settings_and_calls(shared: &mut Shared) -> Result<()> {
    let caller = "+351215550777";
    let (booted, admin) = shared.admin()?;
    play_call_and_let_it_settle(&booted.machine, &admin, caller, 777)?;
    let servers = admin.time_servers()?;
    let fingerprint = booted.welcome.fingerprint.clone();
    shared.close_browser();
    let booted = shared.booted()?;
    let mark = booted.machine.serial.mark();
    booted.machine.press(Command::Reset)?;
    let welcome = ready_welcome(&booted.machine.serial, mark)?;
    let ready = booted.machine.wait_for_psa_after(mark)?;
    println!("FIGURE reset to HTTPS and console, UEFI, second boot: {:.1} s", ready.as_secs_f64());
    ensure!(welcome.fingerprint == fingerprint && welcome.setup_code.is_none(), "{welcome:?}");
    let (_, admin) = shared.admin()?;
    wait_for_call(&admin, LIMIT, |row| row.from.starts_with(caller) && row.state == "Answered" && row.forth.is_some())?;
    ensure!(admin.time_servers()? == servers, "the time servers changed");
    Ok(())
}

pub fn a_power_cut_keeps_account_and_calls(image: &Image) -> Result<()> {
    let caller = "+351215550888";
    let folder = tempfile::tempdir()?;
    let disk = folder.path().join("disk.qcow2");
    let mut machine = Machine::builder(Boot::Kernel(image.clone())).disk(&disk).start()?;
    machine.wait_for_psa()?;
    let welcome = machine.wait_for_setup()?;
    {
        let browser = Browser::open(machine.psa, &welcome.fingerprint)?;
        let admin = Admin { browser: &browser };
        admin.set_up(welcome.setup_code.as_deref().context("a code")?, NAME, PASSWORD)?;
        play_call_and_let_it_settle(&machine, &admin, caller, 888)?;
    }
    machine.cut_power()?;
    let mut machine = Machine::builder(Boot::Kernel(image.clone())).disk(&disk).start()?;
    machine.wait_for_psa()?;
    let after = ready_welcome(&machine.serial, 0)?;
    ensure!(after.fingerprint == welcome.fingerprint && after.setup_code.is_none(), "{after:?}");
    let browser = Browser::open(machine.psa, &welcome.fingerprint)?;
    let admin = Admin { browser: &browser };
    admin.log_in(NAME, PASSWORD)?;
    ensure!(browser.path()? == "/status", "{}", browser.text()?);
    wait_for_call(&admin, LIMIT, |row| row.from.starts_with(caller) && row.state == "Answered" && row.forth.is_some())?;
    Ok(())
}
