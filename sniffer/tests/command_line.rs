//! The commands through the real program: what a person types, sees and gets as exit code.

#[path = "../examples/pages.rs"]
mod pages;

use std::{
    fs,
    io::Read,
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use traffic::{CallPlan, Faults, Outcome, Plan, Traffic, write_pcap};

/// A command line of the program under test.
pub fn sniffer(arguments: &[&str]) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the test starts the program under test")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_sniffer"));
    command.args(arguments).env_remove("COLUMNS").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    sniffer(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A few calls as a file, and what they are.
pub fn sample(folder: &Path) -> (PathBuf, Traffic) {
    let call = |caller: &str, outcome| CallPlan {
        outcome,
        ..CallPlan::plain(caller, "+442079460018", Duration::from_secs(2))
    };
    let mut lossy = call("+351215550001", Outcome::Completed);
    lossy.caller_faults = Faults { lost_percent: 10.0, doubled_percent: 5.0, ..Faults::default() };
    let calls = vec![lossy, call("+351215550002", Outcome::Busy), call("+351215550003", Outcome::Cancelled)];
    let traffic = Plan { seed: 4, calls, registrations: 1 }.make().unwrap();
    let file = folder.join("calls.pcap");
    write_pcap(fs::File::create(&file).unwrap(), Duration::from_secs(1_795_000_000), &traffic.frames).unwrap();
    (file, traffic)
}

#[test]
fn the_table_fits_80_columns_and_says_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let (file, traffic) = sample(folder.path());
    let output = run(&["read", file.to_str().unwrap()]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "no bar where nobody watches");
    let table = text(&output.stdout);
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    for part in
        ["+351215550001 → +442079460018", "completed    200", "busy         486", "cancelled    487", "registered"]
    {
        assert!(table.contains(part), "{part:?} is missing:\n{table}");
    }
    let lossy = &traffic.truth.calls[0].streams[0];
    let lost =
        format!("{}.{} % lost", lossy.lost * 1000 / lossy.expected / 10, lossy.lost * 1000 / lossy.expected % 10);
    assert!(table.contains(&lost), "{lost:?} is missing:\n{table}");
    assert!(table.contains("3 calls, 2 streams, 1 registration\n"), "{table}");

    let wide = sniffer(&["read", file.to_str().unwrap()]).env("COLUMNS", "120").output().unwrap();
    assert!(text(&wide.stdout).contains("+351215550001@192.0.2.10 → +442079460018@198.51.100.10"), "{wide:?}");
}

