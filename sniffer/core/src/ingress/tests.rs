//! What comes in pieces comes out whole, each frame is counted once, and nothing grows without bound.

mod fragments;
mod sctp;
mod tcp;

use super::*;
use crate::decode::Transport;

/// A generator with a fixed seed: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit.max(1)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

/// An ingress and what came out of it.
struct Scene {
    ingress: Ingress,
    now: Timestamp,
    out: Vec<(Transport, Vec<u8>)>,
    received: u64,
    delivered: u64,
    dropped: crate::drops::Dropped,
}

impl Scene {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        Self {
            ingress: Ingress::new(settings),
            now: Timestamp::from_parts(1_000_000, 0),
            out: Vec::new(),
            received: 0,
            delivered: 0,
            dropped: crate::drops::Dropped::default(),
        }
    }

    fn packet(&mut self, packet: &[u8]) -> Result<Taken, Reason> {
        self.frame(LinkType::RawIp, packet)
    }

    fn frame(&mut self, link: LinkType, frame: &[u8]) -> Result<Taken, Reason> {
        self.received += 1;
        let meta = FrameMeta { time: self.now, vlan: None };
        let out = &mut self.out;
        let taken = self.ingress.frame(link, meta, frame, &mut |datagram| {
            out.push((datagram.transport, datagram.payload.to_vec()));
            Ok(Taken::Delivered)
        });
        match taken {
            Ok(Taken::Delivered) => self.delivered += 1,
            Ok(Taken::Waiting) => {}
            Err(reason) => self.dropped.add(reason, 1),
        }
        self.balance();
        taken
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(std::time::Duration::from_secs(seconds));
        let out = &mut self.out;
        self.ingress.advance(self.now, &mut |datagram| {
            out.push((datagram.transport, datagram.payload.to_vec()));
            Ok(Taken::Delivered)
        });
        self.balance();
    }

    /// Each frame is in exactly one place.
    fn balance(&self) {
        let tally = self.ingress.tally();
        let accounted = self.delivered + tally.delivered + tally.waiting + self.dropped.total() + tally.dropped.total();
        assert_eq!(self.received, accounted, "{tally:?} {:?}", self.dropped);
    }

    fn finish(&mut self) {
        let out = &mut self.out;
        self.ingress.finish(&mut |datagram| {
            out.push((datagram.transport, datagram.payload.to_vec()));
            Ok(Taken::Delivered)
        });
        self.balance();
        assert_eq!((self.ingress.tally().waiting, self.ingress.due()), (0, Timestamp::NEVER));
    }

    fn lost(&self, reason: Reason) -> u64 {
        self.dropped.get(reason) + self.ingress.tally().dropped.get(reason)
    }

    fn payloads(&self) -> Vec<&[u8]> {
        self.out.iter().map(|(_, payload)| payload.as_slice()).collect()
    }
}

fn ipv4(protocol: u8, id: u16, fragment: u16, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(u16::try_from(body.len() + 20).unwrap().to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(body);
    packet
}

fn ipv6(next: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(body);
    packet
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0x13, 0xc4];
    segment.extend(port.to_be_bytes());
    segment.extend(u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    segment
}

/// A message of its own for each number, with a body of this many bytes and a line break, as SDP has it at its end.
fn message(number: usize, body: usize) -> Vec<u8> {
    let mut content: Vec<u8> = (0..body).map(|n| b'a' + u8::try_from((n + number) % 26).unwrap()).collect();
    content.extend(b"\r\n");
    let body = content.len();
    let mut text = format!(
        "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP host;branch=z9hG4bK{number}\r\nCall-ID: call-{number}\r\n\
         From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCSeq: {number} MESSAGE\r\nContent-Length: {body}\r\n\r\n"
    )
    .into_bytes();
    text.extend(content);
    text
}

#[test]
fn random_and_damaged_frames_are_all_accounted_for_and_memory_is_bounded() {
    let mut random = Random(0x5eed_0001);
    let settings = Settings { memory_bytes: 64 * 1024, hash_seed: 3, ..Settings::default() };
    let mut scene = Scene::with(settings);
    let seeds = [
        ipv4(17, 7, 0x2000, &udp(5060, &message(1, 88))[..96]),
        ipv4(17, 7, 12, &message(1, 40)),
        ipv6(44, &[&[17, 0, 0, 1, 0, 0, 0, 9][..], &udp(5060, &message(2, 80))[..80]].concat()),
        ipv4(6, 1, 0, &tcp::segment(40_000, 5060, 1000, 0x18, &message(3, 200))),
        ipv4(132, 1, 0, &sctp::packet(5060, 5060, &sctp::data(1, 3, &message(4, 300)))),
        ipv4(47, 1, 0, &[&[0, 0, 8, 0][..], &ipv4(17, 9, 0x2000, &[7; 64])].concat()),
    ];
    let links = [LinkType::RawIp, LinkType::Ethernet, LinkType::LinuxCooked, LinkType::Ppp, LinkType::Null];
    for round in 0..60_000_usize {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..random.below(5) {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        if random.below(8) == 0 {
            let length = random.below(200);
            bytes = random.bytes(length);
        }
        let link = links[if random.below(4) == 0 { random.below(links.len()) } else { 0 }];
        let cut = if random.below(6) == 0 { random.below(bytes.len() + 1) } else { bytes.len() };
        if scene.frame(link, &bytes[..cut]).is_err() && round % 64 == 0 {
            scene.wait(u64::try_from(random.below(3)).unwrap());
        }
        assert!(scene.ingress.bytes() <= settings.memory_bytes, "{}", scene.ingress.bytes());
    }
    scene.finish();
    assert_eq!(scene.ingress.bytes(), 0);
    assert!(scene.out.len() > 100, "{}", scene.out.len());
}
