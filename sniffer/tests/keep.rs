//! `sniffer read --store`: what was read from a file can be searched, and a call cut out of it.

use std::{fs, path::Path, sync::Arc};

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
        matches!(&names[..], [calls, streams] if calls.starts_with("calls-2026-") && streams.starts_with("streams-2026-")),
        "{names:?}"
    );
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
    assert!(read(&[], &file, &kept).status.success());
    let output = read(&[], &file, &file);
    assert!(String::from_utf8(output.stderr).unwrap().contains("may you write there?"));
}
