//! Packing packets: each is told by how it differs from what was to be expected after the one before it.
//!
//! Packets are packed in runs, those of a stream in one. Of the next RTP packet its sequence number, its timestamp, the
//! identification of its IP packet and the checksum of that are guessed; what is kept of it where the guess is right is
//! an octet and the time, about 5 octets in all, and where UDP has a checksum 7. A record is:
//!
//! - its flags, and of a whole one ([`WHOLE`]) its time, lengths, link type, how long its head is, where RTP begins in
//!   it, and its octets as they are: a run begins with such a record;
//! - else the time's difference; where they are not as before the lengths; where they are not as guessed the IP
//!   identification and the checksum of UDP; where other octets of the head differ, which of its eights have such
//!   octets, and for each a map of these and they; then what lies behind the head, as it is.
//!
//! Numbers are little endian; those that are mostly small have seven bits an octet, as LEB128. Reading believes nothing:
//! damaged octets give no record or wrong ones, never more than the octets say.

mod steady;
mod unpack;

pub use self::unpack::Unpacking;
use super::Packet;

/// Octets of a packet that are compared: headers down to RTP over IPv6 with a VLAN. A group then has two cache lines.
pub const HEAD: usize = 80;
/// The same as a number of eights.
const EIGHTS: usize = 10;
const _: () = assert!(HEAD == EIGHTS * 8);
/// Of what is no RTP so much is compared: IP, UDP, and the beginning of a start line.
const OTHER_HEAD: usize = 64;

/// The record needs none before it.
const WHOLE: u8 = 0x80;
/// The time's difference: microseconds in two octets, nanoseconds in four, or the time itself in eight.
const TIME: u8 = 0x03;
const TIME_MICROS: u8 = 0;
const TIME_NANOS: u8 = 1;
const TIME_ITSELF: u8 = 2;
/// The lengths follow.
const LENGTHS: u8 = 0x04;
/// The IP identification follows.
const IDENTIFICATION: u8 = 0x08;
/// The checksum of UDP follows.
const CHECKSUM: u8 = 0x10;
/// Other octets of the head follow.
const OCTETS: u8 = 0x20;

/// What is known of a packet beside its octets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// How many of its octets are kept of media where only headers are.
    pub head: usize,
    /// Where RTP begins in it.
    pub rtp: Option<u8>,
    /// The VLAN tag that the network card took out, and that goes back to its place in an Ethernet frame.
    pub vlan: Option<u16>,
    /// The serial of its stream, and a small number that no other stream has at the same time.
    pub stream: Option<(u64, u32)>,
}

/// A run of packets: what is known of the last one, and so of the next.
#[derive(Clone, Debug)]
pub struct Run {
    time: i64,
    /// The lengths on the wire and as it is kept: see [`lengths`].
    lengths: u64,
    /// How many there were.
    packets: u32,
    /// How far the RTP timestamp went with the last packet, and the IP identification.
    step: u32,
    identification_step: u16,
    link: u16,
    /// Octets of `head` that are the packet's.
    size: u8,
    /// Where RTP begins in the head; zero where there is none that could be guessed.
    rtp: u8,
    /// RTP lies in UDP in IPv4 without options.
    is_v4: bool,
    /// The next one may be told in the short way.
    is_steady: bool,
    head: [u8; HEAD],
}

impl Default for Run {
    fn default() -> Self {
        Self {
            time: 0,
            lengths: 0,
            packets: 0,
            step: 0,
            identification_step: 0,
            link: 0,
            size: 0,
            rtp: 0,
            is_v4: false,
            is_steady: false,
            head: [0; HEAD],
        }
    }
}

/// The head of a packet, with its VLAN tag, and what lies behind it.
struct Parts<'a> {
    head: [u8; HEAD],
    size: u8,
    rtp: u8,
    rest: &'a [u8],
    length: u32,
    original: u32,
}

