//! Memory: what a call costs, and that floods stay below a limit whatever they are made of.

use sniffer_core::engine::{Engine, Settings};

use crate::{
    memory::{held, most},
    scene::{Frame, Phones, feed, rtp, udp},
};

const MIB: usize = 1024 * 1024;

#[test]
fn a_call_in_progress_with_two_streams_stays_small() {
    const CALLS: u32 = 3000;
    let mut engine = Engine::new(Settings::default());
    // The tables begin with a size of their own, which is not a call's.
    let begin = held();
    for call in 0..CALLS {
        let phones = Phones::new(call);
        let at = i64::from(call) * 10;
        feed(&mut engine, [phones.invite(at), phones.ringing(at), phones.answer(at), phones.ack(at)]);
        for number in 0..20 {
            let at = at + i64::from(number) * 20;
            feed(
                &mut engine,
                [
                    rtp(at, phones.caller, phones.callee, call * 2, number),
                    rtp(at + 7, phones.callee, phones.caller, call * 2 + 1, number),
                ],
            );
        }
        while engine.next_event().is_some() {}
    }
    let per_call = (held() - begin) / usize::try_from(CALLS).unwrap();
    assert_eq!((engine.calls_in_progress(), engine.streams_active()), (u64::from(CALLS), u64::from(CALLS) * 2));
    println!("a call in progress with two streams takes {per_call} bytes");
    assert!(per_call <= 2048, "{per_call} bytes");
}

#[test]
fn the_end_of_many_calls_does_not_hold_all_their_records_at_once() {
    let mut engine = Engine::new(Settings::default());
    for call in 0..3000 {
        let phones = Phones::new(call);
        feed(&mut engine, [phones.invite(0), phones.answer(1)]);
    }
    let mut calls = 0;
    let peak = most(|| {
        engine.finish();
        while engine.next_event().is_some() {
            calls += 1;
        }
    });
    assert_eq!(calls, 3000);
    println!("the end of 3000 calls takes {peak} bytes more");
    assert!(peak < 3 * MIB, "{peak} bytes");
}

/// Small tables, so that a flood reaches their bounds soon; what is asserted is in proportion.
fn small() -> Settings {
    let mut settings = Settings { rtp_without_sip: true, ..Settings::default() };
    settings.tables.calls = 1000;
    settings.tables.registrations = 1000;
    settings.tables.streams = 4000;
    settings.tables.pending = 1000;
    settings
}

#[test]
fn a_flood_of_invites_stays_below_its_limit_and_what_it_pushes_out_is_counted() {
    let mut engine = Engine::new(small());
    let peak = most(|| {
        for call in 0..20_000 {
            let phones = Phones::new(call);
            feed(&mut engine, [phones.invite(i64::from(call))]);
            while engine.next_event().is_some() {}
        }
    });
    let counters = engine.counters();
    assert_eq!((counters.calls, counters.evicted.calls), (20_000, 19_000));
    assert!(peak < 4 * MIB, "{peak} bytes for 1,000 calls");
}

#[test]
fn a_flood_of_registers_stays_below_its_limit_and_what_it_pushes_out_is_counted() {
    let mut engine = Engine::new(small());
    let peak = most(|| {
        // Each is followed for an hour: their timers are not to stay when they go.
        for call in 0..200_000 {
            feed(&mut engine, [Phones::new(call).register(i64::from(call / 20))]);
            while engine.next_event().is_some() {}
        }
    });
    assert_eq!(engine.counters().evicted.registrations, 199_000);
    assert!(peak < 4 * MIB, "{peak} bytes for 1,000 registrations");
}

