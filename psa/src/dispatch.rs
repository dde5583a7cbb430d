//! The way of every request: find its route, hear only our own pages, read the form, ask the helper whose session it
//! is, check the form's token, let the page answer, seal the answer. There is no way around it: this is the only
//! handler that the server has.

use crate::assets::{ASSETS, hexadecimal};
use crate::fields::Fields;
use crate::frame::{Frame, PersonLine, ProblemPage, html, menu, see_other};
use crate::headers::{Keep, seal};
use crate::helper::Caller;
use crate::limits;
use crate::origin;
use crate::pages::assets as asset_pages;
use crate::problem::Problem;
use crate::route::{Answer, Route, Rule, Verb};
use crate::view::time::Clock;
use crate::visit::{App, Current, Person, Visit, Visitor, ask};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::{constant_time, rand};
use psa_model::protocol::{Action, Actor, Machine, Response, SessionToken};
use psa_model::secret::Secret;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The session's cookie. The prefix makes browsers insist on Secure, Path=/ and no Domain.
pub const COOKIE: &str = "__Host-session";

/// Gives the server its one handler.
pub fn configure(app: Arc<App>) -> impl Fn(&mut web::ServiceConfig) {
    move |config| {
        config.app_data(web::Data::from(Arc::clone(&app))).default_service(web::to(serve));
    }
}

/// What an error page may tell, as far as it is known when the error happens.
#[derive(Default)]
struct Known {
    machine: Option<Machine>,
    person: Option<(Actor, Clock)>,
}

/// Answers a request.
async fn serve(request: HttpRequest, body: web::Payload, app: web::Data<App>) -> HttpResponse {
    let app = app.into_inner();
    let mut known = Known::default();
    let mut response = match answer(&request, body, &app, &mut known).await {
        Ok(response) => response,
        Err(problem) => refusal(&problem, &request, &app, known),
    };
    let is_asset = response.status().is_success() && asset_pages::is_asset(request.path());
    seal(&mut response, if is_asset { Keep::Forever } else { Keep::Never });
    response
}

async fn answer(request: &HttpRequest, body: web::Payload, app: &Arc<App>, known: &mut Known) -> Answer {
    let route = find(&app.routes, request.path(), request.method())?;
    let headers = request.headers();
    if route.verb == Verb::Post {
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !origin::is_own(headers, host) {
            return Err(Problem::Forbidden("The form was not sent from a page of this machine."));
        }
    }
    let many = |_| Problem::NoForm("There are more fields than any form of this machine has.");
    let fields = match route.verb {
        Verb::Get => Fields::default(),
        Verb::Post => Fields::parse(&read(request, body).await?).map_err(many)?,
    };
    let visit = Visit {
        app: Arc::clone(app),
        path: request.path().to_owned(),
        query: Fields::parse(request.query_string().as_bytes()).map_err(many)?,
        fields,
        session: session(request),
        from: request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical()),
        is_background: headers.contains_key("hx-request"),
    };
    match route.rule {
        Rule::Anyone(handler) => handler(visit).await,
        Rule::Visitor(handler) => {
            let machine = app.helper.machine().await?;
            known.machine = Some(machine.clone());
            handler(Visitor { visit, machine }).await
        }
        Rule::Administrator(handler) => {
            let person = identify(visit, known).await?;
            if route.verb == Verb::Post && !has_token(&person) {
                return Err(Problem::Forbidden("The form does not belong to your session."));
            }
            handler(person).await
        }
    }
}

/// The route of a path and method.
fn find(routes: &[Route], path: &str, method: &Method) -> Result<Route, Problem> {
    let verb = match *method {
        Method::GET | Method::HEAD => Some(Verb::Get),
        Method::POST => Some(Verb::Post),
        _ => None,
    };
    let mut there = routes.iter().filter(|route| route.path == path).peekable();
    if there.peek().is_none() {
        return Err(Problem::NotFound);
    }
    let allowed: Vec<&str> = routes
        .iter()
        .filter(|route| route.path == path)
        .map(|route| match route.verb {
            Verb::Get => "GET, HEAD",
            Verb::Post => "POST",
        })
        .collect();
    there.find(|route| Some(route.verb) == verb).copied().ok_or_else(|| Problem::NoSuchMethod(allowed.join(", ")))
}

