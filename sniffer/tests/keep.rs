//! `sniffer read --store`: what was read from a file can be searched, and a call cut out of it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use sniffer::{
    disk::{Disk, RealDisk},
    packets::{Kind, MediaKept, PacketStore, Settings},
    store::{Store, StoreError},
};
use sniffer_core::{
    query::{CallFilter, Comparison, NumberFilter, Party},
    record::CallState,
    time::Timestamp,
};

use traffic::{Station, TimedFrame, udp_frame, write_pcap};

use crate::command_line::{sample, sniffer};

fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(&disk(), folder, Timestamp::default())
}

fn read(arguments: &[&str], file: &Path, store: &Path) -> std::process::Output {
    let (file, store) = (file.to_str().unwrap(), store.to_str().unwrap());
    sniffer(&[&["read", "--json"], arguments, &["--store", store, file]].concat()).output().unwrap()
}

#[test]
fn what_was_read_can_be_searched_and_a_call_cut_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (file, traffic) = sample(folder.path());
    let kept = folder.path().join("kept");
    let output = read(&[], &file, &kept);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{output:?}");
    let plain = sniffer(&["read", "--json", file.to_str().unwrap()]).output().unwrap();
    assert!(plain.stdout == output.stdout, "keeping changes nothing that is printed");

    let store = open(&kept).unwrap();
    assert_eq!(store.count().unwrap(), u64::try_from(traffic.truth.calls.len()).unwrap());
    let number = NumberFilter { text: "+351215550001".into(), how: Comparison::Exact, party: Party::Caller };
    let found = store.search(&CallFilter { number: Some(number), ..CallFilter::default() }, 10, None).unwrap().calls;
    assert_eq!(found.iter().map(|call| call.state).collect::<Vec<_>>(), [CallState::Completed]);
    let (detail, place) = store.call(found[0].id).unwrap().unwrap();
    let place = place.expect("a place in the packet store");
    let truth = &traffic.truth.calls[0];
    assert_eq!(detail.streams.len(), truth.streams.len());

    let (packets, _queue) = PacketStore::new(Settings { run: 1, media: MediaKept::Headers, floor: 0, waits: false });
    packets.open(&disk(), &kept.join("packets")).unwrap();
    assert!(packets.segments(Kind::Media).unwrap().usage().bytes > 0);
    let (start, end) = (found[0].start, found[0].end.unwrap());
    let wanted = place.of_call(start, end);
    let (mut media, mut signalling) = (0, 0);
    let cut = packets
        .cut(&wanted, |packet| {
            let is_whole = usize::try_from(packet.original).unwrap() == packet.bytes.len();
            if is_whole {
                signalling += 1
            } else {
                media += 1
            }
            Ok(())
        })
        .unwrap();
    let sent: u64 = truth.streams.iter().map(|stream| stream.packets).sum();
    // INVITE, 100, 180, 200, ACK, BYE, 200.
    assert_eq!((cut.packets, media, signalling), (sent + 7, sent, 7));

    let mut names: Vec<_> = fs::read_dir(kept.join("archive")).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    let names: Vec<_> = names.iter().map(|name| name.to_str().unwrap()).collect();
    assert!(
        matches!(&names[..], [calls, registrations, streams] if calls.starts_with("calls-2026-")
            && registrations.starts_with("registrations-2026-") && streams.starts_with("streams-2026-")),
        "{names:?}"
    );
}

/// A fax (T.38) that is announced, and what comes long after its end: the BYE once more, thirty seconds later.
fn fax(file: &Path) {
    let hosts = [Station::numbered(1, 1, false), Station::numbered(2, 1, false)];
    let mut frames = Vec::new();
    let mut send = |millis: u64, from: usize, port: u16, payload: &[u8]| {
        let bytes = udp_frame(None, (&hosts[from], port), (&hosts[1 - from], port), payload).unwrap();
        frames.push(TimedFrame { at: Duration::from_millis(millis), bytes });
    };
    let message = |start: &str, cseq: &str, from: usize| {
        let address = hosts[from].ip;
        format!(
            "{start}\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK{}\r\nCall-ID: fax\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: {cseq}\r\n\
             Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 {address}\r\nm=image 5000 udptl t38\r\n",
            cseq.len()
        )
    };
    send(0, 0, 5060, message("INVITE sip:b@x SIP/2.0", "1 INVITE", 0).as_bytes());
    send(10, 1, 5060, message("SIP/2.0 200 OK", "1 INVITE", 1).as_bytes());
    send(20, 0, 5060, message("ACK sip:b@x SIP/2.0", "1 ACK", 0).as_bytes());
    for number in 0..40_u8 {
        // UDPTL: the number, one primary packet of one octet, no redundancy (T.38, annex A).
        send(100 + u64::from(number) * 20, usize::from(number % 2), 5000, &[0, number / 2, 1, 6, 0, 0]);
    }
    let bye = message("BYE sip:b@x SIP/2.0", "2 BYE", 0);
    send(2000, 0, 5060, bye.as_bytes());
    send(2010, 1, 5060, message("SIP/2.0 200 OK", "2 BYE", 1).as_bytes());
    send(32_000, 0, 5060, bye.as_bytes());
    write_pcap(fs::File::create(file).unwrap(), Duration::from_secs(1_795_000_000), &frames).unwrap();
}

