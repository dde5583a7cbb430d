use super::{
    super::{Header, playout::Kind},
    *,
};
use crate::quality::stream::mos;

fn key() -> StreamKey {
    let endpoint = |port| Endpoint { address: "192.0.2.1".parse().unwrap(), port };
    StreamKey { source: endpoint(1), destination: endpoint(2), ssrc: 7 }
}

fn stream() -> Stream {
    Stream::new(key(), None, Timestamp::default())
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

fn audio(clock_rate: u32) -> Timing {
    Timing { clock_rate, media: Media::Audio, silence_octets: 0 }
}

fn packet(ms: i64, sequence: u16, timestamp: u32, payload_type: u8) -> Packet<'static> {
    let header = Header { payload_type, marker: false, sequence, timestamp, ssrc: 7 };
    Packet { time: at(ms), header, bytes: &[0x80; 172], dscp: 46, ip_id: None }
}

fn feed(stream: &mut Stream, numbers: std::ops::Range<u16>, payload_type: u8, step: u32, timing: Option<Timing>) {
    for n in numbers {
        stream.on(&packet(i64::from(n) * 20, n, u32::from(n) * step, payload_type), |_| timing);
    }
}

#[test]
fn two_streams_leave_room_for_their_call_in_2_kib() {
    let mut stream = stream();
    feed(&mut stream, 0..9000, 0, 160, Some(audio(8000)));
    let (inline, heap) = (size_of::<Stream>(), stream.heap_bytes());
    assert!(inline + heap <= 560 && inline <= 384, "three minutes: {inline} bytes and {heap} on the heap");
}

#[test]
fn packets_before_the_sdp_are_measured_with_the_clock_rate_it_brings() {
    let mut stream = stream();
    feed(&mut stream, 0..40, 99, 960, None);
    assert_eq!(stream.jitter().max_ms(), None);
    stream.resolve(|_| Some(audio(48000)));
    feed(&mut stream, 40..80, 99, 960, None);
    assert_eq!(stream.jitter().max_ms(), Some(0.0));
    assert_eq!(stream.main_type().unwrap().timing().unwrap().clock_rate, 48000);
    assert_eq!((stream.counts().sounding, stream.playout().packets()), (80, 80), "none is left out");
}

#[test]
fn what_waits_for_a_clock_rate_is_bounded() {
    let mut stream = stream();
    feed(&mut stream, 0..5000, 99, 960, None);
    assert!(stream.heap_bytes() < limits::EARLY_PACKETS * 16 + 200, "{}", stream.heap_bytes());
}

#[test]
fn a_few_packets_give_no_mos_and_a_second_gives_one() {
    let mut stream = stream();
    feed(&mut stream, 0..49, 0, 160, Some(audio(8000)));
    assert_eq!(mos(&stream, Some("PCMU")), None);
    feed(&mut stream, 49..50, 0, 160, Some(audio(8000)));
    assert_eq!(mos(&stream, Some("PCMU")), Some(4.409));
    assert_eq!((mos(&stream, Some("X-unheard-of")), mos(&stream, None)), (None, None));
}

#[test]
fn a_hole_of_one_second_in_ten_is_below_4_2() {
    let mut stream = stream();
    feed(&mut stream, 0..250, 0, 160, Some(audio(8000)));
    feed(&mut stream, 300..500, 0, 160, Some(audio(8000)));
    assert!(mos(&stream, Some("PCMU")).unwrap() < 4.2);
}

#[test]
fn events_and_comfort_noise_do_not_disturb_the_jitter_of_the_voice() {
    let mut stream = stream();
    feed(&mut stream, 0..50, 0, 160, Some(audio(8000)));
    // An event's packets all have the timestamp of its beginning.
    let event = Timing { clock_rate: 8000, media: Media::Event, silence_octets: 0 };
    feed(&mut stream, 50..60, 101, 0, Some(event));
    feed(&mut stream, 60..61, 13, 160, Some(Timing { media: Media::Noise, ..event }));
    feed(&mut stream, 61..90, 0, 160, Some(audio(8000)));
    assert_eq!((stream.jitter().max_ms(), stream.packets()), (Some(0.0), 90));
    let counts = stream.counts();
    assert_eq!((counts.sounding, stream.silent(), stream.events()), (79, 1, 1), "ten packets are one digit");
}

#[test]
fn the_payload_type_with_most_packets_names_the_stream() {
    let mut stream = stream();
    feed(&mut stream, 0..3, 101, 160, Some(audio(8000)));
    feed(&mut stream, 3..10, 8, 160, Some(audio(8000)));
    feed(&mut stream, 10..30, 13, 160, Some(audio(8000)));
    assert_eq!(stream.main_type().unwrap().number(), 13);
    // More types than are counted apart do not grow anything.
    for payload_type in 20..60 {
        feed(&mut stream, 30..31, payload_type, 160, None);
    }
    assert_eq!(stream.packets(), 70);
}