/// Messages as fat as the parsers let them through.
fn fat(method: &str, call: u32) -> Frame {
    let call_id = format!("{call:0>500}");
    let media: String = (0..16_u32)
        .map(|line| {
            let codecs: String = (35..99)
                .map(|number| format!("a=rtpmap:{number} x{:0>30}/{}\r\n", call * 16 + line, 1000 + number))
                .collect();
            format!("m=audio {} RTP/AVP 35\r\n{codecs}", 2000 + line * 2)
        })
        .collect();
    let contacts: String = (0..16).map(|n| format!("Contact: <sip:{n}{call}{:x>480}@x>\r\n", "")).collect();
    let texts: String = ["P-Asserted-Identity", "Remote-Party-ID", "User-Agent", "Diversion", "Referred-By"]
        .map(|name| format!("{name}: <sip:{call:y>480}@x>\r\n"))
        .concat();
    let body = format!("v=0\r\nc=IN IP4 10.{}.{}.7\r\n{media}", call / 250 % 250, call % 250);
    let text = format!(
        "{method} sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK{call}\r\nCall-ID: {call_id}\r\nFrom: <sip:{call:z>480}@x>;tag=a\r\n\
         To: <sip:{call:z>480}@x>\r\nCSeq: 1 {method}\r\n{contacts}{texts}Content-Type: application/sdp\r\n\r\n{body}"
    );
    udp(i64::from(call), (1, 5060), (2, 5060), text.as_bytes())
}

#[test]
fn a_flood_of_the_fattest_invites_takes_no_more_than_the_same_number_of_usual_calls() {
    let mut engine = Engine::new(small());
    let peak = most(|| {
        for call in 0..1500 {
            feed(&mut engine, [fat("INVITE", call)]);
            while engine.next_event().is_some() {}
        }
    });
    let counters = engine.counters();
    assert_eq!((counters.calls, counters.dropped.total()), (1500, 0));
    assert!(counters.evicted.calls > 500, "{} evicted", counters.evicted.calls);
    println!("fat INVITEs take {peak} bytes, {} calls are left", engine.calls_in_progress());
    assert!(peak < 4 * MIB, "{peak} bytes for at most 1,000 calls");
}

#[test]
fn a_flood_of_the_fattest_registers_takes_no_more_than_its_share() {
    let mut engine = Engine::new(small());
    let peak = most(|| {
        for call in 0..1500 {
            feed(&mut engine, [fat("REGISTER", call)]);
            while engine.next_event().is_some() {}
        }
    });
    assert!(engine.counters().evicted.registrations > 500);
    println!("fat REGISTERs take {peak} bytes");
    assert!(peak < 3 * MIB, "{peak} bytes for at most 1,000 registrations");
}

#[test]
fn a_flood_of_random_rtp_stays_below_its_limit_and_every_packet_is_accounted_for() {
    let mut engine = Engine::new(small());
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let peak = most(|| {
        for n in 0..60_000 {
            let port = |random: u32| u16::try_from(random % 50_000 + 10_000).unwrap();
            let (source, destination) = ((next(), port(next())), (next(), port(next())));
            feed(&mut engine, [rtp(n / 10, source, destination, next(), 1)]);
        }
    });
    assert_eq!(engine.counters().waiting, 1000);
    assert_eq!(engine.counters().evicted.pending_streams, 59_000);
    engine.finish();
    let counters = engine.counters();
    assert_eq!((counters.waiting, counters.delivered, counters.dropped.total()), (0, 0, 60_000));
    assert!(peak < 4 * MIB, "{peak} bytes for 1,000 streams");
}

#[test]
fn streams_without_signalling_stay_within_their_table() {
    let mut settings = small();
    settings.tables.streams = 2000;
    let mut engine = Engine::new(settings);
    for ssrc in 0..5000_u32 {
        for number in 0..6 {
            feed(&mut engine, [rtp(i64::from(ssrc) * 6, (1, 2000), (2, 3000), ssrc, number)]);
        }
    }
    assert!(engine.streams_active() <= 2000);
    engine.finish();
    let counters = engine.counters();
    assert_eq!(counters.received, counters.delivered + counters.dropped.total());
}
