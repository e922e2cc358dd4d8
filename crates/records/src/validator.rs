//! Checks records that are to be appended by a leader, as a broker must before it stores what a client sent.
//!
//! Everything is checked that does not need the log, so that the log's lock is taken only to assign offsets, which
//! patches the header. Nothing is allocated for a plain record; compressed records are checked in a stream.
//!
//! Kafka: `LogValidator`, `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`.

mod recompress;
mod rules;
mod walk;

use bytes::Bytes;
use model::{LeaderEpoch, Offset, Timestamp};

pub use rules::{AppendOrigin, AppendRules, RecordError, TargetCompression};

use crate::scan::{RecordScan, Scanned};
use crate::{BatchHeader, Codec, RecordBatch, RecordIter, RecordsError, TimestampType, batches};
use rules::Rejections;

/// The produce version from which on zstd may be used.
const FIRST_ZSTD_VERSION: i16 = 7;

/// A batch that may be appended, once offsets are assigned to it.
#[derive(Clone, Debug)]
pub struct ValidatedBatch {
    batch: RecordBatch,
    max_timestamp: Timestamp,
    append_time: Option<Timestamp>,
    source_codec: Codec,
    recompressed: bool,
    uncompressed_size: usize,
}

impl ValidatedBatch {
    /// Gives the records the offsets from `base_offset` on, copying nothing.
    pub fn assign(mut self, base_offset: Offset, leader_epoch: LeaderEpoch) -> RecordBatch {
        self.batch.set_base_offset(base_offset);
        self.batch.set_partition_leader_epoch(leader_epoch);
        self.batch
    }

    /// Returns the header, in which offsets are still those of the producer.
    pub fn header(&self) -> &BatchHeader {
        self.batch.header()
    }

    /// Returns the size to be appended, in bytes.
    pub fn size(&self) -> usize {
        self.batch.size()
    }

    /// Returns how many records there are.
    pub fn record_count(&self) -> i32 {
        self.batch.header().record_count
    }

    /// Returns the greatest timestamp of the records, or [`Timestamp::NONE`]; with LogAppendTime, that time.
    ///
    /// The time index has it with the batch's last offset, as Kafka does, since followers know no better.
    pub fn max_timestamp(&self) -> Timestamp {
        self.max_timestamp
    }

    /// Returns the time to answer the producer with, if the broker set the timestamps.
    pub fn append_time(&self) -> Option<Timestamp> {
        self.append_time
    }

    /// Returns the codec that the producer used.
    pub fn source_codec(&self) -> Codec {
        self.source_codec
    }

    /// Tells whether the records had to be written anew.
    pub fn recompressed(&self) -> bool {
        self.recompressed
    }

    /// Returns the size of the batch without compression, in bytes.
    pub fn uncompressed_size(&self) -> usize {
        self.uncompressed_size
    }
}

/// Checks the records of one partition in a produce request.
///
/// `produce_version` is that of the request; `None` for records of the broker's own.
pub fn validate(
    records: &Bytes,
    produce_version: Option<i16>,
    rules: &AppendRules<'_>,
) -> Result<ValidatedBatch, RecordsError> {
    let batch = only_batch(records, produce_version)?;
    check_entry(&batch, rules)?;
    let source_codec = batch.header().attributes.codec()?;
    check_header(batch.header(), rules)?;
    let summary = check_records(&batch, source_codec, rules)?;
    let target = match rules.compression {
        TargetCompression::Producer => None,
        // Control records stay as they are written.
        TargetCompression::Fixed(_) if source_codec == Codec::None && batch.header().is_control() => None,
        TargetCompression::Fixed(target) => Some(target).filter(|target| target.codec() != source_codec),
    };
    let rewrite = target.is_some() || !summary.in_sequence;
    let target = target.unwrap_or_else(|| crate::Compression::new(source_codec));
    let mut batch = match rewrite {
        true => recompress::recompress(&batch, target, summary.in_sequence, rules)?,
        false => batch,
    };
    let append_time = (rules.timestamp_type == TimestampType::LogAppendTime).then_some(rules.now);
    let max_timestamp = append_time.unwrap_or(summary.max_timestamp);
    batch.set_max_timestamp(rules.timestamp_type, max_timestamp);
    Ok(ValidatedBatch {
        batch,
        max_timestamp,
        append_time,
        source_codec,
        recompressed: rewrite,
        uncompressed_size: summary.uncompressed_size,
    })
}

