//! Calls for tests, here and in other modules, and what the store does with them.

use sniffer_core::{
    decode::LinkType,
    engine::{EndedCall, Engine, Event, FrameMeta, Settings},
    query::{CallFilter, Comparison, DirectionQuality, NumberFilter, Party},
    record::CallState,
    time::Timestamp,
};

use redb::ReadableTable;

use super::{retain::Bounds, *};
use crate::disk::{RealDisk, simulated::Simulated};
use crate::limits;

/// A moment of the tests.
pub fn at(second: u64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + second, 0)
}

/// An empty disk.
pub fn disk() -> Arc<dyn Disk> {
    Arc::new(Simulated::new())
}

/// Opens the store on it.
pub fn open(disk: &Arc<dyn Disk>) -> Result<Store, StoreError> {
    Store::open(disk, std::path::Path::new("/store"), at(0))
}

/// A call that started at this second.
pub fn call(second: u64, state: CallState) -> Kept {
    let start = at(second);
    let call_id = format!("call-{second}@x");
    let quality = DirectionQuality {
        codec: Some("PCMU".into()),
        packets: 100,
        lost: second % 10,
        expected: 100,
        jitter_ms_mean: Some(1.5),
        jitter_ms_max: Some(9.5),
        mos: Some(4.4 - f32::from(u8::try_from(second % 10).unwrap()) / 5.0),
    };
    let code = if second.is_multiple_of(7) { 503 } else { 200 };
    let EndedCall { mut record, mut streams, mut summary, .. } = template();
    record.call_id.clone_from(&call_id);
    record.from = format!("sip:+35121{second:06}@192.0.2.1");
    record.to = "sip:4711@example.org".into();
    (record.start, record.answered, record.state, record.final_status) = (start, None, state, Some(code));
    record.end = state.is_final().then_some(start);
    summary.id = CallKey::new(start, &call_id);
    (summary.from, summary.to) = (record.from.clone(), record.to.clone());
    (summary.start, summary.answered, summary.end) = (start, None, record.end);
    (summary.state, summary.final_status, summary.lost_here) = (state, Some(code), false);
    summary.call_id.clone_from(&call_id);
    (summary.caller_to_callee, summary.callee_to_caller) = (Some(quality), None);
    streams.truncate(1);
    for stream in &mut streams {
        stream.ssrc = u32::try_from(second).unwrap();
        stream.src = format!("192.0.2.{}:4000", second % 200);
        stream.dst = "[2001:db8::1]:5000".into();
        (stream.start, stream.end, stream.lost) = (start, start, second % 10);
        stream.call_id = Some(call_id.clone());
    }
    let detail = state.is_final().then_some(Detail { record, streams });
    Kept { summary, detail, packets: Some(PacketsOf { run: 5, serial: second }), is_last: state.is_final() }
}

/// A call as the engine makes it: other fields than those that are set here stay what they are.
pub fn template() -> EndedCall {
    static CALL: std::sync::OnceLock<EndedCall> = std::sync::OnceLock::new();
    CALL.get_or_init(|| {
        let mut engine = Engine::new(Settings::default());
        let mut number = 0;
        let mut frame = |source: u8, destination: u8, ports: (u16, u16), payload: &[u8]| {
            let length = u16::try_from(payload.len()).unwrap();
            let mut bytes = vec![0x45, 0];
            bytes.extend((length + 28).to_be_bytes());
            bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source, 192, 0, 2, destination]);
            bytes.extend(ports.0.to_be_bytes());
            bytes.extend(ports.1.to_be_bytes());
            bytes.extend((length + 8).to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(payload);
            number += 1;
            engine.frame(LinkType::RawIp, FrameMeta { time: at(number), vlan: None }, &bytes);
        };
        let message = |start: &str, cseq: &str, tag: &str, body: &str| {
            let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
            format!(
                "{start}\r\nCall-ID: t\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>{tag}\r\nCSeq: {cseq}\r\n\
                 Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n{kind}\r\n{body}"
            )
        };
        let sdp = "v=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n";
        frame(1, 2, (5060, 5060), message("INVITE sip:b@x SIP/2.0", "1 INVITE", "", "").as_bytes());
        frame(2, 1, (5060, 5060), message("SIP/2.0 200 OK", "1 INVITE", ";tag=b", sdp).as_bytes());
        for sequence in 0..5 {
            let mut rtp = vec![0x80, 0, 0, sequence, 0, 0, 0, sequence, 0, 0, 0, 9];
            rtp.extend([0xff; 160]);
            frame(1, 2, (4000, 5000), &rtp);
        }
        frame(1, 2, (5060, 5060), message("BYE sip:b@x SIP/2.0", "2 BYE", ";tag=b", "").as_bytes());
        engine.finish();
        loop {
            if let Event::Call(call) = engine.next_event().expect("a call") {
                assert_eq!(call.streams.len(), 1);
                return *call;
            }
        }
    })
    .clone()
}

