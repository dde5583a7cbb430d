//! First login: the setup code of the console makes the first administrator account.

use crate::fields::Fields;
use crate::frame::{Frame, page, see_other};
use crate::pages::login::opened;
use crate::problem::Problem;
use crate::route::Answer;
use crate::settings::FieldError;
use crate::view::time::span;
use crate::visit::Visitor;
use actix_web::http::StatusCode;
use askama::Template;
use psa_model::account::{NewPassword, PasswordRule, UserName};
use psa_model::protocol::{Request, Response};
use psa_model::secret::Secret;
use psa_model::setup::normalise;

#[derive(Template)]
#[template(path = "pages/setup/page.html")]
struct Page {
    frame: Frame,
    code: String,
    name: String,
    rules: [PasswordRule; 5],
    errors: Vec<FieldError>,
}

impl Page {
    fn error(&self, id: &str) -> Option<&FieldError> {
        self.errors.iter().find(|error| error.id == id)
    }
}

/// The rules that the page shows, in their order.
const RULES: [PasswordRule; 5] = [
    PasswordRule::Length,
    PasswordRule::UpperCase,
    PasswordRule::Digit,
    PasswordRule::Special,
    PasswordRule::AccountName,
];

/// What was typed, once it means something.
struct FirstAccount {
    code: Secret,
    name: UserName,
    password: Secret,
}

/// The form, while there is no account.
pub async fn show(visitor: Visitor) -> Answer {
    if !visitor.machine.needs_setup {
        return Ok(see_other("/login"));
    }
    form(&visitor, StatusCode::OK, Vec::new())
}

/// Creates the account and opens its session.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other answer is a fault, also one of a later protocol")]
pub async fn create(visitor: Visitor) -> Answer {
    if !visitor.machine.needs_setup {
        return Ok(see_other("/login"));
    }
    let typed = match parse(&visitor.visit.fields) {
        Ok(typed) => typed,
        Err(errors) => return form(&visitor, StatusCode::UNPROCESSABLE_ENTITY, errors),
    };
    let FirstAccount { code, name, password } = typed;
    let request = Request::FirstAccount { code, name, password, from: visitor.visit.from };
    match visitor.visit.app.helper.ask(&request).await? {
        Response::LoggedIn { session, actor } => {
            tracing::info!(account = actor.name.as_str(), "Created the first account");
            Ok(opened(&session, "/status"))
        }
        Response::WrongCredentials => {
            let text = "Enter the setup code that the console shows at the moment";
            form(&visitor, StatusCode::UNPROCESSABLE_ENTITY, vec![error("code", "Setup code", text)])
        }
        Response::WeakPassword { rules } => form(&visitor, StatusCode::UNPROCESSABLE_ENTITY, weak(&rules)),
        Response::TryLater { seconds } => {
            let seconds = u64::from(seconds);
            let text = format!("Wait {} and try again: there were too many failures", span(seconds));
            let mut response = form(&visitor, StatusCode::TOO_MANY_REQUESTS, vec![error("code", "Setup code", &text)])?;
            response.headers_mut().insert(actix_web::http::header::RETRY_AFTER, seconds.into());
            Ok(response)
        }
        other => Err(Problem::odd_answer("first account", &other)),
    }
}

fn parse(fields: &Fields) -> Result<FirstAccount, Vec<FieldError>> {
    let mut errors = Vec::new();
    let code = normalise(fields.one("code"));
    if let Err(wrong) = &code {
        errors.push(error("code", "Setup code", &wrong.to_string()));
    }
    let name = UserName::parse(fields.one("name"));
    if let Err(wrong) = &name {
        errors.push(error("name", "Account name", &wrong.to_string()));
    }
    let password = Secret::new(fields.one("password").to_owned());
    let again = Secret::new(fields.one("again").to_owned());
    if let Ok(name) = &name
        && let Err(rules) = NewPassword::parse(&password, name)
    {
        errors.extend(weak(&rules));
    } else if password != again {
        errors.push(error("again", "Password again", "Type the same password twice"));
    }
    match (code, name) {
        (Ok(code), Ok(name)) if errors.is_empty() => Ok(FirstAccount { code, name, password }),
        _ => Err(errors),
    }
}

fn weak(rules: &[PasswordRule]) -> Vec<FieldError> {
    let text: Vec<String> = rules.iter().map(ToString::to_string).collect();
    vec![error("password", "Password", &text.join(". "))]
}

fn error(id: &str, label: &str, message: &str) -> FieldError {
    FieldError { id: id.to_owned(), label: label.to_owned(), message: message.to_owned() }
}

fn form(visitor: &Visitor, status: StatusCode, errors: Vec<FieldError>) -> Answer {
    let fields = &visitor.visit.fields;
    let mut frame = visitor.frame("First login");
    frame.is_error = !errors.is_empty();
    let (code, name) = (fields.one("code").to_owned(), fields.one("name").to_owned());
    page(status, &Page { frame, code, name, rules: RULES, errors })
}
