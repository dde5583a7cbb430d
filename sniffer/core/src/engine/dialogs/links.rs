use super::{CallRecord, Correlation, Scene, Settings};
use crate::record::Correlated;

const PHONE_TO_SWITCH: [(u8, u16); 2] = [(1, 5060), (9, 5060)];
const SWITCH_TO_PHONE: [(u8, u16); 2] = [(9, 5060), (2, 5060)];

fn group(calls: &[CallRecord], number: usize) -> String {
    calls[number].details.correlation.unwrap().to_string()
}

/// The second leg's From and To after the first has sent its INVITE, and whether they belong together.
fn legs(
    settings: Settings,
    headers: [&str; 2],
    second: (&'static str, &'static str),
    wait_ms: i64,
) -> Option<Correlated> {
    let mut scene = Scene::with(settings);
    scene.leg("one", PHONE_TO_SWITCH, "sip:+4930100@a.example", "sip:200@a.example");
    scene.tell("> INVITE 1 a -", headers[0], "");
    scene.now_ms += wait_ms;
    scene.leg("two", SWITCH_TO_PHONE, second.0, second.1);
    scene.tell("> INVITE 1 s -", headers[1], "");
    let calls = scene.end().calls;
    assert_eq!(calls[0].details.correlated_by, calls[1].details.correlated_by);
    let together = group(&calls, 0) == group(&calls, 1);
    assert_eq!(together, calls[1].details.correlated_by.is_some());
    calls[1].details.correlated_by
}

#[test]
fn the_legs_of_a_switch_belong_together_by_number_and_time() {
    let settings = Settings::default;
    let none = ["", ""];
    let same = ("sip:030100@s.example", "sip:200@192.0.2.2");
    assert_eq!(legs(settings(), none, same, 1000), Some(Correlated::Number));
    assert_eq!(legs(settings(), none, same, 4000), None, "too late");
    let other_callee = ("sip:+4930100@s.example", "sip:desk2@192.0.2.2");
    assert_eq!(legs(settings(), none, other_callee, 50), Some(Correlated::Number), "at once, to the phone's own name");
    assert_eq!(legs(settings(), none, other_callee, 1000), None, "half the evidence, half the time");
    assert_eq!(legs(settings(), none, ("sip:anonymous@x", "sip:desk2@192.0.2.2"), 50), None);
    let off = Correlation { by_number: false, ..Correlation::default() };
    assert_eq!(legs(Settings { correlation: off, ..settings() }, none, same, 50), None);
}

#[test]
fn the_legs_of_a_switch_belong_together_by_a_header() {
    let other = ("sip:x1@s.example", "sip:y2@192.0.2.2");
    let named = ["", "X-Call-ID: one\r\n"];
    assert_eq!(legs(Settings::default(), named, other, 9000), Some(Correlated::Header));
    let charged =
        ["P-Charging-Vector: icid-value=77ab;orig-ioi=a\r\n", "P-Charging-Vector: icid-value=77ab;term-ioi=b\r\n"];
    assert_eq!(legs(Settings::default(), charged, other, 9000), Some(Correlated::Header));
    let own = ["X-Trunk: 5\r\n", "X-Trunk: 5\r\n"];
    assert_eq!(legs(Settings::default(), own, other, 9000), None);
    let correlation = Correlation { headers: vec!["X-Trunk".to_owned()], ..Correlation::default() };
    assert_eq!(legs(Settings { correlation, ..Settings::default() }, own, other, 9000), Some(Correlated::Header));
}

#[test]
fn correlation_that_is_off_says_nothing() {
    let correlation = Correlation { is_on: false, ..Correlation::default() };
    let mut scene = Scene::with(Settings { correlation, ..Settings::default() });
    scene.leg("one", PHONE_TO_SWITCH, "sip:100@a", "sip:200@a");
    scene.say("> INVITE 1 a -");
    scene.leg("two", SWITCH_TO_PHONE, "sip:100@a", "sip:200@a");
    scene.tell("> INVITE 1 s -", "X-Call-ID: one\r\n", "");
    assert!(
        scene.end().calls.iter().all(|call| call.details.correlation.is_none() && call.details.correlated_by.is_none())
    );
}

#[test]
fn calls_at_the_same_time_through_one_switch_are_told_apart() {
    let mut scene = Scene::new();
    scene.leg("a1", PHONE_TO_SWITCH, "sip:100@a", "sip:200@a");
    scene.say("> INVITE 1 a -");
    scene.leg("b1", [(3, 5060), (9, 5060)], "sip:101@a", "sip:201@a");
    scene.say("> INVITE 1 b -");
    scene.leg("b2", [(9, 5060), (4, 5060)], "sip:101@a", "sip:201@a");
    scene.say("> INVITE 1 t -");
    scene.leg("a2", SWITCH_TO_PHONE, "sip:100@a", "sip:200@a");
    scene.say("> INVITE 1 s -");
    // A parallel call between the same two hosts is no leg.
    scene.leg("c1", PHONE_TO_SWITCH, "sip:100@a", "sip:200@a");
    scene.say("> INVITE 1 c -");
    let calls = scene.end().calls;
    assert_eq!(group(&calls, 0), group(&calls, 3));
    assert_eq!(group(&calls, 1), group(&calls, 2));
    assert_ne!(group(&calls, 0), group(&calls, 1));
    assert_eq!(calls[4].details.correlated_by, None);
}

