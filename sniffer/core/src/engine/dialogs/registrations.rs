use super::Scene;
use crate::{
    limits,
    record::{RegistrationState, SubscriptionState},
};

fn contact(uri: &str, expires: u32) -> String {
    format!("Contact: <{uri}>;expires={expires}\r\n")
}

#[test]
fn a_registration_has_its_contacts_and_ends_with_the_last_of_them() {
    let mut scene = Scene::new();
    scene.tell("> REGISTER 1 a -", &contact("sip:100@192.0.2.1", 120), "");
    scene.say("< 401 1 REGISTER a r");
    scene.tell("> REGISTER 2 a -", &format!("User-Agent: phone\r\n{}", contact("sip:100@192.0.2.1", 120)), "");
    let both = format!("{}{}", contact("sip:100@192.0.2.1;ob", 60), contact("sip:100@192.0.2.77", 3000));
    scene.tell("< 200 2 REGISTER a r", &both, "");
    let registered = scene.now();
    scene.wait(30);
    scene.tell("> REGISTER 3 a -", &contact("sip:100@192.0.2.1", 120), "");
    scene.tell("< 200 3 REGISTER a r", &contact("sip:100@192.0.2.1", 60), "");
    scene.tell("< 200 3 REGISTER a r", &contact("sip:100@192.0.2.1", 60), "");
    let record = scene.engine.newest_registrations(9).remove(0);
    assert_eq!((record.state, record.requests), (RegistrationState::Registered, 3));
    let details = &record.details;
    assert_eq!((details.challenges, details.refreshes, details.moved, details.copies), (1, 1, 0, 1));
    assert_eq!((details.contacts.len(), details.expired), (1, false));
    assert!(details.expires_at.unwrap().since(registered).as_secs() >= 90);
    assert_eq!((details.number.as_deref(), details.user_agent.as_deref()), (Some("200"), Some("phone")));
    assert_eq!(details.response_ms_max, Some(10.0));
    scene.wait(61);
    assert!(scene.engine.newest_registrations(9)[0].details.expired);
    assert_eq!(scene.end().registrations[0].state, RegistrationState::Registered);
}

#[test]
fn a_phone_that_moves_refuses_or_leaves_is_seen_to() {
    let mut scene = Scene::new();
    for (cseq, uri) in [(1, "sip:100@192.0.2.1"), (2, "sip:100@192.0.2.1"), (3, "sip:100@198.51.100.7")] {
        scene.tell(&format!("> REGISTER {cseq} a -"), &contact(uri, 600), "");
        scene.tell(&format!("< 200 {cseq} REGISTER a r"), &contact(uri, 600), "");
    }
    assert_eq!(scene.engine.newest_registrations(9)[0].details.moved, 1);
    scene.tell("> REGISTER 4 a -", "Contact: *\r\nExpires: 0\r\n", "");
    scene.say("< 200 4 REGISTER a r");
    // The answer to the round before comes late.
    scene.tell("< 200 3 REGISTER a r", &contact("sip:100@198.51.100.7", 600), "");
    let record = scene.engine.newest_registrations(9).remove(0);
    assert_eq!((record.state, record.details.contacts.len()), (RegistrationState::Unregistered, 0));
    scene.tell("> REGISTER 5 a -", &contact("sip:100@192.0.2.1", 600), "");
    scene.say("< 403 5 REGISTER a r");
    let record = scene.end().registrations.remove(0);
    assert_eq!((record.state, record.final_status, record.details.failures), (RegistrationState::Failed, Some(403), 1));
}

#[test]
fn one_contact_removed_of_two_leaves_a_registration() {
    let mut scene = Scene::new();
    let both = format!("{}{}", contact("sip:1@192.0.2.1", 0), contact("sip:2@192.0.2.1", 60));
    scene.tell("> REGISTER 1 a -", &both, "");
    scene.say("< 200 1 REGISTER a r");
    let record = scene.end().registrations.remove(0);
    assert_eq!(record.state, RegistrationState::Registered);
    let uris: Vec<_> = record.details.contacts.iter().map(|contact| contact.uri.as_str()).collect();
    assert_eq!(uris, ["sip:2@192.0.2.1"]);
}

#[test]
fn a_gateway_that_registers_its_users_with_one_call_id_has_a_registration_for_each() {
    let mut scene = Scene::new();
    for to in ["sip:1@x", "sip:2@x"] {
        scene.to = to;
        scene.tell("> REGISTER 1 a -", &contact("sip:g@192.0.2.1", 60), "");
        scene.say("< 200 1 REGISTER a r");
    }
    assert_eq!(scene.end().registrations.len(), 2);
}

