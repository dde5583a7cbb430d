//! Somebody else changed the settings meanwhile: what they changed, both versions, and what was typed is kept.

use super::SettingsPage;
use crate::frame::{Frame, page};
use crate::limits::CONFLICT_HISTORY;
use crate::problem::Problem;
use crate::route::Answer;
use crate::visit::{Current, Person};
use actix_web::http::StatusCode;
use askama::Template;
use psa_model::change::{HistoryEntry, Review};
use psa_model::protocol::{Action, Response};
use psa_model::render::DiffRow;
use psa_model::settings::{Change, Generation};

/// The page.
#[derive(Template)]
#[template(path = "settings/conflict.html")]
pub struct Conflict {
    frame: Frame,
    path: &'static str,
    csrf: String,
    base: Generation,
    fields: Vec<(String, String)>,
    others: Vec<OtherChange>,
    rows: Vec<DiffRow>,
}

/// What somebody else did.
struct OtherChange {
    generation: Generation,
    by: String,
    at: String,
    why: String,
}

impl Conflict {
    /// The page of a change that met other settings than it was made on.
    pub async fn page<P: SettingsPage>(person: &Person, current: &Current, change: &Change) -> Answer {
        let base = super::flow::base(person)?;
        let answer = person.ask(Action::History { limit: CONFLICT_HISTORY }).await?;
        let Response::History(others) = answer else { return Err(Problem::odd_answer("history", &answer)) };
        let conflict = Self {
            frame: person.frame(P::TITLE),
            path: P::PATH,
            csrf: person.actor.csrf.expose().to_owned(),
            base: current.generation,
            fields: person.visit.fields.only(P::FIELDS),
            others: others.iter().filter(|e| e.generation > base).map(|e| OtherChange::of(person, e)).collect(),
            rows: Review::of(&current.settings, change, &current.facts).rows,
        };
        page(StatusCode::CONFLICT, &conflict)
    }
}

impl OtherChange {
    fn of(person: &Person, entry: &HistoryEntry) -> Self {
        let at = entry.at.parse().map_or_else(|_| entry.at.clone(), |time| person.clock().with_age(time));
        Self { generation: entry.generation, by: entry.by.clone(), at, why: entry.why.clone() }
    }
}
