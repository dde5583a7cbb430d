//! What every page must pass: accessibility (axe-core), no breach of the content security policy, no error of its
//! scripts, and no sideways scrolling.

use super::Browser;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fmt;

/// axe-core 4.14.1 as its authors publish it (MPL-2.0, `vendor/axe-LICENSE`).
const AXE: &str = include_str!("../../vendor/axe.min.js");
/// The levels a page must pass: WCAG 2.2 A and AA.
const AXE_TAGS: &str = r#"["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22a","wcag22aa","best-practice"]"#;

/// A colour scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    /// Its name in CSS.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Colours.
    pub scheme: Scheme,
    /// Width of the window in CSS pixels.
    pub width: u16,
}

/// A rule of accessibility that a page breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule, as axe names it.
    pub rule: String,
    /// What it asks for.
    pub help: String,
    /// The elements, as HTML.
    pub elements: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    {}", self.rule, self.help, self.elements.join("\n    "))
    }
}

impl Browser {
    /// The rules of accessibility that the page breaks.
    ///
    /// # Errors
    /// When axe does not run.
    pub fn violations(&self) -> Result<Vec<Violation>> {
        // The driver's scripts are no part of the page: its content security policy does not apply to them.
        let body = format!(
            "{AXE};\nconst done = arguments[arguments.length - 1];
             axe.run(document, {{runOnly: {{type: 'tag', values: {AXE_TAGS}}}, resultTypes: ['violations']}})
                .then(result => done({{ok: result.violations, passes: result.passes.length}}),
                      error => done({{error: String(error)}}));"
        );
        let answer = self.driver.run_async(&body, &[])?;
        if let Some(error) = answer.get("error") {
            bail!("axe failed: {error}");
        }
        let passes = answer.get("passes").and_then(Value::as_u64).unwrap_or(0);
        if passes == 0 {
            bail!("axe found nothing to check");
        }
        let found = answer.get("ok").and_then(Value::as_array).context("axe's result")?;
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let violation = |entry: &Value| Violation {
            rule: text(entry, "id"),
            help: text(entry, "help"),
            elements: entry
                .get("nodes")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|node| text(node, "html"))
                .collect(),
        };
        Ok(found.iter().map(violation).collect())
    }

    /// Messages of the pages since the last question that should not be there: breaches of the content security policy,
    /// errors of scripts, files that did not load. A status that a page has on purpose is none.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let is_complaint = |line: &String| {
            let is_status =
                ["401", "403", "409", "422", "429"].iter().any(|code| line.contains(&format!("status of {code}")));
            !is_status
        };
        Ok(self.log()?.into_iter().filter(is_complaint).collect())
    }

    /// By how many CSS pixels the page is wider than the window.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn overflow(&self) -> Result<i64> {
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.script(script, &[])?.as_i64().context("a number of pixels")
    }
}

#[cfg(test)]
mod tests {
    use super::AXE;
    use openssl::hash::{MessageDigest, hash};

    #[test]
    fn axe_is_the_one_that_was_looked_at() {
        let sum = hash(MessageDigest::sha256(), AXE.as_bytes()).unwrap();
        let text: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(include_str!("../../README.md").contains(&text), "{text} is not the sum in README.md");
    }
}
