//! What each test starts from: the three programs, a browser, an account.

use qemu_tests::admin::Admin;
use qemu_tests::browser::Browser;
use qemu_tests::scratch::{Scratch, Settings};

/// The administrator's name.
pub const NAME: &str = "anna";
/// Her password.
pub const PASSWORD: &str = "Correct-Horse-42-Battery";

/// The programs and a browser that shows them. The browser ends first.
pub struct Stage {
    pub browser: Browser,
    pub scratch: Scratch,
}

impl Stage {
    /// A machine without an account.
    pub fn empty() -> Self {
        Self::with(&Settings::default())
    }

    pub fn with(settings: &Settings) -> Self {
        let scratch = Scratch::start(settings).expect("the programs start");
        let browser = Browser::open(scratch.server, &scratch.welcome.fingerprint).expect("the browser starts");
        Self { browser, scratch }
    }

    /// A machine whose administrator is logged in.
    pub fn logged_in() -> Self {
        let stage = Self::empty();
        stage.admin().set_up(&stage.code(), NAME, PASSWORD).expect("the account is made");
        stage
    }

    pub fn admin(&self) -> Admin<'_> {
        Admin { browser: &self.browser }
    }

    pub fn code(&self) -> String {
        self.scratch.welcome.setup_code.clone().expect("a setup code")
    }
}
