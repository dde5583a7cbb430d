//! Figures of the stores, for people: `cargo run --release -p sniffer --example store_figures -- FOLDER`. Prints CPU for
//! each call record written with its streams and index, how long searches take, what packets cost and take, and how long
//! it takes to cut one call out of 1,000 over ten minutes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a tool for developers"
)]

use std::{path::Path, sync::Arc, time::Instant};

use nix::sys::resource::{UsageWho, getrusage};
use sniffer::{
    disk::{Disk, RealDisk},
    packets::{Kind, MediaKept, Owner, Packet, PacketStore, Settings, Shape, Wanted},
    store::{Detail, Kept, Store},
};
use sniffer_core::{
    decode::LinkType,
    engine::{EndedCall, Engine, Event, FrameMeta},
    query::{CallFilter, CallKey, Comparison, NumberFilter, Party},
    time::Timestamp,
};

fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + millis / 1000, millis % 1000 * 1_000_000)
}

fn template() -> EndedCall {
    let mut engine = Engine::new(sniffer_core::engine::Settings::default());
    let mut number = 0;
    let mut frame = |source: u8, destination: u8, ports: (u16, u16), payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap();
        let mut bytes = vec![0x45, 0];
        bytes.extend((length + 28).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source, 192, 0, 2, destination]);
        bytes.extend([ports.0.to_be_bytes(), ports.1.to_be_bytes(), (length + 8).to_be_bytes(), [0, 0]].concat());
        bytes.extend(payload);
        number += 20;
        engine.frame(LinkType::RawIp, FrameMeta { time: at(number), vlan: None }, &bytes);
    };
    let message = |start: &str, cseq: &str, tag: &str, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{start}\r\nCall-ID: t\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>{tag}\r\nCSeq: {cseq}\r\n\
             Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n{kind}\r\n{body}"
        )
    };
    let sdp = |host: u8| format!("v=0\r\nc=IN IP4 192.0.2.{host}\r\nm=audio 5000 RTP/AVP 0\r\n");
    frame(1, 2, (5060, 5060), message("INVITE sip:b@x SIP/2.0", "1 INVITE", "", &sdp(1)).as_bytes());
    frame(2, 1, (5060, 5060), message("SIP/2.0 200 OK", "1 INVITE", ";tag=b", &sdp(2)).as_bytes());
    for sequence in 0..6000_u16 {
        for (source, destination) in [(1, 2), (2, 1)] {
            let mut rtp = vec![0x80, 0];
            rtp.extend(sequence.to_be_bytes());
            rtp.extend((u32::from(sequence) * 160).to_be_bytes());
            rtp.extend([0, 0, 0, source]);
            rtp.extend([0xff; 160]);
            frame(source, destination, (5000, 5000), &rtp);
        }
    }
    frame(1, 2, (5060, 5060), message("BYE sip:b@x SIP/2.0", "2 BYE", ";tag=b", "").as_bytes());
    engine.finish();
    std::iter::from_fn(|| engine.next_event())
        .find_map(|event| if let Event::Call(call) = event { Some(*call) } else { None })
        .unwrap()
}

