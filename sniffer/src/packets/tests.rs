use std::{path::Path, sync::Arc};

use sniffer_core::time::Timestamp;

use super::*;
use crate::disk::{Disk, simulated::Simulated};

const RUN: u64 = 77;
/// Of the third stream.
const EARLY: Shape = Shape { head: 0, rtp: None, vlan: None, stream: Some((3, 5)) };

fn at(millis: u64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + millis / 1000, millis % 1000 * 1_000_000)
}

fn open(disk: &Simulated, media: MediaKept) -> std::io::Result<(PacketStore, std::thread::JoinHandle<()>)> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (store, queue) = PacketStore::new(Settings { run: RUN, media, floor: 1 << 20, waits: false });
    store.open(&disk, Path::new("/packets"))?;
    let of_thread = store.clone();
    Ok((store, std::thread::spawn(move || of_thread.run(&disk, Path::new("/packets"), &queue))))
}

fn packet(millis: u64, bytes: &[u8]) -> Packet<'_> {
    Packet { time: at(millis), link: 1, original: u32::try_from(bytes.len()).unwrap(), bytes }
}

/// The times in milliseconds and the octets of a call's packets.
fn cut(store: &PacketStore, call: u64) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let wanted = Wanted { run: RUN, owner: Owner::Call(call), start: at(0), end: at(3_600_000) };
    store
        .cut(&wanted, |packet| {
            found.push((packet.time.as_micros() / 1000 - 1_700_000_000_000, packet.bytes.to_vec()));
            Ok(())
        })
        .unwrap();
    found
}

#[test]
fn the_packets_of_a_call_come_back_in_the_order_of_time_whatever_came_between_and_after_a_restart() {
    let disk = Simulated::new();
    let (store, thread) = open(&disk, MediaKept::Full).unwrap();
    let (mut one, mut two) = (store.gatherer(), store.gatherer());
    for n in 0..6000_u64 {
        let bytes: Vec<u8> = (0..200_u64).map(|byte| u8::try_from((byte * n) % 251).unwrap()).collect();
        // Two workers, of which one is late.
        let gatherer = if n % 3 == 0 { &mut two } else { &mut one };
        let kind = if n % 50 == 0 { Kind::Signalling } else { Kind::Media };
        gatherer.keep(kind, Owner::Call(n % 7), &packet(n, &bytes), &Shape::default());
        // A real second takes a second: here the thread is given time, or its queue would rightly be full.
        assert!(n % 500 != 0 || store.sync());
    }
    // RTP that came before its SDP.
    one.keep(Kind::Media, Owner::Stream(3), &packet(100, b"early rtp"), &EARLY);
    one.keep(Kind::Media, Owner::Stream(4), &packet(101, b"of nobody"), &Shape::default());
    one.adopted(3, 3, at(7000));
    drop((one, two));
    assert!(store.sync());
    let expected: Vec<u64> = (0..6000).filter(|n| n % 7 == 3).collect();
    for store in [store.clone(), open(&disk.after_cut(1), MediaKept::Full).unwrap().0] {
        let mut found = cut(&store, 3);
        let early = found.iter().position(|(_, bytes)| bytes == b"early rtp").unwrap();
        assert_eq!(found.remove(early).0, 100);
        assert_eq!(found.iter().map(|(millis, _)| *millis).collect::<Vec<_>>(), expected);
        assert!(
            found.iter().all(|(n, bytes)| (0..200).zip(bytes).all(|(at, byte)| u64::from(*byte) == (at * n) % 251))
        );
        let other_run = Wanted { run: 1, owner: Owner::Call(3), start: at(0), end: at(9000) };
        assert_eq!(store.cut(&other_run, |_| Ok(())).unwrap().packets, 0);
        assert_eq!(store.damaged(), 0);
    }
    assert_eq!((store.packets(), store.dropped().len()), (6002, 0));
    store.stop();
    thread.join().unwrap();
}

#[test]
fn of_media_only_what_is_set_is_kept_and_a_vlan_tag_goes_back_to_its_place() {
    for (media, expected) in [(MediaKept::None, None), (MediaKept::Headers, Some(58)), (MediaKept::Full, Some(204))] {
        let (store, _) = open(&Simulated::new(), media).unwrap();
        let mut gatherer = store.gatherer();
        let shape = Shape { head: 54, vlan: Some(0x0123), ..Shape::default() };
        gatherer.keep(Kind::Media, Owner::Call(1), &packet(5, &[9; 200]), &shape);
        gatherer.flush();
        assert!(store.sync());
        let found = cut(&store, 1);
        assert_eq!(found.first().map(|(_, bytes)| bytes.len()), expected);
        if let Some((_, bytes)) = found.first() {
            assert_eq!(bytes[10..18], [9, 9, 0x81, 0, 1, 0x23, 9, 9]);
        }
    }
}

