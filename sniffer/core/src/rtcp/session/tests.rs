use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

fn way(from: u8, to: u8) -> Way {
    ([192, 0, 2, from].into(), [192, 0, 2, to].into())
}

/// From caller to callee, and back.
fn there() -> Way {
    way(1, 2)
}

fn back() -> Way {
    way(2, 1)
}

fn sender(ssrc: u32, ntp_middle: u32) -> Item {
    Item::Sender(SenderReport { ssrc, ntp_middle, packets: 100 })
}

fn report(ssrc: u32, last_sender_report: u32, delay_ms: u32) -> Item {
    Item::Report(ReportBlock {
        reporter: 99,
        ssrc,
        fraction_lost: 26,
        lost: 5,
        highest: 100,
        jitter: 80,
        last_sender_report,
        delay: delay_ms * 65_536 / 1000,
    })
}

#[test]
fn a_round_trip_has_two_halves_seen_from_between_the_ends() {
    let mut session = Session::default();
    // Source 1's report passes at 0 and reaches its receiver 30 ms later; 500 ms after that the answer starts and is
    // here again 30 ms later.
    session.on(at(0), there(), sender(1, 0xaaaa));
    session.on(at(560), back(), report(1, 0xaaaa, 500));
    // Source 2 is nearer: 10 ms there and 10 ms back.
    session.on(at(600), back(), sender(2, 0xbbbb));
    session.on(at(1120), there(), report(2, 0xbbbb, 500));
    let half = |ssrc| session.get(ssrc, None).unwrap().receiver_half.mean_ms().unwrap();
    assert!((half(1) - 60.0).abs() < 0.1 && (half(2) - 20.0).abs() < 0.1, "{} {}", half(1), half(2));
}

#[test]
fn a_report_that_names_the_one_before_the_last_counts_and_one_that_names_none_does_not() {
    let mut session = Session::default();
    session.on(at(0), there(), sender(1, 7));
    session.on(at(5000), there(), sender(1, 8));
    session.on(at(5040), back(), report(1, 7, 5000));
    session.on(at(5050), back(), report(1, 0, 0));
    session.on(at(5060), back(), report(1, 4711, 0));
    session.on(at(60_000), back(), report(1, 8, 0));
    let source = session.get(1, None).unwrap();
    assert_eq!((source.reports, source.receiver_half.count), (4, 1), "55 seconds are no round trip");
    assert_eq!((source.lost, source.fraction_max, source.jitter_max), (5, 26, 80));
}

#[test]
fn a_receiver_that_sends_nothing_measures_with_reference_times() {
    let mut session = Session::default();
    session.on(at(0), back(), Item::Extended(xr::Block::ReferenceTime { reporter: 5, ntp_middle: 77 }));
    let answer = xr::Block::Delay { reporter: 1, ssrc: 5, last_reference: 77, delay: 6554 };
    session.on(at(140), there(), Item::Extended(answer));
    let half = session.get(1, None).unwrap().sender_half.mean_ms().unwrap();
    assert!((half - 40.0).abs() < 0.1, "{half}");
}

#[test]
fn a_relay_that_sends_the_same_ssrc_on_is_measured_apart() {
    let mut session = Session::default();
    session.on(at(0), way(1, 2), sender(1, 7));
    session.on(at(1), way(2, 3), sender(1, 7));
    session.on(at(41), way(3, 2), report(1, 7, 0));
    session.on(at(42), way(2, 1), report(1, 7, 0));
    let half = |way| session.get(1, Some(way)).unwrap().receiver_half.mean_ms();
    assert_eq!((half(way(1, 2)), half(way(2, 3))), (Some(42.0), Some(40.0)));
    assert_eq!(session.get(1, Some(way(8, 9))), None, "two of them: which one is meant is not known");
}

#[test]
fn a_round_trip_whose_directions_two_workers_saw_is_joined() {
    let (mut one, mut other) = (Session::default(), Session::default());
    for n in 0..3_i32 {
        one.on(at(i64::from(n) * 5000), there(), sender(1, n.unsigned_abs() + 7));
        other.on(at(i64::from(n) * 5000 + 560), back(), report(1, n.unsigned_abs() + 7, 500));
    }
    for (first, second) in [(&one, &other), (&other, &one)] {
        let mut both = first.clone();
        both.merge(second);
        let source = both.get(1, None).unwrap();
        let half = source.receiver_half.mean_ms().unwrap();
        assert!((half - 60.0).abs() < 0.1, "{half}");
        assert_eq!((source.sender_reports, source.reports), (3, 3));
    }
}

