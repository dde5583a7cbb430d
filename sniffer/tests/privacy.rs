//! No log line names who called whom: numbers, SIP URIs, Call-IDs and addresses of the traffic stay out of it, at every
//! level of logging.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use traffic::{CallPlan, Carriage, Link, Outcome, Plan, Tunnel, write_pcap};

use crate::{
    captures,
    command_line::sniffer,
    wire::{Cable, in_network, ip},
};

/// Shorter texts are found by chance: a port, a count, a name like "bob".
const SHORTEST: usize = 6;

/// What of the records must not be logged: Call-IDs, URIs and their users, addresses with and without ports.
fn secrets(records: &[Value]) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for record in records {
        for name in ["call_id", "from", "to", "src", "dst", "aor", "contact"] {
            let Some(text) = record[name].as_str() else { continue };
            secrets.insert(text.to_owned());
            let user = text.trim_start_matches("sips:").trim_start_matches("sip:").trim_start_matches("tel:");
            secrets.extend(user.split('@').map(str::to_owned));
            if let Some((address, _)) = text.rsplit_once(':') {
                secrets.insert(address.trim_matches(['[', ']']).to_owned());
            }
        }
    }
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets
}

/// The first line that holds one of them.
fn leak(log: &str, secrets: &BTreeSet<String>) -> Option<String> {
    log.lines().find_map(|line| {
        let secret = secrets.iter().find(|secret| line.contains(secret.as_str()))?;
        Some(format!("{secret:?} in {line:?}"))
    })
}

/// Calls of every outcome, tunnel and carriage, and one whose texts no log should meet.
fn invented(folder: &Path) -> std::path::PathBuf {
    let mut plan = Plan { seed: 8, registrations: 2, ..Plan::default() };
    let talk = Duration::from_millis(300);
    for (index, outcome) in [Outcome::Completed, Outcome::InCall, Outcome::Busy, Outcome::Cancelled, Outcome::Declined]
        .into_iter()
        .enumerate()
    {
        let caller = format!("+35121555{index:04}");
        plan.calls.push(CallPlan { outcome, ..CallPlan::plain(&caller, "+442079460018", talk) });
    }
    for tunnel in Tunnel::ALL {
        for carriage in [Carriage::Udp, Carriage::Fragments, Carriage::Tcp] {
            let link = Link { vlan: None, is_v6: carriage == Carriage::Tcp };
            plan.calls.push(CallPlan {
                tunnel,
                carriage,
                link,
                ..CallPlan::plain("+351915550009", "+442079460019", talk)
            });
        }
    }
    let hostile = "evil\\\"%0aname%00;drop";
    plan.calls.push(CallPlan::plain(hostile, hostile, talk));
    let mut frames = plan.make().unwrap().frames;
    // Damage in every tenth frame: what is refused must not be quoted either.
    for frame in frames.iter_mut().step_by(10) {
        let middle = frame.bytes.len() / 2;
        frame.bytes[middle] ^= 0x55;
    }
    let file = folder.join("capture");
    write_pcap(fs::File::create(&file).unwrap(), Duration::from_secs(1_795_000_000), &frames).unwrap();
    file
}

