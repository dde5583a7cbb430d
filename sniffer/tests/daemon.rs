//! The running daemon: a replayed call over the query socket, and what survives a restart.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command},
    time::{Duration, SystemTime},
};

use sniffer_core::{
    query::{
        CallFilter, CallKey, Comparison, Counters, MAX_ANSWER, MAX_REQUEST, NumberFilter, Party, Request, Response,
        StoreState, body_length, frame,
    },
    record::CallState,
};

/// A capture file with one registration and one short answered call with 60 RTP packets.
pub fn sample_call() -> Vec<u8> {
    let mut file = Vec::new();
    for number in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 101] {
        file.extend(number.to_le_bytes());
    }
    let mut millis = 0_u32;
    let mut packet = |source: (u8, u16), destination: (u8, u16), payload: &[u8]| {
        millis += 10;
        let length = u16::try_from(payload.len()).unwrap();
        let mut bytes = vec![0x45, 0];
        bytes.extend((length + 28).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source.0, 192, 0, 2, destination.0]);
        bytes.extend(source.1.to_be_bytes());
        bytes.extend(destination.1.to_be_bytes());
        bytes.extend((length + 8).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(payload);
        let size = u32::try_from(bytes.len()).unwrap();
        for number in [1_700_000_000 + millis / 1000, millis % 1000 * 1000, size, size] {
            file.extend(number.to_le_bytes());
        }
        file.extend(bytes);
    };
    let message = |start: &str, call: &str, cseq: &str, to_tag: &str, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{start}\r\nCall-ID: {call}\r\nFrom: <sip:4711@example.org>;tag=a\r\nTo: <sip:4712@example.org>{to_tag}\r\nCSeq: {cseq}\r\n\
             Contact: <sip:4711@192.0.2.1>\r\n{kind}\r\n{body}"
        )
    };
    let sdp = "v=0\r\nc=IN IP4 192.0.2.2\r\nm=audio 5000 RTP/AVP 0\r\n";
    let (here, there) = ((1, 5060), (2, 5060));
    packet(here, there, message("REGISTER sip:example.org SIP/2.0", "r1", "1 REGISTER", "", "").as_bytes());
    packet(there, here, message("SIP/2.0 200 OK", "r1", "1 REGISTER", ";tag=r", "").as_bytes());
    packet(here, there, message("INVITE sip:4712@example.org SIP/2.0", "c1", "1 INVITE", "", "").as_bytes());
    packet(there, here, message("SIP/2.0 200 OK", "c1", "1 INVITE", ";tag=b", sdp).as_bytes());
    for n in 0..60_u16 {
        let mut rtp = vec![0x80, 0];
        rtp.extend(n.to_be_bytes());
        rtp.extend((u32::from(n) * 80).to_be_bytes());
        rtp.extend([0, 0, 0, 9]);
        rtp.extend([0xff; 80]);
        packet((1, 4000), (2, 5000), &rtp);
    }
    packet(here, there, message("BYE sip:4712@example.org SIP/2.0", "c1", "2 BYE", ";tag=b", "").as_bytes());
    file
}

/// A sniffer that runs.
pub struct Daemon {
    process: Child,
    folder: std::path::PathBuf,
}

impl Daemon {
    fn start(folder: &Path, replay: bool) -> Self {
        Self::start_on(folder, &["no-such-port"], replay)
    }

    /// Starts it on these ports, with all it keeps in a folder.
    pub fn start_on(folder: &Path, ports: &[&str], replay: bool) -> Self {
        Self::start_with(folder, serde_json::json!({ "ports": ports, "store": folder.join("store") }), replay)
    }

