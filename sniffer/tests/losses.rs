//! What the capture itself loses marks the calls in whose time it fell, and no others: in the records, on the disk, in a
//! search and as JSON. The ring overflows because the readers are stopped; the packet store because its disk is full.

use std::{io::Read, path::Path, time::Duration};

use nix::{
    mount::{MsFlags, mount},
    sys::signal::{Signal, kill},
};
use serde_json::{Value, json};
use sniffer_core::{
    query::{CallFilter, Counters, Request, Response},
    record::CallState,
};

use crate::{
    daemon::{Daemon, counters},
    live,
    wire::{Cable, in_network},
};

/// Longer than looks at the ring's counters are apart, and than what a loss may lie beside a call and still count.
const APART: Duration = Duration::from_secs(6);

/// One call after the other between the same two telephones.
struct Talk<'a> {
    cable: &'a Cable,
    call: &'static str,
}

impl Talk<'_> {
    fn message(&self, from: u8, start: &str, cseq: &str) {
        let text = format!(
            "{start}\r\nCall-ID: {}\r\nFrom: <sip:a@x>;tag={0}\r\nTo: <sip:b@x>;tag=b{0}\r\nCSeq: {cseq}\r\n\
             Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n",
            self.call
        );
        self.cable.send([(from, 5060), (3 - from, 5060)], &[], text.as_bytes());
    }

    fn begin(&self) {
        self.message(1, "INVITE sip:b@x SIP/2.0", "1 INVITE");
        self.message(2, "SIP/2.0 200 OK", "1 INVITE");
        self.sound(0);
    }

    /// Seventy packets: enough for a MOS.
    fn sound(&self, from: u16) {
        for number in from..from + 70 {
            self.cable.rtp(number, &[], 160);
        }
    }

    fn end(&self) {
        self.message(1, "BYE sip:b@x SIP/2.0", "2 BYE");
        self.message(2, "SIP/2.0 200 OK", "2 BYE");
    }
}

/// Every frame that was sent has been read or counted as dropped, and nothing comes any more.
fn settled(daemon: &mut Daemon) -> Counters {
    let mut before = 0;
    daemon.ask_until(&Request::Counters, |response| {
        let counted = counters(response)?;
        let received = counted.ports[0].received;
        (received > 0 && std::mem::replace(&mut before, received) == received).then_some(counted)
    })
}

/// The calls that are marked, by what the daemon says of each of these: in the list, in a search, in the call's record
/// and in its streams'. A stream that is marked has a MOS all the same.
fn marked(daemon: &mut Daemon, calls: &[&str]) -> Vec<String> {
    let filter = CallFilter { states: vec![CallState::Completed], ..CallFilter::default() };
    let search = Request::Search { limit: 10, before: None, filter: Box::new(filter) };
    let found = daemon.ask_until(&search, |response| match response {
        Response::Found { calls: found, .. } if found.len() == calls.len() => Some(found),
        _ => None,
    });
    let listed = match daemon.ask(&Request::Calls { limit: 10, before: None }) {
        Some(Response::Calls { calls, .. }) => calls,
        other => panic!("{other:?}"),
    };
    let mut marked = Vec::new();
    for row in &found {
        let Some(Response::Call(Some(call))) = daemon.ask(&Request::Call { id: row.id }) else { panic!("no {row:?}") };
        let record = call.record.unwrap();
        let same = listed.iter().find(|other| other.id == row.id).unwrap();
        assert_eq!((record.lost_here, same.lost_here), (row.lost_here, row.lost_here), "{}", row.call_id);
        assert_eq!(call.streams.len(), 1, "{}", row.call_id);
        assert!(call.streams[0].mos.is_some(), "{}", row.call_id);
        if row.lost_here {
            marked.push(row.call_id.clone());
        }
    }
    marked
}

fn streams_marked(daemon: &mut Daemon) -> Vec<String> {
    let search = Request::Search { limit: 10, before: None, filter: Box::default() };
    let Some(Response::Found { calls, .. }) = daemon.ask(&search) else { panic!("no search") };
    let mut marked = Vec::new();
    for row in calls {
        let Some(Response::Call(Some(call))) = daemon.ask(&Request::Call { id: row.id }) else { panic!("no {row:?}") };
        if call.streams[0].lost_here {
            marked.push(row.call_id);
        }
    }
    marked
}

fn settings(store: &Path) -> Value {
    json!({ "ports": ["far"], "store": store, "timeouts": { "call_linger": 1 } })
}