#[test]
fn an_attended_transfer_links_three_calls_under_the_first_of_them() {
    let mut scene = Scene::new();
    scene.leg("ab", PHONE_TO_SWITCH, "sip:100@a", "sip:200@a");
    scene.all(&["> INVITE 1 a -", "< 200 1 INVITE a b", "> ACK 1 a b"]);
    scene.wait(20);
    scene.leg("bc", [(2, 5060), (7, 5060)], "sip:200@a", "sip:300@a");
    scene.all(&["> INVITE 1 x -", "< 200 1 INVITE x y", "> ACK 1 x y"]);
    scene.leg("ab", PHONE_TO_SWITCH, "sip:100@a", "sip:200@a");
    scene.tell("< REFER 2 b a", "Refer-To: <sip:300@a?Replaces=bc%3Bto-tag%3Dy%3Bfrom-tag%3Dx>\r\n", "");
    scene.wait(1);
    scene.leg("ac", [(1, 5060), (7, 5060)], "sip:100@a", "sip:300@a");
    scene.tell("> INVITE 1 n -", "Replaces: bc;to-tag=y;from-tag=x\r\nReferred-By: <sip:200@a>\r\n", "");
    let calls = scene.end().calls;
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.details.correlation == calls[0].details.correlation));
    assert_eq!(calls[2].details.replaces.as_deref(), Some("bc"));
    assert_eq!(calls[2].details.referred_by.as_deref(), Some("sip:200@a"));
    assert_eq!(calls[2].details.correlated_by, Some(Correlated::Replaces));
    assert!(calls[0].details.transfers[0].attended);
}

#[test]
fn the_call_that_a_blind_transfer_asked_for_belongs_to_it() {
    let mut scene = Scene::new();
    scene.leg("ab", PHONE_TO_SWITCH, "sip:100@a", "sip:200@a");
    scene.all(&["> INVITE 1 a -", "< 200 1 INVITE a b", "> ACK 1 a b"]);
    scene.tell("< REFER 2 b a", "Refer-To: <sip:300@a>\r\n", "");
    scene.say("< BYE 3 b a");
    scene.wait(5);
    scene.leg("ac", [(1, 5060), (7, 5060)], "sip:100@a", "sip:300@a");
    scene.say("> INVITE 1 n -");
    let calls = scene.end().calls;
    assert_eq!((group(&calls, 0), calls[1].details.correlated_by), (group(&calls, 1), Some(Correlated::Refer)));
}

#[test]
fn a_leg_that_comes_when_the_first_is_gone_still_carries_its_key() {
    let mut scene = Scene::new();
    scene.leg("one", PHONE_TO_SWITCH, "sip:100@a", "sip:200@a");
    scene.tell("> INVITE 1 a -", "X-CID: 5\r\n", "");
    scene.say("< 486 1 INVITE a b");
    scene.wait(60);
    scene.leg("two", SWITCH_TO_PHONE, "sip:100@a", "sip:201@a");
    scene.tell("> INVITE 1 s -", "X-CID: 5\r\n", "");
    let calls = scene.end().calls;
    assert_eq!(group(&calls, 0), group(&calls, 1));
}

#[test]
fn a_header_s_value_links_to_calls_that_are_there_and_not_to_one_of_hours_ago() {
    let mut scene = Scene::new();
    let begin = |scene: &mut Scene, call_id: &'static str, from: &'static str, to: &'static str| {
        scene.leg(call_id, PHONE_TO_SWITCH, from, to);
        scene.tell("> INVITE 1 a -", "X-CID: 4711\r\n", "");
    };
    let hang_up = |scene: &mut Scene| scene.all(&["< 200 1 INVITE a b", "> ACK 1 a b", "> BYE 2 a b"]);
    begin(&mut scene, "one", "sip:1@a.example", "sip:2@a.example");
    hang_up(&mut scene);
    begin(&mut scene, "two", "sip:3@a.example", "sip:4@a.example");
    scene.say("< 200 1 INVITE a b");
    scene.wait(60);
    begin(&mut scene, "three", "sip:5@a.example", "sip:6@a.example");
    hang_up(&mut scene);
    scene.leg("two", PHONE_TO_SWITCH, "sip:3@a.example", "sip:4@a.example");
    scene.say("> BYE 2 a b");
    scene.wait(3600);
    begin(&mut scene, "four", "sip:7@a.example", "sip:8@a.example");
    let calls = scene.end().calls;
    let of = |call_id: &str| calls.iter().find(|call| call.call_id == call_id).unwrap();
    let group = |call_id: &str| of(call_id).details.correlation;
    assert_eq!(group("two"), group("one"));
    assert_eq!(group("three"), group("one"), "the second is still there");
    assert_eq!(of("four").details.correlated_by, None, "an hour later");
    assert_ne!(group("four"), group("one"));
}
