//! Octets to JSON, without a record in between: what serde_json makes of the record that was written, to the last octet.
//! Making the record and writing it was half of what a call cost in the archive.
//!
//! What is null is not in the octets. A [`Shape`] tells which fields a record has, and what stands for one that is absent.

#[cfg(test)]
mod tests;

use std::{fmt::Write as _, sync::LazyLock};

use serde::{Deserialize, Serialize, de};
use sniffer_core::{
    query::CallKey,
    record::{CallRecord, HoldRecord, Party, ReasonRecord, TransferRecord, Who},
    time::Timestamp,
};

use super::{
    AGAIN, CompactError, EMPTY_LIST, F32, F64, FALSE, LIST, LONG_TEXT, MAP, NEGATIVE, NULL, OCTETS, OCTETS8, OCTETS16,
    PARTS16, PARTS32, TEXT, TRUE, U8, U16, U32, U64, WHOLE, WORD,
    names::Names,
    read::{Name, Reader},
};

/// The fields of a record in their order.
#[derive(Debug, Default)]
pub struct Shape(Vec<Field>);

#[derive(Debug)]
struct Field {
    /// None where it has no number: such a field is taken for another.
    number: Option<usize>,
    /// A comma, the name, a colon.
    key: Vec<u8>,
    /// What stands for the field where it is absent.
    absent: Vec<u8>,
    /// The shape of what is in it, or in each element of it.
    inner: Shape,
}

/// The fields of a JSON object in the order of the text.
struct Fields(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> de::Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Shape {
    /// The shape of a record, which is a default one: what a field of it has stands for the field. `inner` has the shapes of
    /// fields that hold records with fields that may be null.
    #[must_use]
    pub fn of(record: &impl Serialize, inner: Vec<(&str, Self)>) -> Self {
        let text = serde_json::to_string(record).unwrap_or_default();
        let fields = serde_json::from_str(&text).unwrap_or(Fields(Vec::new())).0;
        let mut shape: Vec<Field> = fields
            .into_iter()
            .map(|(name, value)| Field {
                number: Names::get().number(&name),
                key: format!(",\"{name}\":").into_bytes(),
                absent: value.to_string().into_bytes(),
                inner: Self::default(),
            })
            .collect();
        for (name, inner) in inner {
            let number = Names::get().number(name);
            if let Some(field) = shape.iter_mut().find(|field| field.number == number) {
                field.inner = inner;
            }
        }
        Self(shape)
    }

    /// The shape of calls.
    #[must_use]
    pub fn of_calls() -> &'static Self {
        &CALL
    }
}

static CALL: LazyLock<Shape> = LazyLock::new(|| {
    let party = || Shape::of(&Party::default(), Vec::new());
    let time = Timestamp::default();
    let hold = HoldRecord { by: Who::Caller, start: time, end: None };
    let transfer = TransferRecord {
        time,
        by: Who::Caller,
        attended: false,
        target: String::new(),
        referred_by: None,
        status: None,
        outcome: None,
    };
    let inner = vec![
        ("caller", party()),
        ("callee", party()),
        ("reason", Shape::of(&ReasonRecord::default(), Vec::new())),
        ("holds", Shape::of(&hold, Vec::new())),
        ("transfers", Shape::of(&transfer, Vec::new())),
    ];
    Shape::of(&CallRecord::default(), inner)
});

/// Adds the value that begins at a place to a text, and says where it ends. What stands before the place may be referred
/// to.
///
/// # Errors
/// When the octets are none of such a value: the text has a part of it then.
#[cfg(test)]
fn json(bytes: &[u8], at: usize, shape: &Shape, text: &mut Vec<u8>) -> Result<usize, CompactError> {
    let mut reader = Reader::new(bytes, at);
    value(&mut reader, shape, text)?;
    Ok(reader.at)
}

/// Adds the first member of the map that begins at a place, and says where the value of the second one begins.
///
/// # Errors
/// When the octets are none of a map with two members.
pub fn first_member(bytes: &[u8], at: usize, shape: &Shape, text: &mut Vec<u8>) -> Result<usize, CompactError> {
    let mut reader = Reader::new(bytes, at);
    if reader.next()? != MAP {
        return Err(CompactError::Type("no map".into()));
    }
    reader.key()?;
    value(&mut reader, shape, text)?;
    reader.key()?;
    Ok(reader.at)
}

