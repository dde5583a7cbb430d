use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sniffer_core::{
    query::{CallKey, CallSummary},
    record::{
        CallDetails, CallRecord, CallState, HoldRecord, ReasonRecord, RtcpRecord, SlotRecord, StreamRecord,
        TransferRecord, VoipRecord, Who,
    },
    time::Timestamp,
};

use super::{
    names::{NAMES, Names},
    *,
};
use crate::store::{Detail, tests::template};

pub(super) fn written(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).add(value).unwrap();
    bytes
}

fn again<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> Vec<u8> {
    let bytes = written(value);
    let (back, end) = read::<T>(&bytes, 0).unwrap();
    assert_eq!((&back, end), (value, bytes.len()));
    bytes
}

/// Every field that is a list or may be nothing has something in it.
pub(super) fn full() -> (CallSummary, Detail) {
    let call = template();
    let some = |text: &str| Some(text.to_owned());
    let time = Timestamp::from_nanos(1_700_000_000_123_456_789);
    let details = CallDetails {
        reason: Some(ReasonRecord { q850: Some(16), sip: Some(200), text: some("Normal call clearing") }),
        holds: vec![HoldRecord { by: Who::Callee, start: time, end: Some(time) }],
        transfers: vec![TransferRecord {
            time,
            by: Who::Caller,
            attended: true,
            target: "sip:c@x".into(),
            referred_by: some("sip:a@x"),
            status: Some(202),
            outcome: None,
        }],
        diversion: vec![String::new(), "a".repeat(63), "b".repeat(64), "sip:caf\u{e9}@x".repeat(20)],
        correlation: Some(CallKey::from_bytes([0xa5; 16])),
        ..(*call.record.details).clone()
    };
    let record = CallRecord { details: Box::new(details), answered: Some(time), ..call.record };
    let voip = VoipRecord { loss_rate: 0.1 + 0.2, r_factor: Some(93), ..VoipRecord::default() };
    let rtcp = RtcpRecord { lost: Some(-7), bye: Some(time), voip: Some(Box::new(voip)), ..RtcpRecord::default() };
    let stream = StreamRecord {
        rtcp: Some(Box::new(rtcp)),
        timeline: vec![SlotRecord { mos: Some(4.4094), packets: 500, ..SlotRecord::default() }; 3],
        ..call.streams.first().cloned().unwrap()
    };
    (call.summary, Detail { record, streams: vec![stream.clone(), stream] })
}

#[test]
fn a_call_with_everything_reads_back_as_it_was() {
    let (summary, detail) = full();
    let mut bytes = vec![1, 2, 3];
    let mut writer = Writer::new(&mut bytes);
    writer.add(&summary).unwrap();
    writer.add(&detail).unwrap();
    let (first, end) = read::<CallSummary>(&bytes, 3).unwrap();
    let (second, end) = read::<Detail>(&bytes, end).unwrap();
    assert_eq!((&first, &second, end), (&summary, &detail, bytes.len()));
    let json = serde_json::to_string(&(&summary, &detail)).unwrap();
    assert!(bytes.len() * 4 < json.len(), "{} octets, {} as JSON", bytes.len(), json.len());
    again(&CallRecord::default());
    again(&StreamRecord::default());
}

#[test]
fn every_name_of_a_record_has_a_number() {
    fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            found.insert(name.clone());
            names(value, found);
        }
        value.as_array().into_iter().flatten().for_each(|value| names(value, found));
    }
    let (summary, detail) = full();
    let mut found = BTreeSet::new();
    names(&serde_json::to_value((summary, detail)).unwrap(), &mut found);
    found.retain(|name| Names::get().number(name).is_none());
    assert!(found.is_empty(), "add these to the end of NAMES in names.rs: {found:?}");
}

#[test]
fn numbers_of_names_are_on_disk_and_stay() {
    let names = NAMES.get(..187).unwrap();
    assert_eq!(
        crc32fast::hash(names.join("\n").as_bytes()),
        0x619fc8fe,
        "names are added at the end, no others change"
    );
    assert_eq!(NAMES.iter().collect::<BTreeSet<_>>().len(), NAMES.len(), "each name once");
    for (number, name) in NAMES.iter().enumerate() {
        assert_eq!(Names::get().number(name), Some(number));
    }
    assert_eq!(Names::get().number("no such name"), None);
}