    /// Starts it with these settings and the query socket in a folder.
    pub fn start_with(folder: &Path, mut settings: serde_json::Value, replay: bool) -> Self {
        let config = folder.join("config.json");
        settings["socket"] = folder.join("query.sock").to_str().unwrap().into();
        std::fs::write(&config, settings.to_string()).unwrap();
        std::fs::write(folder.join("call.pcap"), sample_call()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test starts the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_sniffer"));
        command.arg("run").arg("--config").arg(&config);
        if replay {
            command.arg("--replay").arg(folder.join("call.pcap"));
        }
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let process = command.stderr(log).spawn().unwrap();
        Self { process, folder: folder.to_owned() }
    }

    /// Starts it without a port on a capture file, with more settings.
    pub fn replay(folder: &Path, file: &Path, more: serde_json::Value) -> Self {
        let config = folder.join("config.json");
        let mut settings = serde_json::json!({
            "ports": [], "store": folder.join("store"), "socket": folder.join("query.sock"),
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        std::fs::write(&config, settings.to_string()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test starts the program under test")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_sniffer"));
        command.arg("run").arg("--config").arg(&config).arg("--replay").arg(file);
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let process = command.stderr(log).spawn().unwrap();
        Self { process, folder: folder.to_owned() }
    }

    /// Stops it, and gives its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.end(nix::sys::signal::Signal::SIGTERM)
    }

    /// The packets of a call or record once there are so many: they reach the disk at most a second after they came.
    pub fn capture_of(
        &self,
        id: CallKey,
        kind: Option<sniffer_core::query::RecordKind>,
        count: usize,
    ) -> Vec<(sniffer_core::time::Timestamp, Vec<u8>)> {
        for _ in 0..100 {
            let packets = self.capture_as(id, kind);
            if packets.len() >= count {
                return packets;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no {count} packets: {}", self.log());
    }

    /// Asks until the answer is the one that is waited for, at most half a minute: the daemon runs in real time.
    pub fn ask_until<T>(&mut self, request: &Request, mut wanted: impl FnMut(Response) -> Option<T>) -> T {
        #[expect(clippy::disallowed_methods, reason = "a deadline in real time: the daemon is another process")]
        let begin = SystemTime::now();
        loop {
            if let Some(found) = self.ask(request).and_then(&mut wanted) {
                return found;
            }
            assert!(begin.elapsed().unwrap_or_default() < Duration::from_secs(30), "no answer: {}", self.log());
            assert_eq!(self.process.try_wait().unwrap(), None, "it ended: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks once.
    pub fn ask(&self, request: &Request) -> Option<Response> {
        let mut stream = UnixStream::connect(self.folder.join("query.sock")).ok()?;
        stream.write_all(&frame(&serde_json::to_vec(request).unwrap(), MAX_REQUEST).unwrap()).unwrap();
        let mut header = [0; 4];
        stream.read_exact(&mut header).ok()?;
        let mut body = vec![0; body_length(header, MAX_ANSWER).unwrap()];
        stream.read_exact(&mut body).unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    /// The packets of a call, by the query socket.
    fn capture(&self, id: CallKey) -> Vec<(sniffer_core::time::Timestamp, Vec<u8>)> {
        self.capture_as(id, None)
    }

    fn capture_as(
        &self,
        id: CallKey,
        kind: Option<sniffer_core::query::RecordKind>,
    ) -> Vec<(sniffer_core::time::Timestamp, Vec<u8>)> {
        let mut stream = UnixStream::connect(self.folder.join("query.sock")).unwrap();
        let request = serde_json::to_vec(&Request::Capture { id, kind }).unwrap();
        stream.write_all(&frame(&request, MAX_REQUEST).unwrap()).unwrap();
        let mut next = || {
            let mut header = [0; 4];
            stream.read_exact(&mut header).unwrap();
            let mut body = vec![0; body_length(header, MAX_ANSWER).unwrap()];
            stream.read_exact(&mut body).unwrap();
            body
        };
        assert_eq!(serde_json::from_slice::<Response>(&next()).unwrap(), Response::Capture { kept: true });
        let mut bytes = Vec::new();
        loop {
            let part = next();
            if part.is_empty() {
                break;
            }
            bytes.extend(part);
        }
        let path = self.folder.join("cut.pcapng");
        std::fs::write(&path, bytes).unwrap();
        let mut file = sniffer::file::CaptureFile::open(&path).unwrap();
        let mut packets = Vec::new();
        while let Some(packet) = file.next_packet().unwrap() {
            packets.push((packet.time, packet.frame.to_vec()));
        }
        packets
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let process = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        nix::sys::signal::kill(process, signal).unwrap();
    }

    /// Ends it; its exit code.
    pub fn end(&mut self, signal: nix::sys::signal::Signal) -> Option<i32> {
        self.signal(signal);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Where an assertion failed before the end.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The page of calls.
pub fn calls(response: Response) -> Option<Vec<sniffer_core::query::CallSummary>> {
    match response {
        Response::Calls { calls, .. } => Some(calls),
        _ => None,
    }
}

/// The counters.
pub fn counters(response: Response) -> Option<Counters> {
    match response {
        Response::Counters(counters) => Some(*counters),
        _ => None,
    }
}

#[test]
fn a_replayed_call_is_shown_kept_over_a_kill_and_a_stop_and_never_logged() {
    let folder = tempfile::tempdir().unwrap();
    let list = Request::Calls { limit: 10, before: None };
    let mut daemon = Daemon::start(folder.path(), true);
    let shown = daemon.ask_until(&list, |response| {
        let calls = calls(response)?;
        calls.first().filter(|call| call.state == CallState::Completed).cloned()
    });
    let quality = shown.caller_to_callee.unwrap();
    assert_eq!((quality.packets, quality.lost, quality.codec.as_deref()), (60, 0, Some("PCMU")));
    assert_eq!((shown.from.as_str(), shown.final_status), ("sip:4711@example.org", Some(200)));
    let counted = daemon.ask_until(&Request::Counters, |response| {
        counters(response).filter(|counters| matches!(counters.store, StoreState::Ok { calls: 1 }))
    });
    assert_eq!(counted.received, counted.delivered + counted.waiting);
    assert_eq!((counted.ports.len(), counted.calls, counted.registrations, counted.rtp_packets), (1, 1, 1, 60));
    assert_eq!(counted.ports[0].state, sniffer_core::query::PortState::Missing);
    let refused = daemon.ask(&Request::Registrations { limit: 5 });
    assert!(
        matches!(refused, Some(Response::Registrations { registrations, more: false }) if registrations.len() == 1)
    );

    // No chance to write anything: what the counters said is kept must be there.
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGKILL), None);
    let mut daemon = Daemon::start(folder.path(), false);
    let kept = daemon.ask_until(&list, |response| calls(response).filter(|calls| !calls.is_empty()));
    assert_eq!((kept.len(), kept[0].id, kept[0].call_id.as_str()), (1, shown.id, "c1"));
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0), "{}", daemon.log());
    assert!(!folder.path().join("query.sock").exists());

    let log = daemon.log();
    for private in ["4711", "4712", "sip:", "192.0.2.", "c1"] {
        assert!(!log.contains(private), "{private:?} in the log: {log}");
    }
    assert!(log.contains("Capturing"), "{log}");
}

#[test]
fn an_ended_call_is_kept_within_seconds_with_its_streams_and_packets_and_found_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path(), true);
    let number = NumberFilter { text: "47 12".into(), how: Comparison::Suffix, party: Party::Callee };
    let filter = CallFilter { number: Some(number), states: vec![CallState::Completed], ..CallFilter::default() };
    let search = Request::Search { limit: 5, before: None, filter: Box::new(filter.clone()) };
    #[expect(clippy::disallowed_methods, reason = "how long it takes in real time is what is tested")]
    let begin = SystemTime::now();
    let found = daemon.ask_until(&search, |response| match response {
        Response::Found { calls, next: None } => calls.into_iter().next(),
        _ => None,
    });
    // The file takes 0.7 s, the call lingers 32 s in the engine, and snapshots come every 5 s.
    let waited = begin.elapsed().unwrap();
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    let other =
        CallFilter { number: Some(NumberFilter { text: "4711".into(), ..filter.number.clone().unwrap() }), ..filter };
    let none = daemon.ask(&Request::Search { limit: 5, before: None, filter: Box::new(other) });
    assert!(matches!(none, Some(Response::Found { calls, next: None }) if calls.is_empty()));
    let Some(Response::Call(Some(call))) = daemon.ask(&Request::Call { id: found.id }) else { panic!("no call") };
    assert_eq!((call.streams.len(), call.streams[0].packets), (1, 60));
    assert_eq!(call.record.unwrap().call_id, "c1");
    // Packets reach the disk at most a second later.
    let mut packets = Vec::new();
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        packets = daemon.capture(found.id);
        if packets.len() == 63 {
            break;
        }
    }
    assert_eq!(packets.len(), 63, "{}", daemon.log());
    assert!(packets.is_sorted_by_key(|(time, _)| *time));
    let lengths: Vec<usize> = packets.iter().map(|(_, frame)| frame.len()).collect();
    assert!(lengths[0] > 150 && lengths[62] > 150, "signalling in full: {lengths:?}");
    assert!(lengths[2..62].iter().all(|length| *length == 20 + 8 + 12), "media as headers: {lengths:?}");
    let report = daemon.ask_until(&Request::Storage, |response| match response {
        Response::Storage(report) if report.kinds.len() == 10 => Some(report),
        _ => None,
    });
    let bytes = |kind: &str| report.kinds.iter().find(|found| found.kind == kind).map(|found| found.bytes);
    assert!(bytes("calls") > Some(0) && bytes("signalling") > Some(0) && bytes("media") > Some(0), "{report:?}");
    assert!(
        report.total > report.free && report.floor > 0 && !report.packets_stopped && report.packets_dropped.is_empty()
    );
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0), "{}", daemon.log());
    for private in ["4711", "4712", "sip:", "192.0.2.", "c1"] {
        assert!(!daemon.log().contains(private), "{private:?} in the log: {}", daemon.log());
    }
}