/// How many packets of the one call in a store are media, and how many are not.
fn cut(kept: &Path) -> (usize, usize) {
    let store = open(kept).unwrap();
    let found = store.search(&CallFilter::default(), 10, None).unwrap().calls;
    assert_eq!(found.len(), 1);
    let place = store.call(found[0].id).unwrap().unwrap().1.unwrap();
    let (packets, _queue) = PacketStore::new(Settings { run: 1, media: MediaKept::Full, floor: 0, waits: false });
    packets.open(&disk(), &kept.join("packets")).unwrap();
    let (mut media, mut others) = (0, 0);
    let count = |packet: &sniffer::packets::Packet<'_>| {
        *if packet.bytes.len() < 100 { &mut media } else { &mut others } += 1;
        Ok(())
    };
    packets.cut(&place.of_call(found[0].start, found[0].end.unwrap()), count).unwrap();
    (media, others)
}

#[test]
fn a_fax_is_kept_as_media_is_with_what_came_half_a_minute_after_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fax.pcap");
    fax(&file);
    for (media, count) in [("full", 40), ("headers", 40), ("none", 0)] {
        let kept = folder.path().join(media);
        let output = read(&["--media", media], &file, &kept);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("\"fax_packets\":40"), "{text}");
        assert_eq!(cut(&kept), (count, 6), "{media}");
    }
}

#[test]
fn nobody_else_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (file, traffic) = sample(folder.path());
    let kept = folder.path().join("kept");
    assert!(read(&["--media", "full"], &file, &kept).status.success());
    let files = crate::captures::all_files(&kept);
    let names: Vec<_> = files.iter().map(|file| file.strip_prefix(&kept).unwrap().to_str().unwrap()).collect();
    for kind in ["calls.redb", "archive/calls-", "archive/streams-", "packets/signalling/", "packets/media/"] {
        assert!(names.iter().any(|name| name.starts_with(kind)), "{kind}: {names:?}");
    }
    let mode = |file: &Path| file.metadata().unwrap().permissions().mode() & 0o777;
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    // A file that others could read is theirs no more when a call is written into it.
    let out = folder.path().join("out.pcap");
    fs::write(&out, "old").unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o644)).unwrap();
    let call = traffic.truth.calls[0].call_id.as_str();
    let words = ["read", "--write-call", call, out.to_str().unwrap(), file.to_str().unwrap()];
    assert!(sniffer(&words).output().unwrap().status.success());
    assert_eq!(mode(&out), 0o600);
}

#[test]
fn a_second_file_is_added_and_how_much_of_media_is_kept_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let (file, traffic) = sample(folder.path());
    let (none, full) = (folder.path().join("none"), folder.path().join("full"));
    assert_eq!(read(&["--media", "none"], &file, &none).status.code(), Some(0));
    assert!(read(&["--media", "full"], &file, &full).status.success());
    // The same file again is the same calls.
    assert!(read(&["--media", "full"], &file, &full).status.success());
    assert_eq!(open(&full).unwrap().count().unwrap(), u64::try_from(traffic.truth.calls.len()).unwrap());
    let media = |folder: &Path| -> u64 {
        let files = fs::read_dir(folder.join("packets/media")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
    };
    let sent: u64 = traffic.truth.calls.iter().flat_map(|call| &call.streams).map(|stream| stream.packets * 160).sum();
    assert_eq!(media(&none), 0);
    assert!(media(&full) > 2 * sent, "{} octets for {sent} of sound, twice", media(&full));
}

#[test]
fn a_store_that_is_in_use_or_no_folder_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = sample(folder.path());
    let kept = folder.path().join("kept");
    let store = open(&kept).unwrap();
    let output = read(&[], &file, &kept);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("stop the sniffer that uses it, or name another folder"), "{said}");
    assert!(output.stdout.is_empty(), "nothing is read before");
    drop(store);
    // A program that another test is just starting holds what this one had open, until it is another program.
    let is_free = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        read(&[], &file, &kept).status.success()
    });
    assert!(is_free);
    let output = read(&[], &file, &file);
    assert!(String::from_utf8(output.stderr).unwrap().contains("may you write there?"));
}
