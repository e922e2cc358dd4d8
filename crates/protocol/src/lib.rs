//! Kafka's wire protocol: every request, response, header and internal record, generated from the schemas.
//!
//! `generated/` has one module a message; what it is made of is in [`codec`]. The facts come from `schemas/`, one
//! compact file a message, through `cargo xtask codegen`.
//!
//! Invariants:
//! - a decoder never allocates more than a small multiple of the bytes that came, whatever lengths they claim
//! - a message that was decoded encodes to the same bytes again, unknown tagged fields included

pub mod codec;
pub mod error_code;
pub mod header;
pub mod metadata_record_frame;
#[cfg(any(test, feature = "registry"))]
pub mod registry;

// What a generator writes is read by the compiler; the shapes that clippy would prefer would complicate the generator.
#[allow(
    clippy::derivable_impls,
    clippy::field_reassign_with_default,
    clippy::nonminimal_bool,
    clippy::semicolon_if_nothing_returned
)]
#[path = "generated/all.rs"]
mod generated;

use std::ops::RangeInclusive;

pub use bytes::Bytes;
pub use codec::{DecodeError, EncodeError, Piece, Reader, Records, Region, TaggedFields, Writer};
pub use error_code::ErrorCode;
pub use generated::*;

/// A message of the protocol or a record of an internal topic.
pub trait Message: Sized {
    /// Kafka's name of the message.
    const NAME: &'static str;
    /// The versions that can be written and read.
    const VERSIONS: RangeInclusive<i16>;

    /// Writes the message in `version`. Fails if a field is set that the version cannot carry.
    fn encode(&self, out: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Reads a message of `version`.
    fn decode(input: &mut Reader, version: i16) -> Result<Self, DecodeError>;
}

/// A message that a client sends and that is answered by a `Response`.
pub trait Request: Message {
    /// The API that the request belongs to.
    const API: ApiKey;
    /// Its answer, of the same version.
    type Response: Message;
}

/// Writes `message` in `version` into one buffer.
pub fn to_bytes<T: Message>(message: &T, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Writer::new();
    message.encode(&mut out, version)?;
    out.into_bytes()
}

/// Reads a message of `version` from `bytes`; what follows it is ignored, as Kafka does.
pub fn from_bytes<T: Message>(bytes: Bytes, version: i16) -> Result<T, DecodeError> {
    if !T::VERSIONS.contains(&version) {
        return Err(DecodeError::UnsupportedVersion(version));
    }
    T::decode(&mut Reader::new(bytes), version)
}
