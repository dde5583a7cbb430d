//! Octets to values.

use serde::{
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::MapAccessDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    AGAIN, CompactError, DEPTH, EMPTY_LIST, END, F32, F64, FALSE, LIST, LONG_KEY, LONG_TEXT, MAP, NEGATIVE, NULL,
    OCTETS, OCTETS8, OCTETS16, OTHER_KEY, PARTS16, PARTS32, TEXT, TRUE, U8, U16, U32, U64, WHOLE, WORD, names::NAMES,
    text_at,
};

/// Reads the value that begins at a place, and says where it ends. What stands before the place may be referred to.
///
/// # Errors
/// When the octets are none of such a value.
pub fn read<T: DeserializeOwned>(bytes: &[u8], at: usize) -> Result<(T, usize), CompactError> {
    let mut reader = Reader::new(bytes, at);
    let value = T::deserialize(&mut reader)?;
    Ok((value, reader.at))
}

/// Reads octets from a place on.
pub(super) struct Reader<'de> {
    bytes: &'de [u8],
    /// Where it is.
    pub(super) at: usize,
    /// How much deeper it may go.
    depth: u8,
}

/// The key of a map.
#[derive(Clone, Copy)]
pub(super) enum Name<'de> {
    /// By its number.
    Number(usize),
    /// As a text.
    Text(&'de str),
}

impl<'de> Name<'de> {
    /// The name as a text.
    pub(super) fn text(self) -> Result<&'de str, CompactError> {
        match self {
            Self::Number(number) => NAMES.get(number).copied().ok_or(CompactError::Text),
            Self::Text(text) => Ok(text),
        }
    }
}

impl<'de> Reader<'de> {
    /// A reader that begins at a place.
    pub(super) fn new(bytes: &'de [u8], at: usize) -> Self {
        Self { bytes, at, depth: DEPTH }
    }

    /// Takes the octet that begins a list or a map for read.
    pub(super) fn begin(&mut self) -> Result<(), CompactError> {
        self.depth = self.depth.checked_sub(1).ok_or(CompactError::Depth)?;
        Ok(())
    }

