//! A table of every message by name, for tests that compare the codec with another.

use std::ops::RangeInclusive;

use bytes::Bytes;

use crate::{Message, Reader, Writer};

pub use crate::generated::registry::CODECS;

/// How to decode and encode a message that is known by name only.
#[derive(Debug)]
pub struct Codec {
    /// Kafka's name of the message.
    pub name: &'static str,
    /// The versions that can be written and read.
    pub versions: RangeInclusive<i16>,
    /// Decodes bytes of a version and encodes the message again. Returns the encoded bytes and how many of the given
    /// ones were left over, or says what went wrong.
    pub recode: fn(Bytes, i16) -> Result<(Bytes, usize), String>,
}

/// Finds a message's codec.
pub fn codec_for(name: &str) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.name == name)
}

pub(crate) fn recode<T: Message>(bytes: Bytes, version: i16) -> Result<(Bytes, usize), String> {
    let mut input = Reader::new(bytes);
    let message = T::decode(&mut input, version).map_err(|error| format!("decode: {error}"))?;
    let mut out = Writer::new();
    message.encode(&mut out, version).map_err(|error| format!("encode: {error}"))?;
    Ok((out.into_bytes().map_err(|error| error.to_string())?, input.remaining()))
}
