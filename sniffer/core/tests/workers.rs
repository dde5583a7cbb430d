//! Several workers say what one says: frames are dealt out by flow, as the kernel does, and messages between workers and
//! the owner of signalling wait a little, as between threads.

use sniffer_core::{
    decode::LinkType,
    engine::{EngineCounters, Owner, Settings, ToOwner, Worker},
    limits,
};

use crate::{
    memory::most,
    scene::{Frame, Phones, Place, events, rtcp, rtp, text, udp},
};

/// A generator with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Some hundred calls that overlap, with losses, early media, RTP before its SDP, RTP of nobody, and RTCP of all these on
/// ports of its own, which other workers see than the RTP.
fn traffic(seed: u64) -> Vec<Frame> {
    let mut random = Random(seed);
    let mut frames = Vec::new();
    for call in 0..120 {
        let phones = Phones::new(call);
        let begin = i64::from(call) * 150;
        frames.push(phones.invite(begin));
        frames.push(phones.ringing(begin + 40));
        let answered = begin + 200 + i64::from(random.below(300));
        if random.below(10) > 0 {
            frames.push(phones.answer(answered));
            frames.push(phones.ack(answered + 5));
        }
        for number in 0..u16::try_from(50 + random.below(100)).unwrap() {
            // Some media comes before the answer that announces it.
            let at = answered - 60 + i64::from(number) * 20;
            if random.below(20) > 0 {
                frames.push(rtp(at + i64::from(random.below(3)), phones.caller, phones.callee, call * 2, number));
            }
            // The callee of every seventh call sends from a place behind a NAT.
            let from: Place = if call % 7 == 0 { (phones.callee.0 + 1, 7777) } else { phones.callee };
            frames.push(rtp(at + 9, from, phones.caller, call * 2 + 1, number));
            if call % 7 == 0 {
                frames.push(rtp(at + 11, (phones.caller.0, 1999), from, call * 2 + 500_000, number));
            }
            let nobody = (8, u16::try_from(call * 2).unwrap() + 2100);
            if call % 5 == 0 {
                frames.push(rtp(at + 3, (9, 4000), nobody, 77, number));
            }
            if number % 50 == 7 {
                let next = |place: Place| (place.0, place.1 + 1);
                frames.push(rtcp(at + 12, next(phones.caller), next(phones.callee), call * 2));
                frames.push(rtcp(at + 12, next(from), next(phones.caller), call * 2 + 1));
                // Of a stream without a call, where there is one.
                frames.push(rtcp(at + 12, (9, 4001), next(nobody), 77));
            }
        }
        if random.below(3) > 0 {
            frames.push(phones.bye(answered + 3000));
        }
        frames.push(phones.register(begin + 17));
    }
    frames.sort_by_key(|frame| frame.time);
    frames
}

/// The same through several workers. Between threads what one says to the other waits: `pause` frames at most.
fn shared_out(frames: &[Frame], settings: &Settings, count: u8, pause: u32) -> Vec<String> {
    let mut random = Random(9);
    let mut workers: Vec<Worker> = (0..count).map(|number| Worker::new(settings, number)).collect();
    let mut owner = Owner::new(settings, count);
    let mut texts = Vec::new();
    for frame in frames {
        let place = usize::try_from(frame.flow()).unwrap() % workers.len();
        workers[place].frame_of_many(LinkType::RawIp, frame.meta(), &frame.bytes);
        if random.below(pause) == 0 {
            exchange(&mut workers, &mut owner, frame, &mut texts);
        }
    }
    let last = frames.last().unwrap();
    for worker in &mut workers {
        worker.finish_ingress_of_many();
    }
    exchange(&mut workers, &mut owner, last, &mut texts);
    workers.iter_mut().for_each(Worker::finish_pending);
    exchange(&mut workers, &mut owner, last, &mut texts);
    owner.finish_calls();
    exchange(&mut workers, &mut owner, last, &mut texts);
    workers.iter_mut().for_each(Worker::finish_streams);
    exchange(&mut workers, &mut owner, last, &mut texts);
    owner.finish_registrations();
    exchange(&mut workers, &mut owner, last, &mut texts);
    let mut counters = EngineCounters::default();
    workers.iter().for_each(|worker| worker.count(&mut counters));
    owner.count(&mut counters);
    texts.push(serde_json::to_string(&counters.summary()).unwrap());
    texts
}

