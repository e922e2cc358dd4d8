//! Reading: which bytes answer a fetch, up to where, and which aborted transactions are in them.
//!
//! Kafka: `UnifiedLog.read`, `LocalLog.read`, `LogSegment.read`.

use std::sync::Arc;

use bytes::Bytes;
use model::Offset;
use protocol::{Records, Region};

use super::{LogOffsetMetadata, Marks, UnifiedLog};
use crate::StorageError;
use crate::segment::Segment;
use crate::transaction_index::AbortedTxn;

/// Up to where a reader may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchIsolation {
    /// To the log's end: a follower.
    LogEnd,
    /// To the high watermark: a consumer.
    HighWatermark,
    /// To the last stable offset: a consumer of committed records.
    TxnCommitted,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct FetchDataInfo {
    /// Where the first batch is, or the log's end if there is none.
    pub fetch_offset: LogOffsetMetadata,
    /// Batches as they are in the file; the last may be cut, the first may begin before the offset asked for.
    pub records: Records,
    /// Whether the limit cut the first batch.
    pub first_entry_incomplete: bool,
    /// Whether the reader may go on in a later segment: waiting brings no more to this read.
    pub is_behind: bool,
    /// The aborted transactions in it, for [`FetchIsolation::TxnCommitted`] only.
    pub aborted_transactions: Option<Vec<AbortedTxn>>,
}

impl FetchDataInfo {
    fn empty(fetch_offset: LogOffsetMetadata, isolation: FetchIsolation) -> Self {
        Self {
            fetch_offset,
            records: Records::Bytes(Bytes::new()),
            first_entry_incomplete: false,
            is_behind: false,
            aborted_transactions: (isolation == FetchIsolation::TxnCommitted).then(Vec::new),
        }
    }

    /// Returns how many bytes of batches there are.
    pub fn size(&self) -> usize {
        match &self.records {
            Records::Bytes(bytes) => bytes.len(),
            Records::Region(region) => region.len(),
        }
    }
}

impl UnifiedLog {
    /// Reads up to `max_bytes` of batches from the one that holds `start` on; one whole batch at least, however large,
    /// if `min_one_message`. Nothing is read from the file but headers. Fails with
    /// [`StorageError::OffsetOutOfRange`] for an offset before the log's start or past its end.
    pub fn read(
        &self,
        start: Offset,
        max_bytes: usize,
        isolation: FetchIsolation,
        min_one_message: bool,
    ) -> Result<FetchDataInfo, StorageError> {
        let marks = *self.marks();
        let segments = self.segments();
        let mut n = match segments.partition_point(|segment| segment.base_offset() <= start) {
            0 => return Err(self.out_of_range(start, &marks)),
            after => after - 1,
        };
        if start < marks.start || start > marks.end.offset {
            return Err(self.out_of_range(start, &marks));
        }
        let limit = match isolation {
            FetchIsolation::LogEnd => marks.end.offset,
            FetchIsolation::HighWatermark => marks.high_watermark,
            FetchIsolation::TxnCommitted => marks.last_stable(),
        };
        if start >= limit {
            let at = if start == marks.end.offset { marks.end } else { self.locate_in(&segments, start)? };
            return Ok(FetchDataInfo::empty(at, isolation));
        }
        while let Some(segment) = segments.get(n) {
            let end = self.end_in(segment, segments.get(n + 1), limit, &marks)?;
            let read = self.read_segment(segment, start, max_bytes, end, min_one_message)?;
            if let Some(mut info) = read {
                info.is_behind = segments.get(n + 1).is_some_and(|next| next.base_offset() <= limit);
                if isolation == FetchIsolation::TxnCommitted {
                    info.aborted_transactions = Some(self.aborted_in(&segments[n..], start, &info)?);
                }
                return Ok(info);
            }
            n += 1;
        }
        // All after `start` was compacted away.
        Ok(FetchDataInfo::empty(marks.end, isolation))
    }

