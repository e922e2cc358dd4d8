//! What a topic's configuration demands of records, and how each record that fails it is reported (KIP-467).

use std::ops::RangeInclusive;

use model::{Timestamp, TopicPartition};

use crate::scan::Scanned;
use crate::{BatchHeader, Compression, RecordsError, TimestampType};

/// The most record errors that are kept. Kafka keeps all, which lets a small compressed batch make a huge answer.
const MAX_RECORD_ERRORS: usize = 10_000;

/// Who appends. Kafka: `AppendOrigin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppendOrigin {
    /// A producer.
    Client,
    /// A group, transaction or share coordinator, or the writer of transaction markers.
    Coordinator,
    /// The leader of the metadata quorum.
    RaftLeader,
}

/// What `compression.type` and the level of its codec come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TargetCompression {
    /// `producer`: batches stay as they come.
    #[default]
    Producer,
    /// Batches of other codecs are compressed anew; those of this codec stay as they are, whatever their level.
    Fixed(Compression),
}

/// What is demanded of a batch.
#[derive(Clone, Debug)]
pub struct AppendRules<'a> {
    /// For the messages.
    pub topic_partition: &'a TopicPartition,
    /// Clients are trusted less.
    pub origin: AppendOrigin,
    /// `compression.type`.
    pub compression: TargetCompression,
    /// Whether `cleanup.policy` has `compact`: records need keys.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub timestamp_after_max_ms: i64,
    /// `max.message.bytes`.
    pub max_message_bytes: usize,
    /// `max.decompressed.message.bytes`: what may come out of a compressed batch.
    pub max_decompressed_bytes: usize,
    /// The time.
    pub now: Timestamp,
}

/// A record that was refused, for the produce response. Displayed as Kafka's `RecordError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in the batch, from 0.
    pub batch_index: i32,
    /// Why it was refused.
    pub message: String,
}

/// How Kafka begins to refuse a record without a key.
const MISSING_KEY: &str = "Compacted topic cannot accept message without key";

impl RecordError {
    /// Tells whether the record has no key in a topic that needs keys.
    pub fn is_missing_key(&self) -> bool {
        self.message.starts_with(MISSING_KEY)
    }
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordError(batchIndex={}, message='{}')", self.batch_index, self.message)
    }
}

/// Why one record is refused.
pub(super) enum Rejection {
    Record(String),
    Timestamp(String),
}

impl AppendRules<'_> {
    /// Checks one record. Kafka: `LogValidator.validateRecord`.
    pub(super) fn reject(
        &self,
        header: &BatchHeader,
        record: &Scanned,
        record_name: &str,
    ) -> Option<Rejection> {
        if self.compacted && record.key_size < 0 {
            return Some(Rejection::Record(format!(
                "{MISSING_KEY} in topic partition {}",
                self.topic_partition
            )));
        }
        let create_time = self.timestamp_type == TimestampType::CreateTime;
        if create_time && record.timestamp != Timestamp::NONE {
            return self.reject_timestamp(record);
        }
        (header.timestamp_type() == TimestampType::LogAppendTime).then(|| {
            let Scanned { offset, timestamp, key_size, value_size, .. } = record;
            Rejection::Timestamp(format!(
                "Invalid timestamp type in message {record_name}(offset={offset}, timestamp={timestamp}, \
                 key={} bytes, value={} bytes). Producer should not set timestamp type to LogAppendTime.",
                if record_name == "DefaultRecord" { *key_size.max(&0) } else { *key_size },
                if record_name == "DefaultRecord" { *value_size.max(&0) } else { *value_size },
            ))
        })
    }

    /// Tells whether all `timestamps`, none of which is before 1970, are within the bounds.
    pub(super) fn allows_all(&self, timestamps: RangeInclusive<i64>) -> bool {
        let allows = |timestamp| self.allows(Timestamp(timestamp));
        self.now.0 >= 0 && allows(*timestamps.start()) && allows(*timestamps.end())
    }

    fn allows(&self, timestamp: Timestamp) -> bool {
        let age = self.now.0.wrapping_sub(timestamp.0);
        age <= self.timestamp_before_max_ms && age.wrapping_neg() <= self.timestamp_after_max_ms
    }

    fn reject_timestamp(&self, record: &Scanned) -> Option<Rejection> {
        if self.allows(record.timestamp) {
            return None;
        }
        let now = self.now.0;
        let (before, after) = (self.timestamp_before_max_ms, self.timestamp_after_max_ms);
        Some(Rejection::Timestamp(format!(
            "Timestamp {} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
            record.timestamp,
            record.offset,
            now.wrapping_sub(before),
            now.wrapping_add(after)
        )))
    }
}

/// The records refused so far.
#[derive(Default)]
pub(super) struct Rejections {
    errors: Vec<RecordError>,
    total: usize,
    invalid_timestamp: bool,
}

impl Rejections {
    pub(super) fn add(&mut self, index: usize, rejection: Rejection) {
        self.total += 1;
        self.invalid_timestamp |= matches!(rejection, Rejection::Timestamp(_));
        let (Rejection::Record(message) | Rejection::Timestamp(message)) = rejection;
        if self.errors.len() < MAX_RECORD_ERRORS {
            self.errors.push(RecordError { batch_index: index as i32, message });
        }
    }

    /// Fails if any record was refused. Kafka: `LogValidator.processRecordErrors`.
    pub(super) fn finish(self) -> Result<(), RecordsError> {
        match (self.total, self.invalid_timestamp) {
            (0, _) => Ok(()),
            (_, true) => Err(RecordsError::RejectedTimestamps { errors: self.errors }),
            (total, false) => Err(RecordsError::RejectedRecords { errors: self.errors, total }),
        }
    }
}
