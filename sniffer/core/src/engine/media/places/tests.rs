use std::sync::Arc;

use super::*;
use crate::sdp::Codec;

fn endpoint(port: u16) -> Endpoint {
    Endpoint { address: [192, 0, 2, 1].into(), port }
}

fn announcement(port: u16, codecs: &[(u8, &'static str, u32)]) -> Announcement {
    let codec = |&(number, name, rate): &(u8, &'static str, u32)| Codec::new(number, name.into(), rate);
    Announcement { codecs: codecs.iter().map(codec).collect(), ..Announcement::audio(endpoint(port)) }
}

fn expectation(call: CallSerial, rank: Rank) -> Expectation {
    Expectation { call, side: Side::Caller, rank, fax: false }
}

#[test]
fn a_call_without_surprises_takes_little_beside_its_streams() {
    assert!(size_of::<CallMedia>() <= 88, "{}", size_of::<CallMedia>());
    assert!(size_of::<Announced>() <= 48, "{}", size_of::<Announced>());
}

#[test]
fn calls_that_name_the_same_codecs_share_them_and_others_do_not() {
    let mut calls = Calls::new(1);
    let list = [(101, "telephone-event", 8000), (0, "PCMU", 8000)];
    let serials = [1, 2, 3].map(|count| CallSerial::new(count, u32::try_from(count).unwrap()));
    calls.announce(serials[0], &announcement(4000, &list));
    calls.announce(serials[1], &announcement(4002, &list));
    calls.announce(serials[2], &announcement(4004, &[(101, "telephone-event", 48_000)]));
    assert_eq!((calls.lately.codings.len(), Arc::strong_count(&calls.lately.codings[0])), (2, 3));
    // What one of them says later is its own.
    calls.announce(serials[1], &announcement(4002, &[(96, "opus", 48_000)]));
    let named = |serial: CallSerial, number| calls.get(serial).unwrap().codec(number, endpoint(1)).map(|one| one.1);
    assert_eq!((named(serials[0], 101), named(serials[0], 96)), (Some(8000), None));
    assert_eq!((named(serials[1], 101), named(serials[1], 96)), (Some(8000), Some(48_000)));
    assert_eq!((named(serials[2], 101), named(serials[2], 8)), (Some(48_000), Some(8000)));
    for number in 0..200_u8 {
        calls.announce(serials[0], &announcement(5000 + u16::from(number), &[(number, "opus", 16_000)]));
    }
    assert_eq!(calls.lately.codings.len(), limits::SHARED_CODINGS);
}

#[test]
fn descriptions_without_end_take_bounded_memory_and_mark_the_call() {
    let mut calls = Calls::new(1);
    let call = CallSerial::new(1, 1);
    for port in 0..20_u8 {
        let list: Vec<_> = (0..64).map(|number| (number, "opus", 1000 * u32::from(port) + 7)).collect();
        calls.announce(call, &announcement(u16::from(port), &list));
    }
    let known = calls.get(call).unwrap();
    let held: usize = known.announced.iter().filter_map(|one| one.codings.as_deref()).map(heap_bytes).sum();
    assert!((1000..=limits::CALL_CODING_BYTES).contains(&held), "{held}");
    assert_eq!((known.announced.len(), known.refused), (20, 19), "one list of 64 is taken");
}

#[test]
fn an_endpoint_has_one_call_and_a_call_that_ends_leaves_what_others_have() {
    let mut calls = Calls::new(1);
    let [one, other] = [1, 2].map(|count| CallSerial::new(count, u32::try_from(count).unwrap()));
    let whose = |calls: &Calls, port| calls.expectation(&endpoint(port)).map(|found| (found.call, found.rank));
    calls.announce(one, &announcement(4000, &[]));
    calls.announce(other, &announcement(4000, &[]));
    assert!(calls.take_endpoint(endpoint(4000), expectation(one, Rank::Announced)).is_none());
    assert!(!calls.expect_also(endpoint(4000), expectation(other, Rank::Candidate), 9));
    assert!(calls.expect_also(endpoint(5000), expectation(one, Rank::Learnt), 1));
    assert!(!calls.expect_also(endpoint(5001), expectation(one, Rank::Learnt), 1));
    assert_eq!(whose(&calls, 5000), Some((one, Rank::Learnt)));
    // What was only learnt is taken by who announces it.
    calls.announce(other, &announcement(5000, &[]));
    let old = calls.take_endpoint(endpoint(5000), expectation(other, Rank::Announced)).unwrap();
    assert_eq!((old.call, old.rank), (one, Rank::Learnt));
    let old = calls.take_endpoint(endpoint(4000), expectation(other, Rank::Announced)).unwrap();
    assert_eq!((old.call, old.rank), (one, Rank::Announced));
    assert_eq!(calls.sizes(), (2, 2));
    assert!(calls.remove(one).is_some() && calls.remove(one).is_none());
    assert_eq!(whose(&calls, 4000), Some((other, Rank::Announced)));
    // Another call at the same place of the table is not the one that was there.
    assert!(calls.get(CallSerial::new(7, 2)).is_none());
    assert!(calls.remove(other).is_some());
    assert_eq!((calls.sizes(), whose(&calls, 4000)), ((0, 0), None));
}

#[test]
fn what_a_nat64_shows_of_an_ipv4_place_is_found_and_nothing_else_of_ipv6() {
    let mut calls = Calls::new(1);
    let call = CallSerial::new(1, 1);
    calls.announce(call, &announcement(4000, &[]));
    assert!(calls.take_endpoint(endpoint(4000), expectation(call, Rank::Announced)).is_none());
    let whose = |address: &str, port| {
        calls.expectation(&Endpoint { address: address.parse().unwrap(), port }).map(|found| found.call)
    };
    assert_eq!((whose("64:ff9b::192.0.2.1", 4000), whose("64:ff9b::c000:201", 4000)), (Some(call), Some(call)));
    assert_eq!((whose("64:ff9b::c000:202", 4000), whose("64:ff9b::c000:201", 4002)), (None, None));
    assert_eq!((whose("64:ff9b:0:1::c000:201", 4000), whose("2001:db8::c000:201", 4000)), (None, None));
}

#[test]
fn a_place_that_media_of_several_kinds_share_has_no_kind_of_its_own() {
    let mut calls = Calls::new(1);
    let call = CallSerial::new(1, 1);
    let video = Announcement { kind: Kind::Video, ..announcement(4000, &[(34, "H263", 90_000), (97, "rtx", 90_000)]) };
    calls.announce(call, &announcement(4000, &[(96, "opus", 48_000)]));
    let kind = |calls: &Calls, number| calls.get(call).unwrap().kind(Some(number), endpoint(1), endpoint(4000));
    assert_eq!((kind(&calls, 96), kind(&calls, 0)), (Some(Kind::Audio), Some(Kind::Audio)));
    calls.announce(call, &video);
    assert_eq!((kind(&calls, 96), kind(&calls, 97), kind(&calls, 0)), (Some(Kind::Audio), Some(Kind::Video), None));
    // A fax later at the same place does not change what its voice was.
    calls.announce(call, &announcement(4002, &[]));
    let fax = Announcement { kind: Kind::Image, protocol: crate::sdp::Protocol::Udptl, ..announcement(4002, &[]) };
    calls.announce(call, &fax);
    assert_eq!(calls.get(call).unwrap().kind(Some(0), endpoint(4002), endpoint(1)), Some(Kind::Audio));
}
