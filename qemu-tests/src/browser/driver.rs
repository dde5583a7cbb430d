//! The WebDriver protocol (W3C WebDriver level 2) as plain HTTP with JSON to a chromedriver on this computer. One small
//! client without an async runtime; the alternatives bring a hundred crates for the same dozen calls.

use crate::clock;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::time::Duration;
use ureq::Agent;

/// Beyond the page's own limit, which the browser enforces.
const CALL_LIMIT: Duration = Duration::from_secs(180);
/// The largest answer: a picture of a long page.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// One session with a browser; it ends with the value.
#[derive(Debug)]
pub struct Driver {
    agent: Agent,
    session: String,
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Get,
    Post,
    Delete,
}

impl Driver {
    /// Waits for chromedriver and opens a session.
    pub fn start(
        port: u16,
        capabilities: &Value,
        limit: Duration,
        mut alive: impl FnMut() -> Result<()>,
    ) -> Result<Self> {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(CALL_LIMIT)).proxy(None);
        let agent = Agent::new_with_config(config.build());
        let base = format!("http://127.0.0.1:{port}");
        let ready = clock::wait_until(limit, || {
            alive()?;
            let status = call(&agent, Method::Get, &format!("{base}/status"), None).ok();
            let is_ready = status.is_some_and(|status| status.get("ready").and_then(Value::as_bool) == Some(true));
            Ok::<_, anyhow::Error>(is_ready.then_some(()))
        })?;
        ready.context("chromedriver does not answer")?;
        let opened = call(&agent, Method::Post, &format!("{base}/session"), Some(capabilities))?;
        let id = opened.get("sessionId").and_then(Value::as_str).context("no session")?;
        Ok(Self { session: format!("{base}/session/{id}"), agent })
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        call(&self.agent, Method::Get, &format!("{}/{path}", self.session), None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        call(&self.agent, Method::Post, &format!("{}/{path}", self.session), Some(body))
    }

    pub fn delete(&self, path: &str) -> Result<Value> {
        call(&self.agent, Method::Delete, &format!("{}/{path}", self.session), None)
    }

    /// Runs the body of a function in the page.
    pub fn run(&self, body: &str, arguments: &[Value]) -> Result<Value> {
        self.post("execute/sync", &json!({"script": body, "args": arguments}))
    }

    /// Runs the body of a function which calls its last argument when it is done.
    pub fn run_async(&self, body: &str, arguments: &[Value]) -> Result<Value> {
        self.post("execute/async", &json!({"script": body, "args": arguments}))
    }

    /// A command of Chromium's developer tools.
    pub fn developer(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ends Chromium; where chromedriver is gone already, so is Chromium.
        call(&self.agent, Method::Delete, &self.session, None).map(drop).unwrap_or_default();
    }
}

fn call(agent: &Agent, method: Method, url: &str, body: Option<&Value>) -> Result<Value> {
    let mut response = match method {
        Method::Get => agent.get(url).call(),
        Method::Delete => agent.delete(url).call(),
        Method::Post => {
            let text = body.map(Value::to_string).unwrap_or_else(|| "{}".into());
            agent.post(url).header("content-type", "application/json; charset=utf-8").send(text)
        }
    }
    .with_context(|| format!("{method:?} {url}"))?;
    let status = response.status();
    let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string()?;
    let mut answer: Value = serde_json::from_str(&text).with_context(|| format!("chromedriver said {text:?}"))?;
    let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
    if !status.is_success() {
        let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
        bail!("{}", message.lines().next().unwrap_or_default());
    }
    Ok(value)
}