#[test]
fn what_a_full_ring_loses_marks_the_call_of_that_time_and_neither_the_one_before_nor_the_one_after() {
    in_network("what a full ring loses", || {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start_with(folder.path(), settings(&folder.path().join("store")), false);
        let up = |response| counters(response).filter(|all| all.ports[0].state == sniffer_core::query::PortState::Up);
        daemon.ask_until(&Request::Counters, up);
        let mut live = live::start();
        let live_process = nix::unistd::Pid::from_raw(i32::try_from(live.id()).unwrap());
        std::thread::sleep(APART);
        let cable = Cable::open("near");
        let [before, during, after] = ["before", "during", "after"].map(|call| Talk { cable: &cable, call });
        before.begin();
        before.end();
        std::thread::sleep(APART);
        during.begin();
        std::thread::sleep(Duration::from_millis(500));
        // Nobody reads, and more comes than a ring holds.
        daemon.signal(Signal::SIGSTOP);
        kill(live_process, Signal::SIGSTOP).unwrap();
        for _ in 0..30_000 {
            cable.send([(1, 40_000), (2, 40_001)], &[], &[0; 1400]);
        }
        daemon.signal(Signal::SIGCONT);
        kill(live_process, Signal::SIGCONT).unwrap();
        let counted = settled(&mut daemon);
        let port = &counted.ports[0];
        assert!(port.kernel_dropped > 1000 && port.interface_dropped == 0, "{port:?}");
        assert_eq!((port.received, counted.lost_here), (port.delivered + port.kernel_dropped, port.kernel_dropped));
        std::thread::sleep(APART);
        during.sound(70);
        during.end();
        std::thread::sleep(APART);
        after.begin();
        after.end();
        let calls = ["before", "during", "after"];
        assert_eq!(marked(&mut daemon, &calls), ["during"], "{}", daemon.log());
        assert_eq!(streams_marked(&mut daemon), ["during"]);
        // On the disk as well.
        std::thread::sleep(APART);
        assert_eq!(daemon.end(Signal::SIGTERM), Some(0), "{}", daemon.log());
        let lines = daemon.log().lines().filter(|line| line.contains("loses packets")).count();
        assert_eq!(lines, 1, "said once, not for each look: {}", daemon.log());
        let mut daemon = Daemon::start_with(folder.path(), settings(&folder.path().join("store")), false);
        assert_eq!(marked(&mut daemon, &calls), ["during"]);
        assert_eq!(streams_marked(&mut daemon), ["during"]);

        kill(live_process, Signal::SIGINT).unwrap();
        let (mut shown, mut said) = (String::new(), String::new());
        live.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
        live.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(live.wait().unwrap().success(), "{said}");
        assert!(said.contains("packets were lost by this capture"), "{said}");
        let records: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for kind in ["call", "stream"] {
            let of = |record: &&Value| record["type"] == kind && record["lost_here"] == true;
            let marked: Vec<_> = records.iter().filter(of).map(|record| record["call_id"].clone()).collect();
            assert_eq!(marked, ["during"], "{kind}: {shown}");
        }
        let streams = records.iter().filter(|record| record["type"] == "stream");
        assert!(streams.clone().count() == 3 && streams.clone().all(|stream| stream["mos"].is_number()), "{shown}");
    });
}

#[test]
fn packets_that_a_full_disk_keeps_out_mark_the_call_they_were_of_and_no_other() {
    in_network("packets that a full disk keeps out", || {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        // In this thread's own file systems; the daemon that it starts sees it too.
        mount(Some("tmpfs"), &disk, Some("tmpfs"), MsFlags::empty(), Some("size=64m")).unwrap();
        let mut daemon = Daemon::start_with(folder.path(), settings(&disk.join("store")), false);
        let up = |response| counters(response).filter(|all| all.ports[0].state == sniffer_core::query::PortState::Up);
        daemon.ask_until(&Request::Counters, up);
        let cable = Cable::open("near");
        let [before, during, after] = ["before", "during", "after"].map(|call| Talk { cable: &cable, call });
        before.begin();
        before.end();
        marked(&mut daemon, &["before"]);
        // Less is free than the floor, a twentieth of the disk: calls are kept on, packets are not.
        std::thread::sleep(Duration::from_secs(2));
        let free = || {
            let space = nix::sys::statvfs::statvfs(&disk).unwrap();
            usize::try_from(space.blocks_available() * space.fragment_size()).unwrap()
        };
        let full = disk.join("full");
        std::fs::write(&full, vec![1; free() - (2 << 20)]).unwrap();
        during.begin();
        let in_progress = |response| match response {
            Response::Calls { calls, .. } => calls.into_iter().find(|call| call.call_id == "during" && call.lost_here),
            _ => None,
        };
        let row = daemon.ask_until(&Request::Calls { limit: 10, before: None }, in_progress);
        assert_eq!(row.state, CallState::InCall, "marked while it goes on");
        during.end();
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(marked(&mut daemon, &["before", "during"]), ["during"], "{}", daemon.log());
        std::fs::remove_file(&full).unwrap();
        after.begin();
        after.end();
        assert_eq!(marked(&mut daemon, &["before", "during", "after"]), ["during"], "{}", daemon.log());
        std::thread::sleep(APART);
        assert_eq!(marked(&mut daemon, &["before", "during", "after"]), ["during"], "when the calls are over, too");
        assert_eq!(streams_marked(&mut daemon), [""; 0], "the engine lost nothing: loss and MOS are right");
        assert_eq!(daemon.end(Signal::SIGTERM), Some(0), "{}", daemon.log());
        assert!(daemon.log().contains("Packets are not kept: free space has reached its floor"), "{}", daemon.log());
    });
}
