//! Why bytes are no message, and why a message has no bytes.

use std::io;

/// Why bytes are not the message they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("the message ends {0} bytes too early")]
    UnexpectedEnd(usize),
    /// A length or count is larger than what follows, or than its type may be.
    #[error("a length of {0} is more than the {1} bytes that follow")]
    LengthTooLarge(u64, usize),
    /// A value that must be there is null.
    #[error("a value that must not be null is null")]
    UnexpectedNull,
    /// A variable-length integer has too many bytes or bits.
    #[error("a variable-length integer is too long")]
    VarintTooLong,
    /// The message has no such version.
    #[error("version {0} is not supported")]
    UnsupportedVersion(i16),
    /// There is no API or record type of that number.
    #[error("there is no API or record type {0}")]
    UnknownType(i16),
    /// A tag is one of the message's own, but of other versions.
    #[error("tag {0} is not valid for version {1}")]
    TagNotInVersion(u32, i16),
    /// Tagged fields do not stand in ascending order of their tags.
    #[error("tag {0} stands out of order")]
    TagOutOfOrder(u32),
}

/// Why a message cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A field is set that the version cannot carry.
    #[error("{field} is set, but version {version} cannot carry it")]
    Field {
        /// The struct's and the field's name.
        field: &'static str,
        /// The version that was asked for.
        version: i16,
    },
    /// Unknown tagged fields are set in a version without tags.
    #[error("tagged fields are set in a version that has none")]
    TaggedFields,
    /// A string, array or byte sequence is longer than its length field can say.
    #[error("a length of {0} is too large for its field")]
    TooLong(usize),
    /// A region of a file could not be read.
    #[error("records could not be read from their file")]
    Region(#[from] io::Error),
}

impl EncodeError {
    pub(crate) fn field(field: &'static str, version: i16) -> Self {
        Self::Field { field, version }
    }
}
