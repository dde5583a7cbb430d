//! Inputs to begin with, for the fuzzer and for the ordinary test: traffic in the form that each target takes.

use std::time::Duration;

use traffic::{CallPlan, Carriage, Codec, Plan, Random, TimedFrame, Tunnel};

/// Calls through every tunnel, by every carriage.
pub struct Material {
    pub frames: Vec<Vec<u8>>,
}

/// Bytes of the headers of Ethernet, IPv4 and UDP.
const HEADERS: usize = 42;

impl Material {
    pub fn new() -> Self {
        let mut plan = Plan { seed: 11, ..Plan::default() };
        for tunnel in Tunnel::ALL {
            for carriage in [Carriage::Udp, Carriage::Fragments, Carriage::Tcp] {
                let plain = CallPlan::plain("+351215550001", "+442079460018", Duration::from_millis(60));
                plan.calls.push(CallPlan { tunnel, carriage, codec: Codec::Pcmu, ..plain });
            }
        }
        plan.registrations = 2;
        Self {
            frames: plan.make().expect("the plan can be made").frames.into_iter().map(|frame| frame.bytes).collect(),
        }
    }

    /// SIP messages.
    pub fn sip(&self) -> Vec<Vec<u8>> {
        let payloads = self.frames.iter().filter_map(|frame| frame.get(HEADERS..)).filter(|part| !part.is_empty());
        payloads.filter(|part| part.windows(7).any(|text| text == b"SIP/2.0")).map(<[u8]>::to_vec).collect()
    }

    pub fn sdp(&self) -> Vec<Vec<u8>> {
        let body = |message: &Vec<u8>| {
            let at = message.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
            message.get(at..).filter(|body| !body.is_empty()).map(<[u8]>::to_vec)
        };
        self.sip().iter().filter_map(body).collect()
    }

    /// Streams in pieces of several sizes, plain and in WebSocket frames behind a handshake.
    pub fn framing(&self) -> Vec<Vec<u8>> {
        let sip = self.sip();
        let in_frame = |message: &Vec<u8>| {
            let length = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
            [&[4, 10, 200, 3, 90, 0x81, 0x7e][..], &length, message].concat()
        };
        prefixed(&[0, 10, 200, 3, 90], sip.clone()).into_iter().chain(sip.iter().map(in_frame)).collect()
    }

    /// RTP packets, RTCP of one call, and a stream.
    pub fn media(&self) -> Vec<Vec<u8>> {
        let payloads = self.frames.iter().filter_map(|frame| frame.get(HEADERS..));
        let rtp = payloads.filter(|part| part.first() == Some(&0x80)).map(<[u8]>::to_vec).take(20);
        let mut seeds = prefixed(&[0], rtp.collect());
        for rtcp in [
            &b"\x80\xc8\x00\x06\x00\x00\x00\x01AAAABBBBCCCCDDDDEEEE\x81\xca\x00\x03\x00\x00\x00\x01\x01\x04name\x00\x00"[..],
            b"\x81\xc9\x00\x07\x00\x00\x00\x01\x00\x00\x00\x02\x05\x00\x00\x09AAAABBBBCCCCDDDD",
            b"\x80\xcf\x00\x0a\x00\x00\x00\x01\x07\x00\x00\x08\x00\x00\x00\x02AAAABBBBCCCCDDDDEEEEFFFFGGGG",
        ] {
            let length = u8::try_from(rtcp.len()).unwrap_or(0);
            seeds.push([&[0], rtcp].concat());
            seeds.push([&[1, 5, 0, length], rtcp, &[9, 1, length], rtcp].concat());
        }
        seeds.push([&[2, 0, 7, 0, 200, 5, 120, 1, 100, 4, 210, 0, 250, 7][..], &[6, 1, 2, 3, 4, 5], &[2, 90]].concat());
        seeds
    }

    /// Segments, fragments and chunks with SIP in them.
    pub fn ingress(&self) -> Vec<Vec<u8>> {
        let one = |head: &'static [u8]| {
            move |message: Vec<u8>| {
                let length = u16::try_from(message.len()).unwrap_or(0).to_be_bytes();
                [head, &length, &message].concat()
            }
        };
        // Kind; milliseconds, ends; flags and number, or identification and place, or the chunk's kind and flags.
        let segments = self.sip().into_iter().map(one(&[0, 1, 0, 0x18, 2, 0]));
        let fragments = self.sip().into_iter().map(one(&[1, 1, 0, 1, 0x20, 0]));
        let chunks = self.sip().into_iter().map(one(&[2, 1, 0, 0, 0, 3, 9]));
        segments.chain(fragments).chain(chunks).collect()
    }

    /// Frames as the target "engine" reads them: kind, milliseconds, link, length.
    pub fn engine(&self) -> Vec<Vec<u8>> {
        let encode = |frames: &[Vec<u8>]| {
            let mut data = Vec::new();
            for frame in frames.iter().filter(|frame| frame.len() < 2048) {
                data.extend([0, 5, 1]);
                data.extend(u16::try_from(frame.len()).unwrap_or(0).to_be_bytes());
                data.extend(frame);
            }
            data
        };
        self.frames.chunks(40).map(encode).collect()
    }

    /// A capture file of some frames.
    pub fn pcap(&self) -> Vec<u8> {
        let timed = self.frames.iter().take(6).map(|bytes| TimedFrame { at: Duration::ZERO, bytes: bytes.clone() });
        let mut file = Vec::new();
        traffic::write_pcap(&mut file, Duration::from_secs(1_795_000_000), &timed.collect::<Vec<_>>())
            .expect("memory takes everything");
        file
    }
}

/// The same bytes before each.
pub fn prefixed(head: &[u8], parts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    parts.into_iter().map(|part| [head, &part].concat()).collect()
}

/// Scripts of the target "dialogs": any bytes make one.
pub fn scripts() -> Vec<Vec<u8>> {
    let mut random = Random::new(5);
    let script = |length: usize| (0..length).map(|_| random.next().to_le_bytes()[0]).collect();
    [60, 200, 600, 1500, 3000].map(script).to_vec()
}

pub fn queries() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 4] = [
        br#"{"calls":{"limit":50}}"#,
        br#""counters""#,
        br#"{"registrations":{"limit":1}}"#,
        br#"{"search":{"filter":{"number":{"text":"+49","party":"either","comparison":"begins"}},"limit":50}}"#,
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}
