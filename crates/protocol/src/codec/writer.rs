//! Writes the protocol's primitive types, keeping large record data as pieces of its own that are never copied.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use model::Uuid;

use super::{EncodeError, Records, Region};

/// Record data below this many bytes is copied between its neighbours: cheaper than another piece.
const COPY_LIMIT: usize = 1024;

/// A part of an encoded message.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A region of a file.
    Region(Arc<dyn Region>),
}

impl Piece {
    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Region(region) => region.len(),
        }
    }

    /// Tells whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A message as it is being written.
#[derive(Debug, Default)]
pub struct Writer {
    pieces: Vec<Piece>,
    tail: BytesMut,
}

macro_rules! put_fixed {
    ($($(#[$doc:meta])* $name:ident($type:ty);)*) => {
        $($(#[$doc])*
        pub fn $name(&mut self, value: $type) {
            self.tail.$name(value);
        })*
    };
}

impl Writer {
    /// Starts an empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an empty message with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { pieces: Vec::new(), tail: BytesMut::with_capacity(bytes) }
    }

    /// Returns how many bytes were written.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Piece::len).sum::<usize>() + self.tail.len()
    }

    /// Tells whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the message in pieces, in order.
    pub fn into_pieces(mut self) -> Vec<Piece> {
        self.end_piece();
        self.pieces
    }

    /// Returns the message in one buffer. Fails if a region cannot be read.
    pub fn into_bytes(self) -> Result<Bytes, EncodeError> {
        if self.pieces.is_empty() {
            return Ok(self.tail.freeze());
        }
        let mut whole = BytesMut::with_capacity(self.len());
        for piece in self.into_pieces() {
            match piece {
                Piece::Bytes(bytes) => whole.put(bytes),
                Piece::Region(region) => whole.put(region.read()?),
            }
        }
        Ok(whole.freeze())
    }

    put_fixed! {
        /// Writes an int8.
        put_i8(i8);
        /// Writes an int16.
        put_i16(i16);
        /// Writes a uint16.
        put_u16(u16);
        /// Writes an int32.
        put_i32(i32);
        /// Writes a uint32.
        put_u32(u32);
        /// Writes an int64.
        put_i64(i64);
        /// Writes a float64.
        put_f64(f64);
    }

    /// Writes a bool.
    pub fn put_bool(&mut self, value: bool) {
        self.put_i8(value.into());
    }

    /// Writes a uuid.
    pub fn put_uuid(&mut self, value: Uuid) {
        self.tail.put_slice(&value.0);
    }

    /// Writes an unsigned variable-length integer.
    pub fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.tail.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.tail.put_u8(value as u8);
    }

    /// Writes bytes as they are, without a length.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
    }

    /// Writes a string. Fails if it has more than 32,767 bytes.
    pub fn put_string(&mut self, value: &str, compact: bool) -> Result<(), EncodeError> {
        let length = i16::try_from(value.len()).map_err(|_| EncodeError::TooLong(value.len()))?;
        if compact {
            self.put_unsigned_varint(length as u32 + 1);
        } else {
            self.put_i16(length);
        }
        self.tail.put_slice(value.as_bytes());
        Ok(())
    }

    /// Writes a byte sequence.
    pub fn put_bytes(&mut self, value: &[u8], compact: bool) -> Result<(), EncodeError> {
        self.put_array_length(value.len(), compact)?;
        self.tail.put_slice(value);
        Ok(())
    }

    /// Writes records, without copying them if they are many.
    pub fn put_records(&mut self, value: &Records, compact: bool) -> Result<(), EncodeError> {
        self.put_array_length(value.len(), compact)?;
        match value {
            Records::Bytes(bytes) if bytes.len() < COPY_LIMIT => self.tail.put_slice(bytes),
            Records::Bytes(bytes) => self.put_piece(Piece::Bytes(bytes.clone())),
            Records::Region(region) => self.put_piece(Piece::Region(Arc::clone(region))),
        }
        Ok(())
    }

    /// Writes the count of an array's elements, or the length of a byte sequence.
    pub fn put_array_length(&mut self, length: usize, compact: bool) -> Result<(), EncodeError> {
        let length = i32::try_from(length).map_err(|_| EncodeError::TooLong(length))?;
        if compact {
            self.put_unsigned_varint(length as u32 + 1);
        } else {
            self.put_i32(length);
        }
        Ok(())
    }

    /// Writes a null array, byte sequence or records.
    pub fn put_null(&mut self, compact: bool) {
        if compact {
            self.put_unsigned_varint(0);
        } else {
            self.put_i32(-1);
        }
    }

    /// Writes a null string.
    pub fn put_null_string(&mut self, compact: bool) {
        if compact {
            self.put_unsigned_varint(0);
        } else {
            self.put_i16(-1);
        }
    }

    fn put_piece(&mut self, piece: Piece) {
        self.end_piece();
        self.pieces.push(piece);
    }

    fn end_piece(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push(Piece::Bytes(self.tail.split().freeze()));
        }
    }
}
