//! What can be wrong with records, with Kafka's texts, and the error code each is answered with.

use crate::Codec;

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
}
