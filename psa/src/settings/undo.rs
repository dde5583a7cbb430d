//! Undo: the settings before a generation become current again, as a generation of their own.

use crate::frame::see_other;
use crate::problem::Problem;
use crate::route::{Answer, Verb};
use crate::visit::Person;
use psa_model::protocol::{Action, Response};
use psa_model::settings::Generation;

/// Undoes the generation that the form names, where it is the one in force.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other answer is a fault, also one of a later protocol")]
pub async fn undo(person: Person) -> Answer {
    let fields = &person.visit.fields;
    let wrong = Problem::NoForm("The form does not say what to undo.");
    let Ok(generation) = fields.one("generation").parse().map(Generation) else { return Err(wrong) };
    let Some(before) = generation.0.checked_sub(1).filter(|number| *number >= Generation::FIRST.0) else {
        return Err(wrong);
    };
    // Back to the page that has the button, when it is a page of the menu.
    let back = fields.one("page");
    let routes = &person.visit.app.routes;
    let Some(route) = routes.iter().find(|r| r.path == back && r.verb == Verb::Get && r.menu.is_some()) else {
        return Err(wrong);
    };
    match person.ask(Action::Restore { base: generation, to: Generation(before) }).await? {
        Response::Applied { generation: made } => {
            let account = person.actor.name.as_str();
            tracing::info!(generation = %made, undone = %generation, account, "Undid generation {generation}");
            Ok(see_other(&format!("{}?undone={made}", route.path)))
        }
        Response::Conflict { .. } => Err(Problem::Overtaken),
        other => Err(Problem::odd_answer("restore", &other)),
    }
}