fn calls(folder: &Path, with_streams: bool) {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let store = Store::open(&disk, folder, at(0)).unwrap();
    let template = template();
    let make = |n: u64, is_last: bool| {
        let EndedCall { mut record, mut streams, mut summary, .. } = template.clone();
        if !with_streams {
            streams.clear();
        }
        summary.call_id = format!("{n:x}-{}@192.0.2.1", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (summary.start, summary.end) = (at(n), Some(at(n + 120_000)));
        summary.id = CallKey::new(summary.start, &summary.call_id);
        summary.from = format!("sip:+3512155{:06}@192.0.2.1", n.wrapping_mul(7919) % 1_000_000);
        summary.to = format!("sip:+3512133{:06}@192.0.2.1", n.wrapping_mul(104_729) % 1_000_000);
        (record.call_id, record.from, record.to) = (summary.call_id.clone(), summary.from.clone(), summary.to.clone());
        (record.start, record.end) = (summary.start, summary.end);
        Kept { summary, detail: Some(Detail { record, streams }), packets: None, is_last }
    };
    const CALLS: u64 = 200_000;
    for twice in [false, true] {
        let base = if twice { CALLS } else { 0 };
        let mut spent = 0.0;
        let begin = Instant::now();
        for first in (0..CALLS).step_by(500) {
            let mut write = |is_last| {
                let batch: Vec<_> = (base + first..base + first + 500).map(|n| make(n, is_last)).collect();
                let before = cpu();
                store.write(&batch, Some(at(0))).unwrap();
                spent += cpu() - before;
            };
            if twice {
                write(false);
            }
            write(true);
        }
        println!(
            "calls{}{}: {:.1} µs CPU a call, {:.0} calls a second",
            if with_streams { " with two streams of two minutes" } else { ", signalling only" },
            if twice { ", told at their end and once more when they are given up" } else { "" },
            spent / CALLS as f64 * 1e6,
            CALLS as f64 / begin.elapsed().as_secs_f64()
        );
    }
    println!(
        "  values {:.0} bytes a call, database file {:.0} bytes a call",
        store.bytes() as f64 / (2 * CALLS) as f64,
        store.file_bytes() as f64 / (2 * CALLS) as f64
    );
    let number = |text: &str, how| CallFilter {
        number: Some(NumberFilter { text: text.into(), how, party: Party::Either }),
        ..CallFilter::default()
    };
    for (name, filter) in [
        ("newest", CallFilter::default()),
        ("a number", number("3512155000077", Comparison::Exact)),
        ("a beginning", number("35121550001", Comparison::Prefix)),
        ("last digits", number("0077", Comparison::Suffix)),
        ("a Call-ID", CallFilter { call_id: Some("5-0@x".into()), ..CallFilter::default() }),
        ("MOS below 1.5 (none)", CallFilter { mos_below: Some(1.5), ..CallFilter::default() }),
    ] {
        let begin = Instant::now();
        let (mut found, mut before, mut pages) = (0, None, 0);
        loop {
            let page = store.search(&filter, 50, before).unwrap();
            found += page.calls.len();
            pages += 1;
            before = page.next;
            if found >= 50 || before.is_none() {
                break;
            }
        }
        println!("  search {name}: {found} found in {:.1} ms, {pages} requests", begin.elapsed().as_secs_f64() * 1e3);
    }
}

fn packets(folder: &Path) {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (store, queue) = PacketStore::new(Settings { run: 1, media: MediaKept::Headers, floor: 0, waits: true });
    store.open(&disk, folder).unwrap();
    let of_thread = store.clone();
    let (of_disk, of_folder) = (Arc::clone(&disk), folder.to_owned());
    let thread = std::thread::spawn(move || of_thread.run(&of_disk, &of_folder, &queue));
    let mut gatherer = store.gatherer();
    // 1,000 calls, both ways, 50 packets a second each, ten minutes.
    const CALLS: u64 = 1000;
    const SECONDS: u64 = 600;
    let (before, begin) = (cpu(), Instant::now());
    let mut frame = [0_u8; 214];
    frame[12..14].copy_from_slice(&[8, 0]);
    let mut count = 0_u64;
    let mut gathering = 0.0;
    for turn in 0..SECONDS * 50 {
        let own = Instant::now();
        for call in 0..CALLS {
            for way in 0..2_u64 {
                frame[18..20].copy_from_slice(&(turn as u16).to_be_bytes());
                frame[24..26].copy_from_slice(&((turn * 31 + call) as u16).to_be_bytes());
                frame[26..30].copy_from_slice(&((call * 2 + way) as u32).to_be_bytes());
                frame[30..34].copy_from_slice(&((call * 2 + 1 - way) as u32).to_be_bytes());
                frame[34..38].copy_from_slice(&(((4000 + call as u32) << 16) | 5000).to_be_bytes());
                frame[40..42].copy_from_slice(&((turn * 77 + call * 3) as u16).to_be_bytes());
                frame[44..46].copy_from_slice(&(turn as u16).to_be_bytes());
                frame[46..50].copy_from_slice(&((turn * 160) as u32).to_be_bytes());
                let nanos = turn * 20_000_000 + call * 9000 + way * 3000 + (turn * call) % 1000;
                let time = Timestamp::from_nanos(1_700_000_000_000_000_000 + nanos as i64);
                let packet = Packet { time, link: 1, original: 214, bytes: &frame };
                let shape = Shape {
                    head: 54,
                    rtp: Some(42),
                    vlan: None,
                    stream: Some((call * 2 + way, (call * 2 + way) as u32)),
                };
                gatherer.keep(Kind::Media, Owner::Call(call), &packet, &shape);
                count += 1;
            }
        }
        gathering += own.elapsed().as_secs_f64();
    }
    gatherer.flush();
    assert!(store.sync());
    let spent = cpu() - before;
    println!(
        "packets: {count} kept, {:?} dropped, {:.0} ns CPU a packet in all, {:.0} ns of it (wall) in the capture path, {:.1} bytes a packet of 54, {:.1} s",
        store.dropped(),
        spent / count as f64 * 1e9,
        gathering / count as f64 * 1e9,
        store.segments(Kind::Media).unwrap().usage().bytes as f64 / count as f64,
        begin.elapsed().as_secs_f64()
    );
    for call in [0, 500, 999] {
        let begin = Instant::now();
        let mut writer = sniffer::packets::PcapngWriter::new(Vec::new()).unwrap();
        let wanted = Wanted { run: 1, owner: Owner::Call(call), start: at(0), end: at(SECONDS * 1000) };
        let cut = store.cut(&wanted, |packet| writer.packet(packet)).unwrap();
        println!("  cut of one call of {CALLS}: {:?}, {:.0} ms", cut, begin.elapsed().as_secs_f64() * 1e3);
        assert_eq!(cut.packets, SECONDS * 100);
    }
    store.stop();
    thread.join().unwrap();
    let begin = Instant::now();
    let (store, _queue) = PacketStore::new(Settings { run: 2, media: MediaKept::Headers, floor: 0, waits: true });
    store.open(&disk, folder).unwrap();
    println!("  opened again in {:.0} ms, {} damaged", begin.elapsed().as_secs_f64() * 1e3, store.damaged());
}

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let folder = Path::new(&folder);
    calls(&folder.join("signalling"), false);
    calls(&folder.join("streams"), true);
    packets(&folder.join("packets"));
}
