//! Who may ask for what, and what every answer carries: all routes, with and without a session.

use crate::support::{HOST, Reply, Site, form, helper, is_success, request, with_session};
use actix_web::http::Method;
use psa::headers::ALWAYS;
use psa::limits;
use psa::route::{Rule, Verb};

fn sealed(reply: &Reply, what: &str) {
    for (name, value) in ALWAYS {
        assert_eq!(reply.headers.get_all(name).count(), 1, "{what}: {name}");
        assert_eq!(reply.header(name), value, "{what}");
    }
    let is_asset = what.contains("/assets/") && is_success(reply);
    let keep = if is_asset { "public, max-age=31536000, immutable" } else { "no-store" };
    assert_eq!(reply.header("cache-control"), keep, "{what}");
}

#[test]
fn the_content_security_policy_is_the_one_of_the_design() {
    assert_eq!(
        ALWAYS[0].1,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
}

#[actix_web::test]
async fn every_route_opens_to_whom_its_rule_says_and_every_answer_is_sealed() {
    let site = Site::new().await;
    let mut closed = Vec::new();
    for route in &site.app.routes {
        let what = format!("{:?} {}", route.verb, route.path);
        let (stranger, person) = match route.verb {
            Verb::Get => (site.visit(route.path).await, site.get(route.path).await),
            Verb::Post => {
                (site.send(form(route.path, &[("csrf", helper::CSRF)])).await, site.post(route.path, &[]).await)
            }
        };
        sealed(&stranger, &what);
        sealed(&person, &what);
        let is_sent_to_login = stranger.status == 303 && stranger.header("location").starts_with("/login");
        match route.rule {
            Rule::Administrator(_) => {
                assert!(is_sent_to_login, "{what}: {}", stranger.status);
                assert!(!stranger.has("lisbon-1"), "{what} tells the machine's name");
                assert!(
                    ![303, 403].contains(&person.status) || !person.header("location").starts_with("/login?next"),
                    "{what}: {}",
                    person.status
                );
                closed.push(route.path);
            }
            Rule::Visitor(_) | Rule::Anyone(_) => assert!(person.status < 500, "{what}"),
        }
    }
    // The list of what is open to everyone, so that one more is a decision.
    let open: Vec<_> =
        site.app.routes.iter().map(|r| r.path).filter(|p| !closed.contains(p) && !p.starts_with("/assets/")).collect();
    assert_eq!(open, ["/", "/healthz", "/setup", "/setup", "/login", "/login"]);
}

#[actix_web::test]
async fn no_two_routes_are_the_same() {
    let site = Site::new().await;
    let mut all: Vec<_> = site.app.routes.iter().map(|r| (r.path, r.verb == Verb::Get)).collect();
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[actix_web::test]
async fn every_form_needs_its_token_and_our_own_page() {
    let site = Site::new().await;
    for route in site.app.routes.iter().filter(|route| route.verb == Verb::Post) {
        let send = |origin: &'static str, fetch: &'static str, token: &'static str| {
            let request = request(Method::POST, route.path)
                .insert_header(("content-type", "application/x-www-form-urlencoded"))
                .insert_header(("origin", origin))
                .insert_header(("sec-fetch-site", fetch))
                .set_payload(format!("csrf={token}"));
            site.send(with_session(request))
        };
        for (origin, fetch) in [
            ("https://evil.example", "cross-site"),
            ("https://evil.example", "same-origin"),
            ("null", "cross-site"),
            ("https://192.0.2.10", "same-site"),
        ] {
            let reply = send(origin, fetch, helper::CSRF).await;
            assert_eq!(reply.status, 403, "{} from {origin} {fetch}", route.path);
            sealed(&reply, route.path);
        }
        let bare = with_session(request(Method::POST, route.path))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(format!("csrf={}", helper::CSRF));
        assert_eq!(site.send(bare).await.status, 403, "{} without origin", route.path);
        if matches!(route.rule, Rule::Administrator(_)) {
            for token in ["", "wrong", "c54fc54fc54", "c54fc54fc54f0"] {
                let reply = send("https://192.0.2.10", "same-origin", token).await;
                assert!(
                    reply.status == 403 && reply.has("does not belong to your session"),
                    "{} {token:?}",
                    route.path
                );
            }
        }
    }
    assert_eq!(site.helper.actions().len(), 0);
    assert_eq!(HOST, "192.0.2.10");
}

#[actix_web::test]
async fn what_is_not_there_or_not_asked_this_way_is_refused() {
    let site = Site::new().await;
    for path in ["/nothing", "/ntp/", "/assets/app.css", "/%2e%2e/etc/passwd", "/status/../calls", "/Status"] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        sealed(&reply, path);
    }
    for (method, path, allow) in [
        (Method::PUT, "/ntp", "GET, HEAD, POST"),
        (Method::DELETE, "/status", "GET, HEAD"),
        (Method::GET, "/undo", "POST"),
        (Method::TRACE, "/", "GET, HEAD"),
    ] {
        let reply = site.send(with_session(request(method.clone(), path))).await;
        assert_eq!((reply.status, reply.header("allow")), (405, allow), "{method} {path}");
        sealed(&reply, path);
    }
    let head = site.send(with_session(request(Method::HEAD, "/status"))).await;
    assert_eq!(head.status, 200);
}