#[test]
fn a_silence_descriptor_is_no_sound() {
    let mut stream = stream();
    let timing = Timing { silence_octets: 2, ..audio(8000) };
    for (n, length) in [(0, 32), (1, 14), (2, 22), (3, 12)] {
        let bytes = vec![0x80; length];
        stream.on(&Packet { bytes: &bytes, ..packet(n * 20, u16::try_from(n).unwrap(), 0, 18) }, |_| Some(timing));
    }
    // Nothing after the header: the capture has cut it off.
    assert_eq!((stream.counts().sounding, stream.silent()), (3, 1));
}

#[test]
fn a_pause_of_the_speaker_makes_no_jitter_and_nothing_late() {
    let mut stream = stream();
    feed(&mut stream, 0..50, 0, 160, Some(audio(8000)));
    // Five seconds of silence suppression; the timestamp goes on meanwhile, and the marker begins the next talkspurt
    // (RFC 3551, section 4.1). It comes 300 ms late, and so do the others.
    for n in 50..100_u16 {
        let mut next = packet(i64::from(n) * 20 + 5300, n, u32::from(n) * 160 + 40_000, 0);
        next.header.marker = n == 50;
        stream.on(&next, |_| None);
    }
    assert_eq!([Kind::Fixed50, Kind::Fixed200, Kind::Adaptive].map(|kind| stream.playout().late(kind).0), [0, 0, 0]);
    assert_eq!(stream.jitter().max_ms(), Some(18.75));
    assert_eq!(stream.counts().longest_gap, 5_320_000);
}

#[test]
fn late_packets_are_lost_for_a_short_buffer_only() {
    let mut stream = stream();
    for n in 0..1000_u16 {
        let delay = if n % 20 == 19 { 90 } else { 0 };
        stream.on(&packet(i64::from(n) * 20 + delay, n, u32::from(n) * 160, 0), |_| Some(audio(8000)));
    }
    let late = |kind| stream.playout().late(kind).0;
    assert_eq!((late(Kind::Fixed50), late(Kind::Fixed200)), (50, 0));
    assert!(late(Kind::Adaptive) <= 2, "{}", late(Kind::Adaptive));
    assert_eq!(stream.timeline().slots(stream.sequence().unwrap()).len(), 3);
}

#[test]
fn a_timestamp_that_begins_anew_is_no_delay() {
    let mut stream = stream();
    feed(&mut stream, 0..100, 0, 160, Some(audio(8000)));
    for n in 100..200_u16 {
        stream.on(&packet(i64::from(n) * 20, n, u32::from(n) * 160 + 3_000_000_000, 0), |_| None);
    }
    assert_eq!(stream.playout().late(Kind::Fixed50).0, 0);
    assert_eq!(stream.delay().max_ms(), Some(0.0));
}

#[test]
fn a_source_that_restarts_is_measured_anew() {
    let mut stream = stream();
    feed(&mut stream, 0..100, 0, 160, Some(audio(8000)));
    for n in 0..100_u16 {
        let number = 40_000 + n;
        stream.on(&packet(2000 + i64::from(n) * 20, number, u32::from(n) * 160 + 77_777, 0), |_| None);
    }
    let sequence = stream.sequence().unwrap();
    assert_eq!((sequence.lost(), sequence.restarts(), sequence.unique()), (0, 1, 200));
    assert_eq!(stream.jitter().max_ms(), Some(0.0));
}

#[test]
fn a_change_of_the_clock_rate_in_mid_stream_makes_no_jitter() {
    let mut stream = stream();
    feed(&mut stream, 0..100, 0, 160, Some(audio(8000)));
    feed(&mut stream, 100..200, 96, 960, Some(audio(48000)));
    feed(&mut stream, 200..300, 0, 160, None);
    assert_eq!((stream.jitter().max_ms(), stream.delay().max_ms()), (Some(0.0), Some(0.0)));
}

#[test]
fn the_code_point_of_the_first_packet_is_kept_and_a_change_noted() {
    let mut stream = stream();
    feed(&mut stream, 0..3, 0, 160, Some(audio(8000)));
    assert_eq!((stream.counts().dscp, stream.counts().dscp_changed), (46, false));
    stream.on(&Packet { dscp: 0, ..packet(60, 3, 480, 0) }, |_| None);
    assert_eq!((stream.counts().dscp, stream.counts().dscp_last, stream.counts().dscp_changed), (46, 0, true));
}