#[test]
fn figures_read_back_to_the_last_bit() {
    let mut random = 1_u64;
    let figures = (0..20_000_u32).map(|step| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step.into());
        match step % 4 {
            0 => f64::from_bits(random),
            1 => f64::from(u32::try_from(random >> 32).unwrap()) / 10_000.0,
            2 => f64::from(u32::try_from(random >> 33).unwrap()) / 1000.0,
            _ => f64::from(step) / 3.0,
        }
    });
    let odd = [0.0, -0.0, 1.0, 255.0, 256.0, 429_496.729_5, 429_496.729_6, 1e15, 1e300, -1.5, f64::NAN, f64::INFINITY];
    for figure in figures.chain(odd) {
        let bytes = written(&figure);
        let (back, end) = read::<f64>(&bytes, 0).unwrap();
        assert_eq!((back.to_bits(), end), (figure.to_bits(), bytes.len()), "{figure}");
    }
    assert_eq!((written(&20.0_f64).len(), written(&4.4094_f64).len(), written(&12.3456_f64).len()), (2, 3, 5));
    for number in [0, 127, 128, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX] {
        again(&number);
    }
    for number in [0, -1, i64::MIN, i64::MAX] {
        again(&number);
    }
    again(&4.5_f32);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(Option<u8>),
    Pair(u8, String),
    Fields { a: Option<String>, b: BTreeMap<String, Option<u8>> },
}

#[test]
fn everything_that_serde_knows_reads_back() {
    again(&vec![Shape::Unit, Shape::New(None), Shape::New(Some(9)), Shape::Pair(1, "x".repeat(70_000))]);
    let map = BTreeMap::from([("mos".to_owned(), None), ("no such name at all".to_owned(), Some(3))]);
    again(&Shape::Fields { a: None, b: map });
    again(&BTreeMap::from([(CallState::Busy, ('q', true, ()))]));
    again(&(vec![(); 0], Some(String::new()), [7_u16; 3]));
    // A text after a field that was taken back does not refer into it.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Odd {
        field_without_number: Option<u8>,
        text: String,
        same: String,
    }
    let same = "field_without_number".to_owned();
    again(&Odd { field_without_number: None, text: same.clone(), same });
}

#[test]
fn a_version_reads_what_another_one_wrote() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Before {
        packets: u64,
        gone: Vec<Vec<u8>>,
        mos: Option<f64>,
    }
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct After {
        packets: u64,
        mos: Option<f64>,
        added: u32,
    }
    let bytes = written(&Before { packets: 5, gone: vec![vec![1], vec![]], mos: Some(1.5) });
    assert_eq!(read::<After>(&bytes, 0).unwrap().0, After { packets: 5, mos: Some(1.5), added: 0 });
    let bytes = written(&After { added: 3, ..After::default() });
    assert_eq!(read::<After>(&bytes, 0).unwrap().0.added, 3);
    assert!(read::<Before>(&bytes, 0).is_err(), "a field without a default is missed");
}

#[test]
fn octets_cut_or_changed_are_refused_or_read_and_never_a_panic() {
    let (summary, detail) = full();
    let bytes = written(&(summary, detail));
    for cut in 0..bytes.len() {
        assert!(read::<(CallSummary, Detail)>(&bytes[..cut], 0).is_err(), "{cut}");
    }
    let mut refused = 0;
    for place in 0..bytes.len() {
        for change in [1, 0x40, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            refused += u32::from(read::<(CallSummary, Detail)>(&changed, 0).is_err());
        }
    }
    assert!(refused > 1000, "{refused}");
    let deep = vec![LIST; 100_000];
    assert!(matches!(read::<serde_json::Value>(&deep, 0), Err(CompactError::Depth)));
    assert!(matches!(read::<String>(&[AGAIN, 0, 0], 0), Err(CompactError::Text)), "a reference to itself");
}