impl<'a> Parts<'a> {
    fn of(packet: &Packet<'a>, shape: &Shape) -> Self {
        let mut head = [0; HEAD];
        let bytes = packet.bytes;
        let tag = shape.vlan.filter(|_| packet.link == 1 && bytes.len() >= 12);
        let added = if tag.is_some() { 4 } else { 0 };
        let wanted = if shape.rtp.is_some() { shape.head.saturating_add(added).min(HEAD) } else { OTHER_HEAD };
        // A tag is put into the head: it is as long as to have room for it.
        let taken = wanted.max(16).saturating_sub(added).min(bytes.len());
        let (first, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
        let (addresses, behind) = match tag {
            Some(_) => first.split_at_checked(12).unwrap_or((first, &[])),
            None => (first, &[][..]),
        };
        let mut place = head.as_mut_slice();
        let mut put = |octets: &[u8]| {
            if let Some((own, left)) = std::mem::take(&mut place).split_at_mut_checked(octets.len()) {
                own.copy_from_slice(octets);
                place = left;
            }
        };
        put(addresses);
        if let Some(tag) = tag {
            let [high, low] = tag.to_be_bytes();
            put(&[0x81, 0x00, high, low]);
            put(behind);
        }
        let size = taken.saturating_add(added);
        let length = u32::try_from(bytes.len().saturating_add(added)).unwrap_or(u32::MAX);
        let original = packet.original.saturating_add(u32::try_from(added).unwrap_or(0)).max(length);
        let rtp = shape.rtp.map_or(0, |at| usize::from(at).saturating_add(added));
        let rtp = if rtp.saturating_add(12) <= size { u8::try_from(rtp).unwrap_or(0) } else { 0 };
        Self { head, size: u8::try_from(size).unwrap_or(0), rtp, rest, length, original }
    }
}

/// Two octets of a head.
fn two(head: &[u8; HEAD], at: usize) -> [u8; 2] {
    head.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
}

/// Four octets of a head.
fn four(head: &[u8; HEAD], at: usize) -> u32 {
    head.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_be_bytes)
}

fn set<const N: usize>(head: &mut [u8; HEAD], at: usize, octets: [u8; N]) {
    if let Some(place) = head.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = octets;
    }
}

impl Run {
    /// Where the IP identification and the checksums of IP and UDP are in the head; the first two only in IPv4.
    fn places(&self) -> Option<(usize, usize, usize)> {
        let rtp = usize::from(self.rtp);
        (rtp > 0).then(|| (rtp.wrapping_sub(24), rtp.wrapping_sub(18), rtp.wrapping_sub(2)))
    }

    fn expected_identification(&self, at: usize) -> u16 {
        u16::from_be_bytes(two(&self.head, at)).wrapping_add(self.identification_step)
    }

    /// What the head of the next packet is expected to be, where its identification and the checksum of UDP are these.
    fn guess(&self, identification: u16, checksum: [u8; 2]) -> [u8; HEAD] {
        let mut head = self.head;
        let Some((identification_at, sum_at, checksum_at)) = self.places() else { return head };
        if self.is_v4 {
            let before = u16::from_be_bytes(two(&head, identification_at));
            let sum = changed(u16::from_be_bytes(two(&head, sum_at)), before, identification);
            set(&mut head, identification_at, identification.to_be_bytes());
            set(&mut head, sum_at, sum.to_be_bytes());
        }
        set(&mut head, checksum_at, checksum);
        let rtp = usize::from(self.rtp);
        // The marker stands at the beginning of talk, and so seldom twice.
        if let Some(kind) = head.get_mut(rtp.saturating_add(1)) {
            *kind &= 0x7f;
        }
        let number = u16::from_be_bytes(two(&head, rtp.saturating_add(2))).wrapping_add(1);
        let timestamp = four(&head, rtp.saturating_add(4)).wrapping_add(self.step);
        set(&mut head, rtp.saturating_add(2), number.to_be_bytes());
        set(&mut head, rtp.saturating_add(4), timestamp.to_be_bytes());
        head
    }

    /// Takes note of a packet's head.
    fn see(&mut self, head: &[u8; HEAD]) {
        if let Some((identification_at, _, _)) = self.places() {
            let timestamp_at = usize::from(self.rtp).saturating_add(4);
            self.step = four(head, timestamp_at).wrapping_sub(four(&self.head, timestamp_at));
            if self.is_v4 {
                let number = |head| u16::from_be_bytes(two(head, identification_at));
                self.identification_step = number(head).wrapping_sub(number(&self.head));
            }
        }
        self.head = *head;
    }

    /// Begins with a packet of which all is told.
    fn begin(&mut self, head: &[u8; HEAD], size: u8, rtp: u8) {
        let ip = usize::from(rtp).checked_sub(28).and_then(|at| head.get(at));
        (self.size, self.rtp) = (size, rtp);
        self.is_v4 = ip == Some(&0x45);
        (self.step, self.identification_step) = (0, 0);
        self.head = *head;
    }

    /// Packs a packet behind `packed`.
    #[inline]
    pub fn pack(&mut self, packed: &mut Vec<u8>, packet: &Packet<'_>, shape: &Shape) {
        if self.pack_steady(packed, packet, shape).is_none() {
            self.pack_any(packed, packet, shape);
        }
    }

    /// How many packets were packed.
    #[must_use]
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// Packs any packet.
    #[inline(never)]
    fn pack_any(&mut self, packed: &mut Vec<u8>, packet: &Packet<'_>, shape: &Shape) {
        let parts = Parts::of(packet, shape);
        let time = packet.time.as_nanos();
        if self.packets > 0 && self.link == packet.link && self.rtp == parts.rtp {
            self.pack_next(packed, time, &parts);
        } else {
            self.pack_whole(packed, time, packet.link, &parts);
        }
        packed.extend_from_slice(parts.rest);
        (self.time, self.lengths) = (time, lengths(parts.original, parts.length));
        self.packets = self.packets.saturating_add(1);
        self.is_steady = self.is_v4 && self.size == self.rtp.saturating_add(12);
    }

