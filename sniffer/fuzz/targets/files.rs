//! What is read from files and sockets.

use std::hint::black_box;

use sniffer::{file::CaptureFile, run::Config};
use sniffer_core::query::{self, Request, Response};

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

/// The query protocol: what is understood means the same when it is written and read again.
pub fn query(data: &[u8]) {
    if let Some((head, body)) = data.split_first_chunk::<4>() {
        black_box((query::body_length(*head, query::MAX_REQUEST).is_ok(), body));
    }
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let again = serde_json::to_vec(&request).map(|text| serde_json::from_slice::<Request>(&text));
        assert!(matches!(again, Ok(Ok(again)) if again == request), "{request:?}");
    }
    if let Ok(response) = serde_json::from_slice::<Response>(data) {
        assert!(serde_json::to_vec(&response).is_ok(), "{response:?}");
    }
}
