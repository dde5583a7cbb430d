//! All targets.
#![no_main]

mod program;
#[path = "../targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    (program::target(&targets::all()).run)(data);
});
