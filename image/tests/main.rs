//! Tests of the image's data that need programs of the tools tree: how far each unit is sandboxed.
#![expect(clippy::disallowed_methods, reason = "a test starts systemd's own analyser")]

use std::path::Path;
use std::process::Command;

/// Our units, each with the highest exposure it may have, in tenths of systemd's scale from 0.0 (none) to 10.0.
const UNITS: [(&str, u32); 6] = [
    ("psa.service", 11),
    ("psa-helper.service", 20),
    ("psa-helper-prepare.service", 28),
    ("sniffer.service", 14),
    ("callward-console@tty1.service", 12),
    ("callward-partitions.service", 25),
];

fn exposure_is_at_most(overlay: &Path, unit: &str, tenths: u32) -> std::io::Result<(bool, String)> {
    let output = Command::new("/usr/bin/systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager"])
        .arg(format!("--root={}", overlay.display()))
        .arg(format!("--threshold={tenths}"))
        .arg(unit)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), text))
}

#[test]
fn every_unit_of_ours_is_sandboxed() {
    let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rootfs-overlay");
    for (unit, tenths) in UNITS {
        let (is_within, text) = exposure_is_at_most(&overlay, unit, tenths).unwrap();
        assert!(is_within && text.contains("Overall exposure level"), "{unit} above {tenths} tenths:\n{text}");
    }
}

#[test]
fn a_unit_without_a_sandbox_is_found() {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("usr/lib/systemd/system");
    std::fs::create_dir_all(&units).unwrap();
    std::fs::write(units.join("bare.service"), "[Service]\nExecStart=/usr/bin/psa\n").unwrap();
    let (is_within, text) = exposure_is_at_most(root.path(), "bare.service", 50).unwrap();
    assert!(!is_within && text.contains("Overall exposure level"), "{text}");
}