/// Finds the one batch that there may be. A cut entry after it is left out, as Kafka leaves it out.
fn only_batch(records: &Bytes, version: Option<i16>) -> Result<RecordBatch, RecordsError> {
    let mut found = batches(records.clone());
    let batch = match found.next() {
        None => return Err(RecordsError::NoBatch { version }),
        Some(Err(RecordsError::LegacyMagic { magic, .. })) => {
            return Err(RecordsError::ProduceMagic { version, magic });
        }
        Some(batch) => batch?,
    };
    if let Some(version) = version.filter(|version| *version < FIRST_ZSTD_VERSION)
        && batch.header().attributes.codec() == Ok(Codec::Zstd)
    {
        return Err(RecordsError::ProduceZstd { version });
    }
    match found.next() {
        None => Ok(batch),
        Some(Ok(_) | Err(RecordsError::LegacyMagic { .. })) => Err(RecordsError::SeveralBatches { version }),
        Some(Err(error)) => Err(error),
    }
}

/// Kafka: `UnifiedLog.analyzeAndValidateRecords`.
fn check_entry(batch: &RecordBatch, rules: &AppendRules<'_>) -> Result<(), RecordsError> {
    let partition = || rules.topic_partition.clone();
    let base_offset = batch.header().base_offset.0;
    if rules.origin == AppendOrigin::Client && base_offset != 0 {
        return Err(RecordsError::BaseOffset { partition: partition(), base_offset });
    }
    let size = batch.size();
    if rules.origin != AppendOrigin::RaftLeader && size > rules.max_message_bytes {
        return Err(RecordsError::BatchTooLarge {
            partition: partition(),
            size,
            max: rules.max_message_bytes,
        });
    }
    batch
        .ensure_valid()
        .map_err(|_| RecordsError::Corrupt { stored: batch.header().crc, partition: partition() })
}

/// Kafka: `LogValidator.validateBatch`.
fn check_header(header: &BatchHeader, rules: &AppendRules<'_>) -> Result<(), RecordsError> {
    if rules.origin != AppendOrigin::Client {
        return Ok(());
    }
    let partition = || rules.topic_partition.clone();
    let (first, last) = (header.base_offset.0, header.last_offset().0);
    if header.last_offset_delta < 0 {
        return Err(RecordsError::OffsetRange { first, last, partition: partition() });
    }
    let count = header.record_count;
    if count <= 0 {
        return Err(RecordsError::ReportedCount { count, partition: partition() });
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(count) {
        return Err(RecordsError::InconsistentCount { first, last, count, partition: partition() });
    }
    if header.is_control() {
        return Err(RecordsError::ClientControl { partition: partition() });
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        let (sequence, producer_id) = (header.base_sequence, header.producer_id.0);
        return Err(RecordsError::Sequence { sequence, producer_id, partition: partition() });
    }
    Ok(())
}

/// What was learned of the records.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    max_timestamp: Timestamp,
    /// Whether offsets are those that the header implies.
    in_sequence: bool,
    uncompressed_size: usize,
}

fn check_records(
    batch: &RecordBatch,
    codec: Codec,
    rules: &AppendRules<'_>,
) -> Result<Summary, RecordsError> {
    let header = batch.header();
    if codec == Codec::None {
        return match walk::plain(header, batch.body(), rules) {
            Some(summary) => Ok(summary),
            None => check_with_care(header, batch.body(), rules),
        };
    }
    let records = || RecordScan::new(header, codec, batch.body(), rules.max_decompressed_bytes);
    match walk::compressed(header, records()?, rules)? {
        Some(summary) => Ok(summary),
        None => check_each(header, records()?, rules, "PartialDefaultRecord"),
    }
}

/// Checks plain records of every kind.
fn check_with_care(
    header: &BatchHeader,
    body: &[u8],
    rules: &AppendRules<'_>,
) -> Result<Summary, RecordsError> {
    let records = RecordIter::new(header, body).map(|record| record.map(Scanned::from));
    check_each(header, records, rules, "DefaultRecord")
}

fn check_each(
    header: &BatchHeader,
    records: impl Iterator<Item = Result<Scanned, RecordsError>>,
    rules: &AppendRules<'_>,
    record_name: &str,
) -> Result<Summary, RecordsError> {
    let mut summary = Summary {
        max_timestamp: Timestamp::NONE,
        in_sequence: true,
        uncompressed_size: crate::BATCH_HEADER_LEN,
    };
    let mut rejections = Rejections::default();
    for (index, record) in records.enumerate() {
        let record = record?;
        if let Some(rejection) = rules.reject(header, &record, record_name) {
            rejections.add(index, rejection);
        }
        summary.max_timestamp = summary.max_timestamp.max(record.timestamp);
        summary.in_sequence &= record.offset.0 == header.base_offset.0.wrapping_add(index as i64);
        summary.uncompressed_size += record.size;
    }
    rejections.finish()?;
    Ok(summary)
}

#[cfg(test)]
mod tests;