/// Runs `sniffer read --json` with everything logged; what is returned is the records and the log.
fn read(file: &Path) -> (Vec<Value>, String) {
    let output = sniffer(&["read", "--json", "--rtp-without-sip"]).arg(file).env("RUST_LOG", "trace").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let records = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (records, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn reading_logs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (records, log) = read(&invented(folder.path()));
    let secrets = secrets(&records);
    assert!(secrets.contains("+351215550000") && secrets.contains("192.0.2.10"), "{secrets:?}");
    assert_eq!(leak(&log, &secrets), None, "{log}");
}

#[test]
fn reading_real_captures_logs_nobody() {
    let Some(shared) = captures::folder("reading_real_captures_logs_nobody") else { return };
    let folder = tempfile::tempdir().unwrap();
    // Under a name that tells nothing: the log may name the file.
    let name = folder.path().join("capture");
    for file in captures::files(&shared) {
        drop(fs::remove_file(&name));
        std::os::unix::fs::symlink(&file, &name).unwrap();
        let (records, log) = read(&name);
        assert_eq!(leak(&log, &secrets(&records)), None, "{}: {log}", file.display());
    }
}

/// Runs the daemon over a file with everything logged, asks it this and that meanwhile, and gives its answers and its log.
fn daemon(folder: &Path, file: &Path, store: &Path, workers: u8) -> (Vec<String>, String) {
    let (config, socket) = (folder.join("config.json"), folder.join("query.sock"));
    let settings = serde_json::json!({
        "ports": [], "store": store, "socket": socket, "rtp_without_sip": true,
        "nat_aliases": [["192.0.2.10", "198.51.100.200"]], "workers": workers,
    });
    fs::write(&config, settings.to_string()).unwrap();
    let child = sniffer(&["run", "--config"])
        .arg(&config)
        .arg("--replay")
        .arg(file)
        .env("RUST_LOG", "trace")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The traffic takes a second and a half, in real time; the store writes after each second.
    std::thread::sleep(Duration::from_secs(4));
    let answers: Vec<String> = QUESTIONS.iter().map(|question| ask(&socket, question)).collect();
    assert!(answers[1..].iter().all(|answer| answer.contains("error")), "{answers:?}");
    // One who leaves in the middle of his question, and one whose question is longer than any.
    for beginning in [&[0, 0, 0, 50, b'"', b'+'][..], &[0xff; 8]] {
        UnixStream::connect(&socket).unwrap().write_all(beginning).unwrap();
    }
    std::thread::sleep(Duration::from_secs(1));
    let process = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && log.contains("Capturing"), "{log}");
    (answers, log)
}

/// A search that is in order, and questions that are not; all of them name somebody.
const QUESTIONS: [&str; 4] = [
    r#"{"search":{"filter":{"number":{"text":"+351215550000","how":"exact"}},"limit":5}}"#,
    r#"{"search":{"filter":{"number":"+351215550000"},"limit":5}}"#,
    r#"{"+351215550000":{"sip:+351215550000@192.0.2.10":1}}"#,
    r#"{"call":{"id":"+351215550000"}}"#,
];

fn ask(socket: &Path, question: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(&u32::try_from(question.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(question.as_bytes()).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

#[test]
fn the_daemon_logs_nobody_and_not_what_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = invented(folder.path());
    let (records, _) = read(&file);
    for workers in [1, 2] {
        let store = folder.path().join(format!("store-{workers}"));
        let (answers, log) = daemon(folder.path(), &file, &store, workers);
        assert!(answers[0].contains("+351215550000"), "the search finds a call: {answers:?}");
        assert_eq!(leak(&log, &secrets(&records)), None, "{log}");
    }
}

#[test]
fn a_daemon_whose_store_cannot_be_used_logs_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = invented(folder.path());
    let (records, _) = read(&file);
    // A file where the folder should be: calls, packets and archive all fail.
    let store = folder.path().join("store");
    fs::write(&store, "no folder").unwrap();
    let (_, log) = daemon(folder.path(), &file, &store, 1);
    assert!(log.contains("Calls are not being kept"), "{log}");
    assert_eq!(leak(&log, &secrets(&records)), None, "{log}");
}

#[test]
fn a_daemon_whose_configuration_is_wrong_logs_where_and_quotes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    // A value of another type, a name of an interface, a field nobody knows, a key of a list, and no JSON at all.
    for wrong in [
        r#""keep_calls": "+351215550000""#,
        r#""ports": ["+351215550000!!!"]"#,
        r#""+351215550000": 1"#,
        r#""keep": {"+351215550000": {"+351215550000": 1}}"#,
        r#""nat_aliases": [["192.0.2.10", "+351215550000"]]"#,
        r#""keep": {"media_packets": "+351215550000"}"#,
        r#""timeouts": +351215550000"#,
    ] {
        fs::write(&config, format!("{{\n\"socket\": \"/s\",\n{wrong}\n}}")).unwrap();
        let run = |words: &[&str]| sniffer(words).arg(&config).env("RUST_LOG", "trace").output().unwrap();
        let output = run(&["run", "--config"]);
        let log = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && log.contains("line 3, column "), "{log}");
        assert!(!log.contains("351215550000") && !log.contains("192.0.2.10"), "{log}");
        // Who asks sees what is wrong.
        let output = run(&["check"]);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(":3:"), "{told}");
    }
}

