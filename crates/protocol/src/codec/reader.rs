//! Reads the protocol's primitive types from a buffer, without copying byte sequences.
//!
//! Invariant: nothing is allocated for a length before it is known that so many bytes follow.

use bytes::{Buf, Bytes};
use model::Uuid;

use super::{DecodeError, Records, TaggedField, TaggedFields};

/// A position in a message's bytes.
#[derive(Clone, Debug)]
pub struct Reader {
    rest: Bytes,
}

macro_rules! get_fixed {
    ($($(#[$doc:meta])* $name:ident -> $type:ty = $get:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&mut self) -> Result<$type, DecodeError> {
            self.need(size_of::<$type>())?;
            Ok(self.rest.$get())
        })*
    };
}

impl Reader {
    /// Starts at the beginning of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    /// Returns how many bytes are left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    get_fixed! {
        /// Reads an int8.
        get_i8 -> i8 = get_i8;
        /// Reads an int16.
        get_i16 -> i16 = get_i16;
        /// Reads a uint16.
        get_u16 -> u16 = get_u16;
        /// Reads an int32.
        get_i32 -> i32 = get_i32;
        /// Reads a uint32.
        get_u32 -> u32 = get_u32;
        /// Reads an int64.
        get_i64 -> i64 = get_i64;
        /// Reads a float64.
        get_f64 -> f64 = get_f64;
    }

    /// Reads a bool: any byte but 0 is true.
    pub fn get_bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.get_i8()? != 0)
    }

    /// Reads a uuid.
    pub fn get_uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.need(16)?;
        let mut id = [0; 16];
        self.rest.copy_to_slice(&mut id);
        Ok(Uuid(id))
    }

    /// Reads an unsigned variable-length integer of at most 32 bits.
    pub fn get_unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.get_i8()? as u8;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::VarintTooLong)
    }

    /// Reads `length` bytes without copying them.
    pub fn get_slice(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        self.need(length)?;
        Ok(self.rest.split_to(length))
    }

    /// Reads a string that must be there. Invalid UTF-8 is replaced, as Java does.
    pub fn get_string(&mut self, compact: bool) -> Result<String, DecodeError> {
        self.get_nullable_string(compact)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads a string or null.
    pub fn get_nullable_string(&mut self, compact: bool) -> Result<Option<String>, DecodeError> {
        let length =
            if compact { self.get_compact_length()? } else { length_or_null(self.get_i16()?.into()) };
        let Some(length) = length else { return Ok(None) };
        if length > i16::MAX as usize {
            return Err(DecodeError::LengthTooLarge(length as u64, i16::MAX as usize));
        }
        let bytes = self.get_slice(length)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Reads a byte sequence that must be there.
    pub fn get_bytes(&mut self, compact: bool) -> Result<Bytes, DecodeError> {
        self.get_nullable_bytes(compact)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads a byte sequence or null.
    pub fn get_nullable_bytes(&mut self, compact: bool) -> Result<Option<Bytes>, DecodeError> {
        self.get_length(compact)?.map(|length| self.get_slice(length)).transpose()
    }

    /// Reads records that must be there.
    pub fn get_records(&mut self, compact: bool) -> Result<Records, DecodeError> {
        Ok(Records::Bytes(self.get_bytes(compact)?))
    }

    /// Reads records or null.
    pub fn get_nullable_records(&mut self, compact: bool) -> Result<Option<Records>, DecodeError> {
        Ok(self.get_nullable_bytes(compact)?.map(Records::Bytes))
    }

    /// Reads an array that must be there.
    pub fn get_array<T>(
        &mut self,
        compact: bool,
        element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.get_nullable_array(compact, element)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads an array or null.
    pub fn get_nullable_array<T>(
        &mut self,
        compact: bool,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(length) = self.get_length(compact)? else { return Ok(None) };
        // Every element has at least one byte, so a count above what is left is a lie.
        if length > self.remaining() {
            return Err(DecodeError::LengthTooLarge(length as u64, self.remaining()));
        }
        // What is reserved ahead is no more than the bytes that came; the rest grows with what is really read.
        let mut items = Vec::with_capacity(length.min(self.remaining() / size_of::<T>().max(1)));
        for _ in 0..length {
            items.push(element(self)?);
        }
        Ok(Some(items))
    }

    /// Reads a struct or null.
    pub fn get_nullable<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.get_i8()? < 0 { Ok(None) } else { read(self).map(Some) }
    }

    /// Reads a struct that stands behind a tag and may be null: a varint says so, not a byte.
    pub fn get_nullable_behind_tag<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.get_unsigned_varint()? == 0 { Ok(None) } else { read(self).map(Some) }
    }

    /// Reads tagged fields of which none is known.
    pub fn get_tagged_fields(&mut self) -> Result<TaggedFields, DecodeError> {
        self.get_tagged_fields_with(|_, _| Ok(false))
    }

    /// Reads tagged fields; `known` reads the value of a tag that it knows, or returns false.
    pub fn get_tagged_fields_with(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<TaggedFields, DecodeError> {
        let mut unknown = TaggedFields::default();
        let mut previous = None;
        for _ in 0..self.get_unsigned_varint()? {
            let tag = self.get_unsigned_varint()?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(DecodeError::TagOutOfOrder(tag));
            }
            previous = Some(tag);
            let length = self.get_unsigned_varint()? as usize;
            let value = self.get_slice(length)?;
            if !known(tag, &mut Self::new(value.clone()))? {
                unknown.push(TaggedField { tag, value });
            }
        }
        Ok(unknown)
    }

    fn get_length(&mut self, compact: bool) -> Result<Option<usize>, DecodeError> {
        if compact { self.get_compact_length() } else { Ok(length_or_null(self.get_i32()?)) }
    }

    /// A compact length is one more than it says; 0 is null.
    fn get_compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let length = self.get_unsigned_varint()?;
        if length > i32::MAX as u32 {
            return Err(DecodeError::LengthTooLarge(length.into(), self.remaining()));
        }
        Ok((length as usize).checked_sub(1))
    }

    fn need(&self, length: usize) -> Result<(), DecodeError> {
        match length.checked_sub(self.rest.len()) {
            None | Some(0) => Ok(()),
            Some(missing) => Err(DecodeError::UnexpectedEnd(missing)),
        }
    }
}

/// Any negative length is null, as in Kafka.
fn length_or_null(length: i32) -> Option<usize> {
    usize::try_from(length).ok()
}
