//! A call's identity: on disk, in the protocol and in links of pages.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::time::Timestamp;

/// The stable identity of a call: it stays the same from the first INVITE until the record is deleted, also over
/// restarts. Its order is the order of the calls' starts. As text it has 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey(u128);

impl CallKey {
    /// Makes the key of the call with this Call-ID that started at this time.
    #[must_use]
    pub fn new(start: Timestamp, call_id: &str) -> Self {
        Self::of_hash(start, Self::hash_of(call_id))
    }

    /// The part of a key that stands for the Call-ID.
    #[must_use]
    pub fn hash_of(call_id: &str) -> u64 {
        // FNV-1a, 64 bits: a hash that is the same on every machine and in every version, since it is kept on disk.
        call_id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The key of the call that started at this time, and whose Call-ID has this hash.
    #[must_use]
    pub fn of_hash(start: Timestamp, call_id: u64) -> Self {
        Self((u128::from(start.as_micros()) << 64) | u128::from(call_id))
    }

    /// When its call started, to the microsecond.
    #[must_use]
    pub fn start(self) -> Timestamp {
        let micros = i64::try_from(self.0 >> 64).unwrap_or(i64::MAX);
        Timestamp::from_nanos(micros.saturating_mul(1000))
    }

    /// Adds the key's text.
    pub fn write(self, text: &mut Vec<u8>) {
        let digit =
            |half: u8| if half < 10 { b'0'.wrapping_add(half) } else { b'a'.wrapping_add(half.wrapping_sub(10)) };
        text.extend(self.to_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
    }

    /// The key as bytes whose order is the key's order.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(32);
        self.write(&mut text);
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The text is not a [`CallKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a call's id has 32 hexadecimal digits")]
pub struct NotACallKey;

impl FromStr for CallKey {
    type Err = NotACallKey;

    fn from_str(text: &str) -> Result<Self, NotACallKey> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotACallKey);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| NotACallKey)
    }
}

/// Text where people read it; else its octets.
impl Serialize for CallKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.to_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for CallKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrOctets;
        impl de::Visitor<'_> for TextOrOctets {
            type Value = CallKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a call's id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<CallKey, E> {
                text.parse().map_err(de::Error::custom)
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<CallKey, E> {
                let octets = bytes.try_into().map_err(|_| de::Error::invalid_length(bytes.len(), &self))?;
                Ok(CallKey::from_bytes(octets))
            }
        }
        // Not by what the form says of itself: what serde holds back for a flattened field does not know it.
        deserializer.deserialize_any(TextOrOctets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_key_keeps_its_order_as_bytes_and_its_value_as_text() {
        let early = CallKey::new(Timestamp::from_parts(1, 0), "zzz");
        let late = CallKey::new(Timestamp::from_parts(2, 0), "aaa");
        assert!(early < late && early.to_bytes() < late.to_bytes());
        assert_eq!(late.to_string().parse(), Ok(late));
        assert_eq!(CallKey::from_bytes(late.to_bytes()), late);
        assert_eq!("+0000000000000000000000000000001".parse::<CallKey>(), Err(NotACallKey));
    }

    #[test]
    fn a_call_key_is_text_in_json() {
        let key = CallKey::from_bytes([0xa5; 16]);
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(text, format!("\"{}\"", "a5".repeat(16)));
        assert_eq!(serde_json::from_str::<CallKey>(&text).unwrap(), key);
        assert!(serde_json::from_str::<CallKey>("\"a5\"").is_err() && serde_json::from_str::<CallKey>("5").is_err());
    }
}
