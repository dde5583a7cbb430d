use super::{Scene, sdp};
use crate::record::{CallState, SidesSeen, Timeout, Who};

#[test]
fn an_answered_call_has_its_times_and_who_hung_up() {
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    scene.say("< 100 1 INVITE a -");
    scene.now_ms += 190;
    scene.tell("< 180 1 INVITE a b", "Server: desk phone\r\nContact: <sip:200@192.0.2.2>\r\n", "");
    scene.now_ms += 4990;
    scene.say("< 200 1 INVITE a b");
    scene.say("> ACK 1 a b");
    scene.now_ms += 59_980;
    scene.tell("< BYE 7 b a", "Reason: SIP;cause=200, Q.850;cause=16;text=\"Normal\"\r\n", "");
    scene.say("> 200 7 BYE b a");
    let call = scene.only_call();
    let details = &call.details;
    assert_eq!((call.state, call.final_status), (CallState::Completed, Some(200)));
    assert_eq!((details.post_dial_delay_ms, details.ring_ms), (Some(210.0), Some(5000.0)));
    assert_eq!((details.setup_ms, details.duration_ms), (Some(5210.0), Some(60_000.0)));
    assert_eq!((details.ended_by, details.timeout), (Some(Who::Callee), None));
    let reason = details.reason.as_ref().unwrap();
    assert_eq!((reason.q850, reason.sip, reason.text.as_deref()), (Some(16), Some(200), Some("Normal")));
    assert_eq!((details.forks, details.answers, details.messages, details.retransmissions), (1, 1, 7, 0));
    assert_eq!(details.callee.user_agent.as_deref(), Some("desk phone"));
    assert_eq!(details.callee.address.as_deref(), Some("192.0.2.2:5060"));
    assert_eq!(details.caller.number.as_deref(), Some("100"));
    assert_eq!(details.callee.domain.as_deref(), Some("b.example"));
}

#[test]
fn retransmissions_and_copies_are_counted_apart_and_change_nothing() {
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    // A second monitoring port, 10 ms later.
    scene.say("> INVITE 1 a -");
    scene.now_ms += 500;
    scene.say("> INVITE 1 a -");
    scene.say("< 200 1 INVITE a b");
    let answered = scene.now();
    scene.now_ms += 500;
    scene.say("< 200 1 INVITE a b");
    scene.say("> ACK 1 a b");
    let call = scene.only_call();
    assert_eq!(call.answered, Some(answered));
    assert_eq!((call.details.messages, call.details.retransmissions, call.details.copies), (5, 2, 1));
    assert_eq!(call.details.rounds, [200]);
}

#[test]
fn several_answers_are_one_call_until_the_last_is_hung_up() {
    let mut scene = Scene::new();
    scene.all(&[
        "> INVITE 1 a -",
        "< 180 1 INVITE a b",
        "< 180 1 INVITE a c",
        "< 183 1 INVITE a d",
        "< 200 1 INVITE a b",
        "> ACK 1 a b",
        "< 200 1 INVITE a c",
        "> ACK 1 a c",
        "> BYE 2 a c",
        "< 200 2 BYE a c",
    ]);
    let open = scene.engine.tracked_calls().remove(0);
    assert_eq!((open.state, open.end), (CallState::InCall, None));
    scene.all(&["> BYE 3 a b", "< 200 3 BYE a b"]);
    let call = scene.only_call();
    assert_eq!(call.state, CallState::Completed);
    assert_eq!((call.details.forks, call.details.answers, call.details.answers_open), (3, 2, 0));
}

#[test]
fn a_proxy_that_changes_tags_between_its_hops_makes_no_second_answer() {
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "< 183 1 INVITE a far"]);
    scene.ends = [(2, 5060), (3, 5060)];
    scene.all(&["> INVITE 1 a -", "< 200 1 INVITE a far"]);
    scene.ends = [(1, 5060), (2, 5060)];
    scene.all(&["< 200 1 INVITE a near", "> ACK 1 a near", "> BYE 2 a near"]);
    let end = scene.now();
    let call = scene.only_call();
    assert_eq!((call.state, call.end), (CallState::Completed, Some(end)));
}

