//! First login: the code of the console, the rules of passwords, and the session that follows.

use crate::stage::{NAME, PASSWORD, Stage};
use qemu_tests::https;

#[test]
fn the_setup_code_makes_the_administrator_and_leads_to_status() {
    let stage = Stage::empty();
    stage.browser.go("/").unwrap();
    assert_eq!(stage.browser.path().unwrap(), "/setup");
    stage.admin().set_up(&stage.code(), NAME, PASSWORD).unwrap();
    assert_eq!(stage.browser.path().unwrap(), "/status");
    assert!(stage.browser.text().unwrap().contains(NAME));
    // The code is used up: there is no such page any more.
    stage.admin().log_out().unwrap();
    stage.browser.go("/setup").unwrap();
    assert!(!stage.browser.source().unwrap().contains("name=\"code\""));
    stage.admin().log_in(NAME, PASSWORD).unwrap();
    assert_eq!(stage.browser.path().unwrap(), "/status");
}

#[test]
fn a_wrong_code_and_weak_passwords_are_refused_with_the_rule() {
    let stage = Stage::empty();
    stage.admin().set_up("0000-0000-0000-0000", NAME, PASSWORD).unwrap();
    assert!(stage.browser.title().unwrap().starts_with("Error:"), "{}", stage.browser.text().unwrap());
    for weak in ["Short-1", "correct-horse-42-battery", "Anna-Anna-Anna-1"] {
        stage.admin().set_up(&stage.code(), NAME, weak).unwrap();
        assert_eq!(stage.browser.path().unwrap(), "/setup", "{weak}");
        let message = stage.browser.text_of(&stage.browser.find("#password-error").unwrap()).unwrap();
        assert!(message.len() > 10, "{weak}: {message:?}");
        // What is no secret stays typed.
        assert_eq!(stage.browser.value_of(&stage.browser.find("#name").unwrap()).unwrap(), NAME);
    }
    stage.admin().set_up(&stage.code(), NAME, PASSWORD).unwrap();
    assert_eq!(stage.browser.path().unwrap(), "/status");
}

#[test]
fn a_wrong_password_is_refused_and_the_cookie_is_one_that_scripts_cannot_read() {
    let stage = Stage::logged_in();
    let cookies = stage.browser.cookies().unwrap();
    let [cookie] = cookies.as_slice() else { panic!("one cookie: {cookies:?}") };
    assert!(cookie["name"].as_str().unwrap().starts_with("__Host-"), "{cookie}");
    assert_eq!((cookie["httpOnly"].as_bool(), cookie["secure"].as_bool()), (Some(true), Some(true)));
    assert_eq!(cookie["sameSite"].as_str(), Some("Strict"));
    stage.admin().log_out().unwrap();
    stage.browser.go("/status").unwrap();
    assert!(stage.browser.path().unwrap().starts_with("/login"));
    stage.admin().log_in(NAME, "Wrong-Horse-42-Battery").unwrap();
    assert!(stage.browser.title().unwrap().starts_with("Error:"));
    stage.admin().log_in("nobody", PASSWORD).unwrap();
    assert!(stage.browser.title().unwrap().starts_with("Error:"));
    stage.admin().log_in(NAME, PASSWORD).unwrap();
    assert_eq!(stage.browser.path().unwrap(), "/status");
}

#[test]
fn every_answer_carries_the_security_headers() {
    let stage = Stage::empty();
    for path in ["/login", "/setup", "/status", "/nowhere"] {
        let answer = https::fetch(stage.scratch.server, Some(&stage.scratch.welcome.fingerprint), path).unwrap();
        let policy = answer.header("content-security-policy").unwrap_or_default().to_owned();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{path}: {policy:?}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}
