//! Tagged fields: what a flexible version may carry besides its fixed fields.
//!
//! Invariant: tags stand in ascending order, known and unknown together.

use bytes::Bytes;

use super::{EncodeError, Writer};

/// A tagged field whose tag the codec does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedField {
    /// The tag.
    pub tag: u32,
    /// The value's bytes.
    pub value: Bytes,
}

/// Unknown tagged fields, kept so that they are written again. One word large while there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::box_collection,
    reason = "every struct of the protocol has one, and it is nearly always empty"
)]
pub struct TaggedFields(Option<Box<Vec<TaggedField>>>);

impl TaggedFields {
    /// Adds a field; its tag must be above those already there.
    pub fn push(&mut self, field: TaggedField) {
        self.0.get_or_insert_default().push(field);
    }

    /// Returns the fields, by ascending tag.
    pub fn as_slice(&self) -> &[TaggedField] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Starts writing these fields together with known ones.
    pub(crate) fn writer(&self) -> TagWriter<'_> {
        TagWriter { unknown: self.as_slice(), known: Vec::new() }
    }

    pub(crate) fn encode(&self, out: &mut Writer) -> Result<(), EncodeError> {
        self.writer().finish(out)
    }

    /// Fails if there are fields, in a version that cannot carry them.
    pub(crate) fn refuse(&self) -> Result<(), EncodeError> {
        if self.0.is_none() { Ok(()) } else { Err(EncodeError::TaggedFields) }
    }
}

/// Known tagged fields that are set, on their way to the message.
#[derive(Debug)]
pub struct TagWriter<'a> {
    unknown: &'a [TaggedField],
    known: Vec<(u32, Bytes)>,
}

impl TagWriter<'_> {
    /// Adds a known field, by ascending tag.
    pub(crate) fn put(
        &mut self,
        tag: u32,
        write: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut value = Writer::new();
        write(&mut value)?;
        self.known.push((tag, value.into_bytes()?));
        Ok(())
    }

    /// Writes all fields, in the order of their tags.
    pub(crate) fn finish(self, out: &mut Writer) -> Result<(), EncodeError> {
        out.put_unsigned_varint((self.known.len() + self.unknown.len()) as u32);
        let mut unknown = self.unknown.iter().map(|field| (field.tag, &field.value)).peekable();
        for (tag, value) in &self.known {
            while let Some((tag, value)) = unknown.next_if(|(unknown, _)| unknown < tag) {
                put_field(out, tag, value);
            }
            put_field(out, *tag, value);
        }
        unknown.for_each(|(tag, value)| put_field(out, tag, value));
        Ok(())
    }
}

fn put_field(out: &mut Writer, tag: u32, value: &Bytes) {
    out.put_unsigned_varint(tag);
    out.put_unsigned_varint(value.len() as u32);
    out.put_slice(value);
}
