//! What can be wrong with records, with Kafka's texts, and the error code each is answered with.

use model::TopicPartition;
use protocol::ErrorCode;

use crate::{Codec, RecordError};

/// A fault in a record batch, or a batch that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// The length field is too small for any batch.
    #[error("Record size {size} is less than the minimum record overhead ({minimum})")]
    EntryTooSmall {
        /// The length field.
        size: i32,
        /// The least it can be.
        minimum: i32,
    },
    /// The magic byte is of no known format.
    #[error("Invalid magic found in record: {0}")]
    InvalidMagic(i8),
    /// The batch ends inside of its header.
    #[error("Record batch is corrupt (the size {0} is smaller than the minimum allowed overhead 61)")]
    BatchTooSmall(usize),
    /// The bytes are not those that were written.
    #[error("Record is corrupt (stored crc = {stored}, computed crc = {computed})")]
    CrcMismatch {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A batch of the message formats 0 or 1, which Kafka 4 reads nowhere but in `kafka-dump-log`.
    #[error("Record batches with magic {magic} are not supported (offset {offset}, {size} bytes)")]
    LegacyMagic {
        /// 0 or 1.
        magic: i8,
        /// The offset field.
        offset: i64,
        /// The whole size in bytes.
        size: usize,
    },
    /// The length field is beyond what a batch can have.
    #[error("Record size {0} exceeds the largest possible record batch")]
    EntryTooLarge(i32),
    /// The batch says that it is longer than the bytes given.
    #[error("Record batch of {size} bytes is cut after {available} bytes")]
    Cut {
        /// The whole size in bytes.
        size: usize,
        /// The bytes that are there.
        available: usize,
    },
    /// The codec bits name no codec.
    #[error("Unknown compression type id: {0}")]
    UnknownCodec(u8),
    /// The record count is negative.
    #[error("Found invalid record count {0} in magic v2 batch")]
    InvalidCount(i32),
    /// The batch ends inside of a record.
    #[error("Incorrect declared batch size, premature EOF reached")]
    PrematureEnd,
    /// The batch goes on after its last record.
    #[error("Incorrect declared batch size, records still remaining in file")]
    RecordsRemain,
    /// A record says that it is longer than the batch.
    #[error(
        "Invalid record size: expected {expected} bytes in record payload, but instead the buffer has only {available} remaining bytes."
    )]
    RecordCut {
        /// The length field.
        expected: i32,
        /// The bytes that are there.
        available: usize,
    },
    /// A record's fields do not fill it, or reach past it.
    #[error(
        "Invalid record size: expected to read {expected} bytes in record payload, but instead read {read}"
    )]
    RecordSize {
        /// The length field.
        expected: i32,
        /// The bytes that its fields take.
        read: usize,
    },
    /// A field of a record is malformed.
    #[error("Found invalid record structure")]
    RecordStructure,
    /// The header count is negative.
    #[error("Found invalid number of record headers {0}")]
    NegativeHeaderCount(i32),
    /// The header count is more than the record has bytes.
    #[error("Found invalid number of record headers. {0} is larger than the remaining size of the buffer")]
    HeaderCount(i32),
    /// The length of a header's key is negative.
    #[error("Invalid negative header key size {0}")]
    HeaderKeySize(i32),
    /// The compressed bytes are not what the codec writes.
    #[error("Failed to decompress record stream ({codec}: {detail})")]
    Decompression {
        /// The codec.
        codec: Codec,
        /// What it found.
        detail: String,
    },
    /// The compressed bytes hold more than may be taken from them.
    #[error("Decompressed records exceed the maximum of {0} bytes")]
    DecompressedTooLarge(usize),
    /// The codec could not write.
    #[error("Failed to compress record stream ({codec}: {detail})")]
    Compression {
        /// The codec.
        codec: Codec,
        /// What it says.
        detail: String,
    },
    /// A compression level out of the codec's range.
    #[error("{codec} doesn't support given compression level: {level}")]
    InvalidLevel {
        /// The codec.
        codec: Codec,
        /// The level.
        level: i32,
    },
    /// A codec's name that is none of Kafka's.
    #[error("Unknown compression name: {0}")]
    UnknownCodecName(String),
    /// The batch to be written would pass 2 GiB, or a record is out of order in it.
    #[error("{0}")]
    Unwritable(&'static str),
    /// The key of a control record is malformed.
    #[error("Invalid key of a control record of {0} bytes")]
    ControlKey(usize),
    /// The value of a control record is malformed.
    #[error("Invalid value of a control record: {0}")]
    ControlValue(String),
    /// A produce request has no batch for a partition.
    #[error("{}", no_batch(.version))]
    NoBatch {
        /// The version of the produce request, if it is one.
        version: Option<i16>,
    },
    /// A produce request has a batch of format 0 or 1.
    #[error("Produce requests with version {} are only allowed to contain record batches with magic version 2", .version.unwrap_or(-1))]
    ProduceMagic {
        /// The version of the produce request, if it is one.
        version: Option<i16>,
        /// 0 or 1.
        magic: i8,
    },
    /// A produce request uses zstd in a version that has it not.
    #[error("Produce requests with version {version} are not allowed to use ZStandard compression")]
    ProduceZstd {
        /// The version of the produce request.
        version: i16,
    },
    /// A produce request has several batches for a partition.
    #[error("{}", several_batches(.version))]
    SeveralBatches {
        /// The version of the produce request, if it is one.
        version: Option<i16>,
    },
    /// A client chose offsets.
    #[error(
        "The baseOffset of the record batch in the append to {partition} should be 0, but it is {base_offset}"
    )]
    BaseOffset {
        /// Where it was to go.
        partition: TopicPartition,
        /// The offset.
        base_offset: i64,
    },
    /// The batch is larger than the topic allows.
    #[error(
        "The record batch size in the append to {partition} is {size} bytes which exceeds the maximum configured value of {max})."
    )]
    BatchTooLarge {
        /// Where it was to go.
        partition: TopicPartition,
        /// Its size in bytes.
        size: usize,
        /// `max.message.bytes`.
        max: usize,
    },
    /// The batch is larger than the topic allows after it was compressed as the topic demands.
    #[error(
        "Message batch size is {size} bytes in append topartition {partition} which exceeds the maximum configured size of {max}."
    )]
    RecompressedTooLarge {
        /// Where it was to go.
        partition: TopicPartition,
        /// Its size in bytes.
        size: usize,
        /// `max.message.bytes`.
        max: usize,
    },
    /// The bytes are not those that the producer wrote.
    #[error("Record is corrupt (stored crc = {stored}) in topic partition {partition}.")]
    Corrupt {
        /// The checksum in the header.
        stored: u32,
        /// Where it was to go.
        partition: TopicPartition,
    },
    /// The last offset is before the first.
    #[error("Batch has an invalid offset range: [{first}, {last}] in topic partition {partition}")]
    OffsetRange {
        /// The base offset.
        first: i64,
        /// The last offset.
        last: i64,
        /// Where it was to go.
        partition: TopicPartition,
    },
    /// The batch says that it has no records, or fewer.
    #[error("Invalid reported count for record batch: {count} in topic partition {partition}")]
    ReportedCount {
        /// The count.
        count: i32,
        /// Where it was to go.
        partition: TopicPartition,
    },
    /// Offsets and count tell different tales.
    #[error(
        "Inconsistent batch offset range [{first}, {last}] and count of records {count} in topic partition {partition}"
    )]
    InconsistentCount {
        /// The base offset.
        first: i64,
        /// The last offset.
        last: i64,
        /// The count.
        count: i32,
        /// Where it was to go.
        partition: TopicPartition,
    },
    /// A client sent control records.
    #[error("Clients are not allowed to write control records in topic partition {partition}")]
    ClientControl {
        /// Where it was to go.
        partition: TopicPartition,
    },
    /// An idempotent producer sent a batch without a sequence.
    #[error(
        "Invalid sequence number {sequence} in record batch with producerId {producer_id} in topic partition {partition}"
    )]
    Sequence {
        /// The sequence.
        sequence: i32,
        /// The producer.
        producer_id: i64,
        /// Where it was to go.
        partition: TopicPartition,
    },
    /// Some records have timestamps that the topic does not take.
    #[error("One or more records have been rejected due to invalid timestamp")]
    RejectedTimestamps {
        /// Which, and why.
        errors: Vec<RecordError>,
    },
    /// Some records are not what the topic takes.
    #[error("One or more records have been rejected due to {total} record errors in total, and only showing the first three errors at most: [{}]", first_three(.errors))]
    RejectedRecords {
        /// Which, and why.
        errors: Vec<RecordError>,
        /// How many there are.
        total: usize,
    },
}

