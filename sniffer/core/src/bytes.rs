//! Reading numbers out of bytes: every read says when the bytes end.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;

/// The byte at `at`.
#[inline]
pub fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The big-endian 16-bit number at `at`.
#[inline]
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The big-endian 32-bit number at `at`.
#[inline]
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number that stands for bytes or others: equal ones, equal numbers.
pub fn fingerprint(value: impl Hash) -> u32 {
    let hash = FixedState::with_seed(0x5ee).hash_one(value);
    let [a, b, c, d, e, f, g, h] = hash.to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) ^ u32::from_be_bytes([e, f, g, h])
}

/// A count as a floating-point number; exact up to 2^53.
#[inline]
pub fn float(count: u64) -> f64 {
    let high = u32::try_from(count >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(count & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// The nearest single-precision number.
#[expect(clippy::as_conversions, reason = "there is no other conversion; it rounds and never traps")]
pub fn single(number: f64) -> f32 {
    number as f32
}

/// Rounds to four decimals: a tenth of a microsecond where the unit is a millisecond. Output stays short and readable.
pub fn round4(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
