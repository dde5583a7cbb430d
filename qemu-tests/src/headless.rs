//! The journey of `scripts/run --headless`: what a person would do with the appliance just booted, and see.

use crate::admin::{Admin, CallRow, Quality};
use crate::browser::Browser;
use crate::console::Welcome;
use crate::machine::Machine;
use anyhow::{Context, Result};
use std::time::Duration;

/// The account that the journey makes. The machine that keeps it is reachable from this computer alone.
pub const NAME: &str = "anna";
/// Its password.
pub const PASSWORD: &str = "Correct-Horse-42-Battery";
/// From frames on the wire to a line on the page, under emulation.
const CALL_LIMIT: Duration = Duration::from_secs(120);

/// What the journey saw.
#[derive(Debug)]
pub struct Seen {
    /// The call on the page.
    pub call: CallRow,
    /// What it proved, a sentence each.
    pub passed: Vec<String>,
}

/// Opens the PSA as the console says, logs in (making the account where there is none), and waits until a call of this
/// caller stands on the Calls page with its quality both ways.
///
/// # Errors
/// When a step fails.
pub fn journey(machine: &Machine, welcome: &Welcome, caller: &str) -> Result<Seen> {
    let mut passed = Vec::new();
    let browser = Browser::open(machine.psa, &welcome.fingerprint)?;
    passed.push("the certificate is the one whose fingerprint the console shows".to_owned());
    let admin = Admin { browser: &browser };
    match &welcome.setup_code {
        Some(code) => {
            admin.set_up(code, NAME, PASSWORD)?;
            passed.push("the console's setup code creates the administrator".to_owned());
        }
        None => admin.log_in(NAME, PASSWORD)?,
    }
    anyhow::ensure!(browser.path()? == "/status", "not on Status but on {}:\n{}", browser.path()?, browser.text()?);
    passed.push("logging in leads to Status".to_owned());
    let is_rated = |way: &Option<Quality>| way.as_ref().is_some_and(|way| way.mos.is_some());
    let is_ours = |row: &CallRow| row.from.starts_with(caller) && row.state == "Answered";
    let call = wait_for_call(&admin, CALL_LIMIT, |row| is_ours(row) && is_rated(&row.forth) && is_rated(&row.back))?;
    let line =
        |name: &str, value: Option<f64>| value.map_or_else(|| format!("{name} –"), |value| format!("{name} {value}"));
    for (arrow, way) in [("→", &call.forth), ("←", &call.back)] {
        let way = way.as_ref().context("a way of the call")?;
        let (jitter, mos) = (line("jitter ms", way.jitter_ms), line("MOS", way.mos));
        passed.push(format!(
            "the call of {} is on the Calls page: {arrow} {}, lost {} %, {jitter}, {mos}",
            call.from, way.codec, way.lost_percent
        ));
    }
    Ok(Seen { call, passed })
}

/// Waits until the Calls page has such a call.
///
/// # Errors
/// When the limit is over; the message has the page's text.
pub fn wait_for_call(admin: &Admin<'_>, limit: Duration, is_it: impl Fn(&CallRow) -> bool) -> Result<CallRow> {
    let found =
        crate::clock::wait_until(limit, || Ok::<_, anyhow::Error>(admin.read_calls()?.into_iter().find(&is_it)))?;
    found.with_context(|| format!("not on the Calls page:\n{}", admin.browser.text().unwrap_or_default()))
}
