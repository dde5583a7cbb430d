//! An administrator's journeys through the pages, as a person makes them: what is typed and clicked, and what is read.

use crate::browser::Browser;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest that the machine makes a guesser wait is somewhat less.
const PATIENCE: Duration = Duration::from_secs(120);

/// Somebody at a browser.
#[derive(Debug)]
pub struct Admin<'a> {
    /// The browser.
    pub browser: &'a Browser,
}

/// A table row: its cells under their columns' headings.
pub type Row = BTreeMap<String, String>;

/// A call as the Calls page shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRow {
    /// The caller as shown.
    pub from: String,
    /// The callee as shown.
    pub to: String,
    /// The word of its state.
    pub state: String,
    /// From caller to callee, where media was seen.
    pub forth: Option<Quality>,
    /// From callee to caller.
    pub back: Option<Quality>,
    /// All cells.
    pub cells: Row,
}

/// What the page says about one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Codec.
    pub codec: String,
    /// Lost packets of a hundred.
    pub lost_percent: f64,
    /// Mean jitter in milliseconds.
    pub jitter_ms: Option<f64>,
    /// Mean opinion score.
    pub mos: Option<f64>,
}

/// What is typed on the Time page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeForm {
    /// Servers, first to last.
    pub servers: Vec<String>,
    /// The zone, where it is to be changed.
    pub zone: Option<String>,
}

impl Admin<'_> {
    /// Creates the first account with the console's code. Ends where the product leads.
    ///
    /// # Errors
    /// When a field or button is missing.
    pub fn set_up(&self, code: &str, name: &str, password: &str) -> Result<()> {
        self.browser.go("/setup")?;
        for (field, text) in [("code", code), ("name", name), ("password", password), ("again", password)] {
            self.browser.fill(&format!("input[name={field}]"), text)?;
        }
        self.browser.follow(&self.browser.button("Create account")?)
    }

    /// Does something that the machine slows down after failures, again and again until it no longer says "wait".
    ///
    /// # Errors
    /// Those of `act`, or when the limit is over.
    pub fn patiently(&self, act: impl Fn() -> Result<()>) -> Result<()> {
        let found = crate::clock::wait_until(PATIENCE, || {
            act()?;
            let text = self.browser.text()?.to_lowercase();
            Ok::<_, anyhow::Error>((!text.contains("too many failures")).then_some(()))
        })?;
        found.with_context(|| format!("still to wait after {} s", PATIENCE.as_secs()))
    }

    /// Logs in. Ends where the product leads.
    ///
    /// # Errors
    /// When a field or button is missing.
    pub fn log_in(&self, name: &str, password: &str) -> Result<()> {
        self.browser.go("/login")?;
        self.browser.fill("input[name=name]", name)?;
        self.browser.fill("input[name=password]", password)?;
        self.browser.follow(&self.browser.button("Log in")?)
    }

    /// Logs out.
    ///
    /// # Errors
    /// When nobody is logged in.
    pub fn log_out(&self) -> Result<()> {
        self.browser.follow(&self.browser.button("Log out")?)
    }

    /// Reads the Status page: its text and its tables by their captions or headings.
    ///
    /// # Errors
    /// When it does not load.
    pub fn read_status(&self) -> Result<String> {
        self.browser.go("/status")?;
        self.expect_heading("Status")?;
        self.browser.text()
    }

    /// Types on the Time page and goes on to the review. Ends there, or on the page with its messages.
    ///
    /// # Errors
    /// When a field or button is missing.
    pub fn review_time(&self, form: &TimeForm) -> Result<()> {
        self.browser.go("/ntp")?;
        self.expect_heading("Time")?;
        let fields = self.browser.find_all("input[name=server]")?.len();
        if form.servers.len() > fields {
            bail!("the page takes {fields} servers, not {}", form.servers.len());
        }
        for index in 0..fields {
            let server = form.servers.get(index).map(String::as_str).unwrap_or_default();
            self.fill_nth("input[name=server]", index, server)?;
        }
        if let Some(zone) = &form.zone {
            self.choose("[name=zone]", zone)?;
        }
        self.browser.follow(&self.browser.button("Review changes")?)
    }

    /// Changes the time servers: form, review, apply. Returns the review's text.
    ///
    /// # Errors
    /// When a step is missing, or the page does not say that it was applied.
    pub fn change_time(&self, form: &TimeForm) -> Result<String> {
        self.review_time(form)?;
        let review = self.browser.text()?;
        self.browser.follow(&self.browser.button("Apply")?)?;
        let after = self.browser.text()?;
        if !after.contains("Applied as generation") {
            bail!("not applied:\n{after}");
        }
        Ok(review)
    }

    /// Undoes the change just made.
    ///
    /// # Errors
    /// When there is no button for it, or the page does not say that it was undone.
    pub fn undo(&self) -> Result<()> {
        self.browser.follow(&self.browser.button("Undo")?)?;
        let after = self.browser.text()?;
        if !after.contains("Undone") {
            bail!("not undone:\n{after}");
        }
        Ok(())
    }

    /// The time servers in the form.
    ///
    /// # Errors
    /// When the page does not load.
    pub fn time_servers(&self) -> Result<Vec<String>> {
        self.browser.go("/ntp")?;
        let fields = self.browser.find_all("input[name=server]")?;
        let values: Result<Vec<String>> = fields.iter().map(|field| self.browser.value_of(field)).collect();
        Ok(values?.into_iter().filter(|value| !value.is_empty()).collect())
    }

    /// The rows of the Calls page, newest first.
    ///
    /// # Errors
    /// When the page does not load or a figure is none.
    pub fn read_calls(&self) -> Result<Vec<CallRow>> {
        self.browser.go("/calls")?;
        self.expect_heading("Calls")?;
        self.rows("main table")?.into_iter().map(call_row).collect()
    }

    /// The rows of a table, by their columns' headings.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn rows(&self, table: &str) -> Result<Vec<Row>> {
        // What only a screen reader says is left out; a cell with both ways gives a line for each.
        let script = "const table = document.querySelector(arguments[0]); if (!table) return [];
            const text = node => { const copy = node.cloneNode(true);
                copy.querySelectorAll('.hidden').forEach(part => part.remove());
                copy.querySelectorAll('.hint').forEach(part => part.before(' '));
                return copy.textContent.replace(/\\s+/g, ' ').trim(); };
            const lines = cell => { const ways = [...cell.querySelectorAll('.way')];
                return ways.length ? ways.map(text).join('\\n') : text(cell); };
            const heads = [...table.querySelectorAll('thead th')].map(text);
            return [...table.querySelectorAll('tbody tr')].map(row => [...row.children].map(
                (cell, at) => [heads[at] ?? String(at), lines(cell)]));";
        let rows = self.browser.script(script, &[Value::from(table)])?;
        let rows: Vec<Vec<(String, String)>> = serde_json::from_value(rows)?;
        Ok(rows.into_iter().map(|row| row.into_iter().collect()).collect())
    }

    fn expect_heading(&self, heading: &str) -> Result<()> {
        let found = self.browser.text_of(&self.browser.find("h1")?)?;
        if found != heading {
            bail!("expected the page {heading:?} and got {found:?}:\n{}", self.browser.text()?);
        }
        Ok(())
    }

    fn fill_nth(&self, selector: &str, index: usize, text: &str) -> Result<()> {
        let script = "const field = document.querySelectorAll(arguments[0])[arguments[1]]; return field.id";
        let id = self.browser.script(script, &[Value::from(selector), Value::from(index)])?;
        let id = id.as_str().filter(|id| !id.is_empty()).with_context(|| format!("{selector} {index} has no id"))?;
        self.browser.fill(&format!("[id='{id}']"), text)
    }

    /// Chooses in a list.
    fn choose(&self, selector: &str, value: &str) -> Result<()> {
        for option in self.browser.find_all(&format!("{selector} option"))? {
            if self.browser.value_of(&option)? == value {
                return self.browser.click(&option);
            }
        }
        bail!("{selector} has no choice {value:?}")
    }
}

