//! `sniffer live` on a cable of the test's own: more packets than it can take, and an interface that goes away.

use std::{
    io::Read,
    process::{Child, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use crate::{
    command_line::sniffer,
    wire::{Cable, in_network, ip},
};

/// Starts it on the far end of the cable.
pub fn start() -> Child {
    let mut command = sniffer(&["live", "far", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Until its ring is there; what comes before is nobody's.
    let has_ring = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten().flatten();
        let mut names = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        let sockets = std::fs::read_to_string(format!("/proc/{}/net/packet", child.id())).unwrap_or_default();
        names.any(|name| {
            let name = name.to_string_lossy();
            let inode = name.strip_prefix("socket:[").and_then(|name| name.strip_suffix(']'));
            // Columns of the kernel's list: socket, references, type, protocol, interface, whether it runs, …, inode.
            inode.is_some_and(|inode| {
                sockets.lines().any(|line| {
                    let columns: Vec<_> = line.split_whitespace().collect();
                    columns.get(5) == Some(&"1") && columns.last() == Some(&inode)
                })
            })
        })
    };
    for _ in 0..600 {
        if has_ring() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

/// What it has printed, what it has said, and its exit code, once it has ended; after a minute it is made to.
fn end(mut child: Child) -> (Vec<Value>, String, Option<i32>) {
    let process = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let (has_ended, ended) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(60)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            kill(process, Signal::SIGKILL).unwrap();
        }
    });
    let (mut shown, mut said) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let records = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    drop(has_ended);
    watch.join().unwrap();
    (records, said, child.wait().unwrap().code())
}

#[test]
fn live_ends_by_ctrl_c_while_packets_go_on_coming() {
    in_network("live_ends_by_ctrl_c_while_packets_go_on_coming", || {
        let child = start();
        let process = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    let cable = Cable::open("near");
                    let mut number = 0_u16;
                    while !is_over.load(Ordering::Relaxed) {
                        number = number.wrapping_add(1);
                        cable.rtp(number, &[], 20);
                    }
                });
            }
            std::thread::sleep(Duration::from_secs(3));
            kill(process, Signal::SIGINT).unwrap();
            // Where it does not end, the flood does, after a while.
            let patience = threads.spawn(|| {
                for _ in 0..400 {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
                is_over.store(true, Ordering::Relaxed);
            });
            let (records, said, code) = end(child);
            let ended_in_time = !is_over.swap(true, Ordering::Relaxed);
            patience.join().unwrap();
            assert!(ended_in_time, "it went on for as long as packets came: {said}");
            assert_eq!(code, Some(0), "{said}");
            let summary = records.last().unwrap();
            assert!(summary["packets"].as_u64() > Some(10_000), "{summary}");
        });
    });
}

#[test]
fn an_interface_that_goes_away_ends_live_with_what_was_seen() {
    in_network("an_interface_that_goes_away_ends_live_with_what_was_seen", || {
        let child = start();
        let cable = Cable::open("near");
        let invite = "INVITE sip:b@x SIP/2.0\r\nCall-ID: gone\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>\r\nCSeq: 1 INVITE\r\n\r\n";
        cable.send([(1, 5060), (2, 5060)], &[], invite.as_bytes());
        std::thread::sleep(Duration::from_millis(500));
        // Without a link it waits for one.
        ip("link set far down").unwrap();
        std::thread::sleep(Duration::from_millis(2500));
        ip("link set far up").unwrap();
        std::thread::sleep(Duration::from_millis(500));
        cable.send([(1, 5060), (2, 5060)], &[], invite.replace("gone", "again").as_bytes());
        std::thread::sleep(Duration::from_millis(500));
        ip("link delete far").unwrap();
        let (records, said, code) = end(child);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("the interface \"far\" is gone; what came before is counted"), "{said}");
        for call in ["gone", "again"] {
            assert!(records.iter().any(|record| record["call_id"] == call), "{call}: {records:?}");
        }
        assert_eq!(records.last().unwrap()["type"], "summary");
    });
}
