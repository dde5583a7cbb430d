//! Values to octets.

mod parts;

use serde::ser::{Serialize, Serializer};

use self::parts::Parts;
use super::{
    AGAIN, CompactError, EMPTY_LIST, END, F32, F64, FALSE, LIST, LONG_KEY, LONG_TEXT, MAP, NEGATIVE, NULL, OCTETS,
    OCTETS8, OCTETS16, OTHER_KEY, PARTS16, PARTS32, SHORT_TEXT, TEXT, TRUE, U8, U16, U32, U64, WHOLE, WORD,
    names::{NAMES, Names},
    text_at,
};

/// Texts from this length on may be referred to: a reference has three octets.
const WORTH: usize = 5;
/// Texts that are remembered: a record with its streams has some twenty.
const REMEMBERED: usize = 32;

/// Adds values to octets. A reference is a place in them, so values read back with all that stood before them.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    names: &'static Names,
    /// The name that mostly comes next: names are numbered in the order in which records have them.
    next: usize,
    /// Where texts begin, and their lengths.
    texts: [(u16, u16); REMEMBERED],
    count: usize,
    /// What the next text is.
    next_text: Text,
    /// The key whose value comes next, where it is written with its value: null takes neither.
    pending: Option<usize>,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Value,
    /// A key of a map.
    Key,
    /// A key of a structure: its value may be null.
    Field,
}