    /// The key that begins here.
    pub(super) fn key(&mut self) -> Result<Name<'de>, CompactError> {
        match self.next()? {
            OTHER_KEY => self.text().map(Name::Text),
            first => self.number(first).map(Name::Number),
        }
    }

    /// The number of a name that begins with this octet.
    fn number(&mut self, first: u8) -> Result<usize, CompactError> {
        Ok(match first.checked_sub(LONG_KEY) {
            None => first.into(),
            Some(high) => u16::from_be_bytes([high, self.next()?]).into(),
        })
    }

    pub(super) fn octets(&mut self, length: usize) -> Result<&'de [u8], CompactError> {
        let end = self.at.checked_add(length).ok_or(CompactError::End)?;
        let octets = self.bytes.get(self.at..end).ok_or(CompactError::End)?;
        self.at = end;
        Ok(octets)
    }

    pub(super) fn some<const N: usize>(&mut self) -> Result<[u8; N], CompactError> {
        self.octets(N)?.first_chunk().copied().ok_or(CompactError::End)
    }

    pub(super) fn peek(&self) -> Result<u8, CompactError> {
        self.bytes.get(self.at).copied().ok_or(CompactError::End)
    }

    pub(super) fn next(&mut self) -> Result<u8, CompactError> {
        let [octet] = self.some()?;
        Ok(octet)
    }

    pub(super) fn length(&mut self) -> Result<usize, CompactError> {
        usize::try_from(u32::from_be_bytes(self.some()?)).map_err(|_| CompactError::Long)
    }

    /// The name whose number begins with this octet.
    pub(super) fn name(&mut self, first: u8) -> Result<&'static str, CompactError> {
        let number = self.number(first)?;
        NAMES.get(number).copied().ok_or(CompactError::Tag(first))
    }

    /// The text that begins here; the tag has been looked at only.
    fn text(&mut self) -> Result<&'de str, CompactError> {
        str::from_utf8(self.text_octets()?).map_err(|_| CompactError::Text)
    }

    /// The same as octets.
    pub(super) fn text_octets(&mut self) -> Result<&'de [u8], CompactError> {
        let tag = self.peek()?;
        let (at, end) = if tag == AGAIN {
            let [_, high, low] = self.some()?;
            (usize::from(u16::from_be_bytes([high, low])), self.at)
        } else {
            let head: usize = if tag == LONG_TEXT { 5 } else { 1 };
            let text = text_at(self.bytes, self.at).ok_or(CompactError::End)?;
            (self.at, self.at.saturating_add(head).saturating_add(text.len()))
        };
        self.at = end;
        text_at(self.bytes, at).ok_or(CompactError::Text)
    }

    /// Says whether the list or map ends here, and if so goes behind its end.
    pub(super) fn ends(&mut self) -> Result<bool, CompactError> {
        let ends = self.peek()? == END;
        if ends {
            self.at = self.at.saturating_add(1);
            self.depth = self.depth.saturating_add(1);
        }
        Ok(ends)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = CompactError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CompactError> {
        let tag = self.peek()?;
        if matches!(tag, TEXT..NULL | LONG_TEXT | AGAIN) {
            return visitor.visit_borrowed_str(self.text()?);
        }
        self.at = self.at.saturating_add(1);
        match tag {
            0..TEXT => visitor.visit_u8(tag),
            NULL => visitor.visit_unit(),
            FALSE => visitor.visit_bool(false),
            TRUE => visitor.visit_bool(true),
            U8 => visitor.visit_u8(self.next()?),
            U16 => visitor.visit_u16(u16::from_be_bytes(self.some()?)),
            U32 => visitor.visit_u32(u32::from_be_bytes(self.some()?)),
            U64 => visitor.visit_u64(u64::from_be_bytes(self.some()?)),
            NEGATIVE => visitor.visit_i64(i64::from_be_bytes(self.some()?)),
            F64 => visitor.visit_f64(f64::from_be_bytes(self.some()?)),
            F32 => visitor.visit_f32(f32::from_be_bytes(self.some()?)),
            PARTS16 => visitor.visit_f64(f64::from(u16::from_be_bytes(self.some()?)) / 10_000.0),
            PARTS32 => visitor.visit_f64(f64::from(u32::from_be_bytes(self.some()?)) / 10_000.0),
            WHOLE => visitor.visit_f64(self.next()?.into()),
            WORD => {
                let first = self.next()?;
                visitor.visit_borrowed_str(self.name(first)?)
            }
            OCTETS => {
                let length = self.length()?;
                visitor.visit_borrowed_bytes(self.octets(length)?)
            }
            OCTETS8 => visitor.visit_borrowed_bytes(self.octets(8)?),
            OCTETS16 => visitor.visit_borrowed_bytes(self.octets(16)?),
            LIST => {
                let mut parts = Parts::begin(self)?;
                let value = visitor.visit_seq(&mut parts)?;
                parts.finish()?;
                Ok(value)
            }
            EMPTY_LIST => visitor.visit_seq(Parts { reader: self, has_ended: true }),
            MAP => {
                let mut parts = Parts::begin(self)?;
                let value = visitor.visit_map(&mut parts)?;
                parts.finish()?;
                Ok(value)
            }
            tag => Err(CompactError::Tag(tag)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CompactError> {
        if self.peek()? == NULL {
            self.at = self.at.saturating_add(1);
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        match self.peek()? {
            MAP => {
                self.at = self.at.saturating_add(1);
                let mut parts = Parts::begin(self)?;
                let value = visitor.visit_enum(MapAccessDeserializer::new(&mut parts))?;
                parts.finish()?;
                Ok(value)
            }
            WORD => {
                self.at = self.at.saturating_add(1);
                let first = self.next()?;
                visitor.visit_enum(self.name(first)?.into_deserializer())
            }
            _ => visitor.visit_enum(self.text()?.into_deserializer()),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The parts of a list or of a map.
struct Parts<'a, 'de> {
    reader: &'a mut Reader<'de>,
    has_ended: bool,
}

impl<'a, 'de> Parts<'a, 'de> {
    fn begin(reader: &'a mut Reader<'de>) -> Result<Self, CompactError> {
        reader.begin()?;
        Ok(Self { reader, has_ended: false })
    }

    /// Not everybody asks for the end: a tuple knows how long it is.
    fn finish(&mut self) -> Result<(), CompactError> {
        if self.is_at_end()? { Ok(()) } else { Err(CompactError::Type("there is more than was asked for".into())) }
    }

    fn is_at_end(&mut self) -> Result<bool, CompactError> {
        self.has_ended = self.has_ended || self.reader.ends()?;
        Ok(self.has_ended)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = CompactError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, CompactError> {
        if self.is_at_end()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = CompactError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, CompactError> {
        if self.is_at_end()? {
            return Ok(None);
        }
        seed.deserialize(Key(self.reader)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, CompactError> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A key of a map.
struct Key<'a, 'de>(&'a mut Reader<'de>);

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = CompactError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CompactError> {
        visitor.visit_borrowed_str(self.0.key()?.text()?)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        visitor.visit_enum(self.0.key()?.text()?.into_deserializer())
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}