pub(super) fn seconds(calls: &[CallSummary]) -> Vec<u64> {
    calls.iter().map(|call| call.start.as_micros() / 1_000_000 - 1_700_000_000).collect()
}

pub(super) fn completed(range: impl Iterator<Item = u64>) -> Vec<Kept> {
    range.map(|second| call(second, CallState::Completed)).collect()
}

/// All that fit, asked for in pages.
pub(super) fn all(store: &Store, filter: &CallFilter, limit: usize) -> Vec<u64> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.search(filter, limit, before).unwrap();
        assert!(page.calls.len() <= limit);
        found.extend(seconds(&page.calls));
        match page.next {
            Some(next) => {
                assert!(before.is_none_or(|before| next < before), "a page goes on");
                before = Some(next);
            }
            None => return found,
        }
    }
}

pub(super) fn number(text: &str, how: Comparison, party: Party) -> CallFilter {
    CallFilter { number: Some(NumberFilter { text: text.into(), how, party }), ..CallFilter::default() }
}

#[test]
fn calls_survive_a_reopening_on_a_real_disk_and_come_newest_first_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let path = folder.path().join("a/b");
    let store = Store::open(&disk, &path, at(0)).unwrap();
    assert!(matches!(Store::open(&disk, &path, at(0)), Err(StoreError::Busy { .. })));
    store.write(&completed(1..=10), Some(at(100))).unwrap();
    drop(store);
    let store = Store::open(&disk, &path, at(0)).unwrap();
    let first = store.page(4, None).unwrap();
    assert_eq!((seconds(&first.calls), first.more), (vec![10, 9, 8, 7], true));
    let last = store.page(6, Some(first.calls[3].id)).unwrap();
    assert_eq!((seconds(&last.calls), last.more), (vec![6, 5, 4, 3, 2, 1], false));
    assert_eq!(store.count().unwrap(), 10);
    let (detail, packets) = store.call(first.calls[0].id).unwrap().unwrap();
    assert_eq!(
        (detail.streams.len(), detail.streams[0].ssrc, packets),
        (1, 10, Some(PacketsOf { run: 5, serial: 10 }))
    );
    assert_eq!(detail.record.unwrap().call_id, "call-10@x");
}

