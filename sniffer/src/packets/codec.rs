//! Packing the records of a group: a packet differs from an earlier one of its stream in a few octets of its headers.
//!
//! A record is packed as: the place of the record it is compared with, its length (two octets), then for each eight of
//! its first octets a map of those that differ, and those octets; the rest as it is. It needs no tables and reads
//! nothing but what the block holds, and makes a headers-only RTP record of 84 octets one of about 25.

use crate::limits;

/// How many records of the past are remembered: the two directions of a call, and two more.
const PLACES: usize = 4;
/// Octets of a record that are compared: the record's own fields, and headers down to RTP over IPv6 with a VLAN.
const COMPARED: usize = 112;

#[derive(Default)]
struct Past {
    records: [Vec<u8>; PLACES],
}

/// Where a record is remembered: packets of one direction go to one place. Octets 26 to 38 of an Ethernet frame are the
/// addresses and ports of IPv4 over UDP; for others any choice is as right, only less apt.
fn place(record: &[u8]) -> u8 {
    let Some((first, rest)) = record.get(44..56).and_then(|octets| octets.split_first_chunk()) else { return 0 };
    let last = rest.first_chunk().copied().map_or(0, u32::from_le_bytes);
    let mixed = (u64::from_le_bytes(*first) ^ u64::from(last).rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Two bits: as many as there are places.
    u8::try_from(mixed >> 62).unwrap_or_default()
}

/// Packs records, each with its length in two octets before it (little endian: that of the record alone). None when it does not pay.
pub fn pack(records: &[&[u8]], raw: usize) -> Option<Vec<u8>> {
    let mut past = Past::default();
    let mut packed = Vec::with_capacity(raw / 2);
    // Records of one call lie far from each other. Looking at all of them first lets the memory fetch many at once: one
    // by one each cost 70 ns.
    let places: Vec<u8> = records.iter().map(|record| place(record)).collect();
    for (record, place) in records.iter().zip(places) {
        let before = past.records.get_mut(usize::from(place))?;
        packed.push(place);
        packed.extend(u32::try_from(record.len()).ok()?.to_le_bytes());
        let (head, rest) = record.split_at_checked(COMPARED).unwrap_or((record, &[]));
        let (eights, end) = head.as_chunks::<8>();
        let (same, _) = before.as_chunks::<8>();
        // A record that is longer than the one before it differs there in every octet.
        let shared = eights.len().min(same.len());
        for (eight, same) in eights.iter().zip(same) {
            differing(&mut packed, u64::from_le_bytes(*eight), u64::from_le_bytes(*same));
        }
        for eight in eights.get(shared..).unwrap_or_default() {
            packed.push(0xff);
            packed.extend_from_slice(eight);
        }
        if !end.is_empty() {
            let at = packed.len();
            packed.push(0);
            let same = before.get(head.len().saturating_sub(end.len())..).unwrap_or_default();
            let mut map = 0_u8;
            for (bit, byte) in end.iter().enumerate() {
                if same.get(bit) != Some(byte) {
                    map |= 1 << bit;
                    packed.push(*byte);
                }
            }
            if let Some(slot) = packed.get_mut(at) {
                *slot = map;
            }
        }
        packed.extend_from_slice(rest);
        before.clear();
        before.extend_from_slice(head);
        if packed.len() >= raw {
            return None;
        }
    }
    Some(packed)
}

/// Adds the map of the octets that differ, and those octets.
fn differing(packed: &mut Vec<u8>, eight: u64, same: u64) {
    let differ = eight ^ same;
    if differ == 0 {
        return packed.push(0);
    }
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

/// The records of a packed group; none when it is damaged.
pub fn unpack(mut packed: &[u8], raw: usize) -> Option<Vec<u8>> {
    let mut past = Past::default();
    let mut records = Vec::with_capacity(raw.min(limits::PACKET_BLOCK.saturating_mul(2)));
    while let Some((place, tail)) = packed.split_first() {
        let (length, mut tail) = tail.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let before = past.records.get_mut(usize::from(*place))?;
        if records.len().checked_add(length)? > raw {
            return None;
        }
        let begin = records.len();
        let head = length.min(COMPARED);
        let mut from = 0_usize;
        while from < head {
            let count = head.saturating_sub(from).min(8);
            let (map, after) = tail.split_first()?;
            tail = after;
            for bit in 0..count {
                if map & (1 << bit) == 0 {
                    records.push(*before.get(from.checked_add(bit)?)?);
                } else {
                    let (byte, after) = tail.split_first()?;
                    tail = after;
                    records.push(*byte);
                }
            }
            from = from.saturating_add(8);
        }
        before.clear();
        before.extend_from_slice(records.get(begin..)?);
        let (rest, after) = tail.split_at_checked(length.saturating_sub(head))?;
        records.extend_from_slice(rest);
        packed = after;
    }
    (records.len() == raw).then_some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_a_stream_become_a_third_and_read_back() {
        let records: Vec<Vec<u8>> = (0..200_u32)
            .map(|n| {
                let mut record = vec![0x5a; 84];
                record[..4].copy_from_slice(&(n * 20_000_000).to_le_bytes());
                record[50] = u8::try_from(n % 2).unwrap();
                record[70..74].copy_from_slice(&(n * 160).to_be_bytes());
                record[75] = u8::try_from(n % 256).unwrap();
                record
            })
            .collect();
        let raw: Vec<u8> = records.concat();
        let parts: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let packed = pack(&parts, raw.len()).unwrap();
        assert!(packed.len() * 3 < raw.len(), "{} of {}", packed.len(), raw.len());
        assert_eq!(unpack(&packed, raw.len()).unwrap(), raw);
        for cut in 0..packed.len() {
            assert_eq!(unpack(&packed[..cut], raw.len()), None);
        }
    }

    #[test]
    fn records_of_any_length_and_difference_read_back() {
        let mut state = 7_u64;
        let mut random = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        for _ in 0..300 {
            let records: Vec<Vec<u8>> = (0..20)
                .map(|_| {
                    let length = usize::try_from(if random(3) == 0 { random(200) } else { 84 }).unwrap();
                    let mut record = vec![0x5a; length];
                    for _ in 0..random(9) {
                        let place = random(u64::try_from(length).unwrap().max(1));
                        if let Some(octet) = record.get_mut(usize::try_from(place).unwrap()) {
                            *octet = u8::try_from(random(256)).unwrap();
                        }
                    }
                    record
                })
                .collect();
            let raw = records.concat();
            let parts: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
            let packed = pack(&parts, raw.len()).expect("it pays");
            assert_eq!(unpack(&packed, raw.len()).unwrap(), raw);
        }
    }

    #[test]
    fn any_octets_are_refused_or_read_and_never_a_panic() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..60)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    u8::try_from(state % 5).unwrap()
                })
                .collect();
            drop(unpack(&bytes, 200));
        }
        let random: Vec<u8> =
            (0..2000_u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
        assert_eq!(pack(&[&random[..10]], 10), None, "it does not pay");
    }
}
