//! Show, review, apply.

use super::conflict::Conflict;
use super::{FormView, Notice, SettingsPage};
use crate::frame::{Frame, html, page, see_other};
use crate::problem::Problem;
use crate::route::Answer;
use crate::visit::{Current, Person};
use actix_web::http::StatusCode;
use askama::Template;
use psa_model::change::Review;
use psa_model::protocol::{Action, Response};
use psa_model::render::Risk;
use psa_model::settings::{Change, Generation};

/// The form with the settings in force.
pub async fn show<P: SettingsPage>(person: Person) -> Answer {
    let form = P::shown(&person.current.settings);
    let notice = notice(&person);
    form_page::<P>(&person, StatusCode::OK, form, Vec::new(), notice, false).await
}

/// The review of what was typed, or the form again with what to mend.
pub async fn review<P: SettingsPage>(person: Person) -> Answer {
    let fields = &person.visit.fields;
    let form = P::typed(fields);
    if fields.has("edit") {
        return form_page::<P>(&person, StatusCode::OK, form, Vec::new(), Notice::None, true).await;
    }
    let change = match P::parse(&form) {
        Ok(change) => change,
        Err(errors) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return form_page::<P>(&person, status, form, errors, Notice::None, true).await;
        }
    };
    let review = Review::of(&person.current.settings, &change, &person.current.facts);
    if review.is_empty() {
        return form_page::<P>(&person, StatusCode::OK, form, Vec::new(), Notice::Unchanged, false).await;
    }
    if base(&person)? != person.current.generation {
        return Conflict::page::<P>(&person, &person.current.clone(), &change).await;
    }
    page(StatusCode::OK, &ReviewPage::of::<P>(&person, review))
}

/// Applies what was reviewed. The fields come again and are parsed again: a review page proves nothing.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other answer is a fault, also one of a later protocol")]
pub async fn apply<P: SettingsPage>(person: Person) -> Answer {
    let form = P::typed(&person.visit.fields);
    let change = match P::parse(&form) {
        Ok(change) => change,
        Err(errors) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return form_page::<P>(&person, status, form, errors, Notice::None, true).await;
        }
    };
    if Review::of(&person.current.settings, &change, &person.current.facts).is_empty() {
        return form_page::<P>(&person, StatusCode::OK, form, Vec::new(), Notice::Unchanged, false).await;
    }
    let action = Action::Apply { base: base(&person)?, change: Box::new(change.clone()) };
    match person.ask(action).await? {
        Response::Applied { generation } => applied::<P>(&person, &change, generation),
        Response::Conflict { generation, settings } => {
            let current = Current { generation, settings: *settings, facts: person.current.facts.clone() };
            Conflict::page::<P>(&person, &current, &change).await
        }
        other => Err(Problem::odd_answer("apply", &other)),
    }
}

/// A reload of the review: the form again.
pub async fn back<P: SettingsPage>(_person: Person) -> Answer {
    Ok(see_other(P::PATH))
}

fn applied<P: SettingsPage>(person: &Person, change: &Change, generation: Generation) -> Answer {
    let account = person.actor.name.as_str();
    tracing::info!(%generation, page = change.feature(), account, "Applied generation {generation}");
    Ok(see_other(&format!("{}?applied={generation}", P::PATH)))
}

/// The generation that the person saw when she started.
pub(super) fn base(person: &Person) -> Result<Generation, Problem> {
    let text = person.visit.fields.one("base");
    text.parse().map(Generation).map_err(|_| Problem::NoForm("The form does not say on which settings it was made."))
}

/// What the address says that happened, where it is true: the generation that it names must be the one in force.
fn notice(person: &Person) -> Notice {
    let query = &person.visit.query;
    let in_force = |name: &str| query.one(name).parse().ok() == Some(person.current.generation.0);
    if in_force("applied") {
        Notice::Applied(person.current.generation)
    } else if in_force("undone") {
        Notice::Undone(person.current.generation)
    } else {
        Notice::None
    }
}

async fn form_page<P: SettingsPage>(
    person: &Person,
    status: StatusCode,
    form: P::Form,
    errors: Vec<super::FieldError>,
    notice: Notice,
    is_kept: bool,
) -> Answer {
    let mut frame = person.frame(P::TITLE);
    frame.is_error = !errors.is_empty();
    let view = FormView {
        lead: P::LEAD,
        path: P::PATH,
        csrf: person.actor.csrf.expose().to_owned(),
        base: person.current.generation,
        notice,
        errors,
        is_kept,
        form,
        live: P::live(person).await?,
    };
    Ok(html(status, P::render(frame, view)?))
}

/// Old and new, what is touched, and who will notice.
#[derive(Template)]
#[template(path = "settings/review.html")]
struct ReviewPage {
    frame: Frame,
    path: &'static str,
    apply: &'static str,
    csrf: String,
    base: Generation,
    fields: Vec<(String, String)>,
    review: Review,
    risk: &'static str,
    is_risky: bool,
}

impl ReviewPage {
    fn of<P: SettingsPage>(person: &Person, review: Review) -> Self {
        let (risk, is_risky) = match review.risk {
            Risk::None => ("Nobody is disconnected.", false),
            Risk::MayDisconnect => ("You may lose the connection to this page.", true),
            Risk::MayLockOut => ("It may happen that nobody can log in any more.", true),
        };
        Self {
            frame: person.frame(P::TITLE),
            path: P::PATH,
            apply: P::APPLY,
            csrf: person.actor.csrf.expose().to_owned(),
            base: person.current.generation,
            fields: person.visit.fields.only(P::FIELDS),
            review,
            risk,
            is_risky,
        }
    }
}
