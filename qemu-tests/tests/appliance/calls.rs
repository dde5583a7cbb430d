//! A call on the wire becomes a line in the PSA, with the generator's truth.

use crate::shared::Shared;
use anyhow::{Context, Result, ensure};
use qemu_tests::admin::Quality;
use qemu_tests::headless::wait_for_call;
use qemu_tests::machine::Machine;
use qemu_tests::replay::{self, Speed};
use qemu_tests::traffic::{CallPlan, Codec, Faults, Link, Outcome, Plan, StreamTruth, Traffic};
use std::time::Duration;

/// MOS is shown with two digits, and jitter under emulation may cost a little.
const MOS_TOLERANCE: f64 = 0.06;
/// Frames wait for an emulated processor: jitter cannot be less than what was made, but this much more.
const JITTER_ROOM_MS: f64 = 60.0;
const LIMIT: Duration = Duration::from_secs(120);

/// Calls of different codecs, links and outcomes at the same time.
fn plan() -> Plan {
    let call = |caller: &str, codec: Codec, link: Link, outcome: Outcome| CallPlan {
        codec,
        link,
        outcome,
        ..CallPlan::plain(caller, "+442079460018", Duration::from_secs(8))
    };
    let tagged = Link { vlan: Some(42), is_v6: false };
    let v6 = Link { vlan: None, is_v6: true };
    let mut lossy = call("+351215550001", Codec::Pcma, Link::default(), Outcome::Completed);
    lossy.caller_faults = Faults { lost_percent: 5.0, jitter: Duration::from_millis(8), ..Faults::default() };
    lossy.callee_faults = Faults { lost_percent: 1.0, doubled_percent: 1.0, swapped_percent: 1.0, ..Faults::default() };
    let mut narrow = call("+351215550002", Codec::G729, tagged, Outcome::Completed);
    narrow.callee_faults = Faults { lost_percent: 3.0, ..Faults::default() };
    let calls = vec![
        lossy,
        narrow,
        call("+351215550003", Codec::Pcmu, v6, Outcome::Completed),
        call("+351215550004", Codec::Pcma, Link::default(), Outcome::Busy),
        call("+351215550005", Codec::Pcma, tagged, Outcome::Cancelled),
        call("+351215550006", Codec::Pcma, v6, Outcome::Declined),
    ];
    Plan { seed: 42, calls, registrations: 2 }
}

fn check(shown: Option<&Quality>, truth: &StreamTruth) -> Result<()> {
    let shown = shown.with_context(|| format!("no way like {truth:?}"))?;
    ensure!(shown.codec == truth.codec, "{shown:?} is not {truth:?}");
    // The page shows tenths of a per cent, cut: lost of expected, exactly.
    let tenths = truth.lost * 1000 / truth.expected;
    let cut = format!("{}.{}", tenths / 10, tenths % 10);
    ensure!(format!("{:.1}", shown.lost_percent) == cut, "lost {} %, in truth {cut} %: {truth:?}", shown.lost_percent);
    let (mos, expected) = (shown.mos.context("no MOS")?, truth.mos.context("a true MOS")?);
    ensure!((mos - expected).abs() <= MOS_TOLERANCE, "MOS {mos}, in truth {expected:.2}: {truth:?}");
    let jitter = shown.jitter_ms.context("no jitter")?;
    ensure!(jitter <= truth.jitter_ms_max + JITTER_ROOM_MS, "jitter {jitter} ms: {truth:?}");
    Ok(())
}

pub fn a_call_on_the_wire_becomes_a_line(shared: &mut Shared) -> Result<()> {
    let (booted, admin) = shared.admin()?;
    let Traffic { frames, truth } = plan().make()?;
    let played = replay::play(&booted.machine.monitoring, &frames, Speed::Recorded)?;
    println!("FIGURE frames played into the monitoring port: {}", played.frames);
    for call in &truth.calls {
        let number = call.from.trim_start_matches("sip:").split('@').next().unwrap_or_default().to_owned();
        let word = match call.state {
            Outcome::Completed => "Answered",
            Outcome::InCall => "In progress",
            Outcome::Busy => "Busy, 486",
            Outcome::Cancelled => "Cancelled, 487",
            Outcome::Declined => "Declined, 603",
        };
        let row = wait_for_call(&admin, LIMIT, |row| row.from.starts_with(&number) && row.state == word)
            .with_context(|| format!("{number} {word}"))?;
        match call.streams.as_slice() {
            [forth, back] => {
                check(row.forth.as_ref(), forth).with_context(|| format!("{number}, from the caller: {row:?}"))?;
                check(row.back.as_ref(), back).with_context(|| format!("{number}, from the callee: {row:?}"))?;
            }
            _ => ensure!(row.forth.is_none() && row.back.is_none(), "media where there was none: {row:?}"),
        }
    }
    Ok(())
}

/// Plays one call of this caller into the port.
pub fn play_call(machine: &Machine, caller: &str, talk: Duration, seed: u64) -> Result<()> {
    let traffic = Plan::of(seed, CallPlan::plain(caller, "+442079460018", talk)).make()?;
    replay::play(&machine.monitoring, &traffic.frames, Speed::Recorded).map(drop)
}
