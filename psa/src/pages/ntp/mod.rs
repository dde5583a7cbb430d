//! Time (`ntp`): time servers and the time zone. The pattern for every settings page.

mod clock;

pub use clock::{ClockView, status};

use crate::fields::Fields;
use crate::frame::Frame;
use crate::problem::Problem;
use crate::settings::{FieldError, FormView, Notice, SettingsPage};
use crate::visit::Person;
use askama::Template;
use psa_model::limits::MAX_TIME_SERVERS;
use psa_model::ntp::{NtpForm, NtpFormErrors, NtpSettings, ZoneName};
use psa_model::settings::{Change, Feature, Settings};

/// Empty rows that wait for further servers.
const SPARE_ROWS: usize = 2;

/// The Time page.
#[derive(Debug)]
pub struct Page;

#[derive(Template)]
#[template(path = "pages/ntp/page.html")]
struct Html {
    frame: Frame,
    view: FormView<NtpForm, ClockView>,
    rows: Vec<Row>,
    zones: Vec<String>,
}

/// A server's place in the form.
struct Row {
    number: usize,
    host: String,
    nts: bool,
}

impl SettingsPage for Page {
    const PATH: &'static str = "/ntp";
    const APPLY: &'static str = "/ntp/apply";
    const TITLE: &'static str = NtpSettings::TITLE;
    const LEAD: &'static str =
        "Call records are only as good as the clock. Use at least two servers inside your network.";
    const FIELDS: &'static [&'static str] = &["server", "nts", "zone"];
    type Form = NtpForm;
    type Live = ClockView;

    fn shown(settings: &Settings) -> NtpForm {
        NtpForm::of(&settings.ntp)
    }

    /// A checkbox is sent only when it is ticked, so its value is the number of its row.
    fn typed(fields: &Fields) -> NtpForm {
        // One more than allowed, so that the settings refuse it in words.
        let servers: Vec<String> =
            fields.all("server").take(MAX_TIME_SERVERS.saturating_add(1)).map(str::to_owned).collect();
        let nts = (1..=servers.len()).map(|row| fields.all("nts").any(|value| value == row.to_string())).collect();
        NtpForm { servers, nts, zone: fields.one("zone").to_owned() }
    }

    fn parse(form: &NtpForm) -> Result<Change, Vec<FieldError>> {
        form.parse().map(Change::Ntp).map_err(|errors| field_errors(&errors))
    }

    async fn live(person: &Person) -> Result<ClockView, Problem> {
        ClockView::ask(person).await
    }

    fn render(frame: Frame, view: FormView<NtpForm, ClockView>) -> askama::Result<String> {
        let rows = rows(&view.form);
        Html { frame, view, rows, zones: ZoneName::all() }.render()
    }
}

fn field_errors(errors: &NtpFormErrors) -> Vec<FieldError> {
    let mut all: Vec<FieldError> = errors
        .servers
        .iter()
        .map(|(at, message)| {
            let number = at.saturating_add(1);
            FieldError { id: format!("server{number}"), label: format!("Server {number}"), message: message.clone() }
        })
        .collect();
    let one = |id: &str, label: &str, message: &String| FieldError {
        id: id.to_owned(),
        label: label.to_owned(),
        message: message.clone(),
    };
    all.extend(errors.together.iter().map(|message| one("server1", "Servers", message)));
    all.extend(errors.zone.iter().map(|message| one("zone", "Time zone", message)));
    all
}

/// What is typed, and empty rows behind it, so that a server can be added without a script.
fn rows(form: &NtpForm) -> Vec<Row> {
    let filled = form.servers.iter().rposition(|server| !server.is_empty()).map_or(0, |at| at.saturating_add(1));
    let count = filled.saturating_add(SPARE_ROWS).min(MAX_TIME_SERVERS).max(form.servers.len());
    (0..count)
        .map(|at| Row {
            number: at.saturating_add(1),
            host: form.servers.get(at).cloned().unwrap_or_default(),
            nts: form.nts.get(at).copied().unwrap_or(false),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_belongs_to_its_row_also_when_rows_before_it_are_empty() {
        let fields = Fields::parse(b"server=&server=a.example&server=b.example&nts=3&nts=9&zone=UTC").unwrap();
        let settings = Page::typed(&fields).parse().unwrap();
        let shown: Vec<_> = settings.servers().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a.example", "b.example, authenticated with NTS"]);
    }

    #[test]
    fn there_is_always_room_for_another_server_until_the_limit() {
        let form = |count: usize| NtpForm { servers: vec!["a.example".into(); count], ..NtpForm::default() };
        assert_eq!([0, 1, 5, 7, 8].map(|count| rows(&form(count)).len()), [2, 3, 7, 8, 8]);
    }

    #[test]
    fn more_servers_than_allowed_are_refused_in_words_and_kept() {
        let body = "server=a.example&".repeat(50);
        let form = Page::typed(&Fields::parse(body.as_bytes()).unwrap());
        assert_eq!(rows(&form).len(), MAX_TIME_SERVERS + 1);
        let errors = Page::parse(&form).unwrap_err();
        assert_eq!((errors[0].id.as_str(), errors[0].message.as_str()), ("server1", "Enter at most 8 time servers"));
    }
}
