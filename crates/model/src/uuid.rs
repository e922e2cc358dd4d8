//! Kafka's 128-bit ids, written as 22 characters of URL-safe base64.
//!
//! Kafka: `org.apache.kafka.common.Uuid`.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A topic id, directory id, cluster id or incarnation id.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// No id. Kafka: `Uuid.ZERO_UUID`.
    pub const ZERO: Self = Self([0; 16]);
    /// The id of the metadata topic; also the directory id `LOST`'s neighbour. Kafka: `Uuid.METADATA_TOPIC_ID`, `Uuid.ONE_UUID`.
    pub const METADATA_TOPIC: Self = Self::from_u128(1);
    /// Directory id of a replica that was not yet assigned to a log dir. Kafka: `DirectoryId.UNASSIGNED`.
    pub const DIRECTORY_UNASSIGNED: Self = Self::ZERO;
    /// Directory id of a replica on a log dir that is offline. Kafka: `DirectoryId.LOST`.
    pub const DIRECTORY_LOST: Self = Self::from_u128(1);
    /// Directory id of a replica created before `meta.properties` had ids. Kafka: `DirectoryId.MIGRATING`.
    pub const DIRECTORY_MIGRATING: Self = Self::from_u128(2);

    /// Makes the id whose big-endian bytes are `value`.
    pub const fn from_u128(value: u128) -> Self {
        Self(value.to_be_bytes())
    }

    /// Makes a random (version 4) id from 16 random bytes.
    #[must_use]
    pub const fn from_random_bytes(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Tells whether the id is one of the first hundred, which Kafka keeps for itself.
    pub fn is_reserved(&self) -> bool {
        u128::from_be_bytes(self.0) < 100
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not 16 bytes in URL-safe base64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Input string `{0}` decoded as {1} bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID"
)]
pub struct ParseUuidError(String, usize);

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).unwrap_or_default();
        bytes.as_slice().try_into().map(Self).map_err(|_| ParseUuidError(text.to_owned(), bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = Uuid::from_random_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn the_metadata_topics_id_is_the_one_kafka_prints() {
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
    }

    #[test]
    fn text_of_another_length_is_refused() {
        assert!("abc".parse::<Uuid>().is_err());
    }
}