/// Reads a form's body within its limits of length and time.
async fn read(request: &HttpRequest, body: web::Payload) -> Result<web::Bytes, Problem> {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::NoForm("What was sent is not a form of this machine."));
    }
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > limits::MAX_BODY) {
        return Err(Problem::TooLarge);
    }
    let whole = tokio::time::timeout(limits::BODY_TIME, body.to_bytes_limited(limits::MAX_BODY)).await;
    match whole {
        Err(_) => Err(Problem::TooSlow),
        Ok(Err(_)) => Err(Problem::TooLarge),
        Ok(Ok(Err(_))) => Err(Problem::NoForm("What your browser sent broke off.")),
        Ok(Ok(Ok(bytes))) => Ok(bytes),
    }
}

/// The session of the cookie, when it has the form of one: 64 hexadecimal digits.
fn session(request: &HttpRequest) -> Option<SessionToken> {
    let cookie = request.cookie(COOKIE)?;
    let is_token = cookie.value().len() == 64 && cookie.value().bytes().all(|b| b.is_ascii_hexdigit());
    is_token.then(|| SessionToken(Secret::new(cookie.value().to_owned())))
}

/// Asks the helper whose session it is.
async fn identify(visit: Visit, known: &mut Known) -> Result<Person, Problem> {
    let session = visit.session.clone().ok_or(Problem::LoggedOut)?;
    let caller = Caller { session, from: visit.from, is_background: visit.is_background };
    let helper = &visit.app.helper;
    let answer = ask(helper, &caller, Action::WhoAmI).await?;
    let Response::Actor(actor) = answer else { return Err(Problem::odd_answer("who am I", &answer)) };
    let machine = helper.machine().await?;
    known.machine = Some(machine.clone());
    let answer = ask(helper, &caller, Action::Settings).await?;
    let Response::Current { generation, settings, facts } = answer else {
        return Err(Problem::odd_answer("settings", &answer));
    };
    let current = Current { generation, settings: *settings, facts };
    known.person = Some((actor.clone(), Clock::new(current.settings.ntp.zone(), (visit.app.now)())));
    Ok(Person { visit, machine, caller, actor, current })
}

/// Whether the form carries the session's token.
fn has_token(person: &Person) -> bool {
    let expected = person.actor.csrf.expose();
    !expected.is_empty()
        && constant_time::verify_slices_are_equal(person.visit.fields.one("csrf").as_bytes(), expected.as_bytes())
            .is_ok()
}

/// The answer to a request that gets no page.
fn refusal(problem: &Problem, request: &HttpRequest, app: &App, known: Known) -> HttpResponse {
    let operation = operation();
    problem.log(&operation);
    if matches!(problem, Problem::LoggedOut) {
        return to_login(request);
    }
    let (name, version) = known.machine.map_or_else(Default::default, |machine| (machine.name, machine.version));
    let frame = Frame {
        title: String::new(),
        is_error: true,
        machine: name,
        version,
        now: known.person.as_ref().map(|(_, clock)| clock.full(clock.now())).unwrap_or_default(),
        menu: if known.person.is_some() { menu(&app.routes, request.path()) } else { Vec::new() },
        person: known.person.as_ref().map(|(actor, _)| PersonLine::of(actor)),
        assets: &ASSETS,
    };
    let page = askama::Template::render(&ProblemPage::of(problem, frame, &operation));
    let document = page.unwrap_or_else(|_| format!("That failed. Operation {operation}."));
    let mut response = html(problem.status(), document);
    if let Problem::NoSuchMethod(allowed) = problem
        && let Ok(value) = header::HeaderValue::from_str(allowed)
    {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

/// Sends the browser to the login page, and back here afterwards where that makes sense. A page that refreshes itself
/// cannot follow a redirect to another page, so it is told to leave.
fn to_login(request: &HttpRequest) -> HttpResponse {
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    let query: String = match (session(request).is_some(), is_page) {
        (true, true) => format!("?ended=1&next={}", request.path()),
        (true, false) => "?ended=1".into(),
        (false, true) => format!("?next={}", request.path()),
        (false, false) => String::new(),
    };
    let to = format!("/login{query}");
    let mut response = if request.headers().contains_key("hx-request") {
        HttpResponse::Unauthorized().insert_header(("hx-redirect", to)).finish()
    } else {
        see_other(&to)
    };
    // A cookie that is not valid as a header can only come from this program; there is nothing to remove then.
    response.add_removal_cookie(&cookie(String::new())).unwrap_or_default();
    response
}

/// The session's cookie with this value.
#[must_use]
pub fn cookie(value: String) -> Cookie<'static> {
    Cookie::build(COOKIE, value).path("/").secure(true).http_only(true).same_site(SameSite::Strict).finish()
}

/// An id that finds the log's line of an error page.
fn operation() -> String {
    let mut bytes = [0; 6];
    match rand::fill(&mut bytes) {
        Ok(()) => hexadecimal(&bytes),
        Err(_) => "unknown".into(),
    }
}
