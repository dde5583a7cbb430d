//! The state of the clock, beside the form and as a small page of its own that refreshes itself.

use crate::frame::{Frame, page};
use crate::problem::Problem;
use crate::route::Answer;
use crate::view::state::{State, Tone};
use crate::view::text::foreign;
use crate::view::time::{Clock, span};
use crate::visit::Person;
use actix_web::http::StatusCode;
use askama::Template;
use jiff::Timestamp;
use psa_model::protocol::{Action, Response};
use psa_model::status::{ClockSource, ClockStatus, SourceState};

/// The clock's state as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockView {
    /// Synchronised or not, and the next step.
    pub state: State,
    /// The machine's time when the page was made.
    pub now: String,
    /// How far it is off, and by whom it is set.
    pub detail: String,
    /// The last measurement.
    pub updated: String,
    /// Every server that is set.
    pub sources: Vec<SourceView>,
}

/// A server as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceView {
    /// Its name or address.
    pub name: String,
    /// What the clock makes of it.
    pub state: State,
    /// How it answers.
    pub detail: String,
}

#[derive(Template)]
#[template(path = "pages/ntp/status.html")]
struct StatusPage {
    frame: Frame,
    live: ClockView,
}

/// The clock's state alone: `GET /ntp/status`.
pub async fn status(person: Person) -> Answer {
    let live = ClockView::ask(&person).await?;
    page(StatusCode::OK, &StatusPage { frame: person.frame("Clock"), live })
}

impl ClockView {
    /// Asks the helper for the clock.
    ///
    /// # Errors
    /// As [`Person::ask`].
    pub async fn ask(person: &Person) -> Result<Self, Problem> {
        let answer = person.ask(Action::Status).await?;
        let Response::Status { clock, .. } = answer else { return Err(Problem::odd_answer("status", &answer)) };
        Ok(Self::of(&clock, &person.clock()))
    }

    /// The view of a clock's state.
    #[must_use]
    pub fn of(status: &ClockStatus, clock: &Clock) -> Self {
        let reference = status.reference.as_deref().map(foreign);
        let detail = match (status.offset_seconds, &reference) {
            (Some(offset), Some(name)) => format!("{} off {name}", milliseconds(offset)),
            (Some(offset), None) => format!("{} off", milliseconds(offset)),
            (None, Some(name)) => format!("follows {name}"),
            (None, None) => String::new(),
        };
        let detail = match status.stratum.filter(|_| !detail.is_empty()) {
            Some(stratum) => format!("{detail}, stratum {stratum}"),
            None => detail,
        };
        Self {
            state: state(status),
            now: clock.full(clock.now()),
            detail,
            updated: status.updated_at.and_then(time_of).map(|time| clock.with_age(time)).unwrap_or_default(),
            sources: status.sources.iter().map(SourceView::of).collect(),
        }
    }
}

impl SourceView {
    fn of(source: &ClockSource) -> Self {
        let state = match source.state {
            SourceState::Selected => State::new(Tone::Good, "Followed"),
            SourceState::Combined => State::new(Tone::Good, "Used too"),
            SourceState::Spare => State::new(Tone::Plain, "Spare"),
            SourceState::Falseticker => State::new(Tone::Bad, "Disagrees with the others"),
            SourceState::Unstable => State::new(Tone::Warn, "Varies too much"),
            SourceState::Unreachable => State::new(Tone::Warn, "No answer"),
        };
        let age = source.age_seconds.map(|age| format!(", last {} ago", span(age))).unwrap_or_default();
        Self { name: foreign(&source.name), state, detail: format!("answered {} of the last 8{age}", source.reached) }
    }
}

fn state(status: &ClockStatus) -> State {
    match status.is_synchronised {
        Some(true) => State::new(Tone::Good, "Synchronised"),
        Some(false) if status.sources.is_empty() => {
            State::with_next(Tone::Warn, "Not synchronised", "No time server is set. Add one at Time.")
        }
        Some(false) if status.sources.iter().all(|source| source.reached == 0) => State::with_next(
            Tone::Warn,
            "Not synchronised",
            "No time server answers. Check the network, or change servers at Time.",
        ),
        Some(false) => State::with_next(
            Tone::Warn,
            "Not synchronised",
            "Servers answer and the clock is being set. This takes a few minutes.",
        ),
        None => State::with_next(
            Tone::Bad,
            "Unknown",
            "The time service (chrony) does not answer. Wait a minute; then see Services at Status.",
        ),
    }
}

/// An offset in milliseconds or seconds, without its sign's meaning lost: `0.3 ms`, `−12.0 s`.
fn milliseconds(seconds: f64) -> String {
    let text = if seconds.abs() < 1.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") };
    text.replace('-', "−")
}

/// Seconds since 1970 as a time; nothing for what is no time.
fn time_of(seconds: f64) -> Option<Timestamp> {
    let duration = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(duration).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use psa_model::ntp::ZoneName;

    fn view(status: &ClockStatus) -> ClockView {
        ClockView::of(status, &Clock::new(&ZoneName::default(), "2026-11-24T14:03:10Z".parse().unwrap()))
    }

    #[test]
    fn every_state_of_the_clock_says_what_to_do() {
        let source = |reached| ClockSource {
            name: "ntp1.example.net".into(),
            state: SourceState::Unreachable,
            reached,
            age_seconds: None,
            offset_seconds: None,
        };
        let status = |is, sources| ClockStatus { is_synchronised: is, sources, ..ClockStatus::default() };
        assert!(view(&status(Some(false), vec![])).state.next.starts_with("No time server is set"));
        assert!(view(&status(Some(false), vec![source(0)])).state.next.starts_with("No time server answers"));
        assert!(view(&status(Some(false), vec![source(0), source(3)])).state.next.starts_with("Servers answer"));
        assert!(view(&status(None, vec![])).state.next.starts_with("The time service"));
        assert_eq!(view(&status(Some(true), vec![])).state.next, "");
    }

    #[test]
    fn absurd_figures_do_no_harm() {
        for odd in [f64::NAN, f64::INFINITY, -1e300, 1e300] {
            let status = ClockStatus { updated_at: Some(odd), offset_seconds: Some(odd), ..ClockStatus::default() };
            assert_eq!(view(&status).updated, "");
        }
        let status =
            ClockStatus { offset_seconds: Some(-0.0003), updated_at: Some(1_795_528_930.5), ..Default::default() };
        assert_eq!(view(&status).detail, "−0.3 ms off");
        assert_eq!(view(&status).updated, "14:02:10 UTC, 1 min ago");
    }
}