fn value(reader: &mut Reader<'_>, shape: &Shape, out: &mut Vec<u8>) -> Result<(), CompactError> {
    let tag = reader.peek()?;
    if matches!(tag, TEXT..NULL | LONG_TEXT | AGAIN) {
        string(reader.text_octets()?, out)?;
        return Ok(());
    }
    reader.next()?;
    match tag {
        0..TEXT => number(tag.into(), out),
        NULL => out.extend_from_slice(b"null"),
        FALSE => out.extend_from_slice(b"false"),
        TRUE => out.extend_from_slice(b"true"),
        U8 => number(reader.next()?.into(), out),
        U16 => number(u16::from_be_bytes(reader.some()?).into(), out),
        U32 => number(u32::from_be_bytes(reader.some()?).into(), out),
        U64 => number(u64::from_be_bytes(reader.some()?), out),
        NEGATIVE => {
            out.push(b'-');
            number(i64::from_be_bytes(reader.some()?).unsigned_abs(), out);
        }
        F64 => other(&f64::from_be_bytes(reader.some()?), out)?,
        F32 => other(&f32::from_be_bytes(reader.some()?), out)?,
        PARTS16 => parts(u16::from_be_bytes(reader.some()?).into(), out),
        PARTS32 => parts(u32::from_be_bytes(reader.some()?), out),
        WHOLE => {
            number(reader.next()?.into(), out);
            out.extend_from_slice(b".0");
        }
        WORD => {
            let first = reader.next()?;
            string(reader.name(first)?.as_bytes(), out)?;
        }
        OCTETS8 => time(Timestamp::from_nanos(i64::from_be_bytes(reader.some()?)), out),
        OCTETS16 => {
            out.push(b'"');
            CallKey::from_bytes(reader.some()?).write(out);
            out.push(b'"');
        }
        OCTETS => {
            // As serde_json has them; no record has any.
            let length = reader.length()?;
            other(&reader.octets(length)?, out)?;
        }
        EMPTY_LIST => out.extend_from_slice(b"[]"),
        LIST => {
            reader.begin()?;
            out.push(b'[');
            let begin = out.len();
            while !reader.ends()? {
                if out.len() > begin {
                    out.push(b',');
                }
                value(reader, shape, out)?;
            }
            out.push(b']');
        }
        MAP => map(reader, shape, out)?,
        tag => return Err(CompactError::Tag(tag)),
    }
    Ok(())
}

fn map(reader: &mut Reader<'_>, shape: &Shape, out: &mut Vec<u8>) -> Result<(), CompactError> {
    reader.begin()?;
    out.push(b'{');
    let begin = out.len();
    let mut fields = shape.0.as_slice();
    while !reader.ends()? {
        let name = reader.key()?;
        let place = match name {
            Name::Number(number) => fields.iter().position(|field| field.number == Some(number)),
            Name::Text(_) => None,
        };
        let known = place.and_then(|place| fields.split_at_checked(place)).and_then(|(absent, rest)| {
            let (field, rest) = rest.split_first()?;
            Some((absent, field, rest))
        });
        match known {
            Some((absent, field, rest)) => {
                absent.iter().for_each(|field| add_absent(field, begin, out));
                add_key(field, begin, out);
                value(reader, &field.inner, out)?;
                fields = rest;
            }
            // Another version's, or the key of a map of anything.
            None => {
                if out.len() > begin {
                    out.push(b',');
                }
                string(name.text()?.as_bytes(), out)?;
                out.push(b':');
                value(reader, &Shape(Vec::new()), out)?;
            }
        }
    }
    fields.iter().for_each(|field| add_absent(field, begin, out));
    out.push(b'}');
    Ok(())
}

fn add_key(field: &Field, begin: usize, out: &mut Vec<u8>) {
    let comma = usize::from(out.len() == begin);
    out.extend_from_slice(field.key.get(comma..).unwrap_or_default());
}

fn add_absent(field: &Field, begin: usize, out: &mut Vec<u8>) {
    add_key(field, begin, out);
    out.extend_from_slice(&field.absent);
}

/// What is seldom written, as serde_json writes it.
fn other(value: &impl Serialize, out: &mut Vec<u8>) -> Result<(), CompactError> {
    serde_json::to_writer(out, value).map_err(|error| CompactError::Type(error.to_string()))
}

fn string(text: &[u8], out: &mut Vec<u8>) -> Result<(), CompactError> {
    // All octets are looked at, so that many are at once.
    let is_plain = |byte: u8| (0x20..0x80).contains(&byte) & (byte != b'"') & (byte != b'\\');
    if !text.iter().fold(true, |all, &byte| all & is_plain(byte)) {
        return other(&str::from_utf8(text).map_err(|_| CompactError::Text)?, out);
    }
    out.reserve(text.len().saturating_add(2));
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
    Ok(())
}

fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut length = 0_usize;
    for place in digits.iter_mut().rev() {
        *place = digit(number);
        number /= 10;
        length = length.saturating_add(1);
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len().saturating_sub(length)..).unwrap_or_default());
}

/// The last digit of a number.
fn digit(number: u64) -> u8 {
    b'0'.wrapping_add(u8::try_from(number % 10).unwrap_or(0))
}

/// Ten-thousandths as a number with one to four decimals.
fn parts(parts: u32, out: &mut Vec<u8>) {
    number((parts / 10_000).into(), out);
    let rest = u64::from(parts % 10_000);
    let decimals = [digit(rest / 1000), digit(rest / 100), digit(rest / 10), digit(rest)];
    let end = decimals.iter().rposition(|&digit| digit != b'0').unwrap_or(0);
    out.push(b'.');
    out.extend_from_slice(decimals.get(..=end).unwrap_or_default());
}

fn time(time: Timestamp, out: &mut Vec<u8>) {
    out.push(b'"');
    match time.to_text() {
        Some(text) => out.extend_from_slice(&text),
        None => {
            let mut text = String::new();
            // Writing to memory does not fail.
            write!(text, "{time}").unwrap_or_default();
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.push(b'"');
}
