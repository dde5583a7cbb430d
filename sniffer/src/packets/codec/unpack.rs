//! Reading records again.

use sniffer_core::time::Timestamp;

use super::{
    super::Packet, CHECKSUM, EIGHTS, HEAD, IDENTIFICATION, LENGTHS, OCTETS, Run, TIME, TIME_ITSELF, TIME_MICROS,
    TIME_NANOS, WHOLE, lengths, two,
};

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
