//! Frames of calls, made up: raw IP with UDP, with as many phones as a test wants.

use std::net::Ipv4Addr;

use sniffer_core::{
    decode::LinkType,
    engine::{Engine, Event, FrameMeta, Settings},
    time::Timestamp,
};

/// An address and a port.
pub type Place = (u32, u16);

/// A frame with its time.
#[derive(Clone, Debug)]
pub struct Frame {
    pub time: Timestamp,
    pub bytes: Vec<u8>,
}

impl Frame {
    pub fn meta(&self) -> FrameMeta {
        FrameMeta { time: self.time, vlan: None }
    }

    /// A number that is the same for both directions of a flow, as the kernel's is, and another for the next ports.
    pub fn flow(&self) -> u32 {
        let at = |place: usize| u64::from(u32::from_be_bytes(self.bytes[place..place + 4].try_into().unwrap()));
        let ports = at(20);
        let ends = [at(12) << 16 | ports >> 16, at(16) << 16 | ports & 0xffff];
        let mixed = ends.map(|end| end.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
        u32::try_from((mixed[0] + mixed[1]) & 0xffff).unwrap()
    }
}

pub fn udp(millis: i64, source: Place, destination: Place, payload: &[u8]) -> Frame {
    let mut bytes = vec![0x45, 0];
    bytes.extend(u16::try_from(payload.len() + 28).unwrap().to_be_bytes());
    bytes.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    bytes.extend(source.0.to_be_bytes());
    bytes.extend(destination.0.to_be_bytes());
    bytes.extend(source.1.to_be_bytes());
    bytes.extend(destination.1.to_be_bytes());
    bytes.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    Frame { time: Timestamp::from_nanos(millis * 1_000_000), bytes }
}

pub fn rtp(millis: i64, source: Place, destination: Place, ssrc: u32, number: u16) -> Frame {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xff; 160]);
    udp(millis, source, destination, &packet)
}

/// A sender report.
pub fn rtcp(millis: i64, source: Place, destination: Place, ssrc: u32) -> Frame {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(millis.to_be_bytes());
    packet.extend([0; 12]);
    udp(millis, source, destination, &packet)
}

/// One call of two phones.
#[derive(Clone, Copy, Debug)]
pub struct Phones {
    pub call: u32,
    pub caller: Place,
    pub callee: Place,
}

impl Phones {
    pub fn new(call: u32) -> Self {
        let port = 10_000 + u16::try_from(call % 20_000).unwrap() * 2;
        let host = |net: u32| (net << 24) | (call / 20_000 * 256) | 7;
        Self { call, caller: (host(10), port), callee: (host(172), port) }
    }

    fn message(&self, millis: i64, from_caller: bool, start: &str, cseq: &str, sdp: Option<Place>) -> Frame {
        let call = self.call;
        let tag = if cseq.starts_with("1 ") && start.starts_with("INVITE") { "" } else { ";tag=b9a2f1c4" };
        let body = sdp.map_or(String::new(), |(address, port)| {
            let address = Ipv4Addr::from(address);
            format!(
                "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 101\r\n\
                 a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
            )
        });
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{call}{cseq_number}\r\nMax-Forwards: 70\r\n\
             From: \"Alice\" <sip:+4930{call:07}@example.org>;tag=a71c{call}\r\nTo: <sip:+4989{call:07}@example.org>{tag}\r\n\
             Call-ID: 7f0c2a5e-{call:08}@192.0.2.1\r\nCSeq: {cseq}\r\nContact: <sip:alice@192.0.2.1:5060>\r\nUser-Agent: Phone 1.0\r\n\
             {kind}Content-Length: {length}\r\n\r\n{body}",
            cseq_number = cseq.split(' ').next().unwrap(),
            length = body.len(),
        );
        let (here, there) = ((self.caller.0, 5060), (self.callee.0, 5060));
        if from_caller { udp(millis, here, there, text.as_bytes()) } else { udp(millis, there, here, text.as_bytes()) }
    }

    pub fn invite(&self, millis: i64) -> Frame {
        self.message(millis, true, "INVITE sip:bob@example.org SIP/2.0", "1 INVITE", Some(self.caller))
    }

    pub fn ringing(&self, millis: i64) -> Frame {
        self.message(millis, false, "SIP/2.0 180 Ringing", "1 INVITE", None)
    }

    pub fn answer(&self, millis: i64) -> Frame {
        self.message(millis, false, "SIP/2.0 200 OK", "1 INVITE", Some(self.callee))
    }

    pub fn ack(&self, millis: i64) -> Frame {
        self.message(millis, true, "ACK sip:bob@example.org SIP/2.0", "1 ACK", None)
    }

    pub fn bye(&self, millis: i64) -> Frame {
        self.message(millis, true, "BYE sip:bob@example.org SIP/2.0", "2 BYE", None)
    }

    pub fn register(&self, millis: i64) -> Frame {
        self.message(millis, true, "REGISTER sip:example.org SIP/2.0", "1 REGISTER", None)
    }
}

/// Feeds frames to an engine.
pub fn feed(engine: &mut Engine, frames: impl IntoIterator<Item = Frame>) {
    for frame in frames {
        engine.frame(LinkType::RawIp, frame.meta(), &frame.bytes);
    }
}

/// What an engine says of frames, each event as text, in the order in which they came out.
pub fn events(frames: &[Frame], settings: Settings) -> Vec<String> {
    let mut engine = Engine::new(settings);
    feed(&mut engine, frames.iter().cloned());
    engine.finish();
    let mut texts = Vec::new();
    while let Some(event) = engine.next_event() {
        texts.extend(text(&event));
    }
    texts.push(serde_json::to_string(&engine.summary()).unwrap());
    texts
}

/// An event as text, without the serials that differ between runs with other workers.
pub fn text(event: &Event) -> Option<String> {
    match event {
        Event::Call(call) => Some(format!(
            "{} {}",
            serde_json::to_string(&call.record).unwrap(),
            serde_json::to_string(&call.streams).unwrap()
        )),
        Event::Stream { record, .. } => Some(serde_json::to_string(record).unwrap()),
        Event::Registration { record, .. } => Some(serde_json::to_string(record).unwrap()),
        Event::Subscription { record, .. } => Some(serde_json::to_string(record).unwrap()),
        Event::Exchange { record, .. } => Some(serde_json::to_string(record).unwrap()),
        Event::Adopted { .. } => None,
    }
}