impl<'a> Writer<'a> {
    /// Adds to these octets.
    #[must_use]
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self {
            bytes,
            names: Names::get(),
            next: 0,
            texts: [(0, 0); REMEMBERED],
            count: 0,
            next_text: Text::Value,
            pending: None,
        }
    }

    /// Adds a value.
    ///
    /// # Errors
    /// When it cannot be written: the octets have a part of it then.
    pub fn add(&mut self, value: &impl Serialize) -> Result<(), CompactError> {
        value.serialize(&mut *self)
    }

    /// How many octets there are.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    fn number(&mut self, name: &str) -> Option<usize> {
        let number = match NAMES.get(self.next) {
            Some(next) if *next == name => self.next,
            _ => self.names.number(name)?,
        };
        self.next = number.saturating_add(1);
        Some(number)
    }

    fn name(&mut self, number: usize) -> Result<(), CompactError> {
        let [high, low] = u16::try_from(number).map_err(|_| CompactError::Long)?.to_be_bytes();
        if high == 0 && low < LONG_KEY {
            self.bytes.push(low);
        } else {
            self.bytes.extend([LONG_KEY.saturating_add(high), low]);
        }
        Ok(())
    }

    fn key(&mut self, name: &str) -> Result<(), CompactError> {
        match self.number(name) {
            Some(number) => self.name(number),
            None => {
                self.bytes.push(OTHER_KEY);
                self.text(name)
            }
        }
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), CompactError> {
        let before = self.bytes.len();
        self.field_key(name)?;
        let at = self.bytes.len();
        value.serialize(&mut *self)?;
        self.end_field(before, at);
        Ok(())
    }

    /// The key of a field: it waits for its value, unless it is a text.
    fn field_key(&mut self, name: &str) -> Result<(), CompactError> {
        self.pending = self.number(name);
        if self.pending.is_none() { self.key(name) } else { Ok(()) }
    }

    /// Takes a field back whose value is null.
    fn end_field(&mut self, key: usize, value: usize) {
        if self.pending.take().is_none() {
            self.forget_null(key, value);
        }
    }

    /// Writes the key that waits.
    #[inline]
    fn begin(&mut self) -> Result<(), CompactError> {
        match self.pending.take() {
            Some(number) => self.name(number),
            None => Ok(()),
        }
    }

    /// Takes a key and its value back where the value is null: what is not there is not written.
    fn forget_null(&mut self, key: usize, value: usize) {
        if self.bytes.get(value..) != Some(&[NULL]) {
            return;
        }
        self.bytes.truncate(key);
        // The key may have been a text.
        while self
            .count
            .checked_sub(1)
            .and_then(|last| self.texts.get(last))
            .is_some_and(|last| usize::from(last.0) >= key)
        {
            self.count = self.count.saturating_sub(1);
        }
    }

    fn word(&mut self, word: &str) -> Result<(), CompactError> {
        // A word is no field: what follows it is not foretold by it.
        let next = self.next;
        let number = self.number(word);
        self.next = next;
        match number {
            Some(number) => {
                self.bytes.push(WORD);
                self.name(number)
            }
            None => self.text(word),
        }
    }

    fn unsigned(&mut self, number: u64) {
        if let Ok(small) = u8::try_from(number) {
            if small < TEXT {
                self.bytes.push(small);
            } else {
                self.bytes.extend([U8, small]);
            }
        } else if let Ok(number) = u16::try_from(number) {
            self.bytes.push(U16);
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.bytes.push(U32);
            self.bytes.extend(number.to_be_bytes());
        } else {
            self.bytes.push(U64);
            self.bytes.extend(number.to_be_bytes());
        }
    }

    fn text(&mut self, text: &str) -> Result<(), CompactError> {
        let at = self.bytes.len();
        let known = self.texts.get(..self.count).unwrap_or_default();
        for (begin, _) in known.iter().filter(|(_, length)| usize::from(*length) == text.len()) {
            if text_at(self.bytes, usize::from(*begin)) == Some(text.as_bytes()) {
                let [high, low] = begin.to_be_bytes();
                self.bytes.extend([AGAIN, high, low]);
                return Ok(());
            }
        }
        match u8::try_from(text.len()) {
            Ok(short) if text.len() < SHORT_TEXT => self.bytes.push(TEXT.saturating_add(short)),
            _ => {
                self.bytes.push(LONG_TEXT);
                self.bytes.extend(u32::try_from(text.len()).map_err(|_| CompactError::Long)?.to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(text.as_bytes());
        if text.len() >= WORTH
            && let (Ok(at), Ok(length)) = (u16::try_from(at), u16::try_from(text.len()))
            && let Some(slot) = self.texts.get_mut(self.count)
        {
            *slot = (at, length);
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }

    /// An f64 as ten-thousandths, where it is exactly that.
    fn parts(&mut self, number: f64) -> bool {
        // Below 2^52 the sum's last digits are those of a whole number: there is no other conversion without a cast.
        const SHIFT: f64 = 4_503_599_627_370_496.0;
        if number.is_sign_negative() || number >= 429_000.0 {
            return false;
        }
        let shifted = (number * 10_000.0 + SHIFT).to_bits() & 0xf_ffff_ffff_ffff;
        let Ok(parts) = u32::try_from(shifted) else { return false };
        if f64::from(parts) / 10_000.0 != number {
            return false;
        }
        if let (0, Ok(whole)) = (parts % 10_000, u8::try_from(parts / 10_000)) {
            self.bytes.extend([WHOLE, whole]);
        } else if let Ok(parts) = u16::try_from(parts) {
            self.bytes.push(PARTS16);
            self.bytes.extend(parts.to_be_bytes());
        } else {
            self.bytes.push(PARTS32);
            self.bytes.extend(parts.to_be_bytes());
        }
        true
    }
}

type Done = Result<(), CompactError>;

impl<'a, 'b> Serializer for &'b mut Writer<'a> {
    type Ok = ();
    type Error = CompactError;
    type SerializeSeq = Parts<'a, 'b>;
    type SerializeTuple = Parts<'a, 'b>;
    type SerializeTupleStruct = Parts<'a, 'b>;
    type SerializeTupleVariant = Parts<'a, 'b>;
    type SerializeMap = Parts<'a, 'b>;
    type SerializeStruct = Parts<'a, 'b>;
    type SerializeStructVariant = Parts<'a, 'b>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.begin()?;
        self.bytes.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Done {
        self.begin()?;
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => {
                self.bytes.push(NEGATIVE);
                self.bytes.extend(value.to_be_bytes());
            }
        }
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Done {
        self.begin()?;
        self.unsigned(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.begin()?;
        self.bytes.push(F32);
        self.bytes.extend(value.to_be_bytes());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Done {
        self.begin()?;
        if !self.parts(value) {
            self.bytes.push(F64);
            self.bytes.extend(value.to_be_bytes());
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        match std::mem::replace(&mut self.next_text, Text::Value) {
            Text::Value => {
                self.begin()?;
                self.text(value)
            }
            Text::Key => self.key(value),
            Text::Field => self.field_key(value),
        }
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.begin()?;
        match value.len() {
            8 => self.bytes.push(OCTETS8),
            16 => self.bytes.push(OCTETS16),
            length => {
                self.bytes.push(OCTETS);
                self.bytes.extend(u32::try_from(length).map_err(|_| CompactError::Long)?.to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        if self.pending.is_none() {
            self.bytes.push(NULL);
        }
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        match std::mem::replace(&mut self.next_text, Text::Value) {
            Text::Value => {
                self.begin()?;
                self.word(variant)
            }
            Text::Key => self.key(variant),
            Text::Field => self.field_key(variant),
        }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.begin()?;
        self.bytes.push(MAP);
        self.key(variant)?;
        value.serialize(&mut *self)?;
        self.bytes.push(END);
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Parts<'a, 'b>, CompactError> {
        Parts::begin(self, if length == Some(0) { EMPTY_LIST } else { LIST })
    }

    fn serialize_tuple(self, length: usize) -> Result<Parts<'a, 'b>, CompactError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Parts<'a, 'b>, CompactError> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Parts<'a, 'b>, CompactError> {
        self.begin()?;
        self.bytes.push(MAP);
        self.key(variant)?;
        Ok(Parts { ends: 1, ..self.serialize_seq(Some(length))? })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Parts<'a, 'b>, CompactError> {
        // A map whose length is not known is a structure with flattened fields.
        Ok(Parts { is_structure: length.is_none(), ..Parts::begin(self, MAP)? })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a, 'b>, CompactError> {
        Parts::begin(self, MAP)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Parts<'a, 'b>, CompactError> {
        self.begin()?;
        self.bytes.push(MAP);
        self.key(variant)?;
        Ok(Parts { ends: 1, ..self.serialize_struct(name, length)? })
    }
}
