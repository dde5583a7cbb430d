//! What stands around every page: header, menu, footer.

use crate::assets::Assets;
use crate::problem::Problem;
use crate::route::{Answer, Group, Route};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use psa_model::protocol::Actor;

/// The values of `layout.html`.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The page's heading, and the first words of its title.
    pub title: String,
    /// Whether the title starts with "Error:".
    pub is_error: bool,
    /// The machine's name.
    pub machine: String,
    /// The product's version.
    pub version: String,
    /// The time at which the page was made; empty before login.
    pub now: String,
    /// The menu; empty before login.
    pub menu: Vec<MenuGroup>,
    /// Who is logged in.
    pub person: Option<PersonLine>,
    /// The files that the page loads.
    pub assets: &'static Assets,
}

/// A group of the menu.
#[derive(Debug, Clone)]
pub struct MenuGroup {
    /// Its heading.
    pub title: &'static str,
    /// Its pages.
    pub entries: Vec<MenuEntry>,
}

/// A page in the menu.
#[derive(Debug, Clone)]
pub struct MenuEntry {
    /// Its name.
    pub title: &'static str,
    /// Its address.
    pub path: &'static str,
    /// Whether it is the page that is shown.
    pub is_current: bool,
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub struct PersonLine {
    /// The account's name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// The session's token for forms.
    pub csrf: String,
}

impl PersonLine {
    /// The line of a person.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        Self { name: actor.name.to_string(), role: actor.role.to_string(), csrf: actor.csrf.expose().to_owned() }
    }
}

/// The menu as the routes give it. A page below another (`/ntp/apply`) marks its parent.
#[must_use]
pub fn menu(routes: &[Route], path: &str) -> Vec<MenuGroup> {
    let first = |path: &str| path.split('/').nth(1).map(str::to_owned);
    let entry = |route: &Route| {
        route.menu.map(|(group, title)| {
            (group, MenuEntry { title, path: route.path, is_current: first(route.path) == first(path) })
        })
    };
    Group::ALL
        .into_iter()
        .map(|group| MenuGroup {
            title: group.title(),
            entries: routes.iter().filter_map(entry).filter(|(of, _)| *of == group).map(|(_, entry)| entry).collect(),
        })
        .filter(|group| !group.entries.is_empty())
        .collect()
}

/// A page as an answer.
///
/// # Errors
/// [`Problem::Fault`] when the template fails.
pub fn page(status: StatusCode, template: &impl Template) -> Answer {
    Ok(html(status, template.render()?))
}

/// A document as an answer.
#[must_use]
pub fn html(status: StatusCode, document: String) -> HttpResponse {
    HttpResponse::build(status).content_type("text/html; charset=utf-8").body(document)
}

/// Sends the browser to another page after a form.
#[must_use]
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", path)).finish()
}

/// An error page.
#[derive(Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    /// The frame.
    pub frame: Frame,
    /// What happened.
    pub what: String,
    /// What is safe.
    pub safe: &'static str,
    /// What to do.
    pub next: &'static str,
    /// Finds the cause in the log.
    pub operation: String,
}

impl ProblemPage {
    /// The page of a problem.
    #[must_use]
    pub fn of(problem: &Problem, mut frame: Frame, operation: &str) -> Self {
        let words = problem.words();
        frame.title = words.title.to_owned();
        frame.is_error = true;
        let operation = match problem {
            Problem::Failed { operation, .. } => operation.clone(),
            Problem::NotFound
            | Problem::NoSuchMethod(_)
            | Problem::Forbidden(_)
            | Problem::TooLarge
            | Problem::TooSlow
            | Problem::NoForm(_)
            | Problem::LoggedOut
            | Problem::Overtaken
            | Problem::NoHelper(_)
            | Problem::NoSniffer(_)
            | Problem::Fault(_) => operation.to_owned(),
        };
        Self { frame, what: words.what, safe: words.safe, next: words.next, operation }
    }
}
