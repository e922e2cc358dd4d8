//! Kafka's error codes, with names, texts, and what a client may do about them.
//!
//! Kafka: `org.apache.kafka.common.protocol.Errors`.

use std::fmt;

use crate::generated::error_codes::ROWS;

/// An error as the protocol carries it. Codes from the future are kept as they are.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

/// What is known of an error.
pub(crate) struct Row {
    pub code: i16,
    pub name: &'static str,
    pub retriable: bool,
    pub invalid_metadata: bool,
    pub exception: &'static str,
    pub message: &'static str,
}

impl ErrorCode {
    /// Tells whether there is no error.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Tells whether there is an error.
    pub fn is_error(self) -> bool {
        !self.is_none()
    }

    /// Returns Kafka's name: `UNKNOWN_TOPIC_OR_PARTITION`. An unknown code has the name of code -1.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns Kafka's text.
    pub fn message(self) -> &'static str {
        self.row().message
    }

    /// Returns the simple name of the Java exception, which tools print; empty for no error.
    pub fn exception(self) -> &'static str {
        self.row().exception
    }

    /// Tells whether the same request may succeed later. Kafka: `RetriableException`.
    pub fn is_retriable(self) -> bool {
        self.row().retriable
    }

    /// Tells whether the client's metadata is stale. Kafka: `InvalidMetadataException`.
    pub fn is_invalid_metadata(self) -> bool {
        self.row().invalid_metadata
    }

    /// Returns the error of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(|row| Self(row.code))
    }

    fn row(self) -> &'static Row {
        // Codes are dense from -1 on.
        usize::try_from(i32::from(self.0) + 1).ok().and_then(|at| ROWS.get(at)).unwrap_or(&ROWS[0])
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_finds_its_own_row() {
        for row in ROWS {
            assert_eq!(ErrorCode(row.code).name(), row.name);
        }
    }

    #[test]
    fn a_code_from_the_future_is_an_unknown_server_error() {
        assert_eq!(ErrorCode(3000).name(), "UNKNOWN_SERVER_ERROR");
        assert_eq!(ErrorCode(i16::MIN).name(), "UNKNOWN_SERVER_ERROR");
        assert_eq!(ErrorCode(i16::MAX).name(), "UNKNOWN_SERVER_ERROR");
    }
}
