use super::{Scene, sdp};
use crate::record::{CallState, Direction, Timeout, Who};

fn answered(headers: &str) -> Scene {
    let mut scene = Scene::new();
    scene.tell("> INVITE 1 a -", "", &sdp("sendrecv"));
    scene.tell("< 200 1 INVITE a b", headers, &sdp("sendrecv"));
    scene.say("> ACK 1 a b");
    scene
}

#[test]
fn hold_and_resume_have_their_times() {
    let mut scene = answered("");
    scene.tell("> INVITE 2 a b", "", &sdp("sendonly"));
    let (held, by_callee) = (scene.now(), |scene: &Scene| scene.now());
    scene.tell("< 200 2 INVITE a b", "", &sdp("recvonly"));
    scene.wait(10);
    scene.tell("< UPDATE 1 b a", "", &sdp("inactive"));
    let second = by_callee(&scene);
    scene.wait(10);
    scene.tell("> INVITE 3 a b", "", &sdp("sendrecv"));
    let resumed = scene.now();
    scene.wait(5);
    scene.say("< BYE 2 b a");
    let end = scene.now();
    let details = scene.only_call().details;
    let holds: Vec<_> = details.holds.iter().map(|hold| (hold.by, hold.start, hold.end)).collect();
    assert_eq!(holds, [(Who::Caller, held, Some(resumed)), (Who::Callee, second, Some(end))]);
    assert_eq!(details.held_ms, end.since(held).as_secs_f64() * 1000.0);
    assert_eq!((details.reinvites, details.updates), (2, 1));
}

#[test]
fn a_refused_offer_neither_holds_nor_resumes() {
    let mut scene = answered("");
    scene.tell("> INVITE 2 a b", "", &sdp("sendonly"));
    scene.say("< 491 2 INVITE a b");
    scene.say("> ACK 2 a b");
    scene.wait(10);
    scene.tell("< INVITE 7 b a", "", &sdp("sendonly"));
    let held = scene.now();
    scene.tell("> 200 7 INVITE b a", "", &sdp("recvonly"));
    scene.wait(10);
    scene.tell("< INVITE 8 b a", "", &sdp("sendrecv"));
    scene.say("> 488 8 INVITE b a");
    scene.wait(10);
    scene.say("> BYE 3 a b");
    let end = scene.now();
    let details = scene.only_call().details;
    let holds: Vec<_> = details.holds.iter().map(|hold| (hold.by, hold.start, hold.end)).collect();
    assert_eq!(holds, [(Who::Callee, held, Some(end))]);
}

#[test]
fn who_only_listens_is_not_silent_by_mistake() {
    for (caller, callee, expected) in [
        ("sendrecv", "sendrecv", Some(Direction::CallerToCallee)),
        ("recvonly", "sendonly", None),
        ("recvonly", "sendrecv", None),
        ("sendrecv", "sendonly", None),
    ] {
        let mut scene = Scene::new();
        scene.tell("> INVITE 1 a -", "", &sdp(caller));
        scene.tell("< 200 1 INVITE a b", "", &sdp(callee).replace("192.0.2.1", "192.0.2.2"));
        scene.say("> ACK 1 a b");
        for n in 0..400_u16 {
            scene.now_ms += 20;
            let [high, low] = n.to_be_bytes();
            let packet = [&[0x80, 0, high, low, 0, 0, high, low, 0, 0, 0, 7][..], &[0x55; 160]].concat();
            scene.frame([(2, 4000), (1, 4000)], &packet);
        }
        scene.say("> BYE 2 a b");
        assert_eq!(scene.only_call().one_way_audio, expected, "{caller} {callee}");
    }
}

#[test]
fn a_call_whose_media_is_not_captured_is_followed_for_hours() {
    let mut scene = answered("");
    scene.wait(3 * 3600);
    scene.say("> BYE 2 a b");
    let end = scene.now();
    let call = scene.only_call();
    assert_eq!((call.state, call.end, call.details.ended_by), (CallState::Completed, Some(end), Some(Who::Caller)));
    let mut scene = answered("");
    scene.wait(5 * 3600);
    assert_eq!(scene.only_call().state, CallState::TimedOut);
}

#[test]
fn an_offer_in_the_answer_to_an_invite_without_one_can_hold_too() {
    let mut scene = answered("");
    scene.say("> INVITE 2 a b");
    scene.tell("< 200 2 INVITE a b", "", &sdp("sendonly"));
    let held = scene.now();
    let details = scene.only_call().details;
    assert_eq!(details.holds.len(), 1);
    assert_eq!((details.holds[0].by, details.holds[0].start, details.holds[0].end), (Who::Callee, held, None));
}

