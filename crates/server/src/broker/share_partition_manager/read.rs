//! Records read for a share fetch: where their batches lie, and the part of them that a member gets.

use bytes::Bytes;
use coordinators::share_partition::{AbortedTransaction, AcquiredRange, FetchedBatch};
use protocol::ErrorCode;
use records::{ControlType, RecordBatch, batches};
use storage::FetchDataInfo;

/// Control records are small; a marker of more bytes is none.
const MARKER_MAX: usize = 1024;

/// What was read of one partition.
pub(super) struct ReadRecords {
    bytes: Bytes,
    pub(super) batches: Vec<FetchedBatch>,
    /// Where each batch ends in `bytes`.
    ends: Vec<usize>,
    pub(super) aborted: Vec<AbortedTransaction>,
    /// Whether there is more in a later segment: waiting brings no more to this read.
    pub(super) is_behind: bool,
}

impl ReadRecords {
    /// Takes what the log gave. A batch that is cut at the end is left out.
    pub(super) fn of(read: FetchDataInfo) -> Result<Self, ErrorCode> {
        let aborted = read.aborted_transactions.iter().flatten().map(|aborted| AbortedTransaction {
            producer_id: aborted.producer_id,
            first_offset: aborted.first_offset,
        });
        let aborted = aborted.collect();
        let bytes = match read.first_entry_incomplete {
            true => Bytes::new(),
            false => read.records.read().map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?,
        };
        let (mut found, mut ends) = (Vec::new(), Vec::new());
        let mut iterator = batches(bytes.clone());
        while let Some(batch) = iterator.next() {
            found.push(fetched(&batch.map_err(|_| ErrorCode::CORRUPT_MESSAGE)?));
            ends.push(iterator.consumed());
        }
        Ok(Self { bytes, batches: found, ends, aborted, is_behind: read.is_behind })
    }

    pub(super) fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Returns the batches that hold what was acquired. Kafka: `ShareFetchUtils.maybeSliceFetchRecords`.
    pub(super) fn slice(&self, acquired: &[AcquiredRange]) -> Bytes {
        let (Some(first), Some(last)) = (acquired.first(), acquired.last()) else { return Bytes::new() };
        let from = self.batches.partition_point(|batch| batch.last_offset < first.first_offset);
        let to = self.batches.partition_point(|batch| batch.base_offset <= last.last_offset);
        let end_of = |count: usize| count.checked_sub(1).map_or(0, |index| self.ends[index]);
        self.bytes.slice(end_of(from)..end_of(to.max(from)))
    }
}

fn fetched(batch: &RecordBatch) -> FetchedBatch {
    let header = batch.header();
    FetchedBatch {
        base_offset: header.base_offset,
        last_offset: header.last_offset(),
        producer_id: header.producer_id,
        is_transactional: header.is_transactional(),
        is_abort_marker: header.is_control() && is_abort(batch),
    }
}

fn is_abort(batch: &RecordBatch) -> bool {
    let Ok(decoded) = batch.decode(MARKER_MAX) else { return false };
    let first = decoded.iter().next().and_then(Result::ok);
    first.is_some_and(|record| matches!(ControlType::from_key(record.key), Ok(ControlType::Abort)))
}
