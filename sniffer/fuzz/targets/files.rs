//! What the shell reads from files.

use sniffer::{file::CaptureFile, run::Config};

use super::Target;

/// All of them by name.
pub const ALL: &[(&str, Target)] = &[("capture_file", capture_file), ("config", config)];

/// A capture file, pcap or pcapng: frames until the damage, never more than the file holds.
pub fn capture_file(data: &[u8]) {
    let Ok(mut file) = CaptureFile::new(data) else { return };
    let mut octets = 0;
    while let Ok(Some(packet)) = file.next_packet() {
        octets += packet.frame.len() + 1;
        assert!(octets <= data.len(), "{octets} octets out of {}", data.len());
    }
}

/// A configuration.
pub fn config(data: &[u8]) {
    if let Err(fault) = Config::parse(data) {
        assert!(!fault.message.is_empty() && !fault.field.is_empty());
        assert!(fault.line <= data.len() + 1, "line {} of {} octets", fault.line, data.len());
    }
}
