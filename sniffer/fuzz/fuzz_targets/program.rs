//! All targets of a list in one program, so that there is one to build. CALLWARD_FUZZ names the one to run; `list` prints
//! their names, and with CALLWARD_FUZZ_SEEDS the target's first inputs are written to that folder.

use std::{fs, path::Path, sync::OnceLock};

use super::targets::{Material, Target};

/// The target to run.
pub fn target(all: &[Target]) -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("CALLWARD_FUZZ").unwrap_or_default();
        if name == "list" {
            all.iter().for_each(|target| println!("{}", target.name));
            std::process::exit(0);
        }
        let Some(target) = all.iter().find(|target| target.name == name) else {
            panic!(
                "CALLWARD_FUZZ is {name:?}; there are {:?}",
                all.iter().map(|target| target.name).collect::<Vec<_>>()
            )
        };
        if let Some(folder) = std::env::var_os("CALLWARD_FUZZ_SEEDS") {
            for (number, seed) in (target.seeds)(&Material::new()).into_iter().enumerate() {
                fs::write(Path::new(&folder).join(format!("seed-{number}")), seed).expect("the folder can be written");
            }
            std::process::exit(0);
        }
        *target
    })
}
