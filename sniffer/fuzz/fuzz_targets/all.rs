//! All targets in one program, so that there is one to build: CALLWARD_FUZZ names the one to run.
#![no_main]

#[path = "../targets/mod.rs"]
mod targets;

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<targets::Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("CALLWARD_FUZZ").unwrap_or_default();
        match targets::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, target)) => *target,
            None => {
                let names: Vec<_> = targets::ALL.iter().map(|(name, _)| *name).collect();
                panic!("CALLWARD_FUZZ is {name:?}; there are {names:?}");
            }
        }
    });
    target(data);
});
