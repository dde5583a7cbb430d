//! First account, login, delays, sessions.

use crate::bench::{Bench, PASSWORD, from, secret, token};
use psa_model::account::PasswordRule;
use psa_model::protocol::{Action, Request, Response};
use std::time::Duration;

#[test]
fn the_first_visitor_with_the_code_becomes_administrator_and_nobody_after() {
    let bench = Bench::new();
    let running = bench.start();
    let code = running.setup_code().unwrap();
    assert!(matches!(running.first_account("0000-0000-0000-0000", PASSWORD), Response::WrongCredentials));
    let weak = running.first_account(code.expose(), "anna");
    assert!(
        matches!(&weak, Response::WeakPassword { rules } if rules.contains(&PasswordRule::AccountName)),
        "{weak:?}"
    );
    let session = token(&running.first_account(code.expose(), PASSWORD));
    assert!(running.is_alive(&session));
    assert!(matches!(running.first_account(code.expose(), PASSWORD), Response::Denied));
    assert_eq!(running.setup_code(), None);
    assert!(matches!(running.ask(&Request::Machine), Response::Machine(machine) if !machine.needs_setup));
    let events: Vec<_> = bench.audit().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(events, ["login_failed", "first_account"]);
    let audit = bench.file("state/psa-helper/audit.log");
    assert!(!audit.contains(PASSWORD) && !audit.contains(code.expose()) && !audit.contains(session.0.expose()));
    assert!(!bench.file("state/psa-helper/export.json").contains(code.expose()), "the code is wiped");
}

#[test]
fn of_many_who_have_the_code_at_once_one_gets_the_account() {
    let bench = Bench::new();
    let running = bench.start();
    let code = running.setup_code().unwrap();
    let winners = std::thread::scope(|scope| {
        let race: Vec<_> = (0..6).map(|_| scope.spawn(|| running.first_account(code.expose(), PASSWORD))).collect();
        race.into_iter()
            .map(|one| one.join().unwrap())
            .filter(|answer| matches!(answer, Response::LoggedIn { .. }))
            .count()
    });
    assert_eq!(winners, 1);
}

#[test]
fn a_guessed_setup_code_must_wait() {
    let bench = Bench::new();
    let running = bench.start();
    for _ in 0..4 {
        assert!(matches!(running.first_account("0000-0000-0000-0000", PASSWORD), Response::WrongCredentials));
    }
    let code = running.setup_code().unwrap();
    assert!(matches!(running.first_account(code.expose(), PASSWORD), Response::TryLater { seconds: 1 }));
    bench.world.advance(Duration::from_secs(1));
    assert!(matches!(running.first_account(code.expose(), PASSWORD), Response::LoggedIn { .. }));
}

#[test]
fn a_login_opens_a_session_of_its_own_and_ends_the_one_before() {
    let bench = Bench::new();
    let running = bench.start();
    let first = running.anna();
    let request = Request::LogIn {
        name: " Anna ".into(),
        password: secret(PASSWORD),
        from: from(2),
        previous: Some(first.clone()),
    };
    let Response::LoggedIn { session, actor } = running.ask(&request) else { panic!("no login") };
    assert!(session != first && session.0.expose().len() == 64);
    assert_eq!(actor.name.as_str(), "anna");
    assert!(!running.is_alive(&first) && running.is_alive(&session));
    let Response::Actor(again) = running.act(&session, Action::WhoAmI) else { panic!("no session") };
    assert_eq!(again.csrf, actor.csrf, "forms stay good for the whole session");
    assert!(matches!(running.act(&session, Action::LogOut), Response::Done));
    assert!(!running.is_alive(&session));
}

#[test]
fn wrong_passwords_and_unknown_names_look_alike_and_wait_longer_each_time() {
    let bench = Bench::new();
    let running = bench.start();
    running.anna();
    for (name, host) in [("anna", 10), ("nobody", 11), ("not a name!", 12)] {
        for _ in 0..4 {
            assert!(matches!(running.log_in(name, "wrong", host), Response::WrongCredentials), "{name}");
        }
        for seconds in [1, 2, 4, 8] {
            let answer = running.log_in(name, PASSWORD, host);
            assert!(matches!(answer, Response::TryLater { seconds: s } if s == seconds), "{name} {answer:?}");
            bench.world.advance(Duration::from_secs(seconds.into()));
            assert!(matches!(running.log_in(name, "wrong", host), Response::WrongCredentials), "{name}");
        }
    }
    bench.world.advance(Duration::from_secs(60));
    assert!(matches!(running.log_in("anna", PASSWORD, 10), Response::LoggedIn { .. }), "nobody is locked out");
    let failed: Vec<_> = bench.audit().into_iter().filter(|line| line["event"] == "login_failed").collect();
    let who: std::collections::BTreeSet<_> = failed.iter().map(|line| line["who"].as_str().unwrap()).collect();
    assert_eq!(who.into_iter().collect::<Vec<_>>(), ["(unknown)", "anna"]);
    assert_eq!(failed.len(), 24, "what was not checked is no failure");
}

#[test]
fn a_session_ends_by_idling_by_age_and_not_by_a_restart() {
    let bench = Bench::new();
    let running = bench.start();
    let session = running.anna();
    bench.world.advance(Duration::from_secs(14 * 60));
    assert!(running.is_alive(&session));
    drop(running);
    let running = bench.start();
    assert!(running.is_alive(&session), "a restart of the helper ends no session");
    let background =
        Request::As { session: session.clone(), from: from(1), is_background: true, action: Action::Status };
    bench.world.advance(Duration::from_secs(14 * 60));
    assert!(matches!(running.ask(&background), Response::Status { .. }));
    bench.world.advance(Duration::from_secs(60));
    assert!(!running.is_alive(&session), "a page that refreshes itself is no use");
    let session = token(&running.log_in("anna", PASSWORD, 1));
    for _ in 0..47 {
        bench.world.advance(Duration::from_secs(10 * 60));
        assert!(running.is_alive(&session));
    }
    bench.world.advance(Duration::from_secs(10 * 60));
    assert!(!running.is_alive(&session), "eight hours are over");
}

#[test]
fn an_invented_token_is_denied() {
    let bench = Bench::new();
    let running = bench.start();
    running.anna();
    for text in ["", "x", &"0".repeat(64)] {
        let invented = psa_model::protocol::SessionToken(secret(text));
        for action in [Action::WhoAmI, Action::Settings, Action::Status, Action::History { limit: 1 }, Action::LogOut] {
            assert!(matches!(running.act(&invented, action), Response::Denied));
        }
        assert!(matches!(running.apply(&invented, 1, "ntp1.example.net"), Response::Denied));
    }
    assert!(bench.system.told().is_empty());
}
