//! Registrations, subscriptions, exchanges and streams without a call: what was read or captured is found by each of its
//! keys, archived, and its packets can be cut out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value;
use sniffer::{
    disk::{Disk, RealDisk},
    packets::{MediaKept, PacketStore, Settings},
    store::Store,
};
use sniffer_core::{
    query::{Comparison, NumberFilter, Party, RecordFilter, RecordKind, RecordRow, Request, Response},
    record::OtherRecord,
    search::records::{addresses, codes, sides},
    time::Timestamp,
};

use crate::{
    captures,
    command_line::sniffer,
    daemon::{Daemon, counters},
};

/// A frame of IPv4 and UDP between two hosts of 192.0.2.0/24.
fn udp(source: (u8, u16), destination: (u8, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut bytes = vec![0x45, 0];
    bytes.extend((length + 28).to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source.0, 192, 0, 2, destination.0]);
    bytes.extend([source.1.to_be_bytes(), destination.1.to_be_bytes(), (length + 8).to_be_bytes(), [0, 0]].concat());
    bytes.extend(payload);
    bytes
}

/// A frame of IPv4 and TCP to a registrar.
fn tcp(sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend(u16::try_from(payload.len() + 40).unwrap().to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 6, 192, 0, 2, 2]);
    bytes.extend([5060_u16.to_be_bytes(), 5060_u16.to_be_bytes()].concat());
    bytes.extend([sequence.to_be_bytes(), 1_u32.to_be_bytes()].concat());
    bytes.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend(payload);
    bytes
}

fn message(start: &str, call: &str, cseq: &str, sides: (&str, &str), more: &str) -> Vec<u8> {
    let (from, to) = sides;
    let branch = format!("z9hG4bK{call}{}", cseq.replace(' ', ""));
    format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nCall-ID: {call}\r\nFrom: <sip:{from}@example.org>;tag=a\r\n\
         To: <sip:{to}@example.org>\r\nCSeq: {cseq}\r\n{more}Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// A registration, one over TCP in two segments, a subscription, two keep-alives, a text, and a stream without a call.
fn frames() -> Vec<Vec<u8>> {
    let (phone, proxy) = ((1, 5060), (2, 5060));
    let ok = "SIP/2.0 200 OK";
    let mine = ("+35121555001", "+35121555001");
    let contact = "Contact: <sip:line7@192.0.2.1:5060>\r\nExpires: 600\r\n";
    let register = message("REGISTER sip:example.org SIP/2.0", "reg-1", "1 REGISTER", mine, contact);
    let watch = message(
        "SUBSCRIBE sip:lamp@example.org SIP/2.0",
        "sub-1",
        "1 SUBSCRIBE",
        ("4711", "lamp"),
        "Event: dialog\r\n",
    );
    let over_tcp = message("REGISTER sip:example.org SIP/2.0", "reg-2", "1 REGISTER", ("anna", "anna"), "");
    let (one, two) = over_tcp.split_at(100);
    let mut frames = vec![
        udp(phone, proxy, &register),
        udp(proxy, phone, &message(ok, "reg-1", "1 REGISTER", mine, contact)),
        udp((4, 5060), proxy, &watch),
        udp(
            proxy,
            (4, 5060),
            &message("SIP/2.0 202 Accepted", "sub-1", "1 SUBSCRIBE", ("4711", "lamp"), "Expires: 60\r\n"),
        ),
        tcp(1000, one),
        tcp(1100, two),
        udp((3, 5060), proxy, &message("OPTIONS sip:x SIP/2.0", "opt-1", "1 OPTIONS", ("probe", "x"), "")),
        udp(proxy, (3, 5060), &message(ok, "opt-1", "1 OPTIONS", ("probe", "x"), "")),
        udp((3, 5060), proxy, &message("OPTIONS sip:x SIP/2.0", "opt-2", "1 OPTIONS", ("probe", "x"), "")),
        udp((5, 5060), proxy, &message("MESSAGE sip:y SIP/2.0", "txt-1", "1 MESSAGE", ("bert", "y"), "")),
        udp(proxy, (5, 5060), &message("SIP/2.0 404 Nobody", "txt-1", "1 MESSAGE", ("bert", "y"), "")),
    ];
    for n in 0..60_u16 {
        let mut rtp = vec![0x80, 8];
        rtp.extend(n.to_be_bytes());
        rtp.extend((u32::from(n) * 160).to_be_bytes());
        rtp.extend(77_u32.to_be_bytes());
        rtp.extend([0xd5; 160]);
        frames.push(udp((7, 4000), (8, 5000), &rtp));
    }
    frames
}

fn write(folder: &Path) -> PathBuf {
    let file = folder.join("kinds.pcap");
    let mut bytes = Vec::new();
    for number in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 101] {
        bytes.extend(number.to_le_bytes());
    }
    for (frame, place) in frames().iter().zip(0_u32..) {
        let length = u32::try_from(frame.len()).unwrap();
        for number in [1_795_000_000 + place / 50, place % 50 * 20_000, length, length] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(frame);
    }
    fs::write(&file, bytes).unwrap();
    file
}

