//! What the generated code is made of: the reader, the writer, records that are carried untouched, tagged fields.

mod error;
mod reader;
mod records;
mod tagged_fields;
#[cfg(test)]
mod tests;
mod writer;

pub use error::{DecodeError, EncodeError};
pub use reader::Reader;
pub use records::{Records, Region};
pub use tagged_fields::{TagWriter, TaggedField, TaggedFields};
pub use writer::{Piece, Writer};