fn exchange(workers: &mut [Worker], owner: &mut Owner, frame: &Frame, texts: &mut Vec<String>) {
    loop {
        let mut quiet = true;
        for (worker, number) in workers.iter_mut().zip(0..) {
            worker.advance_of_many(frame.time);
            while let Some(output) = worker.next_output() {
                owner.take(output);
                quiet = false;
            }
            owner.clock(number, frame.time);
        }
        owner.release(frame.time, &mut |_, _| {});
        owner.advance(frame.time);
        while let Some(command) = owner.next_command() {
            quiet = false;
            for worker in workers.iter_mut() {
                worker.tell(frame.time, command.clone());
            }
        }
        while let Some(event) = owner.next_event() {
            texts.extend(text(&event));
        }
        if quiet && !owner.has_command() {
            return;
        }
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn one_two_and_three_workers_give_the_same_records() {
    for seed in 1..4 {
        let frames = traffic(seed);
        let settings = Settings { rtp_without_sip: true, ..Settings::default() };
        let alone = sorted(events(&frames, settings.clone()));
        assert!(alone.len() > 250, "calls, registrations, streams of nobody, the summary: {}", alone.len());
        let reported = |text: &&String| text.starts_with("{\"ssrc\":77,") && text.contains("\"sender_reports\":");
        assert!(alone.iter().filter(reported).count() > 20);
        assert!(alone.iter().any(|text| text.contains("\"no_signalling\":")));
        for workers in 1..=3 {
            for pause in [1, 20] {
                let shared = sorted(shared_out(&frames, &settings, workers, pause));
                for (one, other) in alone.iter().zip(&shared) {
                    assert_eq!(one, other, "{workers} workers, pause {pause}, seed {seed}");
                }
                assert_eq!(alone.len(), shared.len(), "{workers} workers, pause {pause}, seed {seed}");
            }
        }
    }
}

#[test]
fn messages_that_the_owner_does_not_take_are_counted_and_said_to_be_lost_here() {
    let settings = Settings::default();
    let mut worker = Worker::new(&settings, 0);
    let mut owner = Owner::new(&settings, 1);
    let limit = u32::try_from(sniffer_core::limits::WORKER_MESSAGES).unwrap();
    for call in 0..limit + 10 {
        let frame = Phones::new(call).invite(i64::from(call));
        worker.frame_of_many(LinkType::RawIp, frame.meta(), &frame.bytes);
    }
    let mut counters = EngineCounters::default();
    worker.count(&mut counters);
    assert_eq!(counters.dropped.by_stage()["worker"]["signalling_full"], 10);
    while let Some(output) = worker.next_output() {
        owner.take(output);
    }
    let now = Phones::new(0).invite(i64::from(limit) + 1000).time;
    owner.clock(0, now);
    owner.release(now, &mut |_, used| assert!(used.owner.is_some()));
    owner.count(&mut counters);
    assert_eq!((counters.lost_by_capture, counters.calls), (10, u64::from(limit)));
    let call = owner.calls().last().unwrap();
    assert!(owner.join(call, Vec::new()).record.lost_here);
}

#[test]
fn messages_on_their_way_are_bounded_in_bytes_too() {
    let mut worker = Worker::new(&Settings::default(), 0);
    let fat = |call: u32| {
        let head = format!(
            "INVITE sip:x SIP/2.0\r\nCall-ID: {call}\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        udp(i64::from(call), (1, 5060), (2, 5060), &[head.as_bytes(), &[b'x'; 60_000]].concat())
    };
    let held = most(|| {
        for call in 0..1000 {
            let frame = fat(call);
            worker.frame_of_many(LinkType::RawIp, frame.meta(), &frame.bytes);
        }
    });
    let mut counters = EngineCounters::default();
    worker.count(&mut counters);
    assert!(counters.dropped.by_stage()["worker"]["signalling_full"] > 500);
    assert!(held < limits::WORKER_BYTES + 1_000_000, "{held} bytes");
    // What the owner has taken makes room, and the owner holds no more either.
    let mut owner = Owner::new(&Settings::default(), 2);
    while let Some(output) = worker.next_output() {
        owner.take(output);
    }
    let frame = fat(5000);
    worker.frame_of_many(LinkType::RawIp, frame.meta(), &frame.bytes);
    assert!(matches!(worker.next_output(), Some(ToOwner::Sip(_))));
    let mut seen = 0;
    for call in 0..1000 {
        let frame = fat(call);
        worker.frame_of_many(LinkType::RawIp, frame.meta(), &frame.bytes);
        while let Some(output) = worker.next_output() {
            owner.take(output);
        }
        owner.release(frame.time, &mut |_, _| seen += 1);
    }
    assert!(seen > 500, "{seen}: the second worker's time has not come, and bytes do not wait for it");
}

#[test]
fn the_seed_of_the_tables_and_another_run_change_nothing() {
    let frames = traffic(7);
    let with = |hash_seed| events(&frames, Settings { rtp_without_sip: true, hash_seed, ..Settings::default() });
    let first = with(0);
    assert_eq!(first, with(0));
    assert_eq!(first, with(0x1234_5678_9abc_def0));
}
