//! The image in QEMU, used as an administrator, a network and an attacker would. `CALLWARD_IMAGE` names the folder that
//! `callward-image build` wrote; without it everything here is skipped, loudly. Arguments are parts of stories' names.
//!
//! Two workers, so that at most two machines run at a time: one goes through the stories of one shared machine in the
//! order in which a person would live them, the other through those which need a machine of their own.
#![expect(clippy::print_stdout, reason = "a test program says what it found")]

mod calls;
mod captures;
mod console;
mod disk;
mod first_login;
mod machine;
mod ntp;
mod ports;
mod power;
mod shared;
mod silence;
mod status;

use anyhow::Result;
use qemu_tests::clock;
use qemu_tests::machine::Image;
use shared::Shared;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

/// A story on the shared machine.
type OnShared = fn(&mut Shared) -> Result<()>;
/// A story with machines of its own.
type OnOwn = fn(&Image) -> Result<()>;

/// In this order: what a later story needs, it makes itself where an earlier one was left out.
const SHARED: &[(&str, OnShared)] = &[
    ("machine::it_boots_by_uefi_and_answers_https", machine::it_boots_by_uefi_and_answers_https),
    ("console::the_certificate_is_the_one_the_console_names", console::the_certificate_is_the_one_the_console_names),
    ("first_login::no_default_password_opens_anything", first_login::no_default_password_opens_anything),
    (
        "first_login::a_wrong_code_and_a_weak_password_are_refused",
        first_login::a_wrong_code_and_a_weak_password_are_refused,
    ),
    ("first_login::the_code_makes_the_administrator_once", first_login::the_code_makes_the_administrator_once),
    ("status::no_unit_has_failed", status::no_unit_has_failed),
    ("status::monitoring_ports_have_no_address", status::monitoring_ports_have_no_address),
    ("calls::a_call_on_the_wire_becomes_a_line", calls::a_call_on_the_wire_becomes_a_line),
    ("captures::calls_seen_are_the_oracles", captures::calls_seen_are_the_oracles),
    ("ntp::a_change_reaches_chrony_and_can_be_undone", ntp::a_change_reaches_chrony_and_can_be_undone),
    ("ports::only_443_is_open", ports::only_443_is_open),
    ("console::nobody_answers_on_the_serial_line", console::nobody_answers_on_the_serial_line),
    ("power::a_reset_keeps_account_settings_and_calls", power::a_reset_keeps_account_settings_and_calls),
    ("silence::not_one_frame_leaves_the_monitoring_port", silence::not_one_frame_leaves_the_monitoring_port),
];

const OWN: &[(&str, OnOwn)] = &[
    ("machine::two_machines_differ", machine::two_machines_differ),
    ("power::a_power_cut_keeps_account_and_calls", power::a_power_cut_keeps_account_and_calls),
    ("disk::the_command_line_carries_the_root_hash", disk::the_command_line_carries_the_root_hash),
    ("disk::a_flipped_bit_in_the_root_is_never_served", disk::a_flipped_bit_in_the_root_is_never_served),
    ("disk::a_flipped_bit_in_the_hash_tree_is_never_served", disk::a_flipped_bit_in_the_hash_tree_is_never_served),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    if std::env::args().any(|argument| argument == "--list") {
        for name in SHARED.iter().map(|(name, _)| name).chain(OWN.iter().map(|(name, _)| name)) {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let image = match Image::from_environment() {
        Ok(Some(image)) => image,
        Ok(None) => {
            println!("SKIPPED all {} stories: CALLWARD_IMAGE names no image", SHARED.len() + OWN.len());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            println!("FAILED: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let started = clock::now();
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut shared = Shared::new(image.clone());
            for (name, story) in SHARED.iter().filter(|(name, _)| is_wanted(name)) {
                tell(name, &failed, || story(&mut shared));
            }
        });
        scope.spawn(|| {
            for (name, story) in OWN.iter().filter(|(name, _)| is_wanted(name)) {
                tell(name, &failed, || story(&image));
            }
        });
    });
    let failed = failed.into_inner().unwrap_or_default();
    println!("\n{} stories failed, {:.0} s", failed.len(), clock::now().duration_since(started).as_secs_f64());
    for name in &failed {
        println!("    {name}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(name: &'static str, failed: &Mutex<Vec<&'static str>>, story: impl FnOnce() -> Result<()>) {
    let started = clock::now();
    let outcome = catch_unwind(AssertUnwindSafe(story)).unwrap_or_else(|_| Err(anyhow::anyhow!("panicked")));
    let seconds = clock::now().duration_since(started).as_secs_f64();
    match outcome {
        Ok(()) => println!("test {name} ... ok ({seconds:.1} s)"),
        Err(error) => {
            println!("test {name} ... FAILED ({seconds:.1} s)\n{error:#}\n");
            if let Ok(mut failed) = failed.lock() {
                failed.push(name);
            }
        }
    }
}
