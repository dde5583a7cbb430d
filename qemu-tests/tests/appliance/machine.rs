//! It boots both ways, and each machine is its own.

use crate::shared::{Shared, boot};
use anyhow::{Result, ensure};
use qemu_tests::machine::{Boot, Image};

pub fn it_boots_by_uefi_and_answers_https(shared: &mut Shared) -> Result<()> {
    let booted = shared.booted()?;
    println!("FIGURE power-on to HTTPS, UEFI, first boot: {:.1} s", booted.ready.as_secs_f64());
    ensure!(booted.machine.status()? == "running");
    Ok(())
}

pub fn two_machines_differ(image: &Image) -> Result<()> {
    let first = boot(Boot::Kernel(image.clone()))?;
    println!("FIGURE power-on to HTTPS, straight from the kernel, first boot: {:.1} s", first.ready.as_secs_f64());
    let (first_welcome, first_names) = (first.welcome.clone(), first.machine.certificate(&first.welcome)?.names);
    // One at a time: no more than two machines run at once.
    drop(first);
    let second = boot(Boot::Kernel(image.clone()))?;
    let second_names = second.machine.certificate(&second.welcome)?.names;
    ensure!(first_welcome.fingerprint != second.welcome.fingerprint, "both have the same certificate");
    ensure!(first_welcome.setup_code != second.welcome.setup_code, "both have the same setup code");
    ensure!(first_names != second_names, "both have the same name: {first_names:?}");
    Ok(())
}