#[test]
fn a_call_is_found_by_everything_that_was_asked_for_in_runs_and_in_memory() {
    let disk = disk();
    let store = open(&disk).unwrap();
    let many = u64::try_from(limits::STORE_RUN).unwrap();
    // Two runs, whose times overlap, each with one of the oldest calls beside it, and some calls in memory.
    store.write(&completed((0..many * 2).step_by(2)), Some(at(0))).unwrap();
    store.write(&completed((1..many * 2).step_by(2)), Some(at(0))).unwrap();
    store.write(&completed(many * 2..many * 2 + 50), Some(at(0))).unwrap();
    assert_eq!((store.0.index.read().unwrap().runs.len(), store.0.index.read().unwrap().fresh_calls), (4, 50));
    let newest = many * 2 + 49;
    let mut store = Some(store);
    for _ in 0..2 {
        let opened = store.take().unwrap_or_else(|| open(&disk).unwrap());
        let store = &opened;
        let exact = |second: u64| number(&format!("+351 21-{second:06}"), Comparison::Exact, Party::Either);
        for second in [0, 1, 777, 2001, newest] {
            assert_eq!(all(store, &exact(second), 9), [second]);
            let call_id = CallFilter { call_id: Some(format!("call-{second}@x")), ..CallFilter::default() };
            assert_eq!(all(store, &call_id, 9), [second]);
        }
        assert_eq!(
            all(store, &number("351210040", Comparison::Prefix, Party::Caller), 9),
            (4000..=newest).rev().collect::<Vec<_>>()
        );
        let ends: Vec<u64> = (0..=newest).rev().filter(|second| second % 1000 == 777).collect();
        assert_eq!(all(store, &number("777", Comparison::Suffix, Party::Either), 5), ends);
        assert!(all(store, &number("777", Comparison::Suffix, Party::Callee), 5).is_empty());
        assert_eq!(store.search(&number("4711", Comparison::Exact, Party::Callee), 3, None).unwrap().calls.len(), 3);
        let window = CallFilter { since: Some(at(500)), until: Some(at(520)), ..CallFilter::default() };
        assert_eq!(all(store, &window, 7), (500..520).rev().collect::<Vec<_>>());
        let failed = CallFilter { codes: Some((500, 599)), ..window.clone() };
        assert_eq!(all(store, &failed, 7), [518, 511, 504]);
        let bad = CallFilter { mos_below: Some(2.8), loss_above: Some(8.5), ..window.clone() };
        assert_eq!(all(store, &bad, 7), [519, 509]);
        let states = CallFilter { states: vec![CallState::Busy], ..CallFilter::default() };
        assert!(all(store, &states, 7).is_empty(), "many empty pages, and an end");
        let address = CallFilter { address: Some("192.0.2.7".parse().unwrap()), ..CallFilter::default() };
        let wanted: Vec<u64> = (0..=newest).rev().filter(|second| second % 200 == 7).collect();
        assert_eq!(all(store, &address, 1000), wanted);
        let both = CallFilter { address: address.address, ..number("351210", Comparison::Prefix, Party::Either) };
        assert_eq!(all(store, &both, 1000), wanted);
        assert_eq!(store.damaged(), 0);
    }
}

#[test]
fn a_call_in_progress_is_found_and_interrupted_by_a_restart_and_an_ended_one_is_not() {
    let disk = disk();
    let store = open(&disk).unwrap();
    store.write(&[call(1, CallState::InCall), call(2, CallState::InCall)], Some(at(9))).unwrap();
    assert_eq!(all(&store, &number("35121000001", Comparison::Exact, Party::Caller), 9), [1]);
    store.write(&[call(2, CallState::Completed)], Some(at(9))).unwrap();
    assert_eq!(all(&store, &CallFilter::default(), 9), [2, 1]);
    // It has ended, and is still watched.
    store.write(&[Kept { is_last: false, ..call(3, CallState::Busy) }], Some(at(9))).unwrap();
    // A snapshot that comes after the end changes nothing.
    store.write(&[call(2, CallState::InCall)], Some(at(9))).unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    let states: Vec<_> = store.page(9, None).unwrap().calls.iter().map(|call| (call.state, call.lost_here)).collect();
    assert_eq!(states, [(CallState::Busy, false), (CallState::Completed, false), (CallState::Interrupted, true)]);
    assert_eq!(
        store.unarchived(u64::MAX).unwrap().unwrap().calls.len(),
        3,
        "those that ended, and the one that was interrupted"
    );
}