#[test]
fn writing_a_call_out_names_nobody_whether_it_is_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = invented(folder.path());
    let (records, _) = read(&file);
    let secrets = secrets(&records);
    let call = records.iter().find(|record| record["type"] == "call").unwrap()["call_id"].as_str().unwrap().to_owned();
    let out = folder.path().join("out.pcap");
    for (call_id, code) in [(call.as_str(), 0), ("+351215550000@192.0.2.10", 1)] {
        let output = sniffer(&["read", "--write-call", call_id, out.to_str().unwrap(), file.to_str().unwrap()])
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        for text in [output.stderr, output.stdout] {
            assert_eq!(leak(&String::from_utf8(text).unwrap(), &secrets), None);
        }
    }
    // Cut files, unknown files, and folders for files are complained about, and nobody is named.
    let cut = folder.path().join("cut");
    let bytes = fs::read(&file).unwrap();
    for length in [10, bytes.len() - 7] {
        fs::write(&cut, &bytes[..length]).unwrap();
        let (_, log) = read(&cut);
        assert!(log.contains("it was cut"), "{log}");
        assert_eq!(leak(&log, &secrets), None);
    }
}

#[test]
fn live_capture_logs_nobody() {
    in_network("live_capture_logs_nobody", || {
        let mut command = sniffer(&["live", "far", "--json", "--rtp-without-sip"]);
        let child = command.env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(3));
        let cable = Cable::open("near");
        for (n, method) in ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "BYE"].into_iter().enumerate() {
            let text = format!(
                "{method} sip:+351215550000@192.0.2.2 SIP/2.0\r\nCall-ID: {n}-secret@callward.example\r\n\
                 From: <sip:+351215550001@192.0.2.1>;tag=a\r\nTo: <sip:+351215550000@192.0.2.2>\r\nCSeq: 1 {method}\r\n\r\n"
            );
            cable.send([(1, 5060), (2, 5060)], &[], text.as_bytes());
            // Cut in the middle of a header.
            cable.send([(1, 5060), (2, 5060)], &[], &text.as_bytes()[..text.len() / 2]);
        }
        (0..50).for_each(|number| cable.rtp(number, &[], 160));
        std::thread::sleep(Duration::from_secs(1));
        ip("link delete far").unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let secrets = secrets(&records);
        for secret in ["+351215550001", "192.0.2.2", "0-secret@callward.example"] {
            assert!(secrets.contains(secret), "{secret}: {secrets:?}");
        }
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains("is gone"), "{log}");
        assert_eq!(leak(&log, &secrets), None, "{log}");
    });
}

/// The text of the panic that [`a_defect`] makes names somebody.
const NAMED: &str = "sip:\u{e9}+351215550000@192.0.2.10";

#[test]
#[ignore = "another test runs it as a program of its own"]
fn a_defect() {
    // Whatever is asked: from here on it logs, and tells panics, as the program does.
    let _code = sniffer::cli::run(["sniffer", "check", "/dev/null"]);
    // Within a letter of two octets.
    let (_, rest) = NAMED.split_at(std::hint::black_box(5));
    assert!(rest.is_empty());
}

#[test]
fn a_panic_says_where_it_was_and_names_nobody() {
    #[expect(clippy::disallowed_methods, reason = "the test starts itself")]
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command
        .args(["--exact", "privacy::a_defect", "--ignored", "--nocapture", "--test-threads=1"])
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && said.contains("A defect of sniffer"), "{said}");
    assert!(said.contains("tests/privacy.rs:"), "{said}");
    let secrets = [NAMED, "+351215550000", "192.0.2.10"].map(str::to_owned).into();
    assert_eq!(leak(&said, &secrets), None, "{said}");
}

#[test]
fn a_leak_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (records, _) = read(&invented(folder.path()));
    let secrets = secrets(&records);
    let v6 = secrets.iter().find(|secret| secret.starts_with("2001:db8:")).expect("calls over IPv6");
    let call = secrets.iter().find(|secret| secret.ends_with("@callward.example")).expect("Call-IDs");
    for secret in ["+351215550000", "192.0.2.10", v6, call] {
        let log = format!("12:00:00 DEBUG all is well\n12:00:01 TRACE a message from {secret}:5060 was refused");
        assert!(leak(&log, &secrets).is_some(), "{secret}");
    }
    assert_eq!(leak("12:00:00 INFO Capturing ports=1", &secrets), None);
}
