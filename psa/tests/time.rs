//! The Time page: the pattern of every settings page.

use crate::support::{Site, helper};
use psa_model::protocol::{Action, Response};
use psa_model::settings::Generation;

const RIGHT: [(&str, &str); 6] = [
    ("base", "2"),
    ("server", "ntp1.example.net"),
    ("server", ""),
    ("server", "ntp2.example.net"),
    ("nts", "3"),
    ("zone", "Europe/Berlin"),
];

fn based_on(base: &'static str) -> Vec<(&'static str, &'static str)> {
    RIGHT.iter().map(|(name, value)| (*name, if *name == "base" { base } else { *value })).collect()
}

#[actix_web::test]
async fn an_error_keeps_every_typed_text_and_leads_to_the_field() {
    let site = Site::new().await;
    let reply = site
        .post(
            "/ntp",
            &[
                ("base", "2"),
                ("server", "ntp1.example.net"),
                ("server", "ntp2 example.net"),
                ("nts", "2"),
                ("zone", "Europe/Berlin"),
            ],
        )
        .await;
    assert_eq!(reply.status, 422);
    for text in [
        "<title>Error: Time · lisbon-1</title>",
        "tabindex=\"-1\" autofocus",
        "<a href=\"#server2\">Server 2: enter a host name or an address",
        "value=\"ntp1.example.net\"",
        "value=\"ntp2 example.net\"",
        "aria-invalid=\"true\" aria-describedby=\"server2-error\"",
        "name=\"nts\" value=\"2\" checked",
        "<option selected>Europe/Berlin</option>",
    ] {
        assert!(reply.has(text), "{text}\n{}", reply.body);
    }
    assert!(!reply.has("name=\"nts\" value=\"1\" checked"));
    assert_eq!(site.helper.actions().len(), 0);
}

#[actix_web::test]
async fn the_review_says_what_changes_and_changes_nothing() {
    let site = Site::new().await;
    let reply = site.post("/ntp", &RIGHT).await;
    assert_eq!(reply.status, 200);
    for text in [
        "−&nbsp;<span class=\"was\">192.0.2.123</span>",
        "+&nbsp;<span class=\"will\">ntp2.example.net, authenticated with NTS</span>",
        "<code>/run/callward/chrony/callward.sources</code>",
        "<code>chrony</code>",
        "Nobody is disconnected.",
        "<input type=\"hidden\" name=\"nts\" value=\"3\">",
    ] {
        assert!(reply.has(text), "{text}\n{}", reply.body);
    }
    assert_eq!(site.helper.actions().len(), 0);
}

#[actix_web::test]
async fn apply_asks_the_helper_for_what_was_reviewed_and_says_so_once() {
    let site = Site::new().await;
    site.post("/ntp/apply", &RIGHT).await.leads_to("/ntp?applied=3");
    let actions = site.helper.actions();
    let [action @ Action::Apply { base: Generation(2), .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(helper::servers(action), ["ntp1.example.net", "ntp2.example.net, authenticated with NTS"]);
    let reply = site.get("/ntp?applied=3").await;
    assert!(reply.has("<span>Applied as generation 3</span>") && reply.has("<button>Undo</button>"), "{}", reply.body);
    assert!(!site.get("/ntp?applied=2").await.has("Applied as"), "a generation that is not in force");
    assert!(!site.get("/ntp").await.has("Applied as"));
}

#[actix_web::test]
async fn undo_brings_the_settings_before_back_and_can_be_undone() {
    let site = Site::new().await;
    site.post("/ntp/apply", &RIGHT).await.leads_to("/ntp?applied=3");
    site.post("/undo", &[("generation", "3"), ("page", "/ntp")]).await.leads_to("/ntp?undone=4");
    let reply = site.get("/ntp?undone=4").await;
    assert!(reply.has("value=\"192.0.2.123\"") && reply.has("The settings before are in force again, as generation 4"));
    site.post("/undo", &[("generation", "4"), ("page", "/ntp")]).await.leads_to("/ntp?undone=5");
    assert!(site.get("/ntp").await.has("value=\"ntp2.example.net\""));
}

#[actix_web::test]
async fn an_undo_that_somebody_overtook_changes_nothing() {
    let site = Site::new().await;
    site.post("/ntp/apply", &RIGHT).await.leads_to("/ntp?applied=3");
    site.helper.interfere("ntp9.example.net");
    let reply = site.post("/undo", &[("generation", "3"), ("page", "/ntp")]).await;
    assert!(reply.status == 409 && reply.has("Somebody else changed the settings since"));
    assert_eq!(site.helper.states.borrow().len(), 4);
    for fields in [
        [("generation", "1"), ("page", "/ntp")],
        [("generation", "x"), ("page", "/ntp")],
        [("generation", "4"), ("page", "//evil.example")],
    ] {
        assert_eq!(site.post("/undo", &fields).await.status, 422, "{fields:?}");
    }
}

#[actix_web::test]
async fn a_change_that_met_another_ones_shows_both_and_keeps_what_was_typed() {
    let site = Site::new().await;
    site.helper.interfere("ntp9.example.net");
    for path in ["/ntp", "/ntp/apply"] {
        let reply = site.post(path, &RIGHT).await;
        assert_eq!(reply.status, 409);
        for text in [
            "Generation 3: Time, by berta at 14:00:00 WET, 3 min 10 s ago",
            "data-head=\"In force\">ntp9.example.net</td>",
            "data-head=\"Yours\">ntp1.example.net</td>",
            "name=\"base\" value=\"3\"",
            "name=\"server\" value=\"ntp2.example.net\"",
        ] {
            assert!(reply.has(text), "{path} {text}\n{}", reply.body);
        }
    }
    assert_eq!(site.helper.states.borrow().len(), 3);
    assert_eq!(site.post("/ntp", &based_on("3")).await.status, 200);
    site.post("/ntp/apply", &based_on("3")).await.leads_to("/ntp?applied=4");
}

#[actix_web::test]
async fn what_is_in_force_already_is_not_applied_again() {
    let site = Site::new().await;
    let same = [
        ("base", "2"),
        ("server", "NTP1.example.net."),
        ("server", "192.0.2.123"),
        ("nts", "1"),
        ("zone", "Europe/Lisbon"),
    ];
    for path in ["/ntp", "/ntp/apply"] {
        let reply = site.post(path, &same).await;
        assert!(reply.status == 200 && reply.has("Nothing to change: these settings are in force."), "{}", reply.body);
    }
    assert_eq!(site.helper.actions().len(), 0);
}

#[actix_web::test]
async fn back_from_the_review_keeps_what_was_typed() {
    let site = Site::new().await;
    let fields: Vec<_> = RIGHT.iter().copied().chain([("edit", "1")]).collect();
    let reply = site.post("/ntp", &fields).await;
    assert!(reply.status == 200 && reply.has("value=\"ntp2.example.net\"") && reply.has("data-kept"), "{}", reply.body);
    site.get("/ntp/apply").await.leads_to("/ntp");
}

#[actix_web::test]
async fn a_helper_that_fails_is_quoted_with_the_id_of_its_log() {
    let site = Site::new().await;
    let message = "chrony did not take its sources; the settings before are in force".to_owned();
    site.helper.next.replace(Some(Response::Failed { message: message.clone(), operation: "0p42".into() }));
    let reply = site.post("/ntp/apply", &RIGHT).await;
    assert!(reply.status == 500 && reply.has(&message) && reply.has("Operation <code>0p42</code>"), "{}", reply.body);
}
