//! Every page as a golden file in `snapshots/`. Read the diff before accepting one.

use crate::support::{Site, helper};
use psa_model::status::ClockStatus;

/// The page without what changes by itself: hashes of assets, and the hundreds of zones that are not chosen.
fn stable(body: &str) -> String {
    let hash = |word: &str| word.len() == 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words =
        |line: &str| line.split('.').map(|word| if hash(word) { "HASH" } else { word }).collect::<Vec<_>>().join(".");
    body.lines().filter(|line| !line.starts_with("<option>")).map(words).collect::<Vec<_>>().join("\n")
}

macro_rules! golden {
    ($name:literal, $reply:expr, $status:literal) => {{
        let reply = $reply;
        assert_eq!(reply.status, $status, "{}", reply.body);
        insta::assert_snapshot!($name, stable(&reply.body));
    }};
}

#[actix_web::test]
async fn pages_before_login() {
    let site = Site::new().await;
    golden!("login", site.visit("/login?ended=1&next=/calls").await, 200);
    site.helper.needs_setup.set(true);
    golden!("setup", site.visit("/setup").await, 200);
}

#[actix_web::test]
async fn status() {
    let site = Site::new().await;
    golden!("status", site.get("/status").await, 200);
    site.sniffer.is_down.set(true);
    site.helper.clock.replace(ClockStatus::default());
    golden!("status_without_sniffer", site.get("/status").await, 200);
}

#[actix_web::test]
async fn calls() {
    let site = Site::new().await;
    golden!("calls", site.get("/calls").await, 200);
    site.sniffer.calls.borrow_mut().clear();
    golden!("calls_none", site.get("/calls").await, 200);
}

#[actix_web::test]
async fn time() {
    let site = Site::new().await;
    golden!("time", site.get("/ntp").await, 200);
    golden!("time_clock", site.get("/ntp/status").await, 200);
    let wrong = [
        ("base", "2"),
        ("server", "ntp1.example.net"),
        ("server", "ntp2 example.net"),
        ("nts", "1"),
        ("zone", "Mars/Base"),
    ];
    golden!("time_error", site.post("/ntp", &wrong).await, 422);
    let right =
        [("base", "2"), ("server", "ntp1.example.net"), ("server", "ntp2.example.net"), ("nts", "2"), ("zone", "UTC")];
    golden!("time_review", site.post("/ntp", &right).await, 200);
    site.helper.interfere("ntp9.example.net");
    golden!("time_conflict", site.post("/ntp/apply", &right).await, 409);
    site.post("/ntp/apply", &[("base", "3"), ("server", "a.example"), ("zone", "Europe/Lisbon")]).await;
    golden!("time_applied", site.get("/ntp?applied=4").await, 200);
}

#[actix_web::test]
async fn errors() {
    let site = Site::new().await;
    // The operation's id is drawn at random.
    let no_id = |mut reply: crate::support::Reply| {
        let (before, rest) = reply.body.split_once("Operation <code>").unwrap();
        let (id, after) = rest.split_once('<').unwrap();
        assert_eq!(id.len(), 12, "{id}");
        reply.body = format!("{before}Operation <code>ID<{after}");
        reply
    };
    golden!("error_404", no_id(site.get("/nothing").await), 404);
    site.sniffer.is_down.set(true);
    golden!("error_503_sniffer", no_id(site.get("/calls").await), 503);
    site.helper.is_down.set(true);
    golden!("error_503_helper", no_id(site.get("/status").await), 503);
    assert_eq!(helper::SESSION.len(), 64);
}
