//! What can go wrong in a client: Kafka's error codes, and the failures that have no code.
//!
//! Invariant: every variant says whether trying again may help ([`Error::is_retriable`]).

use std::sync::Arc;

use model::{Offset, TopicPartition};
use protocol::ErrorCode;

/// The answer of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The broker answered with an error code. Shown with the broker's own message where it sent one.
    #[error("{}", .message.as_deref().unwrap_or(.code.message()))]
    Broker {
        /// The code.
        code: ErrorCode,
        /// The broker's text, if it sent one.
        message: Option<String>,
    },
    /// The time given for the operation ran out. Kafka: `TimeoutException`.
    #[error("{0}")]
    Timeout(String),
    /// The connection was lost or could not be made. Kafka: `DisconnectException`, `NetworkException`.
    #[error("{0}")]
    Disconnected(String),
    /// The peer refused who we are, or TLS failed. Kafka: `AuthenticationException`.
    #[error("{0}")]
    Authentication(String),
    /// The peer serves no version of the request that can say what was asked. Kafka: `UnsupportedVersionException`.
    #[error("{0}")]
    UnsupportedVersion(String),
    /// A configuration value is missing or wrong. Kafka: `ConfigException`.
    #[error("{0}")]
    Config(String),
    /// The peer sent bytes that are not the protocol, or a message cannot be written.
    #[error("{0}")]
    Protocol(String),
    /// A record or batch cannot be read: wrong checksum, magic or compressed data. Kafka: `CorruptRecordException`.
    #[error("{0}")]
    CorruptRecord(String),
    /// The record or its batch is larger than `max.request.size` or `buffer.memory`. Kafka: `RecordTooLargeException`.
    #[error("{0}")]
    RecordTooLarge(String),
    /// `buffer.memory` stayed full for `max.block.ms`. Kafka: `BufferExhaustedException`.
    #[error("{0}")]
    BufferExhausted(String),
    /// The call makes no sense in the state that the client is in. Kafka: `IllegalStateException`.
    #[error("{0}")]
    IllegalState(String),
    /// An argument is out of range. Kafka: `IllegalArgumentException`.
    #[error("{0}")]
    IllegalArgument(String),
    /// The client was closed.
    #[error("{0}")]
    Closed(String),
    /// `Waker::wakeup` was called. Kafka: `WakeupException`.
    #[error("the consumer was woken up")]
    Wakeup,
    /// A commit came after the group had given the partitions to somebody else. Kafka: `CommitFailedException`.
    #[error("{0}")]
    CommitFailed(String),
    /// The group is rebalancing, or the member must rejoin first. Kafka: `RebalanceInProgressException`.
    #[error("{0}")]
    RebalanceInProgress(String),
    /// Partitions have no committed offset, and `auto.offset.reset` is `none`. Kafka: `NoOffsetForPartitionException`.
    #[error("Undefined offset with no reset policy for partitions: {}", names(.0))]
    NoOffsetForPartition(Vec<TopicPartition>),
    /// Positions lie outside their logs, and `auto.offset.reset` is `none`. Kafka: `OffsetOutOfRangeException`.
    #[error("Fetch position out of range with no reset policy for partitions: {}", at_offsets(.0))]
    OffsetOutOfRange(Vec<(TopicPartition, Offset)>),
    /// The log was truncated below positions, and `auto.offset.reset` is `none`. Kafka: `LogTruncationException`.
    #[error("Detected log truncation with diverging offsets {}", at_offsets(.0))]
    LogTruncation(Vec<(TopicPartition, Offset)>),
    /// The record was not written because its transaction was aborted. Kafka: `TransactionAbortedException`.
    #[error("Failing batch since transaction was aborted")]
    TransactionAborted,
    /// The transaction failed before, with the error within: it can only be aborted, or, where
    /// [`crate::Producer::fatal_error`] gives one too, the producer only be closed.
    #[error("Cannot execute transactional method because we are in an error state")]
    InErrorState(#[source] Arc<Error>),
    /// Any other failure, of the system or of code that the user gave.
    #[error("{0}")]
    Other(Arc<str>),
}

impl Error {
    /// Makes the error of `code`, or success.
    pub fn check(code: ErrorCode) -> Result<()> {
        Self::check_with(code, None)
    }

    /// Makes the error of `code` with the broker's text, or success.
    pub fn check_with(code: ErrorCode, message: Option<String>) -> Result<()> {
        if code == ErrorCode::NONE { Ok(()) } else { Err(Self::Broker { code, message }) }
    }

    /// The error of `code`, with the text that goes with it.
    pub fn broker(code: ErrorCode) -> Self {
        Self::Broker { code, message: None }
    }

    /// The broker's error code, where the failure came from one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Tells whether the broker answered with `code`.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(code)
    }

    /// Tells whether the same call may succeed later. Kafka: `RetriableException`.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Broker { code, .. } => code.is_retriable(),
            Self::Timeout(_) | Self::Disconnected(_) | Self::CorruptRecord(_) | Self::BufferExhausted(_) => {
                true
            }
            _ => false,
        }
    }

    /// Tells whether what we know about leaders and coordinators may be out of date.
    pub fn wants_metadata(&self) -> bool {
        match self {
            Self::Disconnected(_) | Self::Timeout(_) => true,
            Self::Broker { code, .. } => code.is_invalid_metadata(),
            _ => false,
        }
    }

    /// The name of Kafka's exception for this failure, as tools print it.
    pub fn kafka_name(&self) -> &'static str {
        match self {
            Self::Broker { code, .. } => code.exception(),
            Self::Timeout(_) => "TimeoutException",
            Self::Disconnected(_) => "DisconnectException",
            Self::Authentication(_) => "SaslAuthenticationException",
            Self::UnsupportedVersion(_) => "UnsupportedVersionException",
            Self::Config(_) => "ConfigException",
            Self::Protocol(_) => "SchemaException",
            Self::CorruptRecord(_) => "CorruptRecordException",
            Self::RecordTooLarge(_) => "RecordTooLargeException",
            Self::BufferExhausted(_) => "BufferExhaustedException",
            Self::IllegalState(_) | Self::Closed(_) => "IllegalStateException",
            Self::IllegalArgument(_) => "IllegalArgumentException",
            Self::Wakeup => "WakeupException",
            Self::CommitFailed(_) => "CommitFailedException",
            Self::RebalanceInProgress(_) => "RebalanceInProgressException",
            Self::NoOffsetForPartition(_) => "NoOffsetForPartitionException",
            Self::OffsetOutOfRange(_) => "OffsetOutOfRangeException",
            Self::LogTruncation(_) => "LogTruncationException",
            Self::TransactionAborted => "TransactionAbortedException",
            Self::InErrorState(_) | Self::Other(_) => "KafkaException",
        }
    }
}

fn names(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    format!("[{}]", names.join(", "))
}

fn at_offsets(partitions: &[(TopicPartition, Offset)]) -> String {
    let names: Vec<String> = partitions.iter().map(|(name, offset)| format!("{name}={offset}")).collect();
    format!("{{{}}}", names.join(", "))
}

impl From<protocol::EncodeError> for Error {
    fn from(error: protocol::EncodeError) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl From<protocol::DecodeError> for Error {
    fn from(error: protocol::DecodeError) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl From<records::RecordsError> for Error {
    fn from(error: records::RecordsError) -> Self {
        Self::CorruptRecord(error.to_string())
    }
}
