//! The benchmark with a hundredth of its traffic: what the sniffer prints is what the generator knows.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, like the tests")]

use std::{
    path::Path,
    process::{Command, Output},
};

use std::time::Duration;

use sniffer_bench::{
    check::differences,
    workload::{Scale, Workload},
};
use traffic::{CallPlan, Codec, Faults, Hole, Outcome, Plan, write_pcap};

fn bench(arguments: &[&str]) -> Output {
    #[expect(clippy::disallowed_methods, reason = "the test starts the program under test")]
    let mut command = Command::new(env!("CARGO_BIN_EXE_sniffer-bench"));
    command.args(arguments).output().unwrap()
}

fn quick(workload: &str) -> String {
    let cache = tempfile::tempdir().unwrap();
    let place = cache.path().to_str().unwrap();
    let words = ["sniffer", "--quick", "--only", workload, "--rounds", "1", "--slow-rounds", "0", "--cache", place];
    let output = bench(&words);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_dir(place).unwrap().count(), 1, "outputs are removed, the workload is kept");
    text
}

#[test]
fn media_are_told_as_they_were_made_and_the_same_in_ten_runs() {
    let text = quick("W2");
    assert_eq!(text.matches("PASS").count(), 3, "{text}");
}

#[test]
fn signalling_is_told_as_it_was_made() {
    assert_eq!(quick("W3").matches("PASS").count(), 2);
}

#[test]
fn tunnels_fragments_and_tcp_hide_nothing() {
    assert_eq!(quick("W5").matches("PASS").count(), 2);
}

fn output_of(file: &Path, output: &Path) {
    let printed = bench(&["built", "read", "--json", file.to_str().unwrap()]);
    assert!(printed.status.success());
    std::fs::write(output, printed.stdout).unwrap();
}

/// Ways that are worse than any of the workloads': what is heard is compared with the definitions.
#[test]
fn what_is_heard_over_bad_ways_is_what_the_definitions_say() {
    let millis = Duration::from_millis;
    let none = Faults::default();
    let hole = |at, length| Some(Hole { at: millis(at), length: millis(length) });
    let ways = [
        Faults { jitter: millis(55), ..none },
        Faults { jitter: millis(300), ..none },
        Faults { jitter: millis(700), lost_percent: 2.0, ..none },
        Faults { lost_percent: 30.0, doubled_percent: 10.0, ..none },
        Faults { lost_percent: 1.0, swapped_percent: 20.0, jitter: millis(60), ..none },
        Faults { hole: hole(3000, 900), jitter: millis(120), ..none },
        Faults { hole: hole(2000, 3000), lost_percent: 5.0, ..none },
    ];
    let codecs = [Codec::Pcma, Codec::Pcmu, Codec::G729];
    let calls = (0..42_usize).map(|n| {
        let caller = format!("+3512155500{n:02}");
        CallPlan {
            codec: codecs[n % codecs.len()],
            // One goes on when the recording ends.
            outcome: if n == 5 { Outcome::InCall } else { Outcome::Completed },
            caller_faults: ways[n % ways.len()],
            callee_faults: ways[(n / 2) % ways.len()],
            ..CallPlan::plain(&caller, "+442079460018", Duration::from_secs(9))
        }
    });
    let traffic = Plan { seed: 29, calls: calls.collect(), registrations: 0 }.make().unwrap();
    let late: u64 = traffic.truth.calls.iter().flat_map(|call| &call.streams).map(|stream| stream.heard.late[1]).sum();
    assert!(late > 1000, "{late}");
    let folder = tempfile::tempdir().unwrap();
    let (file, output) = (folder.path().join("bad.pcap"), folder.path().join("out"));
    write_pcap(std::fs::File::create(&file).unwrap(), Duration::from_secs(1_795_000_000), &traffic.frames).unwrap();
    output_of(&file, &output);
    let (list, count) = differences(&output, &traffic.truth, 200).unwrap();
    assert_eq!(count, 0, "{list:#?}");
}

#[test]
fn one_wrong_figure_is_found() {
    let cache = tempfile::tempdir().unwrap();
    let made = Workload::Media.make(Scale::Quick, cache.path()).unwrap();
    let output = cache.path().join("out");
    output_of(&made.file, &output);
    assert_eq!(differences(&output, &made.truth, 9).unwrap(), (Vec::new(), 0));
    let text = std::fs::read_to_string(&output).unwrap();
    for (right, wrong) in [
        ("\"state\":\"completed\"", "\"state\":\"failed\""),
        ("\"expected\":500", "\"expected\":501"),
        ("\"codec\":\"PCMU\"", "\"codec\":\"PCMA\""),
        ("\"lost_here\":false", "\"lost_here\":true"),
        ("\"late_fixed_50\":0", "\"late_fixed_50\":1"),
        ("\"bursts\":0", "\"bursts\":1"),
        ("\"mos_fixed_200\":4.", "\"mos_fixed_200\":3."),
    ] {
        std::fs::write(&output, text.replacen(right, wrong, 1)).unwrap();
        let (list, count) = differences(&output, &made.truth, 9).unwrap();
        assert_eq!(count, 1, "{right} to {wrong}: {list:?}");
    }
    // A call that is missing takes its streams along.
    let without: String = text.lines().skip(3).map(|line| format!("{line}\n")).collect();
    std::fs::write(&output, without).unwrap();
    assert_eq!(differences(&output, &made.truth, 9).unwrap().1, 3);
}