#[test]
fn credentials_and_other_addresses_are_rounds_of_one_call() {
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    scene.tell("< 407 1 INVITE a p", "Proxy-Authenticate: Digest realm=\"x\", nonce=\"1\"\r\n", "");
    scene.all(&["> ACK 1 a p", "> INVITE 2 a -"]);
    scene.tell("< 407 2 INVITE a p", "Proxy-Authenticate: Digest realm=\"x\", nonce=\"2\", stale=true\r\n", "");
    scene.all(&["> ACK 2 a p", "> INVITE 3 a -"]);
    scene.tell("< 302 3 INVITE a p", "Contact: <sip:201@b.example>;q=0.9, <sip:202@b.example>\r\n", "");
    scene.all(&["> ACK 3 a p", "> INVITE 4 a -", "< 180 4 INVITE a b"]);
    // The challenge of an old round comes late.
    scene.say("< 407 1 INVITE a p");
    scene.say("< 486 4 INVITE a b");
    let call = scene.only_call();
    assert_eq!((call.state, call.final_status), (CallState::Busy, Some(486)));
    assert_eq!(call.details.rounds, [407, 407, 302, 486]);
    assert_eq!((call.details.challenges, call.details.stale), (2, 1));
    assert_eq!(call.details.redirects, ["sip:201@b.example", "sip:202@b.example"]);
    assert_eq!(call.details.ended_by, Some(Who::Callee));
}

#[test]
fn a_cancel_that_lost_its_race_ends_with_the_bye() {
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "< 180 1 INVITE a b", "> CANCEL 1 a -", "< 200 1 CANCEL a b", "< 200 1 INVITE a b"]);
    assert_eq!(scene.engine.tracked_calls()[0].state, CallState::InCall);
    scene.all(&["> ACK 1 a b", "> BYE 2 a b", "< 200 2 BYE a b"]);
    let call = scene.only_call();
    assert_eq!(
        (call.state, call.final_status, call.details.ended_by),
        (CallState::Completed, Some(200), Some(Who::Caller))
    );
}

#[test]
fn a_cancelled_call_ends_with_the_cancel_by_the_caller() {
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "< 180 1 INVITE a b"]);
    scene.tell("> CANCEL 1 a -", "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n", "");
    let end = scene.now();
    scene.all(&["< 200 1 CANCEL a b", "< 487 1 INVITE a b", "> ACK 1 a b"]);
    let call = scene.only_call();
    assert_eq!((call.state, call.final_status, call.end), (CallState::Cancelled, Some(487), Some(end)));
    assert_eq!(call.details.ended_by, Some(Who::Caller));
    assert_eq!(call.details.reason.unwrap().text.as_deref(), Some("Call completed elsewhere"));
}

#[test]
fn a_refusal_behind_a_forking_proxy_is_not_the_end() {
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    // The proxy 2 rings 3 and 4: the same Call-ID on other ways.
    scene.ends = [(2, 5060), (3, 5060)];
    scene.all(&["> INVITE 1 a -", "< 486 1 INVITE a c"]);
    scene.ends = [(2, 5060), (4, 5060)];
    scene.all(&["> INVITE 1 a -", "< 180 1 INVITE a d"]);
    scene.wait(60);
    assert_eq!(scene.engine.calls_in_progress(), 1, "it rings for longer than an ended call waits");
    scene.say("< 200 1 INVITE a d");
    scene.ends = [(1, 5060), (2, 5060)];
    scene.say("< 200 1 INVITE a d");
    let call = scene.only_call();
    assert_eq!((call.state, call.final_status, call.end), (CallState::InCall, Some(200), None));
    assert_eq!(call.details.caller.address.as_deref(), Some("192.0.2.1:5060"));
    assert_eq!(call.details.retransmissions, 0, "another hop is no retransmission");
}

#[test]
fn a_refusal_that_only_the_far_hop_showed_is_the_end_when_nothing_else_comes() {
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    scene.ends = [(2, 5060), (3, 5060)];
    scene.all(&["> INVITE 1 a -", "< 486 1 INVITE a c"]);
    let end = scene.now();
    scene.wait(300);
    let call = scene.only_call();
    assert_eq!((call.state, call.final_status, call.end), (CallState::Busy, Some(486), Some(end)));
}