#[test]
fn a_cut_is_a_pcapng_file_that_reads_back_with_its_times_lengths_and_link_types() {
    let mut writer = PcapngWriter::new(Vec::new()).unwrap();
    writer.packet(&Packet { original: 900, ..packet(1, b"\x01\x02\x03") }).unwrap();
    writer.packet(&Packet { link: 113, ..packet(2, b"abcdefgh") }).unwrap();
    writer.packet(&packet(3, b"")).unwrap();
    assert_eq!(writer.packets(), 3);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pcapng");
    std::fs::write(&path, writer.finish().unwrap()).unwrap();
    let mut file = crate::file::CaptureFile::open(&path).unwrap();
    let mut found = Vec::new();
    while let Some(packet) = file.next_packet().unwrap() {
        found.push((packet.time, packet.frame.to_vec()));
    }
    assert_eq!(found, [(at(1), b"\x01\x02\x03".to_vec()), (at(2), b"abcdefgh".to_vec()), (at(3), vec![])]);
}

#[test]
fn at_the_floor_nothing_is_kept_and_the_calls_are_marked_and_it_goes_on_when_there_is_room() {
    let disk = Simulated::new();
    let (store, _) = open(&disk, MediaKept::Full).unwrap();
    let mut gatherer = store.gatherer();
    disk.set_free(1 << 20);
    gatherer.keep(Kind::Signalling, Owner::Call(1), &packet(1, b"x"), &Shape::default());
    gatherer.flush();
    assert!(store.sync() && store.is_stopped());
    assert_eq!(store.dropped().get("free_space_floor"), Some(&1));
    assert!(store.take_incomplete(1) && !store.take_incomplete(1) && !store.take_incomplete(2));
    disk.set_free(1 << 30);
    gatherer.keep(Kind::Signalling, Owner::Call(1), &packet(2, b"y"), &Shape::default());
    gatherer.flush();
    assert!(store.sync() && !store.is_stopped());
    assert_eq!(cut(&store, 1).len(), 1);
}

#[test]
fn a_full_queue_drops_and_counts_and_never_waits() {
    let disk = Simulated::new();
    let (store, thread) = open(&disk, MediaKept::Full).unwrap();
    let mut gatherer = store.gatherer();
    store.stop();
    thread.join().unwrap();
    gatherer.keep(Kind::Signalling, Owner::Call(9), &packet(1, b"x"), &Shape::default());
    gatherer.flush();
    assert_eq!(store.dropped().get("packet_store_behind"), Some(&1));
    assert!(store.take_incomplete(9));
}

#[test]
fn the_oldest_segment_goes_whole_and_never_the_one_being_written() {
    let disk = Simulated::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let segments = Segments::open(&shared, Path::new("/s")).unwrap();
    assert_eq!(segments.delete_oldest().unwrap(), None);
    let block = |millis: u64| {
        let mut gathering = gathering::Gathering::new(Kind::Media);
        gathering.add(Owner::Call(1), &packet(millis, &[1; 99]), &Shape::default());
        seal::seal(&gathering, 1).bytes
    };
    assert!(segments.append(&block(5), at(5), 0).unwrap());
    assert_eq!(segments.delete_oldest().unwrap(), None, "it is being written");
    segments.sync().unwrap();
    let bytes = segments.usage().bytes;
    drop(segments);
    let segments = Segments::open(&shared, Path::new("/s")).unwrap();
    assert!(segments.append(&block(9000), at(9000), 0).unwrap());
    assert_eq!((segments.usage().segments, segments.usage().oldest), (2, Some(at(5))));
    assert_eq!(segments.oldest_ends(), Some(at(5)), "its own last packet, not when the next one began");
    assert_eq!(segments.delete_oldest().unwrap(), Some(bytes));
    assert_eq!((segments.usage().oldest, segments.usage().segments), (Some(at(9000)), 1));
    // A quiet site: nothing more comes, and its days pass all the same.
    assert_eq!((segments.oldest_ends(), segments.writing()), (None, Some(1)));
    segments.end().unwrap();
    assert_eq!((segments.oldest_ends(), segments.writing()), (Some(at(9000)), None));
    let bound = crate::retention::Bound { days: 1, gigabytes: 9 };
    let day = std::time::Duration::from_secs(86_400);
    let keep = |now| crate::retention::keep_within(&segments, bound, now).unwrap();
    assert_eq!(keep(at(9000).after(day)), 0);
    assert!(keep(at(9001).after(day)) > 0 && segments.usage().segments == 0);
}

#[test]
fn what_a_stream_lost_before_its_call_was_known_marks_the_call() {
    let disk = Simulated::new();
    let (store, _) = open(&disk, MediaKept::Full).unwrap();
    let mut gatherer = store.gatherer();
    disk.set_free(0);
    gatherer.keep(Kind::Media, Owner::Stream(4), &packet(1, b"early rtp"), &EARLY);
    gatherer.flush();
    assert!(store.sync());
    gatherer.adopted(4, 7, at(2));
    assert!(store.take_incomplete(7) && !store.take_incomplete(7));
}

