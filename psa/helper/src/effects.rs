//! Makes settings real: writes their files below `run/` and tells exactly the units whose files differ.

use crate::disk::Disk;
use crate::system::System;
use psa_model::network::Facts;
use psa_model::render::Reload;
use psa_model::settings::Settings;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use thiserror::Error;

/// Why settings could not be brought about.
#[derive(Debug, Error)]
pub enum EffectError {
    /// A file could not be written.
    #[error("write {0:?}")]
    File(String, #[source] io::Error),
    /// A unit did not take its files.
    #[error("reload {0}")]
    Unit(&'static str, #[source] anyhow::Error),
}

/// Whether units are told of their files. At boot they are not: they start after the files are there.
#[derive(Clone, Copy)]
pub enum Telling<'a> {
    /// Through this system.
    Through(&'a dyn System),
    /// Nobody runs yet.
    Nobody,
}

/// Writes the files of `to` and tells the units of those that differ from `from`'s or from what the disk holds. Files
/// that only `from` has are removed. Does the whole list even when a unit fails, so that no unit is left out.
///
/// # Errors
/// The first file or unit that failed. A file that failed ends the work at once.
pub fn bring_about(
    disk: &Disk,
    telling: Telling<'_>,
    from: &Settings,
    to: &Settings,
    facts: &Facts,
) -> Result<(), EffectError> {
    let wanted = to.render(facts);
    let before = from.render(facts);
    let mut reloads: Vec<&'static Reload> = Vec::new();
    for (file, told) in &wanted {
        let fail = |error| EffectError::File(file.path.clone(), error);
        let path = disk.rendered(&file.path).map_err(fail)?;
        let is_there = holds(&path, file.content.as_bytes(), file.mode);
        if !is_there {
            disk.replace(&path, file.content.as_bytes(), file.mode).map_err(fail)?;
        }
        // A crash after the write and before the telling leaves the right file and a unit that does not know it:
        // so what differs between the two settings is told even where the disk is right.
        if !is_there || !before.iter().any(|(old, _)| old == file) {
            reloads.extend(told.iter());
        }
    }
    let kept: BTreeMap<&str, ()> = wanted.iter().map(|(file, _)| (file.path.as_str(), ())).collect();
    for (file, told) in before.iter().filter(|(file, _)| !kept.contains_key(file.path.as_str())) {
        let fail = |error| EffectError::File(file.path.clone(), error);
        disk.remove(&disk.rendered(&file.path).map_err(fail)?).map_err(fail)?;
        reloads.extend(told.iter());
    }
    tell(disk, telling, &reloads)
}

/// Tells each unit once, in the order of the features.
fn tell(disk: &Disk, telling: Telling<'_>, reloads: &[&'static Reload]) -> Result<(), EffectError> {
    let Telling::Through(system) = telling else { return Ok(()) };
    let mut told: Vec<&Reload> = Vec::new();
    let mut first_failure = None;
    for reload in reloads {
        if told.contains(reload) {
            continue;
        }
        told.push(reload);
        if let Err(error) = system.reload(reload) {
            first_failure.get_or_insert(EffectError::Unit(reload.unit, error));
        }
        disk.step("unit told");
    }
    first_failure.map_or(Ok(()), Err)
}

fn holds(path: &Path, content: &[u8], mode: u32) -> bool {
    let has_mode = fs::symlink_metadata(path).is_ok_and(|found| found.permissions().mode() & 0o7777 == mode);
    has_mode && fs::read(path).is_ok_and(|found| found == content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Recorded;
    use psa_model::network::{MacAddress, NetworkSettings, PortFact, PortName};
    use psa_model::ntp::NtpForm;

    fn facts() -> Facts {
        let port = |n: u8| PortFact {
            name: PortName::parse(&format!("enp0s{n}")).unwrap(),
            mac: MacAddress::parse(&format!("52:54:00:00:00:0{n}")).unwrap(),
        };
        Facts { ports: (1..=3).map(port).collect() }
    }

    fn with_server(settings: &Settings, server: &str) -> Settings {
        let ntp = NtpForm { servers: vec![server.into()], ..NtpForm::default() }.parse().unwrap();
        Settings { ntp, ..settings.clone() }
    }

    #[test]
    fn only_the_units_whose_files_differ_are_told() {
        let root = tempfile::tempdir().unwrap();
        let (disk, system) = (Disk::new(root.path()), Recorded::default());
        let first = Settings { network: NetworkSettings::first_boot(&facts()), ..Settings::default() };
        bring_about(&disk, Telling::Nobody, &first, &first, &facts()).unwrap();
        assert!(system.told().is_empty());
        let second = with_server(&first, "ntp1.example.net");
        bring_about(&disk, Telling::Through(&system), &first, &second, &facts()).unwrap();
        assert_eq!(system.told(), ["chrony"]);
        let sources = fs::read_to_string(disk.path("run/callward/chrony/callward.sources")).unwrap();
        assert!(sources.contains("server ntp1.example.net iburst"));
        bring_about(&disk, Telling::Through(&system), &second, &second, &facts()).unwrap();
        assert_eq!(system.told(), ["chrony"], "nothing differs, nobody is told");
    }

    #[test]
    fn a_file_that_nobody_wants_any_longer_goes() {
        let root = tempfile::tempdir().unwrap();
        let (disk, system) = (Disk::new(root.path()), Recorded::default());
        let first = Settings { network: NetworkSettings::first_boot(&facts()), ..Settings::default() };
        bring_about(&disk, Telling::Nobody, &first, &first, &facts()).unwrap();
        let mut second = first.clone();
        second.network.monitoring.pop();
        bring_about(&disk, Telling::Through(&system), &first, &second, &facts()).unwrap();
        assert!(!disk.path("run/systemd/network/20-monitoring-525400000003.network").exists());
        assert!(disk.path("run/systemd/network/20-monitoring-525400000002.network").exists());
        assert_eq!(system.told(), ["nftables", "systemd-networkd", "sniffer"], "each once");
    }

    #[test]
    fn a_unit_is_told_even_when_the_disk_is_already_right() {
        let root = tempfile::tempdir().unwrap();
        let (disk, system) = (Disk::new(root.path()), Recorded::default());
        let (first, second) = (Settings::default(), with_server(&Settings::default(), "ntp1.example.net"));
        bring_about(&disk, Telling::Nobody, &first, &first, &facts()).unwrap();
        bring_about(&disk, Telling::Through(&system), &second, &first, &facts()).unwrap();
        assert_eq!(system.told(), ["chrony"]);
    }

    #[test]
    fn a_file_that_was_altered_by_hand_is_mended() {
        let root = tempfile::tempdir().unwrap();
        let (disk, system) = (Disk::new(root.path()), Recorded::default());
        let settings = Settings::default();
        bring_about(&disk, Telling::Nobody, &settings, &settings, &facts()).unwrap();
        fs::write(disk.path("run/callward/chrony/callward.sources"), "server evil.example\n").unwrap();
        bring_about(&disk, Telling::Through(&system), &settings, &settings, &facts()).unwrap();
        assert_eq!(system.told(), ["chrony"]);
        assert!(!fs::read_to_string(disk.path("run/callward/chrony/callward.sources")).unwrap().contains("evil"));
    }
}
