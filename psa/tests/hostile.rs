//! What strangers write reaches a page only as text.

use crate::support::sniffer::{call, way};
use crate::support::{Site, form, helper};
use psa_model::status::{ClockSource, SourceState};
use sniffer_core::record::CallState;
use std::fs;
use std::path::Path;

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\u{202e}\0\r\n{{7*7}}";

fn harmless(body: &str, page: &str) {
    assert!(!body.contains("<script>alert") && !body.contains("<img"), "{page}: {body}");
    assert!(!body.contains("\"'>"), "{page} ends an attribute: {body}");
    assert!(!body.contains("{{7*7}}") || !body.contains("49\""), "{page}");
}

#[actix_web::test]
async fn callers_names_and_codecs_are_only_text() {
    let site = Site::new().await;
    let mut calls = site.sniffer.calls.borrow().clone();
    let mut bad = call(500, &format!("sip:{HOSTILE}@x"), HOSTILE, CallState::Failed);
    bad.caller_to_callee = Some(way(Some(HOSTILE), 1, Some(f32::INFINITY)));
    calls.insert(0, bad);
    site.sniffer.calls.replace(calls);
    let reply = site.get("/calls").await;
    assert_eq!(reply.status, 200);
    harmless(&reply.body, "calls");
    assert!(reply.has("&#60;script&#62;alert(1)") && !reply.has("\u{202e}") && !reply.has("\0"), "{}", reply.body);
}

#[actix_web::test]
async fn typed_text_comes_back_as_text() {
    let site = Site::new().await;
    let fields = [
        ("base", "2"),
        ("server", HOSTILE),
        ("server", "ntp1.example.net"),
        ("zone", HOSTILE),
        ("nts", HOSTILE),
        (HOSTILE, HOSTILE),
    ];
    let reply = site.post("/ntp", &fields).await;
    assert_eq!(reply.status, 422);
    harmless(&reply.body, "time");
    assert!(reply.has("value=\"&#34;&#39;&#62;&#60;script&#62;"), "{}", reply.body);
    harmless(&site.post("/ntp/apply", &fields).await.body, "apply");
    harmless(&site.send(form("/login", &[("name", HOSTILE), ("next", HOSTILE)])).await.body, "login");
    harmless(&site.visit("/login?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await.body, "login");
    site.helper.needs_setup.set(true);
    harmless(&site.send(form("/setup", &[("name", HOSTILE), ("code", HOSTILE)])).await.body, "setup");
}

#[actix_web::test]
async fn what_time_servers_call_themselves_is_only_text() {
    let site = Site::new().await;
    site.helper.clock.borrow_mut().reference = Some(HOSTILE.into());
    site.helper.clock.borrow_mut().sources = vec![ClockSource {
        name: HOSTILE.into(),
        state: SourceState::Unstable,
        reached: 3,
        age_seconds: Some(u64::MAX),
        offset_seconds: Some(f64::NAN),
    }];
    for path in ["/status", "/ntp", "/ntp/status"] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, 200);
        harmless(&reply.body, path);
    }
    assert_eq!(helper::CSRF.len(), 12);
}

#[actix_web::test]
async fn calls_are_shown_in_pages_and_a_wrong_mark_is_refused() {
    let site = Site::new().await;
    let many = (0..120).rev().map(|n| call(n, &format!("sip:a{n}@x"), "sip:b@x", CallState::Completed)).collect();
    site.sniffer.calls.replace(many);
    let mut path = "/calls".to_owned();
    let mut sizes = Vec::new();
    loop {
        let reply = site.get(&path).await;
        sizes.push(reply.body.matches("<time ").count());
        let Some((_, rest)) = reply.body.split_once("href=\"/calls?before=") else { break };
        path = format!("/calls?before={}", rest.split('"').next().unwrap());
    }
    assert_eq!(sizes, [50, 50, 20]);
    for mark in ["x", "00", "%22%3E"] {
        assert_eq!(site.get(&format!("/calls?before={mark}")).await.status, 422);
    }
}

fn templates(folder: &Path, all: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            templates(&path, all);
        } else if path.extension().is_some_and(|e| e == "html") {
            all.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn no_template_writes_raw_text_or_what_the_policy_forbids() {
    let mut all = Vec::new();
    templates(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    assert!(all.len() >= 12);
    for (path, text) in all {
        for word in [
            "|safe",
            "| safe",
            "|escape(",
            "escape=\"none\"",
            " style=",
            "<style",
            "javascript:",
            " onclick",
            " onload",
            "hx-on",
            "http://",
            "https://",
        ] {
            assert!(!text.contains(word), "{path} has {word:?}");
        }
        for script in text.split("<script").skip(1) {
            assert!(script.trim_start().starts_with("src=\"{{ frame.assets."), "{path} has an inline script");
        }
        // A value in an attribute without quotes can end it.
        for (before, _) in text.match_indices("={{").map(|(at, _)| text.split_at(at)) {
            let word = before.split_whitespace().next_back().unwrap_or_default();
            assert!(word.contains('"'), "{path} has a value in an attribute without quotes");
        }
    }
}