/// The first number in a text such as `3.1 %` or `18 ms`.
fn number(text: &str) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = text.get(start..)?;
    let end = rest.find(|c: char| !digits(c)).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// One way's line of each cell. The codec's cell says by an arrow which way a line is about.
fn quality(cells: &Row, arrow: char) -> Option<Quality> {
    let codecs = cells.get("Codec")?;
    let (line, codec) = codecs.lines().enumerate().find(|(_, text)| text.starts_with(arrow))?;
    let figure = |column: &str| cells.get(column)?.lines().nth(line).and_then(number);
    Some(Quality {
        codec: codec.trim_start_matches(arrow).trim().to_owned(),
        lost_percent: figure("Lost")?,
        jitter_ms: figure("Jitter"),
        mos: figure("MOS"),
    })
}

fn call_row(cells: Row) -> Result<CallRow> {
    let get = |column: &str| cells.get(column).cloned().with_context(|| format!("no column {column:?} in {cells:?}"));
    Ok(CallRow {
        from: get("From")?,
        to: get("To")?,
        state: get("Outcome")?,
        forth: quality(&cells, '→'),
        back: quality(&cells, '←'),
        cells,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_out_of_their_units() {
        assert_eq!([number("3.1 %"), number("→ 18 ms"), number("–")], [Some(3.1), Some(18.0), None]);
    }

    #[test]
    fn each_way_of_a_call_has_its_own_figures() {
        let cells = [
            ("From", "100 @a"),
            ("To", "200 @b"),
            ("Outcome", "Answered"),
            ("Codec", "→ PCMA\n← G729"),
            ("Lost", "3.0 %\n0.0 %"),
            ("Jitter", "1.2 ms\n–"),
            ("MOS", "▲ 3.42\n4.10"),
        ];
        let row = call_row(cells.iter().map(|(head, text)| ((*head).into(), (*text).into())).collect()).unwrap();
        let forth = Quality { codec: "PCMA".into(), lost_percent: 3.0, jitter_ms: Some(1.2), mos: Some(3.42) };
        let back = Quality { codec: "G729".into(), lost_percent: 0.0, jitter_ms: None, mos: Some(4.1) };
        assert_eq!((row.forth, row.back), (Some(forth), Some(back)));
    }
}
