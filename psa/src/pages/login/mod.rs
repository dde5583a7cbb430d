//! Log in and log out.

use crate::dispatch::cookie;
use crate::frame::{Frame, page, see_other};
use crate::problem::Problem;
use crate::route::{Answer, Verb};
use crate::view::time::span;
use crate::visit::{Person, Visitor};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use psa_model::protocol::{Action, Request, Response, SessionToken};
use psa_model::secret::Secret;

#[derive(Template)]
#[template(path = "pages/login/page.html")]
struct Page {
    frame: Frame,
    name: String,
    next: String,
    error: Option<String>,
    notice: Option<&'static str>,
}

/// The form.
pub async fn show(visitor: Visitor) -> Answer {
    if visitor.machine.needs_setup {
        return Ok(see_other("/setup"));
    }
    let query = &visitor.visit.query;
    let notice = if query.has("out") {
        Some("You are logged out.")
    } else {
        query.has("ended").then_some("Your session ended. Log in again.")
    };
    let next = query.one("next").to_owned();
    let page_ = Page { frame: visitor.frame("Log in"), name: String::new(), next, error: None, notice };
    page(StatusCode::OK, &page_)
}

/// Checks name and password and opens a session.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other answer is a fault, also one of a later protocol")]
pub async fn log_in(visitor: Visitor) -> Answer {
    let fields = &visitor.visit.fields;
    let request = Request::LogIn {
        name: fields.one("name").to_owned(),
        password: Secret::new(fields.one("password").to_owned()),
        from: visitor.visit.from,
        previous: visitor.visit.session.clone(),
    };
    match visitor.visit.app.helper.ask(&request).await? {
        Response::LoggedIn { session, actor } => {
            tracing::info!(account = actor.name.as_str(), "Logged in");
            Ok(opened(&session, landing(&visitor, fields.one("next"))))
        }
        Response::WrongCredentials => {
            refused(&visitor, StatusCode::UNPROCESSABLE_ENTITY, "Name or password is wrong. Check both and try again.")
        }
        Response::TryLater { seconds } => {
            let seconds = u64::from(seconds);
            let text = format!("Too many failures. Wait {} and try again.", span(seconds));
            let mut response = refused(&visitor, StatusCode::TOO_MANY_REQUESTS, &text)?;
            response.headers_mut().insert(actix_web::http::header::RETRY_AFTER, seconds.into());
            Ok(response)
        }
        other => Err(Problem::odd_answer("log in", &other)),
    }
}

/// Ends the session.
pub async fn log_out(person: Person) -> Answer {
    let answer = person.ask(Action::LogOut).await?;
    let Response::Done = answer else { return Err(Problem::odd_answer("log out", &answer)) };
    tracing::info!(account = person.actor.name.as_str(), "Logged out");
    let mut response = see_other("/login?out=1");
    // A removal has no value that could be refused as a header.
    response.add_removal_cookie(&cookie(String::new())).unwrap_or_default();
    Ok(response)
}

/// The answer that gives a browser its session.
#[must_use]
pub fn opened(session: &SessionToken, to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .cookie(cookie(session.0.expose().to_owned()))
        .insert_header(("location", to.to_owned()))
        .finish()
}

/// Where to go after login: the page that was asked for when it is one of the menu, else Status.
fn landing<'a>(visitor: &Visitor, next: &'a str) -> &'a str {
    let routes = &visitor.visit.app.routes;
    let is_page = routes.iter().any(|route| route.path == next && route.verb == Verb::Get && route.menu.is_some());
    if is_page { next } else { "/status" }
}

fn refused(visitor: &Visitor, status: StatusCode, error: &str) -> Answer {
    let fields = &visitor.visit.fields;
    let mut frame = visitor.frame("Log in");
    frame.is_error = true;
    let name = fields.one("name").to_owned();
    let next = fields.one("next").to_owned();
    page(status, &Page { frame, name, next, error: Some(error.to_owned()), notice: None })
}