#[actix_web::test]
async fn a_body_beyond_the_limit_is_refused_and_what_is_no_form_too() {
    let site = Site::new().await;
    for path in ["/login", "/ntp"] {
        let long = "a".repeat(limits::MAX_BODY);
        let reply = site.send(with_session(form(path, &[("x", &long)]))).await;
        assert_eq!(reply.status, 413, "{path}");
        sealed(&reply, path);
        let said = form(path, &[("x", "y")]).insert_header(("content-length", "70000"));
        assert_eq!(site.send(said).await.status, 413, "{path}");
        let many = "a&".repeat(limits::MAX_FIELDS + 1);
        assert_eq!(site.send(form(path, &[]).set_payload(many)).await.status, 422, "{path}");
        for media in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
            let reply = site.send(form(path, &[]).insert_header(("content-type", media)).set_payload("{}")).await;
            assert_eq!(reply.status, 422, "{path} {media}");
        }
    }
    assert!(site.helper.asked.borrow().iter().all(|r| !format!("{r:?}").contains("LogIn")));
}

#[actix_web::test]
async fn without_its_helper_the_site_says_what_is_safe() {
    let site = Site::new().await;
    site.helper.is_down.set(true);
    for reply in [site.visit("/login").await, site.get("/status").await, site.post("/ntp", &[]).await] {
        assert_eq!(reply.status, 503);
        assert!(
            reply.has("calls are recorded as before") && reply.has("Wait a minute") && reply.has("Operation <code>")
        );
        sealed(&reply, "503");
    }
    let health = site.visit("/healthz").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
}

#[actix_web::test]
async fn without_the_sniffer_status_works_and_calls_say_so() {
    let site = Site::new().await;
    site.sniffer.is_down.set(true);
    let status = site.get("/status").await;
    assert!(status.status == 200 && status.has("The sniffer does not answer; calls may be missed"));
    let calls = site.get("/calls").await;
    assert!(calls.status == 503 && calls.has("Calls that were recorded stay") && calls.has("aria-label=\"Pages\""));
}

#[actix_web::test]
async fn a_cookie_that_is_no_session_never_reaches_the_helper() {
    let site = Site::new().await;
    for value in ["", "short", &"g".repeat(64), &"0".repeat(65)] {
        let request = request(Method::GET, "/status").insert_header(("cookie", format!("__Host-session={value}")));
        site.send(request).await.leads_to("/login?next=/status");
    }
    assert!(site.helper.asked.borrow().is_empty());
}