#[test]
fn a_subscription_is_followed_through_its_notifications() {
    let mut scene = Scene::new();
    scene.tell("> SUBSCRIBE 1 a -", "Event: presence\r\nExpires: 600\r\n", "");
    scene.say("< 401 1 SUBSCRIBE a s");
    scene.tell("> SUBSCRIBE 2 a -", "Event: presence\r\nExpires: 600\r\n", "");
    scene.tell("< 202 2 SUBSCRIBE a s", "Expires: 300\r\n", "");
    scene.tell("< NOTIFY 1 s a", "Event: presence\r\nSubscription-State: pending;expires=300\r\n", "");
    scene.say("> 200 1 NOTIFY s a");
    scene.tell("< NOTIFY 2 s a", "Event: presence\r\nSubscription-State: active;expires=290\r\n", "");
    scene.tell("< NOTIFY 3 s a", "Event: presence\r\nSubscription-State: terminated;reason=timeout\r\n", "");
    let outcome = scene.end();
    let record = &outcome.subscriptions[0];
    assert_eq!((record.state, record.final_status), (SubscriptionState::Terminated, Some(202)));
    assert_eq!((record.event.as_deref(), record.reason.as_deref()), (Some("presence"), Some("timeout")));
    assert_eq!((record.requests, record.notifies, record.expires_at), (2, 3, None));
    assert_eq!((outcome.calls.len(), outcome.exchanges.len()), (0, 0));
}

#[test]
fn a_refer_outside_a_call_is_a_subscription_with_an_outcome() {
    let mut scene = Scene::new();
    scene.tell("> REFER 1 a -", "Refer-To: <sip:300@x>\r\n", "");
    scene.say("< 202 1 REFER a s");
    scene.tell("< NOTIFY 1 s a", "Event: refer\r\nSubscription-State: terminated\r\n", "SIP/2.0 486 Busy");
    let record = scene.end().subscriptions.remove(0);
    assert_eq!((record.method.as_str(), record.refer_to.as_deref()), ("REFER", Some("sip:300@x")));
    assert_eq!((record.state, record.outcome), (SubscriptionState::Terminated, Some(486)));
}

#[test]
fn keep_alives_are_one_exchange_with_their_response_times() {
    let mut scene = Scene::new();
    let ids = ["k1", "k2", "k3", "k4"];
    for (number, call_id) in ids.into_iter().enumerate() {
        scene.call_id = call_id;
        scene.say("> OPTIONS 1 a -");
        match number {
            0 => scene.say("< 404 1 OPTIONS a o"),
            1 => {
                scene.wait(1);
                scene.say("> OPTIONS 1 a -");
                scene.say("< 200 1 OPTIONS a o");
            }
            2 => scene.say("< 200 1 OPTIONS a o"),
            _ => {}
        }
    }
    scene.say("> MESSAGE 1 a -");
    let outcome = scene.end();
    let options = &outcome.exchanges[0];
    assert_eq!((options.requests, options.unanswered, options.retransmissions), (4, 1, 1));
    assert_eq!(serde_json::to_string(&options.results).unwrap(), r#"{"200":2,"404":1}"#);
    assert_eq!(options.response_ms_max, Some(1020.0));
    assert_eq!((outcome.exchanges[1].method.as_str(), outcome.exchanges[1].unanswered), ("MESSAGE", 1));
    let methods = scene.engine.counters().methods.records();
    assert_eq!((methods["OPTIONS"].requests, methods["OPTIONS"].results["200"]), (4, 2));
    assert_eq!(methods["OPTIONS"].response_ms_max, Some(1020.0));
}

#[test]
fn an_exchange_without_end_is_reported_every_hour() {
    let mut scene = Scene::new();
    for _ in 0..130 {
        scene.say("> OPTIONS 1 a -");
        scene.wait(60);
    }
    let outcome = scene.end();
    assert_eq!(outcome.exchanges.len(), 3, "two hours and a bit");
}

#[test]
fn a_flood_of_odd_requests_is_bounded_and_counted() {
    let mut scene = Scene::new();
    let extra = 10;
    for number in 0..limits::EXCHANGES + extra {
        let text = format!(
            "OPTIONS sip:x SIP/2.0\r\nCall-ID: {number}\r\nFrom: <sip:{number}@x>;tag=1\r\nTo: <sip:x>\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        scene.frame([(1, 5060), (2, 5060)], text.as_bytes());
    }
    assert_eq!(scene.engine.counters().evicted.exchanges, u64::try_from(extra).unwrap());
    assert_eq!(scene.end().exchanges.len(), limits::EXCHANGES + extra);
}