#[test]
fn whatever_comes_the_figures_fit_together() {
    let mut state = 4711_u64;
    let mut random = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for _ in 0..40 {
        let mut stream = stream();
        let mut now = 0_i64;
        for _ in 0..1500 {
            now += i64::try_from(random(60)).unwrap() - 5;
            let spread = 1 << (random(16) + 1);
            let number = u16::try_from(random(spread)).unwrap();
            let timestamp = u32::try_from(random(1 << 32)).unwrap();
            let payload_type = u8::try_from(random(6)).unwrap();
            let known = random(3) > 0;
            let clock = [8000, 0, 1, 48000, u32::MAX][usize::try_from(random(5)).unwrap()];
            stream.on(&packet(now, number, timestamp, payload_type), |_| known.then(|| audio(clock)));
            if random(100) == 0 {
                stream.resolve(|_| Some(audio(8000)));
            }
        }
        let sequence = stream.sequence().unwrap();
        assert_eq!(sequence.lost() + sequence.unique(), sequence.expected());
        assert_eq!(sequence.unique() + sequence.duplicates(), 1500);
        assert_eq!(u64::from(sequence.pattern().total()), sequence.lost());
        let slots = stream.timeline().slots(sequence);
        let packets: u64 = slots.iter().map(|slot| u64::from(slot.packets)).sum();
        assert_eq!(packets, sequence.unique());
        let playout = stream.playout();
        for kind in [Kind::Fixed50, Kind::Fixed200, Kind::Adaptive] {
            assert!(playout.late(kind).0 <= playout.packets() && playout.late(kind).1 <= playout.late(kind).0);
        }
    }
}

#[test]
fn the_distance_of_packets_is_that_of_speech_whatever_comes_in_the_pauses() {
    let mut stream = stream();
    let timing = Timing { silence_octets: 7, ..audio(8000) };
    feed(&mut stream, 0..100, 97, 160, Some(timing));
    // The side that listens at the end: descriptors every 160 ms with the next numbers and no marker.
    for n in 0..60_u16 {
        let silent = Packet {
            bytes: &[0x80; 19],
            ..packet(2000 + i64::from(n) * 160, 100 + n, 16_000 + u32::from(n) * 1280, 97)
        };
        stream.on(&silent, |_| Some(timing));
    }
    assert_eq!((stream.counts().interval, stream.counts().sounding, stream.silent()), (160, 100, 60));
    // So are single packets of another length.
    let last = packet(2000 + 60 * 160 + 60, 160, 16_000 + 60 * 1280 + 480, 97);
    stream.on(&last, |_| Some(timing));
    let after = packet(2000 + 60 * 160 + 120, 161, 16_000 + 60 * 1280 + 960, 97);
    stream.on(&after, |_| Some(timing));
    assert_eq!((stream.counts().interval, stream.counts().sounding), (160, 102));
}

#[test]
fn a_network_that_stands_still_makes_packets_late_and_a_sender_that_pauses_does_not() {
    let late = |hold_ms: i64, is_network: bool| {
        let mut stream = stream();
        for n in 0..400_u16 {
            let sent = i64::from(n) * 20;
            let came = match (n, is_network) {
                (..100, _) => sent,
                // All that was held back comes at once.
                (_, true) => sent.max(1980 + hold_ms),
                (_, false) => sent + hold_ms,
            };
            stream.on(&packet(came, n, u32::from(n) * 160, 0), |_| Some(audio(8000)));
        }
        (stream.playout().late(Kind::Fixed50).0, stream.delay().max_ms().unwrap())
    };
    // Half a second of late packets until the buffer has moved.
    assert_eq!(late(900, true).0, 25);
    assert_eq!(late(1500, true).0, 25);
    assert!(late(1500, true).1 > 1400.0);
    assert_eq!(late(1500, false).0, 0, "its timestamps do not count the pause");
    assert!(late(1500, false).1 < 1.0);
    assert_eq!(late(60_000, true).0, 0, "a minute is a new beginning");
}

#[test]
fn a_payload_type_that_gets_another_meaning_is_timed_anew() {
    let mut stream = stream();
    feed(&mut stream, 0..300, 96, 160, Some(audio(8000)));
    stream.resolve(|_| Some(audio(16_000)));
    for n in 300..600_u16 {
        stream.on(&packet(i64::from(n) * 20, n, 48_000 + u32::from(n - 300) * 320, 96), |_| None);
    }
    assert_eq!((stream.jitter().max_ms(), stream.clock_rate()), (Some(0.0), Some(16_000)));
    assert_eq!((stream.counts().interval, stream.counts().sounding), (320, 600));
}

#[test]
fn the_time_of_a_copy_is_no_distance_of_packets() {
    let mut stream = stream();
    for n in 0..100_u16 {
        stream.on(&packet(i64::from(n) * 20, n, u32::from(n) * 160, 0), |_| Some(audio(8000)));
        stream.on(&packet(i64::from(n) * 20 + 1, n, u32::from(n) * 160, 0), |_| Some(audio(8000)));
    }
    assert_eq!((stream.counts().shortest_gap, stream.counts().longest_gap), (20_000, 20_000));
    assert_eq!(stream.sequence().unwrap().copies(), 100);
}