#[test]
fn the_oldest_calls_go_first_with_their_index_by_number_size_and_age() {
    let store = open(&disk()).unwrap();
    let many = u64::try_from(limits::STORE_RUN).unwrap();
    store.write(&completed(0..many), Some(at(0))).unwrap();
    store.write(&completed(many..many + 100), Some(at(0))).unwrap();
    let all_of_it = Bounds { calls: u64::MAX, bytes: u64::MAX, since: Timestamp::default() };
    assert_eq!(store.retain(&all_of_it).unwrap(), (0, 0));
    let retain = |bounds: &Bounds| while store.retain(bounds).unwrap().0 > 0 {};
    let (count, bytes) = (store.count().unwrap(), store.bytes());
    retain(&Bounds { bytes: bytes / 2, ..all_of_it });
    assert!(store.count().unwrap().abs_diff(count / 2) < 200 && store.bytes() <= bytes / 2);
    retain(&Bounds { calls: 70, ..all_of_it });
    assert_eq!((store.count().unwrap(), store.0.index.read().unwrap().runs.len()), (70, 0));
    retain(&Bounds { since: at(many + 90), ..all_of_it });
    assert_eq!(all(&store, &CallFilter::default(), 100), (many + 90..many + 100).rev().collect::<Vec<_>>());
    retain(&Bounds { calls: 0, ..all_of_it });
    assert_eq!((store.count().unwrap(), store.bytes()), (0, 0));
}

#[test]
fn a_damaged_value_is_passed_over_and_counted() {
    let store = open(&disk()).unwrap();
    store.write(&completed(1..=2), Some(at(0))).unwrap();
    let key = call(1, CallState::Completed).summary.id.to_bytes();
    let writing = store.begin().unwrap();
    {
        let mut calls = writing.open_table(CALLS).unwrap();
        let mut value = calls.get(&key).unwrap().unwrap().value().to_vec();
        value[30] ^= 1;
        calls.insert(&key, &value[..]).unwrap();
    }
    writing.commit().unwrap();
    assert_eq!((seconds(&store.page(9, None).unwrap().calls), store.damaged()), (vec![2], 1));
}

#[test]
fn another_format_is_refused_and_left_as_it_is() {
    let disk = disk();
    let store = open(&disk).unwrap();
    let writing = store.begin().unwrap();
    writing.open_table(META).unwrap().insert("format", &b"callward calls 99"[..]).unwrap();
    writing.commit().unwrap();
    drop(store);
    for _ in 0..2 {
        assert!(matches!(open(&disk), Err(StoreError::Format { .. })));
    }
}

#[test]
fn a_cut_or_damaged_database_opens_whole_or_says_so_and_its_file_stays() {
    let (mut opened, mut refused) = (0, 0);
    for part in 0..32_usize {
        let plain = Simulated::new();
        let disk: Arc<dyn Disk> = Arc::new(plain.clone());
        let store = open(&disk).unwrap();
        store.write(&completed(1..=200), Some(at(0))).unwrap();
        drop(store);
        let file = std::path::Path::new("/store").join(super::kind::CALLS.file);
        plain.damage(std::path::Path::new("/store/lock"), |bytes| bytes[0] = 9);
        plain.damage(&file, |bytes| {
            let at = bytes.len() * part / 32;
            if part.is_multiple_of(2) {
                bytes.truncate(at);
            } else {
                bytes[at..at + 64].fill(0x5a);
            }
        });
        match open(&disk) {
            Ok(store) => {
                let calls = store.page(1000, None).unwrap().calls;
                // Room of the file that holds nothing may be damaged without harm.
                assert!(calls.len() == 200, "part {part}: {} calls", calls.len());
                opened += 1;
            }
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        StoreError::Database { .. } | StoreError::Folder { .. } | StoreError::Format { .. }
                    ),
                    "{error}"
                );
                refused += 1;
            }
        }
        assert!(plain.contents().contains_key(&file));
    }
    assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
    // A file in the place of the folder.
    let file = tempfile::NamedTempFile::new().unwrap();
    let real: Arc<dyn Disk> = Arc::new(RealDisk);
    assert!(matches!(Store::open(&real, file.path(), at(0)), Err(StoreError::Folder { .. })));
}
