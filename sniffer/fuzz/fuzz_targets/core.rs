//! The targets of `sniffer-core` alone: a tenth of the time to build.
#![no_main]

mod program;
#[path = "../targets/only_core.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    (program::target(targets::core::ALL).run)(data);
});
