//! What the shell reads from files.

use std::io::Read;

use flate2::{Compression, read::GzEncoder, read::MultiGzDecoder};
use sniffer::{file::CaptureFile, run::Config};

use super::Material;

/// A capture file, pcap or pcapng: frames until the damage, never more than the file holds. One that begins like gzip is
/// read as what it holds compressed.
pub fn capture_file(data: &[u8]) {
    if data.starts_with(&[0x1f, 0x8b]) {
        // A bomb takes a thousandth of what it becomes: what is read of it is bounded for the target's sake alone.
        frames(MultiGzDecoder::new(data).take(1 << 20), 1 << 20);
    } else {
        frames(data, data.len());
    }
}

fn frames(reader: impl Read, most: usize) {
    let Ok(mut file) = CaptureFile::new(reader) else { return };
    let mut octets = 0;
    while let Ok(Some(packet)) = file.next_packet() {
        octets += packet.frame.len() + 1;
        assert!(octets <= most, "{octets} octets out of {most}");
    }
}

/// Files of the three kinds.
pub fn captures(material: &Material) -> Vec<Vec<u8>> {
    let pcap = material.pcap();
    let mut packed = Vec::new();
    GzEncoder::new(&pcap[..pcap.len().min(2000)], Compression::fast())
        .read_to_end(&mut packed)
        .expect("memory takes everything");
    let pcapng = b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0\
        \x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\x04\0\x14\0\0\0\x06\0\0\0\x24\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\x04\0\0\0\x04\0\0\0abcd\x24\0\0\0";
    vec![pcap, packed, pcapng.to_vec()]
}

/// A configuration.
pub fn config(data: &[u8]) {
    if let Err(fault) = Config::parse(data) {
        assert!(!fault.message.is_empty() && !fault.field.is_empty());
        assert!(fault.line <= data.len() + 1, "line {} of {} octets", fault.line, data.len());
    }
}

pub fn configs() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 2] = [
        br#"{"ports":["enp0s3"],"store":"/c","socket":"/s","keep_calls":5,"rtp_without_sip":true,"workers":2}"#,
        br#"{"ports":[],"socket":"/s","keep":{"calls":{"days":9,"gigabytes":5},"media_packets":"full","free_gigabytes":3},
            "timeouts":{"call_idle":600},"tables":{"calls":9},"correlation":{"on":true,"headers":["X"],"window_ms":3},
            "nat_aliases":[["10.0.0.1","192.0.2.1"]]}"#,
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}