#[test]
fn an_outage_is_lost_in_the_slots_in_which_it_was() {
    let mut stream = stream();
    feed(&mut stream, 0..250, 0, 160, Some(audio(8000)));
    feed(&mut stream, 1250..1600, 0, 160, Some(audio(8000)));
    let slots = stream.timeline().slots(stream.sequence().unwrap());
    let figures: Vec<_> = slots.iter().map(|slot| (slot.packets, slot.lost)).collect();
    assert_eq!(figures[..2], [(250, 250), (0, 499)]);
    assert_eq!((figures[2], figures[3]), ((250, 251), (100, 0)));
    assert_eq!(stream.sequence().unwrap().lost(), 1000);
    // A packet that comes late is taken back.
    stream.on(&packet(32_000, 1249, 1249 * 160, 0), |_| None);
    let lost: u32 = stream.timeline().slots(stream.sequence().unwrap()).iter().map(|slot| u32::from(slot.lost)).sum();
    assert_eq!(lost, 999);
}

#[test]
fn a_stream_whose_codec_nobody_names_keeps_its_first_packets_for_a_while_only() {
    let mut stream = stream();
    feed(&mut stream, 0..400, 96, 160, None);
    assert!(stream.heap_bytes() > 4000, "{}", stream.heap_bytes());
    feed(&mut stream, 400..600, 96, 160, None);
    assert!(stream.heap_bytes() < 600, "{}", stream.heap_bytes());
    // What an SDP names all the same is measured from then on.
    stream.resolve(|_| Some(audio(8000)));
    feed(&mut stream, 600..700, 96, 160, None);
    assert_eq!((stream.clock_rate(), stream.counts().sounding), (Some(8000), 100));
}

/// A talk with everything that happens to one, now and then: what the short way of a packet makes of it is what the long
/// one does.
#[test]
fn the_short_way_of_a_packet_is_no_other_than_the_long_one() {
    let mut state = 1_u64;
    let mut random = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let mut steady = 0;
    for trial in 0..60 {
        let timing = |number: u8| match number {
            0 => Some(audio(8000)),
            101 => Some(Timing { media: Media::Event, ..audio(8000) }),
            34 => Some(Timing { media: Media::Video, ..audio(90_000) }),
            18 => Some(Timing { silence_octets: 2, ..audio(8000) }),
            _ => None,
        };
        let [mut short, mut long] = [stream(), stream()];
        let (mut nanos, mut number, mut timestamp, mut kind) = (5_i64, 65_000_u16, u32::MAX - 9000, 0);
        for _ in 0..4000 {
            let odd = if random(20) == 0 { random(16) } else { 99 };
            (number, timestamp) = (number.wrapping_add(1), timestamp.wrapping_add(160));
            nanos += 20_000_000 + i64::try_from(random(if trial % 2 == 0 { 3 } else { 900_000 })).unwrap();
            match odd {
                0 => number = number.wrapping_add(u16::try_from(random(40)).unwrap()),
                1 => number = number.wrapping_sub(u16::try_from(random(40)).unwrap()),
                2 => number = u16::try_from(random(65_536)).unwrap(),
                3 => timestamp = timestamp.wrapping_add(u32::try_from(random(70_000)).unwrap()),
                4 => timestamp = timestamp.wrapping_sub(u32::try_from(random(2000)).unwrap()),
                5 => nanos += i64::try_from(random(15_000_000_000)).unwrap(),
                6 => nanos -= i64::try_from(random(300_000_000)).unwrap(),
                7 => kind = [0, 0, 0, 18, 34, 99][usize::try_from(random(6)).unwrap()],
                8 => nanos += 70_000_000,
                _ => {}
            }
            let header = Header {
                payload_type: if odd == 9 { 101 } else { kind },
                marker: odd == 10,
                sequence: number,
                timestamp,
                ssrc: 7,
            };
            let packet = Packet {
                time: Timestamp::from_nanos(nanos),
                header,
                bytes: if odd == 11 { &[0x80; 13] } else { &[0x80; 172] },
                dscp: if odd == 12 { 0 } else { 46 },
                ip_id: (odd != 13).then_some(number),
            };
            long.on_any(&packet, timing);
            match short.steady(&packet) {
                Some(()) => steady += 1,
                None => short.on_any(&packet, timing),
            }
        }
        assert_eq!(format!("{short:?}"), format!("{long:?}"), "trial {trial}");
    }
    assert!(steady > 100_000, "{steady}");
}
