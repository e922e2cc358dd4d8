//! Record batches: reading, building, compressing and validating Kafka's message format.
//!
//! Version 2 of the format is read and written; versions 0 and 1 are recognised and never written. Lengths and counts
//! that come from outside are never trusted: nothing is read past the bytes at hand, and nothing is allocated for
//! what has not arrived.

mod attributes;
mod batch;
mod batch_header;
mod batches;
mod builder;
mod compression;
mod control;
mod error;
mod record;
mod scan;
mod validator;
mod varint;

pub use attributes::{Attributes, Codec, TimestampType};
pub use batch::{DecodedBatch, RecordBatch};
pub use batch_header::{
    BATCH_HEADER_LEN, BatchHeader, EntryPrefix, LOG_OVERHEAD, MAGIC_V2, NO_SEQUENCE, crc32c,
    increment_sequence,
};
pub use batches::{Batches, batches};
pub use builder::{BatchBuilder, BatchOptions};
pub use compression::{Compression, decompress};
pub use control::{ControlRecord, ControlType, EndTxnMarker};
pub use error::RecordsError;
pub use record::{Header, Headers, OwnedHeader, OwnedRecord, Record, RecordIter};
pub use validator::{AppendOrigin, AppendRules, RecordError, TargetCompression, ValidatedBatch, validate};

#[cfg(test)]
mod tests;
