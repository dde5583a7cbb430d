//! The targets of `sniffer-core` alone: a tenth of the time to build. CALLWARD_FUZZ names the one to run.
#![no_main]

#[path = "../targets/core/mod.rs"]
mod core_targets;

/// A target.
pub type Target = fn(&[u8]);

fn all() -> impl Iterator<Item = &'static (&'static str, Target)> {
    core_targets::ALL.iter()
}

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("CALLWARD_FUZZ").unwrap_or_default();
        match all().find(|(known, _)| *known == name) {
            Some((_, target)) => *target,
            None => {
                panic!("CALLWARD_FUZZ is {name:?}; there are {:?}", all().map(|(name, _)| *name).collect::<Vec<_>>())
            }
        }
    });
    target(data);
});