#[test]
fn a_call_in_progress_when_the_sniffer_is_stopped_keeps_its_quality_up_to_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path(), true);
    // The answer comes after 40 ms, the BYE after 640: no snapshot is due in between.
    daemon.ask_until(&Request::Counters, |response| counters(response).filter(|counted| counted.rtp_packets > 0));
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0), "{}", daemon.log());
    let mut daemon = Daemon::start(folder.path(), false);
    let list = Request::Calls { limit: 10, before: None };
    let kept = daemon.ask_until(&list, |response| calls(response).filter(|calls| !calls.is_empty()));
    // Where the machine was so slow that the whole file had passed, the call has ended.
    assert!(matches!(kept[0].state, CallState::Interrupted | CallState::Completed), "{kept:?}");
    let quality = kept[0].caller_to_callee.as_ref().unwrap();
    assert!(quality.packets > 0 && quality.codec.as_deref() == Some("PCMU"), "{quality:?}");
    let Some(Response::Call(Some(call))) = daemon.ask(&Request::Call { id: kept[0].id }) else { panic!("no call") };
    assert_eq!(call.streams.len(), 1);
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0));
}

#[test]
fn a_packet_store_with_damage_is_said_where_the_store_of_calls_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path(), true);
    let is_kept = |response| counters(response).filter(|all| matches!(all.store, StoreState::Ok { calls: 1 }));
    daemon.ask_until(&Request::Counters, is_kept);
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0));
    // A half block at the end of the last segment, as after a power cut.
    let segments = folder.path().join("store/packets/signalling");
    let last = std::fs::read_dir(segments).unwrap().map(|found| found.unwrap().path()).max().unwrap();
    std::fs::File::options().append(true).open(last).unwrap().write_all(&[7; 500]).unwrap();
    let mut daemon = Daemon::start(folder.path(), true);
    let message = daemon.ask_until(&Request::Counters, |response| match counters(response)?.store {
        StoreState::Damaged { message, .. } => Some(message),
        StoreState::Ok { .. } | StoreState::Failed { .. } | StoreState::Off => None,
    });
    assert!(message.contains("1 blocks of packets"), "{message}");
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0));
}

