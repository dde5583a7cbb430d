//! Setup, login, logout.

use crate::support::{Site, form, helper, request, with_session};
use actix_web::http::Method;
use psa_model::account::PasswordRule;
use psa_model::protocol::{Action, Request, Response};

const ACCOUNT: [(&str, &str); 4] =
    [("code", "7k2m q9xd 44tb pzor"), ("name", "Anna"), ("password", helper::PASSWORD), ("again", helper::PASSWORD)];

fn but(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    ACCOUNT.iter().map(|(field, old)| (*field, if *field == name { value } else { *old })).collect()
}

#[actix_web::test]
async fn the_first_visitor_is_led_to_setup_and_later_ones_to_login() {
    let site = Site::new().await;
    site.visit("/").await.leads_to("/login");
    site.visit("/setup").await.leads_to("/login");
    site.send(form("/setup", &ACCOUNT)).await.leads_to("/login");
    assert!(!site.helper.asked.borrow().iter().any(|r| matches!(r, Request::FirstAccount { .. })));
    site.get("/").await.leads_to("/status");
    site.helper.needs_setup.set(true);
    site.visit("/").await.leads_to("/setup");
    site.visit("/login").await.leads_to("/setup");
}

#[actix_web::test]
async fn the_setup_code_makes_the_first_account_and_opens_its_session() {
    let site = Site::new().await;
    site.helper.needs_setup.set(true);
    let reply = site.send(form("/setup", &ACCOUNT)).await;
    reply.leads_to("/status");
    let expected = format!("__Host-session={}; HttpOnly; SameSite=Strict; Secure; Path=/", helper::OPENED);
    assert_eq!(reply.header("set-cookie"), expected);
    let asked = site.helper.asked.borrow();
    let Some(Request::FirstAccount { code, name, password, from }) = asked.last() else { panic!("{asked:?}") };
    assert_eq!((code.expose(), name.as_str(), password.expose()), (helper::CODE, "anna", helper::PASSWORD));
    assert_eq!(from.to_string(), "198.51.100.20");
}

#[actix_web::test]
async fn setup_says_what_to_mend_and_keeps_code_and_name_but_no_password() {
    let site = Site::new().await;
    site.helper.needs_setup.set(true);
    for (fields, text) in [
        (but("code", "7K2M"), "Setup code: enter the setup code as the console shows it"),
        (but("code", "0000-0000-0000-0000"), "Setup code: enter the setup code that the console shows at the moment"),
        (but("name", "1anna"), "Account name: start with a letter"),
        (but("again", "Correct horse 8"), "Password again: type the same password twice"),
        (
            but("password", "short"),
            "Use at least 8 characters. Use at least one upper-case letter. Use at least one digit",
        ),
    ] {
        let reply = site.send(form("/setup", &fields)).await;
        assert_eq!(reply.status, 422, "{text}");
        assert!(reply.has(text) && reply.has("<title>Error: First login"), "{text}: {}", reply.body);
        assert!(reply.has("aria-invalid=\"true\"") && reply.has("tabindex=\"-1\" autofocus"));
        assert!(reply.has(&format!("name=\"code\" value=\"{}\"", fields[0].1)));
        assert!(!reply.has("Correct horse") && !reply.has("value=\"short\""), "{}", reply.body);
        assert_eq!(reply.cookie(), None);
    }
}

#[actix_web::test]
async fn what_only_the_helper_can_refuse_is_said_at_the_field() {
    let site = Site::new().await;
    site.helper.needs_setup.set(true);
    site.helper.next.replace(Some(Response::WeakPassword { rules: vec![PasswordRule::AccountName] }));
    let reply = site.send(form("/setup", &ACCOUNT)).await;
    assert!(reply.status == 422 && reply.has("Password: do not use the account name in the password"));
    site.helper.next.replace(Some(Response::TryLater { seconds: 90 }));
    let reply = site.send(form("/setup", &ACCOUNT)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "90"));
    assert!(reply.has("Wait 1 min 30 s"));
}

#[actix_web::test]
async fn login_opens_a_session_with_a_cookie_of_its_own_and_ends_the_one_before() {
    let site = Site::new().await;
    let fields = [("name", "anna"), ("password", helper::PASSWORD)];
    let reply = site.send(with_session(form("/login", &fields))).await;
    reply.leads_to("/status");
    assert_eq!(reply.cookie().as_deref(), Some(helper::OPENED));
    let asked = site.helper.asked.borrow();
    let Some(Request::LogIn { previous: Some(previous), .. }) = asked.last() else { panic!("{asked:?}") };
    assert_eq!(previous.0.expose(), helper::SESSION);
}

#[actix_web::test]
async fn login_goes_back_to_the_page_that_was_asked_for_and_nowhere_else() {
    let site = Site::new().await;
    site.visit("/calls").await.leads_to("/login?next=/calls");
    for (next, to) in [
        ("/calls", "/calls"),
        ("//evil.example", "/status"),
        ("https://evil.example", "/status"),
        ("/undo", "/status"),
        ("", "/status"),
    ] {
        let fields = [("name", "anna"), ("password", helper::PASSWORD), ("next", next)];
        site.send(form("/login", &fields)).await.leads_to(to);
    }
}

#[actix_web::test]
async fn a_wrong_password_keeps_the_name_and_says_nothing_of_the_account() {
    let site = Site::new().await;
    for name in ["anna", "nobody"] {
        let reply = site.send(form("/login", &[("name", name), ("password", "wrong one")])).await;
        assert_eq!((reply.status, reply.cookie()), (422, None));
        assert!(reply.has("Name or password is wrong") && reply.has(&format!("value=\"{name}\"")));
        assert!(!reply.has("wrong one"));
    }
    site.helper.next.replace(Some(Response::TryLater { seconds: 30 }));
    let reply = site.send(form("/login", &[("name", "anna"), ("password", helper::PASSWORD)])).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "30"));
}

#[actix_web::test]
async fn logout_ends_the_session_and_takes_the_cookie() {
    let site = Site::new().await;
    let reply = site.post("/logout", &[]).await;
    reply.leads_to("/login?out=1");
    assert!(
        reply.header("set-cookie").starts_with("__Host-session=; ") && reply.header("set-cookie").contains("Max-Age=0")
    );
    assert!(matches!(site.helper.actions()[..], [Action::LogOut]));
}

#[actix_web::test]
async fn a_session_that_ended_leads_to_login_and_a_page_that_refreshes_itself_is_sent_there() {
    let site = Site::new().await;
    let ended =
        |path: &str| request(Method::GET, path).insert_header(("cookie", format!("__Host-session={}", "0".repeat(64))));
    site.send(ended("/status")).await.leads_to("/login?ended=1&next=/status");
    let reply = site.send(ended("/status").insert_header(("hx-request", "true"))).await;
    assert_eq!((reply.status, reply.header("hx-redirect")), (401, "/login?ended=1&next=/status"));
}

#[actix_web::test]
async fn a_page_that_refreshes_itself_is_no_use_of_the_session() {
    let site = Site::new().await;
    let background = |site: &Site| {
        let asked = site.helper.asked.take();
        let all = asked
            .into_iter()
            .filter_map(|r| if let Request::As { is_background, .. } = r { Some(is_background) } else { None });
        all.collect::<Vec<_>>()
    };
    site.get("/status").await;
    assert_eq!(background(&site), [false; 3]);
    site.send(with_session(request(Method::GET, "/status")).insert_header(("hx-request", "true"))).await;
    assert_eq!(background(&site), [true; 3]);
}
