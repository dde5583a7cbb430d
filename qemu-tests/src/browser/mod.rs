//! A person's browser: Chromium without a window, driven through chromedriver. It takes the appliance's certificate
//! because its public key is the one that was shown under the console's fingerprint, and no other.

mod checks;
mod driver;

pub use checks::{Scheme, View, Violation};

use crate::https;
use crate::machine::free_port;
use crate::process::{Program, Running};
use anyhow::{Context, Result, anyhow, bail};
use driver::Driver;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CHROMIUM: &str = "/usr/lib/chromium/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
/// Starting a browser beside two emulated machines takes its time.
const START_LIMIT: Duration = Duration::from_secs(90);
/// A page of an appliance under emulation on a loaded machine.
const PAGE_LIMIT: Duration = Duration::from_secs(120);

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    // Dropped in this order: the session closes Chromium, then chromedriver ends, then the profile goes.
    driver: Driver,
    _chromedriver: Running,
    _profile: tempfile::TempDir,
    site: String,
}

/// An element of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element(String);

impl Browser {
    /// Starts a browser for one server, whose certificate must have this fingerprint.
    ///
    /// # Errors
    /// When the certificate is another one, or the browser does not start.
    pub fn open(server: SocketAddr, fingerprint: &str) -> Result<Self> {
        let certificate = https::expect_certificate(server, fingerprint)?;
        let profile = tempfile::Builder::new().prefix("callward-browser-").tempdir()?;
        let port = free_port()?;
        let mut chromedriver = Program::new(CHROMEDRIVER)
            .arg(format!("--port={port}"))
            .env("HOME", profile.path().display().to_string())
            .log_to(profile.path().join("chromedriver.log"))
            .start()?;
        let arguments = [
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            "--no-proxy-server".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--window-size=1280,900".into(),
            format!("--user-data-dir={}", profile.path().join("profile").display()),
            format!("--ignore-certificate-errors-spki-list={}", certificate.key_pin),
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": CHROMIUM, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"pageLoad": PAGE_LIMIT.as_millis(), "script": PAGE_LIMIT.as_millis()},
        }}});
        let driver = Driver::start(port, &capabilities, START_LIMIT, || chromedriver.check())
            .with_context(|| format!("start the browser\n{}", chromedriver.log_tail()))?;
        Ok(Self { driver, _chromedriver: chromedriver, _profile: profile, site: format!("https://{server}") })
    }

    /// Goes to a page of the server.
    ///
    /// # Errors
    /// When it does not load.
    pub fn go(&self, path: &str) -> Result<()> {
        self.driver.post("url", &json!({"url": format!("{}{path}", self.site)})).map(drop)
    }

    /// The page's path and query.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn path(&self) -> Result<String> {
        let url = self.driver.get("url")?;
        let url = url.as_str().unwrap_or_default();
        url.strip_prefix(&self.site).map(str::to_owned).ok_or_else(|| anyhow!("the browser is at {url:?}"))
    }

    /// The page's title.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn title(&self) -> Result<String> {
        Ok(self.driver.get("title")?.as_str().unwrap_or_default().to_owned())
    }

    /// The text of the page as a person sees it.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn text(&self) -> Result<String> {
        self.text_of(&self.find("body")?)
    }

    /// The page's source as the browser holds it.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn source(&self) -> Result<String> {
        Ok(self.driver.get("source")?.as_str().unwrap_or_default().to_owned())
    }

    /// The first element that a CSS selector names.
    ///
    /// # Errors
    /// When there is none; the message has the page's text.
    pub fn find(&self, selector: &str) -> Result<Element> {
        self.find_by("css selector", selector)
    }

    /// The button with this word.
    ///
    /// # Errors
    /// When there is none.
    pub fn button(&self, word: &str) -> Result<Element> {
        self.find_by("xpath", &format!("//button[normalize-space()='{word}']"))
    }

    fn find_by(&self, using: &str, value: &str) -> Result<Element> {
        let found = self.driver.post("element", &json!({"using": using, "value": value}));
        let found = found.with_context(|| {
            let text = self.driver.run("return document.body ? document.body.innerText : ''", &[]).unwrap_or_default();
            format!("no {value:?} on {}:\n{}", self.path().unwrap_or_default(), text.as_str().unwrap_or_default())
        })?;
        element(&found)
    }

    /// Every element that a CSS selector names.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn find_all(&self, selector: &str) -> Result<Vec<Element>> {
        let found = self.driver.post("elements", &json!({"using": "css selector", "value": selector}))?;
        found.as_array().context("a list of elements")?.iter().map(element).collect()
    }

    /// The text of an element.
    ///
    /// # Errors
    /// When it is no longer on the page.
    pub fn text_of(&self, element: &Element) -> Result<String> {
        let text = self.driver.get(&format!("element/{}/text", element.0))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// What is typed in a field.
    ///
    /// # Errors
    /// When it is no longer on the page.
    pub fn value_of(&self, element: &Element) -> Result<String> {
        let value = self.driver.get(&format!("element/{}/property/value", element.0))?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Replaces what is typed in a field.
    ///
    /// # Errors
    /// When nothing can be typed there.
    pub fn fill(&self, selector: &str, text: &str) -> Result<()> {
        let field = self.find(selector)?;
        self.driver.post(&format!("element/{}/clear", field.0), &json!({}))?;
        self.driver.post(&format!("element/{}/value", field.0), &json!({"text": text})).map(drop)
    }

    /// Clicks an element.
    ///
    /// # Errors
    /// When it cannot be clicked.
    pub fn click(&self, element: &Element) -> Result<()> {
        self.driver.post(&format!("element/{}/click", element.0), &json!({})).map(drop)
    }

    /// Clicks a link or a form's button and waits for the page that follows, which may have the same address.
    ///
    /// # Errors
    /// When it cannot be clicked, or no page follows in time.
    pub fn follow(&self, element: &Element) -> Result<()> {
        self.script("document.documentElement.dataset.left = 'yes'", &[])?;
        self.click(element)?;
        let script = "return document.readyState === 'complete' && !document.documentElement.dataset.left";
        let found = crate::clock::wait_until(PAGE_LIMIT, || {
            // Between two pages there is no document to ask.
            let is_there = self.script(script, &[]).is_ok_and(|answer| answer.as_bool() == Some(true));
            Ok::<_, anyhow::Error>(is_there.then_some(()))
        })?;
        found.with_context(|| format!("no page follows:\n{}", self.text().unwrap_or_default()))
    }

    /// Presses keys one after the other, as WebDriver names them, where the focus is.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn press(&self, keys: &str) -> Result<()> {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()})))
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.driver.post("actions", &actions).map(drop)
    }

    /// Runs a script in the page, for what WebDriver has no command for.
    ///
    /// # Errors
    /// When it throws.
    pub fn script(&self, body: &str, arguments: &[Value]) -> Result<Value> {
        self.driver.run(body, arguments)
    }

    /// Switches the pages' own scripts off or on, as a cautious person does.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn allow_scripts(&self, allowed: bool) -> Result<()> {
        self.driver.developer("Emulation.setScriptExecutionDisabled", &json!({"value": !allowed})).map(drop)
    }

    /// Shows pages in this colour scheme and width.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn set_view(&self, view: View) -> Result<()> {
        let scheme = view.scheme.name();
        // As on a telephone: a bar would take its width from the page and not from the picture.
        self.driver.developer("Emulation.setScrollbarsHidden", &json!({"hidden": true}))?;
        // Without motion: a picture, and the contrast of a colour, would be of a moment between two schemes.
        let scheme = json!({"name": "prefers-color-scheme", "value": scheme});
        let features = json!([scheme, {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.driver.developer("Emulation.setEmulatedMedia", &json!({"features": features}))?;
        let metrics = json!({"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.driver.developer("Emulation.setDeviceMetricsOverride", &metrics).map(drop)
    }

    /// Writes a picture of the whole page, as PNG.
    ///
    /// # Errors
    /// When the browser is gone or the file cannot be written.
    pub fn picture(&self, file: &Path) -> Result<()> {
        let answer = self
            .driver
            .developer("Page.captureScreenshot", &json!({"format": "png", "captureBeyondViewport": true}))?;
        let data = answer.get("data").and_then(Value::as_str).context("a picture")?;
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, openssl::base64::decode_block(data)?).with_context(|| format!("write {}", file.display()))
    }

    /// Forgets the session, as a browser that was closed.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn forget_cookies(&self) -> Result<()> {
        self.driver.delete("cookie").map(drop)
    }

    /// The cookies of the page: name, value and attributes as WebDriver gives them.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn cookies(&self) -> Result<Vec<Value>> {
        Ok(self.driver.get("cookie")?.as_array().cloned().unwrap_or_default())
    }

    /// Waits until the page gives a value, loading it again each time.
    ///
    /// # Errors
    /// When the limit is over, with the page's text; or those of `look`.
    pub fn wait_on<T>(
        &self,
        path: &str,
        limit: Duration,
        mut look: impl FnMut(&Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let found = crate::clock::wait_until(limit, || {
            self.go(path)?;
            look(self)
        })?;
        match found {
            Some(value) => Ok(value),
            None => bail!("not on {path} within {} s:\n{}", limit.as_secs(), self.text().unwrap_or_default()),
        }
    }

    /// Follows the driver's log: messages of the pages since the last question.
    pub(crate) fn log(&self) -> Result<Vec<String>> {
        let entries = self.driver.post("se/log", &json!({"type": "browser"}))?;
        let message = |entry: &Value| entry.get("message").and_then(Value::as_str).map(str::to_owned);
        Ok(entries.as_array().into_iter().flatten().filter_map(message).collect())
    }
}

fn element(value: &Value) -> Result<Element> {
    // The key is fixed by the WebDriver specification, section 11.
    let id = value.get("element-6066-11e4-a52e-4f735466cecf").and_then(Value::as_str);
    id.map(|id| Element(id.to_owned())).with_context(|| format!("no element: {value}"))
}

/// Where pictures of pages go: `CALLWARD_PICTURES`, or a folder beside the test programs.
#[must_use]
pub fn picture_folder() -> PathBuf {
    let named = std::env::var_os("CALLWARD_PICTURES").map(PathBuf::from);
    let target = || std::env::var_os("CARGO_TARGET_DIR").map(|target| PathBuf::from(target).join("pictures"));
    named.or_else(target).unwrap_or_else(|| std::env::temp_dir().join("callward-pictures"))
}