/// The stores of a folder.
struct Kept {
    stores: BTreeMap<RecordKind, Store>,
    packets: PacketStore,
}

impl Kept {
    fn open(folder: &Path) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let store = |kind: RecordKind| {
            (kind, Store::open_records(kind, &disk, &folder.join(kind.plural()), Timestamp::default()).unwrap())
        };
        let (packets, _) = PacketStore::new(Settings { run: 1, media: MediaKept::Headers, floor: 0, waits: false });
        packets.open(&disk, &folder.join("packets")).unwrap();
        Self { stores: RecordKind::ALL.into_iter().map(store).collect(), packets }
    }

    fn search(&self, filter: &RecordFilter) -> Vec<RecordRow> {
        let (mut rows, mut before) = (Vec::new(), None);
        loop {
            let found = self.stores[&filter.kind].search_records(filter, 50, before).unwrap();
            rows.extend(found.rows);
            before = found.next;
            if before.is_none() {
                return rows;
            }
        }
    }

    /// The one record of a kind that fits.
    fn one(&self, kind: RecordKind, change: impl FnOnce(&mut RecordFilter)) -> RecordRow {
        let mut filter = RecordFilter::of(kind);
        change(&mut filter);
        let mut rows = self.search(&filter);
        assert_eq!(rows.len(), 1, "{filter:?}: {rows:?}");
        rows.remove(0)
    }

    /// The lengths of a record's packets.
    fn cut(&self, row: &RecordRow) -> Vec<usize> {
        let (row, packets) = self.stores[&row.record.kind()].record(row.id).unwrap().unwrap();
        let mut lengths = Vec::new();
        let wanted = packets.expect("a place in the packet store").of_record(&row);
        self.packets
            .cut(&wanted, |packet| {
                lengths.push(packet.bytes.len());
                Ok(())
            })
            .unwrap();
        lengths
    }
}

fn exact(text: &str, party: Party) -> Option<NumberFilter> {
    Some(NumberFilter { text: text.into(), how: Comparison::Exact, party })
}