#[test]
fn a_session_that_nobody_refreshes_is_given_up_when_its_timer_ends() {
    let timer = "Session-Expires: 90;refresher=uas\r\nRequire: timer\r\n";
    let mut scene = answered(timer);
    scene.wait(45);
    scene.say("< UPDATE 5 b a");
    scene.tell("> 200 5 UPDATE b a", "Session-Expires: 90;refresher=uac\r\n", "");
    let refreshed = scene.now();
    scene.wait(89);
    assert_eq!(scene.engine.calls_in_progress(), 1);
    scene.wait(2);
    assert_eq!(scene.engine.calls_in_progress(), 0, "90 s after the refresh");
    let call = scene.only_call();
    assert_eq!((call.state, call.details.timeout), (CallState::TimedOut, Some(Timeout::SessionTimer)));
    assert_eq!(call.end, Some(refreshed));
    assert_eq!((call.details.session_expires_s, call.details.refreshes), (Some(90), 1));
    assert_eq!(call.details.session_refresher, Some(Who::Callee));
}

#[test]
fn a_session_timer_keeps_a_silent_call_for_as_long_as_it_says() {
    let mut scene = answered("Session-Expires: 1800;refresher=uac\r\n");
    scene.wait(1700);
    assert_eq!(scene.engine.calls_in_progress(), 1, "longer than the idle timeout");
    scene.wait(200);
    assert_eq!(scene.engine.calls_in_progress(), 0);
}

#[test]
fn reliable_provisional_answers_and_key_presses_are_counted() {
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    for rseq in 1..=2 {
        // RFC 3262, section 3: the first is chosen from 1 to 2^31 - 1, which has ten digits.
        let number = 2_147_483_640 + rseq;
        scene.tell("< 183 1 INVITE a b", &format!("RSeq: {number}\r\nRequire: 100rel\r\n"), "");
        scene.tell(&format!("> PRACK {} a b", rseq + 1), &format!("RAck: {number} 1 INVITE\r\n"), "");
        scene.say(&format!("< 200 {} PRACK a b", rseq + 1));
    }
    scene.say("< 200 1 INVITE a b");
    scene.tell("> INFO 4 a b", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=160\r\n");
    scene.tell("> INFO 5 a b", "Content-Type: application/media_control+xml\r\n", "<x/>");
    let details = scene.only_call().details;
    assert_eq!((details.reliable, details.pracks, details.prack_missing), (2, 2, false));
    assert_eq!((details.infos, details.dtmf_infos), (2, 1));
}

#[test]
fn a_reliable_answer_whose_number_has_ten_digits_waits_for_its_prack() {
    let mut scene = Scene::new();
    scene.say("> INVITE 1 a -");
    scene.tell("< 183 1 INVITE a b", "RSeq: 2147483647\r\nRequire: 100rel\r\n", "");
    scene.say("< 200 1 INVITE a b");
    assert!(scene.only_call().details.prack_missing);
}

#[test]
fn a_blind_transfer_has_its_target_and_its_outcome() {
    let mut scene = answered("");
    scene.tell("< REFER 3 b a", "Refer-To: <sip:300@b.example>\r\nReferred-By: <sip:200@b.example>\r\n", "");
    scene.say("> 202 3 REFER b a");
    let notify =
        |state: &str| format!("Event: refer;id=3\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n");
    scene.tell("> NOTIFY 2 a b", &notify("active;expires=60"), "SIP/2.0 100 Trying");
    scene.tell("> NOTIFY 3 a b", &notify("terminated;reason=noresource"), "SIP/2.0 200 OK");
    scene.tell("> NOTIFY 2 a b", &notify("active;expires=60"), "SIP/2.0 100 Trying");
    let outcome = scene.end();
    let transfer = &outcome.calls[0].details.transfers[0];
    assert_eq!((transfer.by, transfer.attended, transfer.target.as_str()), (Who::Callee, false, "sip:300@b.example"));
    assert_eq!((transfer.status, transfer.outcome), (Some(202), Some(200)));
    assert_eq!(transfer.referred_by.as_deref(), Some("sip:200@b.example"));
    assert_eq!((outcome.subscriptions.len(), outcome.exchanges.len()), (0, 0), "it is all the call's");
}
