//! Which offset belongs to a timestamp, or to one of the sentinels of `ListOffsets`.
//!
//! Kafka: `UnifiedLog.fetchOffsetByTimestamp`, but for one thing. A segment that compaction emptied counts as written when its
//! file was; Kafka looks for the time in it, finds nothing, and stops there, though the next segment has the record that
//! was asked for. The search here goes on.

use std::sync::Arc;

use model::{LeaderEpoch, Offset, Timestamp};
use records::{DecodedBatch, RecordBatch};

use super::UnifiedLog;
use crate::StorageError;
use crate::scan::{Entry, ScanError};
use crate::segment::Segment;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// An offset that was found by a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampAndOffset {
    /// The record's timestamp; [`Timestamp::NONE`] for a sentinel that has none.
    pub timestamp: Timestamp,
    /// The offset; -1 if there is none.
    pub offset: Offset,
    /// The epoch of the leader that appended it; -1 without tiers for a sentinel of tiers.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl UnifiedLog {
    /// Finds the first offset whose record's timestamp is at least `target`, or what a sentinel stands for: -1 the log's
    /// end, -2 and -4 its start, -3 the greatest timestamp, -5 and -6 none without tiers.
    pub fn offset_for_timestamp(
        &self,
        target: Timestamp,
    ) -> Result<Option<TimestampAndOffset>, StorageError> {
        let at = |offset, leader_epoch| {
            Ok(Some(TimestampAndOffset { timestamp: Timestamp::NONE, offset, leader_epoch }))
        };
        match target.0 {
            EARLIEST | EARLIEST_LOCAL => {
                let start = self.log_start_offset();
                let earliest = self.state().epochs.earliest().filter(|(_, begin)| *begin <= start);
                at(start, earliest.map(|(epoch, _)| epoch))
            }
            LATEST => at(self.log_end_offset(), self.latest_epoch()),
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => at(Offset(-1), Some(LeaderEpoch::NONE)),
            MAX_TIMESTAMP => self.offset_of_max_timestamp(),
            _ => self.search_timestamp(target),
        }
    }

    fn offset_of_max_timestamp(&self) -> Result<Option<TimestampAndOffset>, StorageError> {
        let mut greatest: Option<(Arc<Segment>, crate::TimestampOffset)> = None;
        for segment in self.segments().iter() {
            let max = self.guard_read(segment.max_timestamp())?;
            if greatest.as_ref().is_none_or(|(_, known)| max.timestamp > known.timestamp) {
                greatest = Some((segment.clone(), max));
            }
        }
        let Some((segment, max)) = greatest.filter(|(_, max)| max.timestamp.0 >= 0) else { return Ok(None) };
        self.first_record(&segment, max.offset, Offset(0), |entry, record| {
            record.unwrap_or(entry.max_timestamp) == max.timestamp
        })
    }

    fn search_timestamp(&self, target: Timestamp) -> Result<Option<TimestampAndOffset>, StorageError> {
        let start = self.log_start_offset();
        for segment in self.segments().iter() {
            if self.guard_read(segment.largest_timestamp())? < target {
                continue;
            }
            let indexed = self.guard_read(segment.time_index().lookup(target))?;
            let found = self.first_record(segment, indexed.offset.max(start), start, |entry, record| {
                record.unwrap_or(entry.max_timestamp) >= target
            })?;
            // A segment before the log's start, or one that compaction emptied, has nothing left to find.
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Finds the first record at or after `start` that `fits`, beginning with the batch that holds `from`. It is asked of
    /// each batch first, then of its records.
    fn first_record(
        &self,
        segment: &Segment,
        from: Offset,
        start: Offset,
        fits: impl Fn(&Entry, Option<Timestamp>) -> bool,
    ) -> Result<Option<TimestampAndOffset>, StorageError> {
        let max_bytes = self.config().max_decompressed_message_bytes.max(0) as usize;
        let found = find_record(segment, from, start, max_bytes, fits);
        self.guard_read(found.map_err(std::io::Error::from))
    }
}

fn find_record(
    segment: &Segment,
    from: Offset,
    start: Offset,
    max_bytes: usize,
    fits: impl Fn(&Entry, Option<Timestamp>) -> bool,
) -> Result<Option<TimestampAndOffset>, ScanError> {
    let Some(first) = segment.find(from)? else { return Ok(None) };
    let mut scanner = segment.scan(first.position)?;
    while let Some(entry) = scanner.next()? {
        if entry.header.is_none() || entry.last_offset < start || !fits(&entry, None) {
            continue;
        }
        let batch: DecodedBatch = RecordBatch::parse(&scanner.read(&entry)?)?.decode(max_bytes)?;
        for record in batch.iter() {
            let record = record?;
            if record.offset >= start && fits(&entry, Some(record.timestamp)) {
                let (timestamp, offset) = (record.timestamp, record.offset);
                return Ok(Some(TimestampAndOffset {
                    timestamp,
                    offset,
                    leader_epoch: entry.leader_epoch(),
                }));
            }
        }
    }
    Ok(None)
}
