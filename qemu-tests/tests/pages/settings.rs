//! The Time page, pattern of all settings pages: form, review, apply, undo; with scripts and without.

use crate::stage::{NAME, PASSWORD, Stage};
use qemu_tests::admin::TimeForm;

fn form(servers: &[&str]) -> TimeForm {
    TimeForm { servers: servers.iter().map(|server| (*server).to_owned()).collect(), zone: None }
}

#[test]
fn a_change_is_reviewed_applied_and_undone() {
    let stage = Stage::logged_in();
    let admin = stage.admin();
    let before = admin.time_servers().unwrap();
    let zone = Some("Europe/Lisbon".to_owned());
    let review = admin.change_time(&TimeForm { zone, ..form(&["ntp1.example.net", "192.0.2.123"]) }).unwrap();
    for shown in ["ntp1.example.net", "192.0.2.123", "Europe/Lisbon", "chrony"] {
        assert!(review.contains(shown), "{shown} is not in the review:\n{review}");
    }
    assert_eq!(admin.time_servers().unwrap(), ["ntp1.example.net", "192.0.2.123"]);
    let written = stage.scratch.rendered("ntp1.example.net").unwrap();
    assert!(written, "no rendered file names the server");
    admin.change_time(&form(&["192.0.2.124"])).unwrap();
    admin.undo().unwrap();
    assert_eq!(admin.time_servers().unwrap(), ["ntp1.example.net", "192.0.2.123"]);
    assert_ne!(before, admin.time_servers().unwrap());
}

#[test]
fn what_is_no_server_is_said_at_the_field_and_kept() {
    let stage = Stage::logged_in();
    stage.admin().review_time(&form(&["ntp1.example.net", "ntp2 example.net"])).unwrap();
    assert!(stage.browser.title().unwrap().starts_with("Error:"));
    let message = stage.browser.text_of(&stage.browser.find("#server2-error").unwrap()).unwrap();
    assert!(message.contains("such as"), "{message}");
    assert_eq!(stage.browser.value_of(&stage.browser.find("#server2").unwrap()).unwrap(), "ntp2 example.net");
    // The summary has the focus, so that a screen reader begins there.
    let focus = stage.browser.script("return document.activeElement.id", &[]).unwrap();
    assert_eq!(focus.as_str(), Some("errors"));
}

#[test]
fn a_change_made_meanwhile_is_shown_beside_ones_own() {
    let stage = Stage::logged_in();
    let admin = stage.admin();
    admin.review_time(&form(&["192.0.2.1"])).unwrap();
    let other = qemu_tests::browser::Browser::open(stage.scratch.server, &stage.scratch.welcome.fingerprint).unwrap();
    let second = qemu_tests::admin::Admin { browser: &other };
    second.log_in(NAME, PASSWORD).unwrap();
    second.change_time(&form(&["192.0.2.2"])).unwrap();
    stage.browser.follow(&stage.browser.button("Apply").unwrap()).unwrap();
    let text = stage.browser.text().unwrap();
    assert!(text.contains("Changed meanwhile") && text.contains("192.0.2.1") && text.contains("192.0.2.2"), "{text}");
    assert_eq!(second.time_servers().unwrap(), ["192.0.2.2"]);
}

#[test]
fn everything_works_without_scripts() {
    let stage = Stage::empty();
    stage.browser.allow_scripts(false).unwrap();
    let admin = stage.admin();
    admin.set_up(&stage.code(), NAME, PASSWORD).unwrap();
    assert_eq!(stage.browser.path().unwrap(), "/status");
    // The pages' own scripts really are off: without them nothing fetches the live part again.
    let has_htmx = stage.browser.script("return typeof window.htmx", &[]).unwrap();
    assert_eq!(has_htmx.as_str(), Some("undefined"));
    admin.log_out().unwrap();
    admin.log_in(NAME, PASSWORD).unwrap();
    admin.change_time(&form(&["ntp1.example.net"])).unwrap();
    admin.undo().unwrap();
    assert_ne!(admin.time_servers().unwrap(), ["ntp1.example.net"]);
}
