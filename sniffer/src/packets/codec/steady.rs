//! The short way of a packet into a run: that of the next one of a stream in IPv4, as nearly all are.

use super::{super::Packet, CHECKSUM, IDENTIFICATION, Run, Shape, TIME_MICROS, TIME_NANOS, changed, lengths};

impl Run {
    /// Packs a packet of which all is as guessed but for time, identification and checksums: the next one of a stream in
    /// IPv4, as nearly all are. None where it is another one, and nothing is packed; [`Run::pack_next`] packs all, and these
    /// packets to the same octets.
    #[inline]
    pub(super) fn pack_steady(&mut self, packed: &mut Vec<u8>, packet: &Packet<'_>, shape: &Shape) -> Option<()> {
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