#[test]
fn what_was_read_is_found_by_each_key_archived_and_cut_out() {
    let folder = tempfile::tempdir().unwrap();
    let (file, kept) = (write(folder.path()), folder.path().join("kept"));
    let read = |store: bool| {
        let mut arguments = vec!["read", "--json", "--rtp-without-sip", file.to_str().unwrap()];
        arguments.extend(if store { vec!["--store", kept.to_str().unwrap()] } else { Vec::new() });
        let output = sniffer(&arguments).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{output:?}");
        output.stdout
    };
    assert!(read(true) == read(false), "keeping changes nothing that is printed");
    let all = Kept::open(&kept);
    let frames = frames();

    let registration = all.one(RecordKind::Registration, |all| all.call_id = Some("reg-1".into()));
    let number = all.one(RecordKind::Registration, |all| all.number = exact("+351 21 555 001", Party::Caller));
    let contact = all.one(RecordKind::Registration, |all| all.number = exact("line7", Party::Callee));
    let address = all.one(RecordKind::Registration, |all| all.address = Some("192.0.2.1".parse().unwrap()));
    assert_eq!([&number, &contact, &address], [&registration; 3]);
    assert_eq!(all.cut(&registration), [frames[0].len(), frames[1].len()], "in full");
    let over_tcp = all.one(RecordKind::Registration, |all| all.number = exact("anna", Party::Either));
    assert_eq!(all.cut(&over_tcp), [frames[4].len(), frames[5].len()], "both segments");

    let subscription = all.one(RecordKind::Subscription, |all| all.number = exact("lamp", Party::Callee));
    assert_eq!(all.cut(&subscription), [frames[2].len(), frames[3].len()]);
    let options = all.one(RecordKind::Exchange, |all| all.method = Some("OPTIONS".into()));
    let unanswered = all.one(RecordKind::Exchange, |all| all.unanswered = true);
    assert_eq!((&options, all.cut(&options).len()), (&unanswered, 3));
    let refused = all.one(RecordKind::Exchange, |all| all.codes = Some((400, 499)));
    assert_eq!(all.cut(&refused), [frames[9].len(), frames[10].len()]);
    let stream = all.one(RecordKind::Stream, |all| all.ssrc = Some(77));
    assert_eq!(all.cut(&stream), vec![20 + 8 + 12; 60], "headers alone");
    assert_eq!(all.one(RecordKind::Stream, |all| all.address = Some("192.0.2.8".parse().unwrap())), stream);

    let mut names: Vec<String> = fs::read_dir(kept.join("archive"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .map(|name| name.split_once("-2026-").expect("the hour").0.to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["exchanges", "registrations", "streams_without_call", "subscriptions"]);

    // By Call-ID out of the file itself, also over TCP.
    for (call_id, packets) in [("reg-1", 2), ("reg-2", 2), ("sub-1", 2), ("txt-1", 2), ("opt-1", 3)] {
        let out = folder.path().join("out.pcap");
        let arguments = ["read", "--write-call", call_id, out.to_str().unwrap(), file.to_str().unwrap()];
        let output = sniffer(&arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.ends_with(&format!(": {packets} packets\n")), "{call_id}: {said}");
    }
}

#[test]
fn the_daemon_keeps_all_kinds_over_a_stop_and_gives_their_packets() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path());
    let search = |kind| Request::Records { limit: 9, before: None, filter: Box::new(RecordFilter::of(kind)) };
    let rows = |response| match response {
        Response::Records { records, next: None } => Some(records),
        _ => None,
    };
    let mut daemon = Daemon::replay(folder.path(), &file, serde_json::json!({ "rtp_without_sip": true }));
    // What goes on is kept while it goes on: both registrations, of which one got no answer, which is not told yet.
    let told =
        daemon.ask_until(&search(RecordKind::Registration), |response| rows(response).filter(|rows| !rows.is_empty()));
    assert_eq!(told.iter().map(|row| row.record.call_id()).collect::<Vec<_>>(), [Some("reg-1")]);
    let packets = daemon.capture_of(told[0].id, Some(RecordKind::Registration), 2);
    assert_eq!(
        packets.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(),
        [frames()[0].len(), frames()[1].len()]
    );
    let all = u64::try_from(frames().len()).unwrap();
    daemon.ask_until(&Request::Counters, |response| counters(response).filter(|counted| counted.received == all));
    assert_eq!(daemon.stop(), Some(0));

    let mut daemon = Daemon::replay(folder.path(), &file, serde_json::json!({}));
    let mut kept =
        |kind, count| daemon.ask_until(&search(kind), |response| rows(response).filter(|rows| rows.len() >= count));
    let registrations = kept(RecordKind::Registration, 2);
    assert!(registrations.iter().any(|row| row.id == told[0].id), "the same row");
    assert_eq!(kept(RecordKind::Subscription, 1)[0].record.call_id(), Some("sub-1"));
    let methods: Vec<_> =
        kept(RecordKind::Exchange, 2).iter().filter_map(|row| sides(&row.record).1.map(str::to_owned)).collect();
    assert_eq!(methods, ["sip:y@example.org", "sip:x@example.org"]);
    let streams = kept(RecordKind::Stream, 1);
    assert!(matches!(&streams[0].record, OtherRecord::Stream(one) if one.packets > 0 && one.ssrc == 77));
    let stream = Request::Record { kind: RecordKind::Stream, id: streams[0].id };
    daemon.ask_until(&stream, |response| match response {
        Response::Record(Some(row)) => {
            matches!(row.record, OtherRecord::Stream(one) if !one.timeline.is_empty()).then_some(())
        }
        _ => None,
    });
    assert_eq!(daemon.stop(), Some(0));
    for private in ["+3512", "sip:", "192.0.2.", "reg-1"] {
        assert!(!daemon.log().contains(private), "{private:?} in the log: {}", daemon.log());
    }
}