#[test]
fn a_store_that_cannot_be_opened_is_said_and_calls_are_shown_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("store"), "a file in the place of the folder").unwrap();
    let mut daemon = Daemon::start(folder.path(), true);
    let message = daemon.ask_until(&Request::Counters, |response| match counters(response)?.store {
        StoreState::Failed { message } => Some(message),
        StoreState::Ok { .. } | StoreState::Damaged { .. } | StoreState::Off => None,
    });
    assert!(message.contains("store"), "{message}");
    let list = Request::Calls { limit: 10, before: None };
    daemon.ask_until(&list, |response| calls(response).filter(|calls| calls.len() == 1));
    assert_eq!(daemon.end(nix::sys::signal::Signal::SIGTERM), Some(0));
    assert!(folder.path().join("store").is_file());
}

#[test]
fn a_request_that_is_too_long_or_not_json_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path(), false);
    daemon.ask_until(&Request::Counters, counters);
    let mut stream = UnixStream::connect(folder.path().join("query.sock")).unwrap();
    stream.write_all(&[0xff, 0xff, 0xff, 0xff]).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0, "the connection is closed");
    let mut stream = UnixStream::connect(folder.path().join("query.sock")).unwrap();
    stream.write_all(&frame(b"\"shutdown\"", MAX_REQUEST).unwrap()).unwrap();
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    let mut body = vec![0; body_length(header, MAX_ANSWER).unwrap()];
    stream.read_exact(&mut body).unwrap();
    assert!(matches!(serde_json::from_slice(&body).unwrap(), Response::Error { .. }));
    daemon.ask_until(&Request::Counters, counters);
}
