//! Any order, loss and duplication of the messages of a dialog: nothing panics, each message is counted once, and the
//! records hold what a record promises.

use super::{Scene, sdp};
use crate::record::{CallRecord, CallState};

/// A generator without state outside of it: xorshift (Marsaglia, 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

const MESSAGES: [(&str, &str, Option<&str>); 34] = [
    ("> INVITE 1 a -", "", Some("sendrecv")),
    ("< 100 1 INVITE a -", "", None),
    ("< 407 1 INVITE a p", "Proxy-Authenticate: Digest stale=true\r\n", None),
    ("> ACK 1 a p", "", None),
    ("> INVITE 2 a -", "Session-Expires: 90\r\nX-Call-ID: c0\r\n", Some("sendrecv")),
    ("< 183 2 INVITE a b", "RSeq: 1\r\n", Some("sendrecv")),
    ("> PRACK 3 a b", "RAck: 1 2 INVITE\r\n", None),
    ("< 200 3 PRACK a b", "", None),
    ("< 180 2 INVITE a c", "", None),
    ("> CANCEL 2 a -", "Reason: SIP;cause=200\r\n", None),
    ("< 200 2 CANCEL a b", "", None),
    ("< 487 2 INVITE a b", "", None),
    ("< 486 2 INVITE a c", "Reason: Q.850;cause=17\r\n", None),
    ("< 302 2 INVITE a c", "Contact: <sip:9@x>\r\n", None),
    ("< 200 2 INVITE a b", "Session-Expires: 90;refresher=uac\r\n", Some("sendrecv")),
    ("< 200 2 INVITE a c", "", Some("sendrecv")),
    ("> ACK 2 a b", "", None),
    ("> INVITE 4 a b", "", Some("sendonly")),
    ("< 200 4 INVITE a b", "", Some("recvonly")),
    ("> INVITE 5 a b", "", None),
    ("< 200 5 INVITE a b", "Session-Expires: 90;refresher=uas\r\n", Some("inactive")),
    ("< 488 5 INVITE a b", "", None),
    ("< UPDATE 1 b a", "", Some("sendrecv")),
    ("> 200 1 UPDATE b a", "Session-Expires: 0\r\n", None),
    ("< REFER 2 b a", "Refer-To: <sip:300@x?Replaces=c0%3Bto-tag%3D1>\r\n", None),
    ("> 202 2 REFER b a", "", None),
    ("> NOTIFY 6 a b", "Event: refer;id=2\r\n", None),
    ("> INFO 7 a b", "Content-Type: application/dtmf\r\n", None),
    ("> BYE 8 a b", "", None),
    ("< 407 8 BYE a b", "", None),
    ("> BYE 9 a b", "Reason: Q.850;cause=16\r\n", None),
    ("< 200 9 BYE a b", "", None),
    ("< BYE 3 c a", "", None),
    ("> INVITE 1 z -", "Replaces: c0;to-tag=1\r\n", Some("sendrecv")),
];

fn play(seed: u64) -> (Vec<CallRecord>, u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut scene = Scene::new();
    // Half of the scenes in order with loss and copies, the others in any order.
    let in_order = dice.below(2) == 0;
    let mut sent = 0;
    for step in 0..MESSAGES.len() * 2 {
        let number = if in_order { step / 2 } else { dice.below(MESSAGES.len()) };
        if dice.below(4) == 0 {
            continue;
        }
        let (line, headers, direction) = MESSAGES[number];
        // The clocks of several captures disagree, and some calls take their time.
        scene.now_ms += [0, 1, 200, 40_000, -15][dice.below(5)];
        if dice.below(8) == 0 {
            scene.ends = [[(1, 5060), (2, 5060)], [(2, 5060), (3, 5060)]][dice.below(2)];
        }
        scene.tell(line, headers, &direction.map(sdp).unwrap_or_default());
        sent += 1;
    }
    if dice.below(3) == 0 {
        scene.wait(4000);
    }
    let messages = scene.engine.counters().sip_messages;
    assert_eq!(messages, sent);
    let outcome = scene.end();
    (outcome.calls, sent)
}

fn check(call: &CallRecord) {
    let details = &call.details;
    if let Some(answered) = call.answered {
        assert!(answered >= call.start);
        assert!(call.end.is_none_or(|end| end >= answered));
        assert!(call.final_status.is_some_and(|status| (200..300).contains(&status)));
    }
    assert!(call.end.is_none_or(|end| end >= call.start));
    assert_eq!(call.end.is_some(), call.state.is_final(), "{:?}", call.state);
    assert_eq!(call.state == CallState::TimedOut, details.timeout.is_some());
    assert!(details.answers <= details.forks && details.answers_open <= details.answers);
    assert!(details.retransmissions <= details.messages && details.stale <= details.challenges);
    assert!(details.dtmf_infos <= details.infos);
    for hold in &details.holds {
        assert!(hold.start >= call.start && hold.end.is_none_or(|end| end >= hold.start));
        assert!(hold.end.is_some() || call.end.is_none());
    }
    assert!(details.held_ms >= 0.0);
    assert!(details.correlation.is_some());
}

#[test]
fn any_order_loss_and_duplication_keep_what_a_record_promises() {
    for seed in 0..4000 {
        let (calls, sent) = play(seed);
        let mut counted = 0;
        for call in &calls {
            check(call);
            counted += u64::from(call.details.messages) + u64::from(call.details.copies);
        }
        assert!(counted <= sent, "seed {seed}");
    }
}

#[test]
fn the_same_messages_give_the_same_records_whatever_the_hash_seed() {
    for seed in 0..50 {
        assert_eq!(play(seed).0, play(seed).0);
    }
}

#[test]
fn each_message_twice_changes_nothing_but_counters() {
    for seed in 0..300_u64 {
        let mut records = Vec::new();
        for times in [1, 2] {
            let mut dice = Dice(seed + 1);
            let mut scene = Scene::new();
            for _ in 0..40 {
                let (line, headers, direction) = MESSAGES[dice.below(MESSAGES.len())];
                for _ in 0..times {
                    scene.tell(line, headers, &direction.map(sdp).unwrap_or_default());
                    scene.now_ms -= 10;
                }
                scene.now_ms += 1000;
            }
            let mut calls = scene.end().calls;
            for call in &mut calls {
                assert!(times == 1 || call.details.copies > 0);
                call.details.copies = 0;
            }
            records.push(calls);
        }
        assert_eq!(records[0], records[1], "seed {seed}");
    }
}

/// What a call in progress costs: the struct and its heap memory, with texts as phones send them.
#[test]
fn a_usual_call_stays_small() {
    let size = size_of::<crate::engine::call::Call>();
    assert!(size <= 640, "{size} bytes");
}
