//! Nobody gets in before the first visitor has typed the console's code, and then only the administrator.

use crate::console::ready_welcome;
use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use qemu_tests::headless::{NAME, PASSWORD};
use qemu_tests::https;
use std::net::SocketAddr;

/// What other products come with. Few, since the machine slows guessing down and then checks nothing.
const DEFAULTS: &[(&str, &str)] = &[("admin", "admin"), ("root", ""), ("admin", "password"), ("callward", "callward")];

/// Posts a login as a browser's page does, and gives the session's cookie where one comes back.
fn post_login(server: SocketAddr, fingerprint: &str, name: &str, password: &str) -> Result<Option<String>> {
    let body = format!("name={name}&password={password}&next=");
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: {server}\r\nOrigin: https://{server}\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = https::request(server, Some(fingerprint), &request)?;
    ensure!(answer.status != 429, "the machine slows down already: nothing was checked");
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
    Ok(cookie.filter(|cookie| cookie.split_once('=').is_some_and(|(_, value)| !value.is_empty())))
}

pub fn no_default_password_opens_anything(shared: &mut Shared) -> Result<()> {
    let booted = shared.booted()?;
    let (server, fingerprint) = (booted.machine.psa, booted.welcome.fingerprint.clone());
    for (name, password) in DEFAULTS {
        let cookie = post_login(server, &fingerprint, name, password)?;
        ensure!(cookie.is_none(), "{name:?} with {password:?} opens a session");
    }
    for path in ["/status", "/calls", "/ntp"] {
        let answer = https::fetch(server, Some(&fingerprint), path)?;
        ensure!(answer.status == 303, "{path} answers {} to a stranger", answer.status);
    }
    Ok(())
}

pub fn a_wrong_code_and_a_weak_password_are_refused(shared: &mut Shared) -> Result<()> {
    let (booted, browser) = shared.browser()?;
    let admin = qemu_tests::admin::Admin { browser };
    admin.set_up("0000-0000-0000-0000", NAME, PASSWORD)?;
    ensure!(browser.path()? == "/setup" && browser.title()?.starts_with("Error:"), "{}", browser.text()?);
    let code = booted.welcome.setup_code.clone().context("a setup code")?;
    admin.patiently(|| admin.set_up(&code, NAME, "tooweak"))?;
    ensure!(browser.path()? == "/setup", "a weak password was taken");
    let message = browser.text_of(&browser.find("#password-error")?)?;
    ensure!(message.contains("8 characters"), "the broken rule is not named: {message:?}");
    Ok(())
}

pub fn the_code_makes_the_administrator_once(shared: &mut Shared) -> Result<()> {
    let (booted, browser) = shared.browser()?;
    let admin = qemu_tests::admin::Admin { browser };
    let code = booted.welcome.setup_code.clone().context("a setup code")?;
    let mark = booted.machine.serial.mark();
    admin.patiently(|| admin.set_up(&code, NAME, PASSWORD))?;
    ensure!(browser.path()? == "/status", "not on Status:\n{}", browser.text()?);
    let after = ready_welcome(&booted.machine.serial, mark)?;
    ensure!(after.setup_code.is_none(), "the console still shows a code");
    ensure!(after.fingerprint == booted.welcome.fingerprint, "the certificate changed");
    let (server, fingerprint) = (booted.machine.psa, booted.welcome.fingerprint.clone());
    let page = https::fetch(server, Some(&fingerprint), "/setup")?;
    ensure!(!page.body.contains("name=\"code\""), "the page for the code is still there");
    // The same request that refused every default password opens a session with the right one.
    ensure!(post_login(server, &fingerprint, NAME, PASSWORD)?.is_some(), "the right password opens no session");
    ensure!(post_login(server, &fingerprint, "admin", "admin")?.is_none(), "a default password opens a session");
    shared.account_is_made();
    Ok(())
}