/// All that a file told besides calls.
fn printed(file: &Path) -> Vec<OtherRecord> {
    let other = |record: Value| serde_json::from_value::<OtherRecord>(record).ok();
    let all = captures::records(file, true).into_iter().filter_map(other);
    all.filter(|record| !matches!(record, OtherRecord::Stream(one) if one.call_id.is_some())).collect()
}

/// A record as it is printed, with microseconds; rows of lists have no time line.
fn short(record: &OtherRecord) -> Value {
    let mut record = record.clone();
    if let OtherRecord::Stream(one) = &mut record {
        one.timeline.clear();
    }
    serde_json::to_value(record).unwrap()
}

#[test]
fn all_that_the_captures_hold_is_found_by_each_key_and_has_packets() {
    let Some(captures) = captures::folder("all_that_the_captures_hold_is_found_by_each_key_and_has_packets") else {
        return;
    };
    let (mut records, mut packets) = (BTreeMap::new(), 0);
    for file in captures::files(&captures.join("sip")) {
        let printed = printed(&file);
        if printed.is_empty() {
            continue;
        }
        let kept = tempfile::tempdir().unwrap();
        let store = kept.path().to_str().unwrap();
        let arguments = ["read", "--json", "--rtp-without-sip", "--store", store, file.to_str().unwrap()];
        assert!(sniffer(&arguments).output().unwrap().status.code().is_some_and(|code| code != 1), "{file:?}");
        let all = Kept::open(kept.path());
        // Of many alike some.
        for record in printed.iter().step_by(printed.len().div_ceil(40).max(1)) {
            let kind = record.kind();
            let mut filters = vec![RecordFilter::of(kind)];
            let mut by = |change: &dyn Fn(&mut RecordFilter)| {
                let mut filter = RecordFilter::of(kind);
                change(&mut filter);
                filters.push(filter);
            };
            by(&|all| all.since = Some(record.times().0));
            by(&|all| all.call_id = record.call_id().map(str::to_owned));
            for address in addresses(record) {
                by(&|all| all.address = Some(address));
            }
            for (side, party) in [(sides(record).0, Party::Caller), (sides(record).1, Party::Callee)] {
                if let Some(uri) = side {
                    by(&|all| all.number = exact(uri, party));
                }
            }
            for code in codes(record) {
                by(&|all| all.codes = Some((code, code)));
            }
            let wanted = short(record);
            for filter in filters {
                let found = all.search(&filter);
                assert!(found.iter().any(|row| short(&row.record) == wanted), "{file:?}: {filter:?}: no {wanted}");
            }
            let row = all.search(&RecordFilter::of(kind)).into_iter().find(|row| short(&row.record) == wanted).unwrap();
            let cut = all.cut(&row).len();
            assert!(cut > 0, "{file:?}: no packets of {wanted}");
            packets += cut;
            *records.entry(kind).or_insert(0) += 1;
        }
    }
    assert!(records.len() >= 3, "{records:?}");
    println!("found by each key and cut out: {records:?}, {packets} packets");
}
