//! Real recordings into the running machine: the calls it sees are those that the oracle counts.

use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use qemu_tests::admin::Admin;
use qemu_tests::clock;
use qemu_tests::replay::{self, Speed};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Recordings over UDP whose calls are all INVITE dialogs; the sniffer's own tests compare every figure of many more.
const FILES: &[&str] = &[
    "sip/sipnab-sip-rtp-g711.pcap",
    "sip/rtppcap-sip-rtp-gsm.pcap",
    "sip/rtppcap-sip-rtp-g726.pcap",
    "sip/bruteshark-sip-rtp-dvi4.pcap",
    "sip/sipnab-sip-rtp-g729a.pcap",
    "sip/sipnab-b2bua-asterisk.pcapng",
    "sip/sipnab-sip-488-codec-reject.pcapng",
    "sip/sipnab-sip-proxy.pcap",
];
const LIMIT: Duration = Duration::from_secs(60);

/// The folder beside the repository, or the one that `CALLWARD_SHARED` names.
fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("CALLWARD_SHARED").map_or(beside, PathBuf::from);
    Some(shared.join("captures")).filter(|folder| folder.is_dir())
}

pub fn calls_seen_are_the_oracles(shared: &mut Shared) -> Result<()> {
    let Some(folder) = folder() else {
        println!("SKIPPED calls_seen_are_the_oracles: no ../shared/captures on this machine");
        return Ok(());
    };
    let (booted, admin) = shared.admin()?;
    for file in FILES {
        let oracle = std::fs::read(folder.join("oracle").join(format!("{file}.json")))?;
        let oracle: Value = serde_json::from_slice(&oracle)?;
        let expected = oracle.pointer("/derived/sip/invite_call_ids").and_then(Value::as_u64).context("a count")?;
        let before = calls_seen(&admin)?;
        let frames = replay::read_capture(&folder.join(file))?;
        // As fast as the machine takes them: counts do not depend on time.
        replay::play(&booted.machine.monitoring, &frames, Speed::Fastest)?;
        let reached = clock::wait_until(LIMIT, || {
            Ok::<_, anyhow::Error>((calls_seen(&admin)? >= before + expected).then_some(()))
        })?;
        let seen = calls_seen(&admin)? - before;
        ensure!(reached.is_some() && seen == expected, "{file}: {seen} calls seen, the oracle says {expected}");
    }
    Ok(())
}

/// How many calls the Status page says were seen.
fn calls_seen(admin: &Admin<'_>) -> Result<u64> {
    let text = admin.read_status()?;
    let line =
        text.lines().find(|line| line.contains(" seen since ")).with_context(|| format!("no count in:\n{text}"))?;
    let digits: String = line.split(" seen").next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("a count: {line:?}"))
}