#[test]
fn copies_of_reports_count_once() {
    let mut session = Session::default();
    for ms in [0, 3, 5000, 5003] {
        let number = if ms < 1000 { 7 } else { 8 };
        session.on(at(ms), there(), sender(1, number));
        session.on(at(ms + 30), back(), report(1, number, 0));
    }
    // The same words five seconds later are another report: of a source that has fallen silent.
    session.on(at(10_030), back(), report(1, 8, 0));
    let source = session.get(1, None).unwrap();
    assert_eq!((source.sender_reports, source.reports, source.receiver_half.count), (2, 3, 3));
}

#[test]
fn a_flood_of_sources_is_bounded_and_two_workers_add_up() {
    let mut session = Session::default();
    for ssrc in 1..1000 {
        session.on(at(0), there(), sender(ssrc, 1));
    }
    assert_eq!(session.sources.len(), limits::STREAMS_PER_CALL);
    let (mut one, mut other) = (Session::default(), Session::default());
    one.on(at(0), there(), sender(1, 1));
    other.on(at(1), back(), report(1, 0, 0));
    other.on(at(1), there(), Item::Bye { ssrc: 1 });
    one.merge(&other);
    let source = one.get(1, None).unwrap();
    assert_eq!((source.sender_reports, source.reports, source.lost, source.bye), (1, 1, 5, Some(at(1))));
}

/// What counts is the last word in time, whichever worker heard it and in whichever order both are added up; also where a
/// packet comes late, since another worker was asked about it.
#[test]
fn the_last_word_is_the_last_in_time_however_reports_are_dealt_out() {
    let words = |n: i64| {
        let number = u32::try_from(n).unwrap();
        let block = ReportBlock {
            reporter: 99,
            ssrc: 1,
            fraction_lost: 0,
            lost: 100 - i32::try_from(number).unwrap(),
            highest: number,
            jitter: 7 * number,
            last_sender_report: 0,
            delay: 0,
        };
        let metrics = xr::VoipMetrics { r_factor: 90 - u8::try_from(number).unwrap(), ..xr::VoipMetrics::default() };
        [
            (there(), Item::Sender(SenderReport { ssrc: 1, ntp_middle: number, packets: 1000 - number })),
            (back(), Item::Report(block)),
            (back(), Item::Extended(xr::Block::Voip { ssrc: 1, metrics })),
            (there(), Item::Bye { ssrc: 1 }),
        ]
    };
    let said = |session: &Session| {
        let source = session.get(1, None).unwrap();
        (
            source.sent_packets,
            source.lost,
            source.jitter_last,
            source.voip,
            source.bye,
            source.sender_reports,
            source.reports,
        )
    };
    let mut one = Session::default();
    (1..5).for_each(|n| words(n).into_iter().for_each(|(way, item)| one.on(at(n * 5000), way, item)));
    assert_eq!(said(&one).1, 96);
    for dealt in 0..16_u32 {
        let mut both = [Session::default(), Session::default()];
        for n in 1..5 {
            let place = usize::from(dealt >> (n - 1) & 1 == 1);
            words(n).into_iter().for_each(|(way, item)| both[place].on(at(n * 5000), way, item));
        }
        for (first, second) in [(0, 1), (1, 0)] {
            let mut sum = both[first].clone();
            sum.merge(&both[second]);
            assert_eq!(said(&sum), said(&one), "dealt as {dealt:04b}");
        }
        let late = (0..4).filter(|bit| dealt >> bit & 1 == 0).chain((0..4).filter(|bit| dealt >> bit & 1 == 1));
        let mut session = Session::default();
        late.for_each(|bit| {
            words(bit + 1).into_iter().for_each(|(way, item)| session.on(at((bit + 1) * 5000), way, item))
        });
        assert_eq!(said(&session), said(&one), "late as {dealt:04b}");
    }
}
