//! What begins like RTP and is none, beside a call whose media comes before its SDP.

use sniffer_core::engine::{Engine, EngineCounters, Event, Settings};

use crate::scene::{Frame, Phones, Place, feed, rtp};

/// A call whose RTP comes for two seconds before its signalling, with so many packets of something else every 20 ms.
/// Returns the packets of the call's streams, and what is counted.
fn call_beside(noise: u32, packet: impl Fn(i64, u32) -> Frame) -> (Vec<u64>, EngineCounters) {
    let mut engine = Engine::new(Settings::default());
    let phones = Phones::new(1);
    let mut sent = 0;
    for number in 0..100 {
        let at = i64::from(number) * 20;
        feed(&mut engine, [rtp(at, phones.caller, phones.callee, 7, number)]);
        for _ in 0..noise {
            sent += 1;
            feed(&mut engine, [packet(at, sent)]);
        }
    }
    feed(&mut engine, [phones.invite(2000), phones.answer(2010), phones.ack(2020), phones.bye(2030)]);
    engine.finish();
    let mut packets = Vec::new();
    while let Some(event) = engine.next_event() {
        if let Event::Call(call) = event {
            packets.extend(call.streams.iter().map(|stream| stream.packets));
        }
    }
    let counters = engine.counters();
    assert_eq!(counters.received, counters.delivered + counters.dropped.total());
    (packets, counters)
}

fn random(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b1).rotate_left(13).wrapping_mul(0x85eb_ca6b)
}

const HERE: Place = (0xc000_0201, 40_000);
const THERE: Place = (0xc000_0202, 40_000);

#[test]
fn a_tunnel_whose_packets_begin_like_rtp_does_not_push_out_the_early_media_of_calls() {
    let (packets, counters) = call_beside(200, |at, number| rtp(at, HERE, THERE, random(number), 1));
    assert_eq!((packets, counters.evicted.pending_streams), (vec![100], 0));
    // IPsec through NATs is known by its port.
    let (packets, counters) =
        call_beside(200, |at, number| rtp(at, (HERE.0, 4500), (THERE.0, 4500), random(number), 1));
    assert_eq!((packets, counters.evicted.pending_streams), (vec![100], 0));
    assert_eq!(counters.dropped.get(sniffer_core::drops::Reason::NotVoip), 20_000);
}

#[test]
fn questions_to_a_server_from_ever_other_ports_do_not_push_out_the_early_media_of_calls() {
    for server in [53, 30_000] {
        let (packets, counters) = call_beside(200, |at, number| {
            let client = (HERE.0 + number % 1000, 1024 + u16::try_from(random(number) % 60_000).unwrap());
            rtp(at, client, (THERE.0, server), random(number), 1)
        });
        assert_eq!((packets, counters.evicted.pending_streams), (vec![100], 0), "port {server}");
    }
}