    fn out_of_range(&self, offset: Offset, marks: &Marks) -> StorageError {
        StorageError::OffsetOutOfRange {
            partition: self.partition.clone(),
            offset,
            start: marks.start,
            end: marks.end.offset,
        }
    }

    /// Returns how many bytes of a segment lie below `limit`.
    fn end_in(
        &self,
        segment: &Segment,
        next: Option<&Arc<Segment>>,
        limit: Offset,
        marks: &Marks,
    ) -> Result<u64, StorageError> {
        if limit == marks.end.offset && segment.base_offset() == marks.end.segment_base {
            return Ok(marks.end.position);
        }
        if next.is_some_and(|next| next.base_offset() <= limit) {
            return Ok(segment.size());
        }
        let found = self.guard_read(segment.find(limit))?;
        Ok(found.map_or_else(|| segment.size(), |entry| entry.position))
    }

    fn read_segment(
        &self,
        segment: &Segment,
        start: Offset,
        max_bytes: usize,
        end: u64,
        min_one_message: bool,
    ) -> Result<Option<FetchDataInfo>, StorageError> {
        let Some(first) = self.guard_read(segment.find(start))? else {
            return Ok(None);
        };
        let at = LogOffsetMetadata {
            offset: start,
            segment_base: segment.base_offset(),
            position: first.position,
        };
        let wanted = if min_one_message { max_bytes.max(first.size as usize) } else { max_bytes };
        let length = end.saturating_sub(first.position).min(wanted as u64) as usize;
        if length == 0 {
            return Ok(Some(FetchDataInfo::empty(at, FetchIsolation::LogEnd)));
        }
        let slice = self.guard_read(segment.slice(first.position, length))?;
        let region: Arc<dyn Region> = Arc::new(slice);
        Ok(Some(FetchDataInfo {
            fetch_offset: at,
            records: Records::Region(region),
            first_entry_incomplete: (wanted as u64) < first.size,
            is_behind: false,
            aborted_transactions: None,
        }))
    }

    /// Finds where an offset is.
    pub(super) fn locate_in(
        &self,
        segments: &[Arc<Segment>],
        offset: Offset,
    ) -> Result<LogOffsetMetadata, StorageError> {
        let n = segments.partition_point(|segment| segment.base_offset() <= offset).saturating_sub(1);
        let segment = &segments[n];
        let found = self.guard_read(segment.find(offset))?;
        let position = found.map_or_else(|| segment.size(), |entry| entry.position);
        Ok(LogOffsetMetadata { offset, segment_base: segment.base_offset(), position })
    }

    fn aborted_in(
        &self,
        segments: &[Arc<Segment>],
        start: Offset,
        info: &FetchDataInfo,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        // Most logs have none, and need not be asked where the read ends.
        let mut none = true;
        for segment in segments {
            let entries = segment.transaction_index().file.entries();
            none &= self.guard_read(entries)? == 0;
        }
        if none {
            return Ok(Vec::new());
        }
        let until = info.fetch_offset.position + info.size() as u64;
        let bound = self.guard_read(segments[0].indexed_from(until))?;
        let bound = match (bound, segments.get(1)) {
            (Some(bound), _) => bound.offset,
            (None, Some(next)) => next.base_offset(),
            (None, None) => self.log_end_offset(),
        };
        self.collect_aborted(segments, start, bound)
    }

    fn collect_aborted(
        &self,
        segments: &[Arc<Segment>],
        from: Offset,
        until: Offset,
    ) -> Result<Vec<AbortedTxn>, StorageError> {
        let mut aborted = Vec::new();
        for segment in segments {
            let collected = segment.transaction_index().collect(from, until, &mut aborted);
            if self.guard_read(collected)? {
                break;
            }
        }
        Ok(aborted)
    }

    /// Returns the aborted transactions that overlap the offsets `from..until`.
    pub fn aborted_transactions(&self, from: Offset, until: Offset) -> Result<Vec<AbortedTxn>, StorageError> {
        let segments = self.segments();
        let n = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        self.collect_aborted(&segments[n..], from, until)
    }
}
