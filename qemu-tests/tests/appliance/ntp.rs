//! The Time page changes what chrony does, keeps generations, and can be undone.

use crate::shared::Shared;
use anyhow::{Result, ensure};
use qemu_tests::admin::{Admin, TimeForm};
use qemu_tests::clock;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until chrony itself lists this server, as the page's live part shows it, or no longer does.
fn wait_for_source(admin: &Admin<'_>, server: &str, is_there: bool) -> Result<()> {
    let found = clock::wait_until(LIMIT, || {
        admin.browser.go("/ntp/status")?;
        let text = admin.browser.text()?;
        Ok::<_, anyhow::Error>((text.contains(server) == is_there).then_some(()))
    })?;
    ensure!(found.is_some(), "chrony and {server}: expected {is_there}:\n{}", admin.browser.text()?);
    Ok(())
}

pub fn a_change_reaches_chrony_and_can_be_undone(shared: &mut Shared) -> Result<()> {
    let (_, admin) = shared.admin()?;
    let form = |server: &str| TimeForm { servers: vec![server.into()], zone: None };
    let review = admin.change_time(&form("192.0.2.123"))?;
    ensure!(review.contains("192.0.2.123") && review.contains("chrony"), "{review}");
    wait_for_source(&admin, "192.0.2.123", true)?;
    admin.change_time(&form("192.0.2.124"))?;
    let first = generation(&admin)?;
    wait_for_source(&admin, "192.0.2.124", true)?;
    wait_for_source(&admin, "192.0.2.123", false)?;
    admin.browser.go(&format!("/ntp?applied={first}"))?;
    admin.undo()?;
    ensure!(generation(&admin)? > first, "undoing makes no generation of its own");
    ensure!(admin.time_servers()? == ["192.0.2.123"], "{:?}", admin.time_servers()?);
    wait_for_source(&admin, "192.0.2.123", true)?;
    wait_for_source(&admin, "192.0.2.124", false)
}

/// The generation that the page says it has just made.
fn generation(admin: &Admin<'_>) -> Result<u64> {
    let text = admin.browser.text()?;
    let after = text.split("generation ").nth(1).unwrap_or_default();
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| anyhow::anyhow!("no generation in:\n{text}"))
}
