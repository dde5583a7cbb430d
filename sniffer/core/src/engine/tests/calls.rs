//! Calls and registrations from their first message to their record.

use super::*;

#[test]
fn an_authentication_round_is_the_same_call() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("407 Proxy Authentication Required", 1);
    scene.sip(true, "ACK sip:bob@x", "1 ACK", ";tag=p", "");
    scene.invite(2);
    scene.answer("407 Proxy Authentication Required", 1);
    scene.answer("200 OK", 2);
    let (calls, _) = scene.end();
    let call = only(&calls);
    assert_eq!((call.record.state, call.record.final_status), (CallState::InCall, Some(200)));
    assert_eq!(call.record.end, None);
}

#[test]
fn final_answers_give_the_state_and_the_first_end_stays() {
    for (status, state) in [
        ("486 Busy Here", CallState::Busy),
        ("600 Busy Everywhere", CallState::Busy),
        ("480 Temporarily Unavailable", CallState::NoAnswer),
        ("408 Request Timeout", CallState::NoAnswer),
        ("302 Moved", CallState::Redirected),
        ("603 Decline", CallState::Declined),
        ("503 Unavailable", CallState::Failed),
        ("401 Unauthorized", CallState::Failed),
        ("487 Terminated", CallState::Cancelled),
    ] {
        let mut scene = Scene::new();
        scene.invite(1);
        scene.answer(status, 1);
        let first_end = scene.now_ms;
        scene.answer(status, 1);
        let (calls, _) = scene.end();
        let record = &only(&calls).record;
        assert_eq!(record.state, state, "{status}");
        assert_eq!(record.end.unwrap().as_nanos(), first_end * 1_000_000);
        assert_eq!(record.final_status, status[..3].parse().ok());
    }
}

#[test]
fn an_answer_that_crosses_the_cancel_wins_and_a_487_does_not() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.sip(true, "CANCEL sip:bob@x", "1 CANCEL", "", "");
    scene.sip(false, "200 OK", "1 CANCEL", ";tag=b", "");
    scene.answer("487 Request Terminated", 1);
    assert_eq!(only(&scene.end().0).record.state, CallState::Cancelled);

    let mut scene = Scene::new();
    scene.invite(1);
    scene.sip(true, "CANCEL sip:bob@x", "1 CANCEL", "", "");
    scene.answer("200 OK", 1);
    let (calls, _) = scene.end();
    assert_eq!((only(&calls).record.state, only(&calls).record.end), (CallState::InCall, None));
}

#[test]
fn credentials_that_took_a_minute_to_type_are_the_same_call() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("407 Proxy Authentication Required", 1);
    scene.now_ms += 60_000;
    scene.invite(2);
    scene.answer("403 Forbidden", 2);
    assert_eq!(only(&scene.end().0).record.final_status, Some(403));
}

#[test]
fn a_re_invite_and_its_refusal_change_nothing_of_the_answer() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("200 OK", 1);
    scene.sip(true, "INVITE sip:bob@x", "2 INVITE", ";tag=b", &sdp((1, 4100), 0));
    scene.answer("488 Not Acceptable Here", 2);
    scene.rtp(BOB, (1, 4100), 5, 3);
    let (calls, _) = scene.end();
    let call = only(&calls);
    assert_eq!((call.record.state, call.record.final_status, call.record.streams), (CallState::InCall, Some(200), 1));
}

#[test]
fn a_silent_call_times_out_by_the_packets_time_and_media_keeps_it_alive() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("200 OK", 1);
    for _ in 0..20 {
        scene.now_ms += 60_000;
        scene.rtp(ALICE, BOB, 11, 1);
    }
    assert!(scene.engine.next_event().is_none(), "twenty minutes of media");
    let last = Timestamp::from_nanos(scene.now_ms * 1_000_000);
    scene.engine.advance(last.after(limits::CALL_IDLE));
    let Some(Event::Call(call)) = scene.engine.next_event() else { panic!("the call is over") };
    assert_eq!((call.record.state, call.record.end), (CallState::TimedOut, Some(last)));
    assert_eq!(scene.engine.worker.media_sizes(), media::MediaSizes::default());
    assert_eq!(scene.engine.owner.signalling_sizes(), (0, 0, 0, 0));
}

#[test]
fn an_ended_call_is_reported_after_its_retransmissions() {
    let mut scene = Scene::new();
    scene.invite(1);
    scene.answer("486 Busy Here", 1);
    let end = Timestamp::from_nanos(scene.now_ms * 1_000_000);
    scene.engine.advance(end.after(limits::CALL_LINGER));
    assert!(matches!(scene.engine.next_event(), Some(Event::Call(_))));
}

#[test]
fn a_call_that_never_falls_silent_is_ended_at_its_greatest_age() {
    let mut scene = Scene::new();
    let mut settings = Settings::default();
    settings.timeouts.call_longest = Duration::from_secs(3600);
    scene.engine = Engine::new(settings);
    scene.invite(1);
    scene.answer("200 OK", 1);
    for _ in 0..80 {
        scene.now_ms += 60_000;
        scene.rtp(ALICE, BOB, 11, 1);
    }
    let Some(Event::Call(call)) = scene.engine.next_event() else { panic!("it is over") };
    assert_eq!(call.record.state, CallState::TimedOut);
}

#[test]
fn a_registration_is_followed_from_challenge_to_removal() {
    let mut scene = Scene::new();
    let register = |scene: &mut Scene, cseq: u32, expires: u32, status: &str| {
        scene.sip(
            true,
            "REGISTER sip:x",
            &format!("{cseq} REGISTER\r\nContact: <sip:alice@192.0.2.1>;expires={expires}"),
            "",
            "",
        );
        scene.sip(false, status, &format!("{cseq} REGISTER"), ";tag=r", "");
    };
    register(&mut scene, 1, 60, "401 Unauthorized");
    assert_eq!(scene.engine.newest_registrations(9)[0].state, RegistrationState::Challenged);
    register(&mut scene, 2, 60, "200 OK");
    register(&mut scene, 2, 60, "200 OK");
    let record = &scene.engine.newest_registrations(9)[0];
    assert_eq!((record.state, record.requests, record.aor.as_str()), (RegistrationState::Registered, 2, "sip:bob@x"));
    assert_eq!(record.contact.as_deref(), Some("sip:alice@192.0.2.1"));
    register(&mut scene, 3, 0, "200 OK");
    register(&mut scene, 3, 0, "200 OK");
    assert_eq!(scene.engine.newest_registrations(9)[0].state, RegistrationState::Unregistered);
    assert_eq!((scene.engine.counters().registrations, scene.engine.counters().calls), (1, 0));
}
