//! The machine's physical ports, as the kernel shows them below `sys/class/net`.

use psa_model::network::{Facts, MacAddress, PortFact, PortName};
use std::fs;
use std::path::{Path, PathBuf};

/// `type` of an Ethernet port (ARPHRD_ETHER of linux/if_arp.h).
const ETHERNET: &str = "1";

/// Reads the ports in the order of their place in the machine. Where there is no such folder there are no ports.
#[must_use]
pub fn read(class_net: &Path) -> Facts {
    let Ok(entries) = fs::read_dir(class_net) else { return Facts::default() };
    let mut found: Vec<(PathBuf, u32, PortFact)> = entries.flatten().filter_map(|entry| port(&entry.path())).collect();
    found.sort_by(|a, b| (&a.0, a.1, a.2.name.as_str()).cmp(&(&b.0, b.1, b.2.name.as_str())));
    Facts { ports: found.into_iter().map(|(_, _, port)| port).collect() }
}

/// One port with its device's path and its number on that device; `None` for what is no physical Ethernet port, which
/// has no `device` link.
fn port(folder: &Path) -> Option<(PathBuf, u32, PortFact)> {
    let device = fs::canonicalize(folder.join("device")).ok()?;
    let line = |name: &str| fs::read_to_string(folder.join(name)).ok().map(|text| text.trim().to_owned());
    if line("type").is_some_and(|kind| kind != ETHERNET) {
        return None;
    }
    let name = PortName::parse(folder.file_name()?.to_str()?).ok()?;
    let mac = MacAddress::parse(&line("address")?).ok()?;
    // Cards with several ports on one function count them in dev_port.
    let number = line("dev_port").and_then(|text| text.parse().ok()).unwrap_or(0);
    Some((device, number, PortFact { name, mac }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn ports_come_in_the_order_of_their_place_and_virtual_ones_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let net = root.path().join("class/net");
        let add = |name: &str, device: Option<&str>, mac: &str, number: &str| {
            fs::create_dir_all(net.join(name)).unwrap();
            fs::write(net.join(name).join("address"), format!("{mac}\n")).unwrap();
            fs::write(net.join(name).join("type"), "1\n").unwrap();
            fs::write(net.join(name).join("dev_port"), format!("{number}\n")).unwrap();
            if let Some(device) = device {
                fs::create_dir_all(root.path().join(device)).unwrap();
                symlink(root.path().join(device), net.join(name).join("device")).unwrap();
            }
        };
        add("ens9", Some("pci/0000:00:03.0"), "52:54:00:00:00:01", "0");
        add("ens2", Some("pci/0000:00:04.0"), "52:54:00:00:00:03", "1");
        add("ens3", Some("pci/0000:00:04.0"), "52:54:00:00:00:02", "0");
        add("lo", None, "00:00:00:00:00:00", "0");
        add("wrong", Some("pci/0000:00:01.0"), "not an address", "0");
        add("other", Some("pci/0000:00:02.0"), "52:54:00:00:00:09", "0");
        fs::write(net.join("other/type"), "772\n").unwrap();
        let names: Vec<_> = read(&net).ports.iter().map(|port| port.name.as_str().to_owned()).collect();
        assert_eq!(names, ["ens9", "ens3", "ens2"]);
        assert_eq!(read(&root.path().join("nothing")), Facts::default());
    }
}
