//! The machine that stories share. It is booted by UEFI when the first of them needs it; its account is made when the
//! first of them needs that.

use anyhow::{Context, Result};
use qemu_tests::admin::Admin;
use qemu_tests::browser::Browser;
use qemu_tests::console::Welcome;
use qemu_tests::headless::{NAME, PASSWORD};
use qemu_tests::machine::{Boot, Image, Machine};
use std::time::Duration;

/// The shared machine and the browser of its administrator.
pub struct Shared {
    // The browser ends before the machine it looks at.
    browser: Option<Browser>,
    booted: Option<Booted>,
    image: Image,
    has_account: bool,
}

/// A machine whose PSA answers.
pub struct Booted {
    pub machine: Machine,
    pub welcome: Welcome,
    /// From power-on to an answer over HTTPS.
    pub ready: Duration,
}

/// Boots a machine and waits for its PSA and its console's welcome.
pub fn boot(boot: Boot) -> Result<Booted> {
    let mut machine = Machine::builder(boot).start()?;
    let ready = machine.wait_for_psa()?;
    let welcome = machine.wait_for_setup()?;
    Ok(Booted { machine, welcome, ready })
}

impl Shared {
    pub fn new(image: Image) -> Self {
        Self { browser: None, booted: None, image, has_account: false }
    }

    /// The machine, booted.
    pub fn booted(&mut self) -> Result<&mut Booted> {
        if self.booted.is_none() {
            self.booted = Some(boot(Boot::Firmware(self.image.clone()))?);
        }
        self.booted.as_mut().context("a machine")
    }

    /// The machine and a browser which shows it, in which nobody may be logged in.
    pub fn browser(&mut self) -> Result<(&mut Booted, &Browser)> {
        self.booted()?;
        let booted = self.booted.as_mut().context("a machine")?;
        if self.browser.is_none() {
            self.browser = Some(Browser::open(booted.machine.psa, &booted.welcome.fingerprint)?);
        }
        Ok((booted, self.browser.as_ref().context("a browser")?))
    }

    /// The machine and its administrator, logged in.
    pub fn admin(&mut self) -> Result<(&mut Booted, Admin<'_>)> {
        let has_account = self.has_account;
        let (booted, browser) = self.browser()?;
        let admin = Admin { browser };
        if has_account {
            browser.go("/status")?;
            if browser.path()? != "/status" {
                admin.patiently(|| admin.log_in(NAME, PASSWORD))?;
            }
        } else {
            let code = booted.welcome.setup_code.clone().context("a setup code")?;
            admin.patiently(|| admin.set_up(&code, NAME, PASSWORD))?;
        }
        anyhow::ensure!(browser.path()? == "/status", "not logged in:\n{}", browser.text()?);
        self.has_account = true;
        // Borrowed again: the first borrow ended with the account's mark.
        let (booted, browser) =
            (self.booted.as_mut().context("a machine")?, self.browser.as_ref().context("a browser")?);
        Ok((booted, Admin { browser }))
    }

    /// Says that the account has been made by a story itself.
    pub fn account_is_made(&mut self) {
        self.has_account = true;
    }

    /// Ends the browser: sessions of a machine that starts again are gone.
    pub fn close_browser(&mut self) {
        self.browser = None;
    }
}
