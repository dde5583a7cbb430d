//! The engine as a whole on scenes of two phones.

mod bounds;
mod calls;
mod short_way;
mod streams;

use std::time::Duration;

use super::*;
use crate::{
    drops::Reason,
    limits,
    record::{CallState, Direction, RegistrationState, StreamRecord, Timeout},
};

/// A scene of two phones: messages and packets in raw IP frames, one every `step`.
struct Scene {
    engine: Engine,
    now_ms: i64,
}

const ALICE: (u8, u16) = (1, 4000);
const BOB: (u8, u16) = (2, 5000);

impl Scene {
    fn new() -> Self {
        Self { engine: Engine::new(Settings::default()), now_ms: 1_000_000 }
    }

    fn datagram(&mut self, source: (u8, u16), destination: (u8, u16), payload: &[u8]) {
        let mut packet = vec![0x45, 0];
        packet.extend(u16::try_from(payload.len() + 28).unwrap().to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, source.0, 192, 0, 2, destination.0]);
        packet.extend(source.1.to_be_bytes());
        packet.extend(destination.1.to_be_bytes());
        packet.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(payload);
        let time = Timestamp::from_nanos(self.now_ms * 1_000_000);
        self.engine.frame(LinkType::RawIp, FrameMeta { time, vlan: None }, &packet);
    }

    /// `first` is a request line without its version, or a status line's rest.
    fn sip(&mut self, from_caller: bool, first: &str, cseq: &str, to_tag: &str, body: &str) {
        self.now_ms += 10;
        let start = match first.as_bytes()[0] {
            b'1'..=b'6' => format!("SIP/2.0 {first}"),
            _ => format!("{first} SIP/2.0"),
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{start}\r\nCall-ID: c1\r\nFrom: <sip:alice@x>;tag=a\r\nTo: <sip:bob@x>{to_tag}\r\nCSeq: {cseq}\r\n{kind}\r\n{body}"
        );
        let (source, destination) = if from_caller { ((1, 5060), (2, 5060)) } else { ((2, 5060), (1, 5060)) };
        self.datagram(source, destination, text.as_bytes());
    }

    fn invite(&mut self, cseq: u32) {
        self.sip(true, "INVITE sip:bob@x", &format!("{cseq} INVITE"), "", &sdp(ALICE, 0));
    }

    fn answer(&mut self, status: &str, cseq: u32) {
        let body = if status.starts_with('2') { sdp(BOB, 0) } else { String::new() };
        self.sip(false, status, &format!("{cseq} INVITE"), ";tag=b", &body);
    }

    fn rtp(&mut self, source: (u8, u16), destination: (u8, u16), ssrc: u32, count: u16) {
        for n in 0..count {
            self.now_ms += 20;
            let mut packet = vec![0x80, 0];
            packet.extend(n.to_be_bytes());
            packet.extend((u32::from(n) * 160).to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            packet.extend([0xff; 160]);
            self.datagram(source, destination, &packet);
        }
    }

    fn end(&mut self) -> (Vec<EndedCall>, Vec<StreamRecord>) {
        self.engine.finish();
        let (mut calls, mut streams) = (Vec::new(), Vec::new());
        while let Some(event) = self.engine.next_event() {
            match event {
                Event::Call(call) => calls.push(*call),
                Event::Stream { record, .. } => streams.push(*record),
                Event::Registration { .. }
                | Event::Subscription { .. }
                | Event::Exchange { .. }
                | Event::Adopted { .. } => {}
            }
        }
        let counters = self.engine.counters();
        assert_eq!(counters.waiting, 0);
        assert_eq!(counters.received, counters.delivered + counters.dropped.total());
        (calls, streams)
    }
}

fn sdp(endpoint: (u8, u16), payload_type: u8) -> String {
    format!("v=0\r\nc=IN IP4 192.0.2.{}\r\nm=audio {} RTP/AVP {payload_type}\r\n", endpoint.0, endpoint.1)
}

fn only(calls: &[EndedCall]) -> &EndedCall {
    assert_eq!(calls.len(), 1);
    &calls[0]
}
