//! The frame around a metadata record: frame version, record type, version, then the record.
//!
//! Kafka: `org.apache.kafka.server.common.serialization.AbstractApiMessageSerde`.

use bytes::Bytes;

use crate::{DecodeError, EncodeError, MetadataRecord, Reader, Writer};

/// The only frame version there is. Kafka: `AbstractApiMessageSerde.DEFAULT_FRAME_VERSION`.
const FRAME_VERSION: u32 = 1;

impl MetadataRecord {
    /// Writes the record with its frame, in `version` of its type.
    pub fn to_bytes(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut out = Writer::new();
        out.put_unsigned_varint(FRAME_VERSION);
        out.put_unsigned_varint(self.record_type() as u32);
        out.put_unsigned_varint(version as u32);
        self.encode_body(&mut out, version)?;
        out.into_bytes()
    }

    /// Reads a record with its frame, and the version it was written in.
    pub fn from_bytes(bytes: Bytes) -> Result<(Self, i16), DecodeError> {
        let mut input = Reader::new(bytes);
        let mut number = || -> Result<i16, DecodeError> {
            i16::try_from(input.get_unsigned_varint()?).map_err(|_| DecodeError::VarintTooLong)
        };
        let (frame, record_type, version) = (number()?, number()?, number()?);
        if frame != FRAME_VERSION as i16 {
            return Err(DecodeError::UnsupportedVersion(frame));
        }
        let record = Self::decode_body(record_type, &mut input, version)
            .ok_or(DecodeError::UnknownType(record_type))??;
        if version > record.highest_version() {
            return Err(DecodeError::UnsupportedVersion(version));
        }
        Ok((record, version))
    }
}