#[test]
fn messages_that_were_not_captured_leave_what_can_be_known() {
    // The INVITE.
    let mut scene = Scene::new();
    scene.all(&["< 180 1 INVITE a b", "< 200 1 INVITE a b", "> ACK 1 a b", "> BYE 2 a b"]);
    let call = scene.only_call();
    assert_eq!((call.state, call.details.invite_seen), (CallState::Completed, false));
    assert_eq!(call.details.caller.address.as_deref(), Some("192.0.2.1:5060"));
    // The BYE, but not its answer.
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "< 200 1 INVITE a b", "< 200 2 BYE a b"]);
    let call = scene.only_call();
    assert_eq!((call.state, call.details.ended_by), (CallState::Completed, Some(Who::Caller)));
    // The answer, but not the ACK: the call is not given up like one that rings.
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "< 180 1 INVITE a b", "> ACK 1 a b"]);
    scene.wait(300);
    assert_eq!(scene.engine.calls_in_progress(), 1);
    scene.say("> BYE 2 a b");
    let call = scene.only_call();
    assert_eq!((call.state, call.answered), (CallState::Completed, None));
    // Everything of the callee.
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "> ACK 1 a b", "> BYE 2 a b"]);
    let call = scene.only_call();
    assert_eq!((call.state, call.details.sides_seen), (CallState::Completed, SidesSeen::Caller));
    // Everything but the first INVITE: the call is given up.
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    scene.wait(201);
    let call = scene.only_call();
    assert_eq!((call.state, call.details.timeout), (CallState::TimedOut, Some(Timeout::Setup)));
}

#[test]
fn a_bye_that_wants_credentials_ends_nothing_until_they_come() {
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "< 200 1 INVITE a b", "> ACK 1 a b", "> BYE 2 a b", "< 407 2 BYE a b"]);
    assert_eq!(scene.engine.tracked_calls()[0].state, CallState::InCall);
    scene.say("> BYE 3 a b");
    let end = scene.now();
    scene.all(&["< 407 2 BYE a b", "< 200 3 BYE a b"]);
    let call = scene.only_call();
    assert_eq!((call.state, call.end, call.details.answers_open), (CallState::Completed, Some(end), 0));
}

#[test]
fn an_invite_that_arrives_after_the_bye_is_the_old_one_and_another_is_another_call() {
    let mut scene = Scene::new();
    scene.all(&["> INVITE 1 a -", "< 200 1 INVITE a b", "> BYE 2 a b", "> INVITE 1 a -"]);
    scene.say("> INVITE 9 z -");
    let calls = scene.end().calls;
    let states: Vec<_> = calls.iter().map(|call| call.state).collect();
    assert_eq!(states, [CallState::Completed, CallState::Trying]);
}

#[test]
fn identities_and_diversions_are_kept() {
    let mut scene = Scene::new();
    scene.from = "sip:anonymous@anonymous.invalid";
    let headers = "P-Asserted-Identity: \"A\" <sip:+49-30-123@Carrier.example;user=phone>, <tel:+4930123>\r\n\
        P-Preferred-Identity: <sip:alice@a.example>\r\n\
        Remote-Party-ID: <sip:300@a.example>;party=calling;privacy=off\r\n\
        Diversion: <sip:400@b.example>;reason=no-answer\r\nDiversion: <sip:401@b.example>\r\n\
        History-Info: <sip:402@b.example>;index=1, <sip:403@b.example>;index=1.1\r\n\
        User-Agent: softphone 1.0\r\nContact: <sip:a@192.0.2.1:5062>\r\n";
    scene.tell("> INVITE 1 a -", headers, &sdp("sendrecv"));
    scene.tell("< 183 1 INVITE a b", "P-Asserted-Identity: <sip:Bob@b.example>\r\n", &sdp("sendrecv"));
    let details = scene.only_call().details;
    let caller = &details.caller;
    assert_eq!((caller.number.as_deref(), caller.domain.as_deref()), (Some("+4930123"), Some("carrier.example")));
    assert_eq!(caller.asserted.as_deref(), Some("sip:+49-30-123@Carrier.example;user=phone"));
    assert_eq!(caller.preferred.as_deref(), Some("sip:alice@a.example"));
    assert_eq!(caller.remote_party.as_deref(), Some("sip:300@a.example"));
    assert_eq!(caller.contact.as_deref(), Some("sip:a@192.0.2.1:5062"));
    assert_eq!(caller.user_agent.as_deref(), Some("softphone 1.0"));
    assert_eq!(details.callee.asserted.as_deref(), Some("sip:Bob@b.example"));
    assert_eq!(details.diversion, ["sip:400@b.example", "sip:401@b.example"]);
    assert_eq!(details.history, ["sip:402@b.example", "sip:403@b.example"]);
    assert_eq!(details.request_uri.as_deref(), Some("sip:200@b.example"));
    assert!(details.early_media);
}