#[test]
fn after_a_power_cut_at_any_step_synced_packets_are_there_and_a_torn_end_is_cut() {
    // Without the thread: its moments would not be the same twice.
    fn live(disk: &Simulated, synced: &mut Vec<u64>) -> std::io::Result<()> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        for restart in 0..3_u64 {
            let segments = Segments::open(&shared, Path::new("/packets/media"))?;
            let mut waiting = Vec::new();
            for step in 0..4_u64 {
                let millis = restart * 1000 + step;
                let mut gathering = gathering::Gathering::new(Kind::Media);
                let bytes = [u8::try_from(step).unwrap(); 900];
                gathering.add(Owner::Call(3), &packet(millis, &bytes), &Shape::default());
                gathering.adopt(1, 2, at(millis));
                segments.append(&seal::seal(&gathering, RUN).bytes, at(millis), 0)?;
                waiting.push(millis);
                if step % 2 == 1 {
                    segments.sync()?;
                    synced.append(&mut waiting);
                }
            }
            if restart == 2 {
                let oldest = segments.usage().segments;
                synced.retain(|millis| *millis >= 1000);
                segments.delete_oldest()?;
                assert!(segments.usage().segments < oldest);
            }
        }
        Ok(())
    }
    let whole = Simulated::new();
    live(&whole, &mut Vec::new()).unwrap();
    let mut torn = 0;
    for step in 0..=whole.steps() {
        for seed in 0..20 {
            let disk = Simulated::new();
            disk.cut_after(step);
            let mut synced = Vec::new();
            assert_eq!(live(&disk, &mut synced).is_err(), step < whole.steps());
            let (store, _) = open(&disk.after_cut(seed * 1000 + step), MediaKept::Full).unwrap();
            let found: Vec<u64> = cut(&store, 3).into_iter().map(|(millis, _)| millis).collect();
            for millis in synced {
                assert!(found.contains(&millis), "step {step} seed {seed}: {millis} is gone of {found:?}");
            }
            torn += store.damaged();
        }
    }
    assert!(torn > 0, "some ends were torn");
    println!("{} steps, {torn} torn ends cut", whole.steps());
}

#[test]
fn a_damaged_middle_costs_its_own_groups_and_is_counted() {
    let disk = Simulated::new();
    let (store, thread) = open(&disk, MediaKept::Full).unwrap();
    let mut gatherer = store.gatherer();
    for n in 0..3 {
        gatherer.keep(Kind::Media, Owner::Call(1), &packet(n, &[7; 300]), &Shape::default());
        gatherer.keep(Kind::Media, Owner::Call(2), &packet(n, &[8; 300]), &Shape::default());
        gatherer.flush();
    }
    assert!(store.sync());
    let path = disk.contents().into_keys().find(|path| path.starts_with("/packets/media")).unwrap();
    let length = disk.contents()[&path].len();
    disk.damage(&path, |bytes| bytes[length - 5] ^= 1);
    assert_eq!((cut(&store, 1).len(), cut(&store, 2).len(), store.damaged()), (3, 2, 1));
    store.stop();
    thread.join().unwrap();
}

#[test]
fn of_a_block_with_many_groups_only_one_page_of_the_index_is_read_for_a_call() {
    let disk = Simulated::new();
    let (store, thread) = open(&disk, MediaKept::Full).unwrap();
    let mut gatherer = store.gatherer();
    for call in 0..5000_u64 {
        gatherer.keep(Kind::Media, Owner::Call(call * 2), &packet(call % 300, &call.to_le_bytes()), &Shape::default());
    }
    gatherer.flush();
    assert!(store.sync());
    let before = disk.octets_read();
    assert_eq!(cut(&store, 6000), [(0, 3000_u64.to_le_bytes().to_vec())]);
    let read = disk.octets_read() - before;
    // The header, the directory of 40 pages, a page of 128 groups, and the group; the whole index has 120,000.
    assert_eq!(read, 72 + 40 * 12 + 128 * 24 + 23);
    for call in [0, 254, 256, 9998] {
        assert_eq!(cut(&store, call).len(), 1, "{call}: at the edges of pages");
    }
    for call in [1, 255, 257, 9999, 20_000] {
        assert_eq!(cut(&store, call).len(), 0, "{call} is nobody's");
    }
    assert_eq!(store.damaged(), 0);
    store.stop();
    thread.join().unwrap();
}

#[test]
fn memory_that_one_full_block_needed_is_given_back_when_little_comes() {
    let mut gathering = gathering::Gathering::new(Kind::Media);
    let mut calls = 0;
    while !gathering.is_full() {
        gathering.add(Owner::Call(calls), &packet(1, &[7; 60]), &Shape::default());
        calls += 1;
    }
    let most = gathering.memory();
    assert!(most < 3 * crate::limits::PACKET_BLOCK, "{most}");
    gathering.clear();
    for call in 0..50 {
        gathering.add(Owner::Call(call), &packet(2, &[8; 60]), &Shape::default());
    }
    gathering.clear();
    assert!(gathering.is_empty() && gathering.memory() < 64 * 1024, "{}", gathering.memory());
}