    fn pack_whole(&mut self, packed: &mut Vec<u8>, time: i64, link: u16, parts: &Parts<'_>) {
        self.begin(&parts.head, parts.size, parts.rtp);
        self.link = link;
        packed.push(WHOLE);
        packed.extend_from_slice(&time.to_le_bytes());
        push_number(packed, parts.original);
        push_number(packed, parts.length);
        packed.extend_from_slice(&link.to_le_bytes());
        packed.extend_from_slice(&[parts.size, parts.rtp]);
        packed.extend_from_slice(parts.head.get(..usize::from(parts.size)).unwrap_or_default());
    }

    fn pack_next(&mut self, packed: &mut Vec<u8>, time: i64, parts: &Parts<'_>) {
        let at = packed.len();
        let difference = time.wrapping_sub(self.time);
        let mut flags = match (i16::try_from(difference / 1000), i32::try_from(difference)) {
            (Ok(micros), _) if difference % 1000 == 0 => {
                let [low, high] = micros.to_le_bytes();
                packed.extend_from_slice(&[0, low, high]);
                TIME_MICROS
            }
            (_, Ok(nanos)) => {
                packed.push(0);
                packed.extend_from_slice(&nanos.to_le_bytes());
                TIME_NANOS
            }
            _ => {
                packed.push(0);
                packed.extend_from_slice(&time.to_le_bytes());
                TIME_ITSELF
            }
        };
        if (parts.size, lengths(parts.original, parts.length)) != (self.size, self.lengths) {
            flags |= LENGTHS;
            push_number(packed, parts.original);
            push_number(packed, parts.length);
            packed.push(parts.size);
            self.size = parts.size;
        }
        let (mut identification, mut checksum) = (0, [0; 2]);
        if let Some((identification_at, _, checksum_at)) = self.places() {
            identification = u16::from_be_bytes(two(&parts.head, identification_at));
            if self.is_v4 && identification != self.expected_identification(identification_at) {
                flags |= IDENTIFICATION;
                packed.extend_from_slice(&identification.to_le_bytes());
            }
            checksum = two(&parts.head, checksum_at);
            if checksum != two(&self.head, checksum_at) {
                flags |= CHECKSUM;
                packed.extend_from_slice(&checksum);
            }
        }
        let guess = self.guess(identification, checksum);
        if guess != parts.head {
            flags |= OCTETS;
            push_differing(packed, &parts.head, &guess);
        }
        if let Some(place) = packed.get_mut(at) {
            *place = flags;
        }
        self.see(&parts.head);
    }
}

/// Two lengths as one number: on the wire, and as it is kept.
#[inline]
fn lengths(original: u32, kept: u32) -> u64 {
    (u64::from(original) << 32) | u64::from(kept)
}

/// The checksum of an IPv4 header one of whose fields has become another (RFC 1624, section 3).
#[inline]
fn changed(sum: u16, before: u16, after: u16) -> u16 {
    let sum = u32::from(!sum) + u32::from(!before) + u32::from(after);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Adds a number, seven bits an octet, the lowest first.
fn push_number(packed: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        packed.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    packed.push(u8::try_from(number).unwrap_or(0));
}

/// Adds which eights differ, and for each the map of the octets that differ, and those octets.
fn push_differing(packed: &mut Vec<u8>, head: &[u8; HEAD], guess: &[u8; HEAD]) {
    let at = packed.len();
    packed.extend_from_slice(&[0, 0]);
    let mut eights = 0_u16;
    let pairs = head.as_chunks::<8>().0.iter().zip(guess.as_chunks::<8>().0);
    for (number, (eight, same)) in (0_u32..).zip(pairs) {
        let eight = u64::from_le_bytes(*eight);
        let differ = eight ^ u64::from_le_bytes(*same);
        if differ == 0 {
            continue;
        }
        eights |= 1 << number;
        // The lowest bit of each octet that is not zero, and then all of them as the highest octet of a product.
        let some = differ | (differ >> 4);
        let some = some | (some >> 2);
        let some = (some | (some >> 1)) & 0x0101_0101_0101_0101;
        let [map, ..] = some.wrapping_mul(0x0102_0408_1020_4080).to_be_bytes();
        packed.push(map);
        let mut left = some;
        while left != 0 {
            let [octet, ..] = (eight >> left.trailing_zeros()).to_le_bytes();
            packed.push(octet);
            left &= left.wrapping_sub(1);
        }
    }
    if let Some(place) = packed.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = eights.to_le_bytes();
    }
}

#[cfg(test)]
mod tests;