#[test]
fn what_matters_is_said_in_the_table_and_not_only_in_the_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("call.pcap");
    let call = CallPlan::plain("+351215550001", "+442079460018", Duration::from_secs(12));
    let traffic = Plan::of(4, call).make().unwrap();
    let write = |frames: &[traffic::TimedFrame]| {
        write_pcap(fs::File::create(&file).unwrap(), Duration::from_secs(1_795_000_000), frames).unwrap();
        text(&run(&["read", file.to_str().unwrap()]).stdout)
    };
    // RTP of one direction only: an Ethernet frame whose UDP goes to the callee's port.
    let stream = &traffic.truth.calls[0].streams[0];
    let (source, rtp) = (stream.src.port().to_be_bytes(), 14 + 20 + 8 + 12 + 160);
    let is_sound = |frame: &&traffic::TimedFrame| frame.bytes.len() == rtp;
    let one_way: Vec<_> =
        traffic.frames.iter().filter(|frame| !is_sound(frame) || frame.bytes[34..36] == source).cloned().collect();
    let table = write(&one_way);
    assert!(table.contains("! one-way audio: the caller heard nothing from the callee"), "{table}");
    assert!(!write(&traffic.frames).contains("one-way"));
    // Media alone.
    let sound: Vec<_> = traffic.frames.iter().filter(is_sound).cloned().collect();
    let table = write(&sound);
    assert!(table.contains("look like media that no call announces; --rtp-without-sip shows them"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn json_is_one_object_a_line_and_the_same_in_every_run() {
    let folder = tempfile::tempdir().unwrap();
    let (file, traffic) = sample(folder.path());
    let output = run(&["read", "--json", file.to_str().unwrap()]);
    let records: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let calls: Vec<_> = records.iter().filter(|record| record["type"] == "call").collect();
    assert_eq!(calls.len(), traffic.truth.calls.len());
    assert_eq!(records.last().unwrap()["type"], "summary");
    assert_eq!(output.stdout, run(&["read", "--json", file.to_str().unwrap()]).stdout);
}

#[test]
fn a_terminal_sees_how_far_reading_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = sample(folder.path());
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = sniffer(&["read", "--json", file.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::from(terminal.slave))
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    drop(child);
    let mut shown = Vec::new();
    let mut master = fs::File::from(terminal.master);
    // A terminal whose other end is closed gives an error at its end.
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = master.read(&mut part) {
        shown.extend_from_slice(&part[..count]);
    }
    let shown = text(&shown);
    assert!(shown.contains(" 50 %") && shown.ends_with("\r\x1b[K"), "{shown:?}");
}

#[test]
fn one_call_is_written_with_all_its_packets_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (file, traffic) = sample(folder.path());
    let whole = text(&run(&["read", "--json", file.to_str().unwrap()]).stdout);
    for call in &traffic.truth.calls {
        let out = folder.path().join("one.pcap");
        let output = run(&["read", "--write-call", &call.call_id, out.to_str().unwrap(), file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        // Reading it gives the same records of the call and its streams, and nothing else.
        let again = text(&run(&["read", "--json", out.to_str().unwrap()]).stdout);
        let of_call = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.contains(&call.call_id)).map(str::to_owned).collect()
        };
        assert_eq!(of_call(&again), of_call(&whole));
        let summary: Value = serde_json::from_str(again.lines().last().unwrap()).unwrap();
        assert_eq!((&summary["calls"], &summary["registrations"]), (&Value::from(1), &Value::from(0)), "{summary}");
        assert_eq!(summary["packets"], summary["delivered"]);
        assert!(text(&output.stdout).contains(&format!("{} packets", summary["packets"])), "{output:?}");
    }
}

#[test]
fn a_call_that_is_not_there_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = sample(folder.path());
    let out = folder.path().join("one.pcap");
    let output = run(&["read", "--write-call", "nobody", out.to_str().unwrap(), file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("none of the 4 calls, registrations and exchanges has this Call-ID"),
        "{output:?}"
    );
    assert!(!out.exists(), "nothing is written");
    let output = run(&["read", "--write-call", "x", file.to_str().unwrap(), file.to_str().unwrap()]);
    assert!(text(&output.stderr).contains("name another one to write"), "{output:?}");
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["read", folder.path().join("none.pcap").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is the path right?"), "{output:?}");
    let letter = folder.path().join("letter.txt");
    fs::write(&letter, "Dear reader, this is no capture file.").unwrap();
    let output = run(&["read", letter.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("save the capture as pcap or pcapng"), "{output:?}");
    assert_eq!(run(&["read"]).status.code(), Some(2), "no file is a usage error");
}

#[test]
fn a_cut_file_counts_up_to_the_cut_and_has_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let (file, traffic) = sample(folder.path());
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    let output = run(&["read", "--json", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("it was cut; what came before is counted"), "{output:?}");
    let summary: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!(summary["packets"].as_u64().unwrap() + 1, u64::try_from(traffic.frames.len()).unwrap());
}

#[test]
fn a_configuration_is_checked_with_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sniffer.json");
    let check = |text: String| {
        fs::write(&config, text).unwrap();
        run(&["check", config.to_str().unwrap()])
    };
    let socket = folder.path().join("query.sock");
    let output = check(format!("{{\n \"ports\": [\"lo\"],\n \"socket\": {socket:?}\n}}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains("in order, 1 ports"), "{output:?}");
    let output = check(format!("{{\n \"ports\": [\"no-such-port\"],\n \"socket\": {socket:?}\n}}"));
    assert_eq!(output.status.code(), Some(0), "the daemon starts, and waits for the port: {output:?}");
    assert!(text(&output.stdout).contains("there is no interface \"no-such-port\""), "{output:?}");
    let output = check(format!("{{\n \"ports\": [\"lo\",\n  \"a/b\"],\n \"socket\": {socket:?}\n}}"));
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains(":3:") && said.contains("ports[1]: \"a/b\" is not the name of an interface"), "{said}");
    let output = check("{\n \"prots\": []\n}".into());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains(":2:") && text(&output.stdout).contains("prots"), "{output:?}");
}

#[test]
fn an_interface_that_is_not_there_is_said_with_what_to_do() {
    let output = run(&["live", "no-such-port"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("`ip link` lists the interfaces"), "{output:?}");
}

#[test]
fn live_prints_what_passes_and_ends_cleanly_on_ctrl_c() {
    if !caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_NET_RAW).unwrap() {
        eprintln!("SKIPPED live_prints_what_passes_and_ends_cleanly_on_ctrl_c: no CAP_NET_RAW");
        return;
    }
    for arguments in [&["live", "lo", "--json"][..], &["live", "lo"]] {
        let mut child = sniffer(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let call = format!("live-{}", child.id());
        let message = |start: &str, cseq: &str| {
            format!(
                "{start}\r\nCall-ID: {call}\r\nFrom: <sip:live@example.org>;tag=a\r\nTo: <sip:b@example.org>\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        // The capture begins at some moment; calls are made until one has surely been seen whole.
        for _ in 0..20 {
            for text in
                [message("INVITE sip:b@example.org SIP/2.0", "1 INVITE"), message("SIP/2.0 486 Busy Here", "1 INVITE")]
            {
                socket.send_to(text.as_bytes(), "127.0.0.1:5060").unwrap();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let (mut shown, mut said) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        if arguments.contains(&"--json") {
            let records: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let found = records.iter().find(|record| record["call_id"] == call.as_str());
            assert_eq!(found.unwrap()["state"], "busy", "{shown}");
            assert_eq!(records.last().unwrap()["type"], "summary");
        } else {
            assert!(shown.contains("live → b") && shown.contains(" call"), "{shown}");
            assert!(!shown.contains('\x1b'), "no drawing where there is no terminal: {shown:?}");
        }
    }
}

#[test]
fn manual_pages_and_completions_know_every_command_and_option() {
    let folder = tempfile::tempdir().unwrap();
    pages::write(folder.path()).unwrap();
    let command = sniffer::cli::command();
    let bash = fs::read_to_string(folder.path().join("sniffer.bash")).unwrap();
    for file in ["_sniffer", "sniffer.fish", "sniffer.1"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    for sub in command.get_subcommands() {
        let page = fs::read_to_string(folder.path().join(format!("sniffer-{}.1", sub.get_name()))).unwrap();
        assert!(bash.contains(sub.get_name()));
        for option in sub.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&option.replace('-', "\\-")), "--{option} in the page of {}", sub.get_name());
            assert!(bash.contains(&format!("--{option}")), "--{option} in the completions");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = sample(folder.path());
    let mut child = sniffer(&["read", "--json", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}
