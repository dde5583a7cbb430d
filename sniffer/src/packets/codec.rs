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

use sniffer_core::time::Timestamp;

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

    /// Packs a packet of which all is as guessed but for time, identification and checksums: the next one of a stream in
    /// IPv4, as nearly all are. None where it is another one, and nothing is packed; [`Run::pack_next`] packs all, and these
    /// packets to the same octets.
    #[inline]
    fn pack_steady(&mut self, packed: &mut Vec<u8>, packet: &Packet<'_>, shape: &Shape) -> Option<()> {
        let rtp = shape.rtp?;
        let length = u32::try_from(packet.bytes.len()).ok()?;
        let is_alike = self.is_steady
            && (self.link, self.rtp) == (packet.link, rtp)
            && self.lengths == lengths(packet.original.max(length), length)
            && shape.head == usize::from(rtp).saturating_add(12)
            && shape.vlan.is_none();
        if !is_alike {
            return None;
        }
        let begin = usize::from(rtp).checked_sub(28)?;
        let (below, rest) = packet.bytes.split_at_checked(begin)?;
        let (octets, rest) = rest.split_first_chunk::<40>()?;
        let (own_below, own) = self.head.split_at_mut_checked(begin)?;
        let own = own.first_chunk_mut::<40>()?;
        if !are_same(own_below, below) {
            return None;
        }
        let ([a, b, c, d, e, f, g, h, i, j], [la, lb, lc, ld, le, lf, lg, lh, li, lj]) = (words(octets), words(own));
        // Of IP: a length, b identification and fragment, c protocol and checksum, d and e addresses; of UDP: f ports, g
        // length and checksum; of RTP: h payload type and number, i timestamp, j source. All but these are to be the same.
        let (behind, before) = (0xffff_u32.to_be(), 0xffff_0000_u32.to_be());
        let same = (a ^ la) | (d ^ ld) | (e ^ le) | (f ^ lf) | (j ^ lj);
        let same_parts = ((b ^ lb) & behind) | ((c ^ lc) & before) | ((g ^ lg) & before);
        let (number, last_number) = (u32::from_be(h), u32::from_be(lh));
        let guess = (last_number & 0xff7f_0000) | (last_number.wrapping_add(1) & 0xffff);
        let is_next = number == guess && u32::from_be(i) == u32::from_be(li).wrapping_add(self.step);
        let (identification, last_identification) = (high(b), high(lb));
        let nanos = i32::try_from(packet.time.as_nanos().wrapping_sub(self.time)).ok()?;
        if (same | same_parts) != 0 || !is_next || low(c) != changed(low(lc), last_identification, identification) {
            return None;
        }
        let (mut flags, time, used) = match i16::try_from(nanos / 1000) {
            Ok(micros) if nanos % 1000 == 0 => (TIME_MICROS, u32::from(micros.cast_unsigned()), 3),
            _ => (TIME_NANOS, nanos.cast_unsigned(), 5),
        };
        // What was not guessed, behind flags and time; then the record at once, and as much of it as there is.
        let (mut fields, mut bits) = (0, 0_u32);
        if identification != last_identification.wrapping_add(self.identification_step) {
            flags |= IDENTIFICATION;
            (fields, bits) = (u32::from(identification), 16);
        }
        if low(g) != low(lg) {
            flags |= CHECKSUM;
            fields |= u32::from(low(g).swap_bytes()) << bits;
            bits += 16;
        }
        let begin = u64::from(flags) | (u64::from(time) << 8);
        let record = u128::from(begin) | (u128::from(fields) << (used * 8));
        let used = usize::try_from(used + bits / 8).unwrap_or(0);
        let at = packed.len();
        packed.extend_from_slice(&record.to_le_bytes());
        packed.truncate(at.saturating_add(used));
        packed.extend_from_slice(rest);
        *own = *octets;
        self.identification_step = identification.wrapping_sub(last_identification);
        self.time = packet.time.as_nanos();
        self.packets = self.packets.saturating_add(1);
        Some(())
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

/// Says whether two link layers are the same: those of Ethernet, with a tag or without, in two steps or three.
#[inline]
fn are_same(one: &[u8], other: &[u8]) -> bool {
    let ends =
        |octets: &[u8]| Some((u64::from_ne_bytes(*octets.first_chunk()?), u64::from_ne_bytes(*octets.last_chunk()?)));
    match (ends(one), ends(other)) {
        (Some(ends), Some(same)) if one.len() <= 16 => ends == same && one.len() == other.len(),
        _ => one == other,
    }
}

/// The headers of IPv4, UDP and RTP as words, in the order of their octets.
#[inline]
fn words(octets: &[u8; 40]) -> [u32; 10] {
    let mut words = [0; 10];
    for (word, octets) in words.iter_mut().zip(octets.as_chunks::<4>().0) {
        *word = u32::from_ne_bytes(*octets);
    }
    words
}

/// The first two octets of a word, as a number.
#[inline]
fn high(word: u32) -> u16 {
    u16::try_from(u32::from_be(word) >> 16).unwrap_or(0)
}

/// The last two octets of a word, as a number.
#[inline]
fn low(word: u32) -> u16 {
    u16::try_from(u32::from_be(word) & 0xffff).unwrap_or(0)
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

/// Reads the records of runs, one behind the other.
#[derive(Debug)]
pub struct Unpacking<'a> {
    left: &'a [u8],
    run: Run,
    bytes: Vec<u8>,
}

impl<'a> Unpacking<'a> {
    /// Begins to read.
    #[must_use]
    pub fn new(packed: &'a [u8]) -> Self {
        Self { left: packed, run: Run::default(), bytes: Vec::new() }
    }

    /// Says whether everything was read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// The next packet; none at the end, and where the octets are damaged.
    pub fn next_packet(&mut self) -> Option<Packet<'_>> {
        let [flags] = self.take()?;
        let head = if flags & WHOLE == 0 { self.next_head(flags)? } else { self.whole_head(flags)? };
        self.run.packets = self.run.packets.saturating_add(1);
        let own = head.get(..usize::from(self.run.size))?;
        let length = usize::try_from(self.run.lengths & u64::from(u32::MAX)).ok()?;
        let (rest, left) = self.left.split_at_checked(length.checked_sub(own.len())?)?;
        self.left = left;
        self.bytes.clear();
        self.bytes.extend_from_slice(own);
        self.bytes.extend_from_slice(rest);
        let Run { time, link, lengths, .. } = self.run;
        let original = u32::try_from(lengths >> 32).ok()?;
        Some(Packet { time: Timestamp::from_nanos(time), link, original, bytes: &self.bytes })
    }

    fn whole_head(&mut self, flags: u8) -> Option<[u8; HEAD]> {
        if flags != WHOLE {
            return None;
        }
        self.run.time = i64::from_le_bytes(self.take()?);
        self.run.lengths = lengths(self.number()?, self.number()?);
        self.run.link = u16::from_le_bytes(self.take()?);
        let [size, rtp] = self.take()?;
        let (own, left) = self.left.split_at_checked(usize::from(size))?;
        let mut head = [0; HEAD];
        head.get_mut(..own.len())?.copy_from_slice(own);
        self.left = left;
        if rtp > 0 && rtp.checked_add(12)? > size {
            return None;
        }
        self.run.begin(&head, size, rtp);
        Some(head)
    }

    fn next_head(&mut self, flags: u8) -> Option<[u8; HEAD]> {
        if self.run.packets == 0 || flags & !(TIME | LENGTHS | IDENTIFICATION | CHECKSUM | OCTETS) != 0 {
            return None;
        }
        self.run.time = match flags & TIME {
            TIME_MICROS => self.run.time.wrapping_add(i64::from(i16::from_le_bytes(self.take()?)) * 1000),
            TIME_NANOS => self.run.time.wrapping_add(i64::from(i32::from_le_bytes(self.take()?))),
            TIME_ITSELF => i64::from_le_bytes(self.take()?),
            _ => return None,
        };
        if flags & LENGTHS != 0 {
            self.run.lengths = lengths(self.number()?, self.number()?);
            [self.run.size] = self.take()?;
        }
        let (identification_at, _, checksum_at) = self.run.places().unwrap_or_default();
        let identification = match flags & IDENTIFICATION {
            0 => self.run.expected_identification(identification_at),
            _ => u16::from_le_bytes(self.take()?),
        };
        let checksum = if flags & CHECKSUM == 0 { two(&self.run.head, checksum_at) } else { self.take()? };
        let mut head = self.run.guess(identification, checksum);
        if flags & OCTETS != 0 {
            self.differing(&mut head)?;
        }
        self.run.see(&head);
        Some(head)
    }

    fn differing(&mut self, head: &mut [u8; HEAD]) -> Option<()> {
        let eights = u16::from_le_bytes(self.take()?);
        for (number, eight) in head.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            if eights & (1 << number) == 0 {
                continue;
            }
            let [map] = self.take()?;
            for (bit, octet) in eight.iter_mut().enumerate() {
                if map & (1 << bit) != 0 {
                    [*octet] = self.take()?;
                }
            }
        }
        (eights >> EIGHTS == 0).then_some(())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (octets, left) = self.left.split_first_chunk::<N>()?;
        self.left = left;
        Some(*octets)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0_u32;
        for shift in (0..35).step_by(7) {
            let [octet] = self.take()?;
            number |= u32::from(octet & 0x7f).checked_shl(shift)?;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
