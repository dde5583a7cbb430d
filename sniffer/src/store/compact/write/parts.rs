//! Lists and maps to octets, part by part.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{CompactError, Done, EMPTY_LIST, END, Text, Writer};

/// A list or a map that is being written.
#[derive(Debug)]
pub struct Parts<'a, 'b> {
    pub(super) writer: &'b mut Writer<'a>,
    pub(super) is_structure: bool,
    pub(super) is_empty_list: bool,
    /// How many around it end with it.
    pub(super) ends: u8,
    /// Where the key begins whose value comes next.
    pub(super) key_at: usize,
}

impl<'a, 'b> Parts<'a, 'b> {
    pub(super) fn begin(writer: &'b mut Writer<'a>, tag: u8) -> Result<Self, CompactError> {
        writer.begin()?;
        writer.bytes.push(tag);
        Ok(Self { writer, is_structure: false, is_empty_list: tag == EMPTY_LIST, ends: 0, key_at: 0 })
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if self.is_empty_list {
            return Err(CompactError::Type("a list is longer than it said".into()));
        }
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Done {
        if !self.is_empty_list {
            self.writer.bytes.push(END);
        }
        for _ in 0..self.ends {
            self.writer.bytes.push(END);
        }
        Ok(())
    }
}

impl SerializeSeq for Parts<'_, '_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.part(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

impl SerializeTuple for Parts<'_, '_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.part(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

impl SerializeTupleStruct for Parts<'_, '_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.part(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

impl SerializeTupleVariant for Parts<'_, '_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.part(value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

impl SerializeStruct for Parts<'_, '_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        self.writer.field(key, value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

impl SerializeStructVariant for Parts<'_, '_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        self.writer.field(key, value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

impl SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = CompactError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.key_at = self.writer.bytes.len();
        self.writer.next_text = if self.is_structure { Text::Field } else { Text::Key };
        key.serialize(&mut *self.writer)?;
        if self.writer.next_text != Text::Value {
            return Err(CompactError::Type("a key is a text".into()));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let at = self.writer.bytes.len();
        value.serialize(&mut *self.writer)?;
        if self.is_structure {
            self.writer.end_field(self.key_at, at);
        }
        Ok(())
    }

    fn end(self) -> Done {
        self.finish()
    }
}
