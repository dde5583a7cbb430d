//! Records as octets: a self-describing form for serde in which field names and the words of enumerations are numbers.
//!
//! JSON cost more than the whole rest of keeping a call, and most of a record was field names. Forms that keep the order
//! of fields alone, as postcard does, could not be read once a field is added; CBOR and MessagePack write the names.
//! Here a name is an octet ([`names`]), a field without a value takes nothing, a text that stood before is referred to,
//! and figures with at most four decimals, as records have them, are whole numbers. What is written reads back the same,
//! and a field that another version added or left out is what `#[serde(default)]` says.

mod json;
mod names;
mod read;
#[cfg(test)]
pub(super) mod tests;
mod write;

use thiserror::Error;

pub use self::{
    json::{Shape, first_member},
    read::read,
    write::Writer,
};

/// Why something cannot be written or read.
#[derive(Debug, Error)]
pub enum CompactError {
    /// The octets end within a value.
    #[error("the octets end within a value")]
    End,
    /// An octet that begins no value.
    #[error("octet {0:#04x} begins no value")]
    Tag(u8),
    /// A text is not UTF-8, or a reference points at none.
    #[error("a text cannot be read")]
    Text,
    /// Values lie within each other deeper than any true one.
    #[error("values lie too deep within each other")]
    Depth,
    /// The value is longer than four octets can tell.
    #[error("the value is too long")]
    Long,
    /// What the types say.
    #[error("{0}")]
    Type(String),
}

impl serde::ser::Error for CompactError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}

impl serde::de::Error for CompactError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}

/// Values within each other: a record has five.
const DEPTH: u8 = 32;

// Octets that begin a value. On disk: they stay. Below SMALL + 128 a whole number, below TEXT + 64 a short text.
const TEXT: u8 = 0x80;
const SHORT_TEXT: usize = 64;
const NULL: u8 = 0xc0;
const FALSE: u8 = 0xc1;
const TRUE: u8 = 0xc2;
const U8: u8 = 0xc3;
const U16: u8 = 0xc4;
const U32: u8 = 0xc5;
const U64: u8 = 0xc6;
/// Eight octets, below zero.
const NEGATIVE: u8 = 0xc7;
const F64: u8 = 0xc8;
const F32: u8 = 0xc9;
/// Ten-thousandths of an f64 in two octets, and in four.
const PARTS16: u8 = 0xca;
const PARTS32: u8 = 0xcb;
/// An f64 that is a whole number below 256.
const WHOLE: u8 = 0xcc;
/// A text with its length in four octets.
const LONG_TEXT: u8 = 0xcd;
/// A text that stands at a place before, in two octets from the beginning.
const AGAIN: u8 = 0xce;
/// A text that is a name.
const WORD: u8 = 0xcf;
/// Octets with their length in four.
const OCTETS: u8 = 0xd0;
/// Eight octets: a time.
const OCTETS8: u8 = 0xd1;
/// Sixteen octets: a call's key.
const OCTETS16: u8 = 0xd2;
/// A list up to [`END`].
const LIST: u8 = 0xd3;
/// Pairs of a key and a value up to [`END`]; a key is a name or, behind [`OTHER_KEY`], a text.
const MAP: u8 = 0xd4;
const EMPTY_LIST: u8 = 0xd5;
const END: u8 = 0xff;

/// Keys up to here are the name's number; from here on it is in two octets.
const LONG_KEY: u8 = 0xf0;
const OTHER_KEY: u8 = 0xfe;

/// The text whose value begins at a place; a reference is none.
fn text_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (tag, rest) = bytes.get(at..)?.split_first()?;
    if (TEXT..NULL).contains(tag) {
        return rest.get(..usize::from(tag.checked_sub(TEXT)?));
    }
    let (length, rest) = rest.split_first_chunk::<4>().filter(|_| *tag == LONG_TEXT)?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
