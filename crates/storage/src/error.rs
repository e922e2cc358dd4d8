//! Why the log refuses or fails, with Kafka's texts.

use std::io;
use std::path::PathBuf;

use model::{Offset, TopicPartition, Uuid};
use protocol::ErrorCode;

/// A refusal of an append or read, or a failure of the disk.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The disk failed; its log dir is offline from now on.
    #[error("{context} in dir {}: {source}", dir.display())]
    Io {
        /// What was being done.
        context: String,
        /// The log dir.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log dir failed before.
    #[error("The log dir {} is offline due to a previous IO exception.", .0.display())]
    OfflineDir(PathBuf),
    /// An offset before the log's start or past its end.
    #[error(
        "Received request for offset {offset} for partition {partition}, but we only have log segments from offset {start} up to {end}."
    )]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// The offset asked for.
        offset: Offset,
        /// The first offset that there is.
        start: Offset,
        /// The offset after the last that there is.
        end: Offset,
    },
    /// A batch whose bytes are not those that were written.
    #[error("{0}")]
    CorruptRecord(String),
    /// A batch that no producer may send.
    #[error("{0}")]
    InvalidRecord(String),
    /// What the validator refused.
    #[error(transparent)]
    Records(#[from] records::RecordsError),
    /// Batches that together are over `segment.bytes`.
    #[error(
        "Message batch size is {size} bytes in append to partition {partition}, which exceeds the maximum configured segment size of {maximum}."
    )]
    RecordBatchTooLarge {
        /// The partition.
        partition: TopicPartition,
        /// The bytes of all batches.
        size: usize,
        /// The maximum.
        maximum: i32,
    },
    /// A producer's batch that does not follow its last one.
    #[error("{0}")]
    OutOfOrderSequence(String),
    /// A producer that a later incarnation of itself has fenced.
    #[error("{0}")]
    InvalidProducerEpoch(String),
    /// A write outside of a transaction, or inside of one where there may be none.
    #[error("{0}")]
    InvalidTxnState(String),
    /// A marker from a transaction coordinator that a later one has fenced.
    #[error("{0}")]
    TransactionCoordinatorFenced(String),
    /// Offsets given with the batches do not ascend.
    #[error("Out of order offsets found in append to {0}")]
    OffsetsOutOfOrder(TopicPartition),
    /// The first offset given with the batches is before the log's end.
    #[error(
        "Unexpected offset in append to {partition}. First offset {first} is less than the next offset {next}."
    )]
    UnexpectedAppendOffset {
        /// The partition.
        partition: TopicPartition,
        /// The first offset given.
        first: Offset,
        /// The log's end.
        next: Offset,
    },
    /// The log belongs to another topic of the same name.
    #[error(
        "Tried to assign topic ID {assigned} to log for topic partition {partition}, but log already contained topic ID {found}"
    )]
    InconsistentTopicId {
        /// The partition.
        partition: TopicPartition,
        /// The id that should be.
        assigned: Uuid,
        /// The id that is.
        found: Uuid,
    },
    /// The log was closed, deleted or moved.
    #[error("The log of {0} is closed")]
    Closed(TopicPartition),
    /// Records were cut off while somebody waited for them: a leader elsewhere does not have them.
    #[error("The log of {0} was truncated")]
    Cut(TopicPartition),
    /// A file does not hold what it should.
    #[error("{}: {detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Another process holds a log dir.
    #[error("Failed to acquire lock on file .lock in {}. A Kafka instance in another process or thread is using this directory.", .0.display())]
    Locked(PathBuf),
    /// No log dir is left.
    #[error("Shutdown broker because none of the specified log dirs from {0} can be created or validated")]
    NoLogDir(String),
    /// A partition's folder cannot be what its name says.
    #[error("{0}")]
    InvalidFolder(String),
}

impl StorageError {
    /// Returns the code with which a client is answered.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Io { .. } | Self::OfflineDir(_) | Self::Locked(_) | Self::NoLogDir(_) => {
                ErrorCode::KAFKA_STORAGE_ERROR
            }
            Self::Malformed { .. } | Self::InvalidFolder(_) => ErrorCode::KAFKA_STORAGE_ERROR,
            Self::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            Self::CorruptRecord(_) => ErrorCode::CORRUPT_MESSAGE,
            Self::InvalidRecord(_) => ErrorCode::INVALID_RECORD,
            Self::Records(error) => error.error_code(),
            Self::RecordBatchTooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
            Self::OutOfOrderSequence(_) => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            Self::InvalidProducerEpoch(_) => ErrorCode::INVALID_PRODUCER_EPOCH,
            Self::InvalidTxnState(_) => ErrorCode::INVALID_TXN_STATE,
            Self::TransactionCoordinatorFenced(_) => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
            Self::OffsetsOutOfOrder(_) | Self::UnexpectedAppendOffset { .. } => {
                ErrorCode::UNKNOWN_SERVER_ERROR
            }
            Self::InconsistentTopicId { .. } => ErrorCode::INCONSISTENT_TOPIC_ID,
            Self::Closed(_) | Self::Cut(_) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        }
    }
}
