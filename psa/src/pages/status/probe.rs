//! Reads the machine's own figures: load, memory and disks through sysinfo, ports from /sys.

use psa_model::network::MacAddress;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use sysinfo::{DiskRefreshKind, Disks, MemoryRefreshKind, Networks, System};

/// The file systems that the page shows: mount point, name, and what lies on it.
pub const DISKS: [(&str, &str, &str); 3] = [
    ("/", "System", "Read-only and verified"),
    ("/state", "STATE", "Settings, keys, accounts, audit"),
    ("/capture", "CAPTURE", "Calls"),
];

/// The machine's figures. `None` where the system does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Seconds since start.
    pub uptime: Option<u64>,
    /// Mean of runnable tasks over the last minute.
    pub load: Option<f64>,
    /// Processors.
    pub processors: usize,
    /// Memory in use, in bytes.
    pub memory_used: u64,
    /// All memory, in bytes; 0 when the system does not say.
    pub memory: u64,
    /// Free and all bytes of each mount point of [`DISKS`] that is mounted.
    pub disks: BTreeMap<String, (u64, u64)>,
    /// Physical ports in the order of their names.
    pub ports: Vec<PortFigures>,
}

/// A physical port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortFigures {
    /// The kernel's name.
    pub name: String,
    /// Its Ethernet address.
    pub mac: Option<MacAddress>,
    /// Whether there is a link; `None` when the port is switched off.
    pub has_link: Option<bool>,
    /// Speed in Mbit/s, where the driver knows it.
    pub speed: Option<u32>,
    /// Its addresses with their prefix.
    pub addresses: Vec<String>,
}

/// Reads figures; one for the whole process.
pub struct Probe {
    system: Mutex<Option<System>>,
    fixed: Option<Figures>,
    net: PathBuf,
}

impl Probe {
    /// A probe of this machine.
    #[must_use]
    pub fn live() -> Self {
        Self { system: Mutex::new(System::new().ok()), fixed: None, net: "/sys/class/net".into() }
    }

    /// A probe that always says the same, for tests of pages.
    #[must_use]
    pub fn fixed(figures: Figures) -> Self {
        Self { system: Mutex::new(None), fixed: Some(figures), net: PathBuf::new() }
    }

    /// Reads everything. It asks file systems, so it may block: call it where that is allowed.
    #[must_use]
    pub fn read(&self) -> Figures {
        if let Some(figures) = &self.fixed {
            return figures.clone();
        }
        let mut figures = Figures {
            uptime: System::uptime().ok(),
            load: System::load_average().ok().map(|load| load.one),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            disks: disks(),
            ports: ports(&self.net, &addresses()),
            ..Figures::default()
        };
        // A thread that failed while it held the lock left nothing half done: a refresh is done over.
        if let Some(system) = self.system.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            figures.memory = system.total_memory();
            figures.memory_used = system.total_memory().saturating_sub(system.available_memory());
        }
        figures
    }
}

fn disks() -> BTreeMap<String, (u64, u64)> {
    let Ok(all) = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage()) else {
        return BTreeMap::new();
    };
    let shown = |at: &Path| DISKS.iter().find(|(mount, _, _)| Path::new(mount) == at).map(|(mount, _, _)| *mount);
    all.iter()
        .filter_map(|disk| Some((shown(disk.mount_point())?.to_owned(), (disk.available_space(), disk.total_space()))))
        .collect()
}

fn addresses() -> BTreeMap<String, Vec<String>> {
    let Ok(networks) = Networks::new_with_refreshed_list() else { return BTreeMap::new() };
    networks
        .iter()
        .map(|(name, data)| {
            let mut all: Vec<String> = data.ip_networks().iter().map(ToString::to_string).collect();
            all.sort_unstable();
            (name.to_string_lossy().into_owned(), all)
        })
        .collect()
}

/// Physical ports below `net`: those with a device behind them.
fn ports(net: &Path, addresses: &BTreeMap<String, Vec<String>>) -> Vec<PortFigures> {
    let Ok(entries) = fs::read_dir(net) else { return Vec::new() };
    let mut all: Vec<PortFigures> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("device").exists())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = |file: &str| fs::read_to_string(entry.path().join(file)).ok().map(|text| text.trim().to_owned());
            PortFigures {
                mac: text("address").and_then(|mac| MacAddress::parse(&mac).ok()),
                // The kernel refuses to read `carrier` of a port that is switched off.
                has_link: text("carrier").map(|carrier| carrier == "1"),
                // -1 where the driver does not know, as with virtio.
                speed: text("speed").and_then(|speed| speed.parse().ok()).filter(|speed| *speed != u32::MAX),
                addresses: addresses.get(&name).cloned().unwrap_or_default(),
                name,
            }
        })
        .collect();
    all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_those_with_a_device_and_unknown_stays_unknown() {
        let root = tempfile::tempdir().unwrap();
        let port = |name: &str, files: &[(&str, &str)], has_device: bool| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            if has_device {
                fs::create_dir(folder.join("device")).unwrap();
            }
            for (file, text) in files {
                fs::write(folder.join(file), text).unwrap();
            }
        };
        port("enp2s0", &[("address", "52:54:00:00:00:02\n"), ("carrier", "0\n"), ("speed", "-1\n")], true);
        port("enp1s0", &[("address", "52:54:00:00:00:01\n"), ("carrier", "1\n"), ("speed", "1000\n")], true);
        port("enp3s0", &[("address", "not an address")], true);
        port("lo", &[("address", "00:00:00:00:00:00")], false);
        let addresses = BTreeMap::from([("enp1s0".to_owned(), vec!["192.0.2.10/24".to_owned()])]);
        let all = ports(root.path(), &addresses);
        assert_eq!(all.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["enp1s0", "enp2s0", "enp3s0"]);
        assert_eq!((all[0].has_link, all[0].speed), (Some(true), Some(1000)));
        assert_eq!(all[0].addresses, ["192.0.2.10/24"]);
        assert_eq!((all[1].has_link, all[1].speed), (Some(false), None));
        assert_eq!((all[2].has_link, &all[2].mac), (None, &None));
    }

    #[test]
    fn this_machine_has_memory_and_a_root() {
        let figures = Probe::live().read();
        assert!(figures.memory > 0 && figures.memory_used <= figures.memory);
        assert!(figures.uptime.is_some() && figures.load.is_some() && figures.processors > 0);
    }
}
