//! Decides what compaction leaves of one batch.
//!
//! Invariants:
//! - offsets, sequences and the batch's offset range stay as they were
//! - a tombstone, or a marker without records, goes only in a pass after the one that gave its batch a delete horizon
//! - the last batch of a live producer, and the last of what a pass covers, stay, if need be without records
//! - a batch of which nothing goes is copied as it is
//!
//! Kafka: `Cleaner.cleanInto`, `MemoryRecords.filterTo`.

use std::collections::HashMap;

use model::{Offset, ProducerEpoch, ProducerId, Timestamp};
use records::{
    BatchBuilder, BatchHeader, BatchOptions, Compression, DecodedBatch, Record, RecordBatch, RecordsError,
    TimestampType,
};

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::ProducerStateEntry;

/// What a pass goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The time of the pass.
    pub(crate) now: Timestamp,
    /// `delete.retention.ms`.
    pub(crate) delete_retention_ms: i64,
    /// Where the pass ends; the batch that ends there stays.
    pub(crate) end: Offset,
    /// The most bytes that a batch may take without compression.
    pub(crate) max_decompressed: usize,
}

/// The last that is known of a producer.
#[derive(Clone, Copy, Debug)]
struct LastRecord {
    epoch: ProducerEpoch,
    /// None if the present epoch has seen no data.
    offset: Option<Offset>,
}

/// The decisions of one pass over a log.
#[derive(Debug)]
pub(crate) struct Filter {
    rules: Rules,
    map: OffsetMap,
    last_records: HashMap<ProducerId, LastRecord>,
    pub(crate) transactions: CleanedTransactions,
    kept: Vec<bool>,
}

/// What is left of a batch.
#[derive(Debug)]
pub(crate) enum Left {
    /// Nothing.
    Nothing,
    /// All of it, as it was.
    All(RecordBatch),
    /// Another batch in its place.
    Some(RecordBatch),
}

impl Left {
    pub(crate) fn batch(&self) -> Option<&RecordBatch> {
        match self {
            Self::Nothing => None,
            Self::All(batch) | Self::Some(batch) => Some(batch),
        }
    }
}

impl Filter {
    pub(crate) fn new(rules: Rules, map: OffsetMap) -> Self {
        let (last_records, transactions, kept) = Default::default();
        Self { rules, map, last_records, transactions, kept }
    }

    /// Takes note of the live producers.
    pub(crate) fn set_producers(&mut self, producers: impl IntoIterator<Item = ProducerStateEntry>) {
        let last = |entry: ProducerStateEntry| {
            let offset = entry.last_batch().map(|batch| batch.last_offset);
            (entry.producer_id, LastRecord { epoch: entry.producer_epoch, offset })
        };
        self.last_records = producers.into_iter().map(last).collect();
    }

    /// Decides on a batch. Fails if its records are malformed.
    pub(crate) fn filter(&mut self, batch: RecordBatch) -> Result<Left, RecordsError> {
        let header = *batch.header();
        let is_useless = if header.is_control() {
            self.transactions.on_control_batch(&batch)?
        } else {
            self.transactions.on_batch(&header)
        };
        let discards = is_useless
            && (!header.is_control() || header.delete_horizon().is_some_and(|at| at <= self.rules.now));
        let stays_if_empty = self.stays_if_empty(&header);
        if discards && !stays_if_empty {
            return Ok(Left::Nothing);
        }
        let decoded = batch.decode(self.rules.max_decompressed)?;
        let (count, has_tombstones) = self.mark_kept(&decoded, discards)?;
        if count == 0 {
            return Ok(if stays_if_empty { Left::Some(batch.emptied()) } else { Left::Nothing });
        }
        let needs_horizon =
            (has_tombstones || is_useless && header.is_control()) && header.delete_horizon().is_none();
        if count == self.kept.len() && !needs_horizon {
            return Ok(Left::All(batch));
        }
        let horizon = if needs_horizon {
            Some(Timestamp(self.rules.now.0.saturating_add(self.rules.delete_retention_ms)))
        } else {
            header.delete_horizon()
        };
        rebuild(&decoded, &self.kept, horizon).map(Left::Some)
    }

    fn stays_if_empty(&self, header: &BatchHeader) -> bool {
        let is_last = || {
            self.last_records.get(&header.producer_id).is_some_and(|last| match last.offset {
                Some(offset) => header.last_offset() == offset,
                None => header.is_control() && header.producer_epoch == last.epoch,
            })
        };
        header.next_offset() == self.rules.end || header.has_producer_id() && is_last()
    }

    /// Marks the records that stay; returns how many they are, and whether tombstones are among them.
    fn mark_kept(&mut self, batch: &DecodedBatch, discards: bool) -> Result<(usize, bool), RecordsError> {
        self.kept.clear();
        let (mut count, mut has_tombstones) = (0, false);
        for record in batch.iter() {
            let record = record?;
            let stays = !discards && self.stays(batch.header(), &record);
            self.kept.push(stays);
            count += usize::from(stays);
            has_tombstones |= stays && record.value.is_none();
        }
        Ok((count, has_tombstones))
    }

    fn stays(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        if header.is_control() || self.map.latest().is_none_or(|latest| record.offset > latest) {
            return true;
        }
        // What has no key was never meant for a compacted topic.
        let Some(key) = record.key else { return false };
        let is_last = self.map.get(key).is_none_or(|last| record.offset >= last);
        is_last
            && (record.value.is_some()
                || header.delete_horizon().is_none_or(|horizon| self.rules.now < horizon))
    }
}

fn rebuild(
    decoded: &DecodedBatch,
    kept: &[bool],
    delete_horizon: Option<Timestamp>,
) -> Result<RecordBatch, RecordsError> {
    let header = decoded.header();
    let mut builder = BatchBuilder::new(BatchOptions {
        compression: Compression::new(header.attributes.codec()?),
        base_offset: header.base_offset,
        partition_leader_epoch: header.partition_leader_epoch,
        log_append_time: (header.timestamp_type() == TimestampType::LogAppendTime)
            .then_some(header.max_timestamp),
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        transactional: header.is_transactional(),
        control: header.is_control(),
        delete_horizon,
        ..BatchOptions::default()
    });
    for (record, stays) in decoded.iter().zip(kept) {
        if *stays {
            builder.append_record(&record?)?;
        }
    }
    builder.override_last_offset(header.last_offset());
    builder.build_batch()
}