impl RecordsError {
    /// Returns the error code that a produce request with this fault is answered with.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::EntryTooSmall { .. } | Self::InvalidMagic(_) | Self::BatchTooSmall(_) => {
                ErrorCode::CORRUPT_MESSAGE
            }
            Self::CrcMismatch { .. } | Self::Corrupt { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::DecompressedTooLarge(_) => ErrorCode::MESSAGE_TOO_LARGE,
            Self::BatchTooLarge { .. } | Self::RecompressedTooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
            Self::RejectedTimestamps { .. } => ErrorCode::INVALID_TIMESTAMP,
            Self::ProduceZstd { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            Self::InvalidLevel { .. } | Self::UnknownCodecName(_) => ErrorCode::INVALID_CONFIG,
            Self::Compression { .. } | Self::Unwritable(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
            _ => ErrorCode::INVALID_RECORD,
        }
    }

    /// Returns the records that were refused one by one, for the produce response.
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            Self::RejectedTimestamps { errors } | Self::RejectedRecords { errors, .. } => errors,
            _ => &[],
        }
    }
}

fn no_batch(version: &Option<i16>) -> String {
    match version {
        Some(version) => {
            format!(
                "Produce requests with version {version} must have at least one record batch per partition"
            )
        }
        None => "Record batch has no batches at all".to_owned(),
    }
}

fn several_batches(version: &Option<i16>) -> String {
    match version {
        Some(version) => format!(
            "Produce requests with version {version} are only allowed to contain exactly one record batch per partition"
        ),
        None => "Compressed outer record has more than one batch".to_owned(),
    }
}

fn first_three(errors: &[RecordError]) -> String {
    errors.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
