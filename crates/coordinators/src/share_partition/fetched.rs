//! What was read from the log, as far as a share partition looks at it: where batches lie, and which of them were aborted.

use std::collections::BTreeSet;

use model::{Offset, ProducerId};

use super::acquire::AcquiredRange;

/// A batch that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedBatch {
    /// Its first offset.
    pub base_offset: Offset,
    /// Its last offset.
    pub last_offset: Offset,
    /// Who wrote it; [`ProducerId::NONE`] if that was not an idempotent producer.
    pub producer_id: ProducerId,
    /// Whether it is part of a transaction.
    pub is_transactional: bool,
    /// Whether it is the marker that ends its producer's transaction by an abort.
    pub is_abort_marker: bool,
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// Where it began.
    pub first_offset: Offset,
}

/// What was read in one go.
#[derive(Clone, Copy, Debug)]
pub struct FetchedRecords<'a> {
    /// The batches, in order.
    pub batches: &'a [FetchedBatch],
    /// The aborted transactions among them, under `read_committed`; otherwise none.
    pub aborted: &'a [AbortedTransaction],
}

impl FetchedRecords<'_> {
    /// Returns the first and last offsets of batches that were aborted. Kafka:
    /// `SharePartition.fetchAbortedTransactionRecordBatches`.
    pub(super) fn aborted_ranges(&self) -> Vec<(Offset, Offset)> {
        let mut begun = self.aborted.to_vec();
        begun.sort_by_key(|transaction| transaction.first_offset);
        let mut begun = begun.into_iter().peekable();
        let mut aborted = BTreeSet::new();
        let mut ranges = Vec::new();
        for batch in self.batches.iter().filter(|batch| batch.producer_id != ProducerId::NONE) {
            while let Some(transaction) = begun.next_if(|next| next.first_offset <= batch.last_offset) {
                aborted.insert(transaction.producer_id);
            }
            if batch.is_abort_marker {
                aborted.remove(&batch.producer_id);
            } else if batch.is_transactional && aborted.contains(&batch.producer_id) {
                ranges.push((batch.base_offset, batch.last_offset));
            }
        }
        ranges
    }

    /// Returns where a batch ends that has `offset`, or `offset` itself. Kafka:
    /// `SharePartition.lastOffsetFromBatchWithRequestOffset`.
    pub(super) fn end_of_batch_with(&self, offset: Offset) -> Offset {
        let before = self.batches.partition_point(|batch| batch.base_offset <= offset);
        self.batches[..before].last().map_or(offset, |batch| batch.last_offset.max(offset))
    }
}

/// Returns what is left of `acquired` without `ranges`, both in order.
pub(super) fn without(acquired: Vec<AcquiredRange>, ranges: &[(Offset, Offset)]) -> Vec<AcquiredRange> {
    let mut left = Vec::with_capacity(acquired.len());
    for mut range in acquired {
        let overlapping = ranges
            .iter()
            .filter(|(first, last)| *first <= range.last_offset && *last >= range.first_offset)
            .copied()
            .collect::<Vec<_>>();
        for (first, last) in overlapping {
            if range.first_offset < first {
                left.push(AcquiredRange { last_offset: first.plus(-1), ..range });
            }
            range.first_offset = last.plus(1);
        }
        if range.first_offset <= range.last_offset {
            left.push(range);
        }
    }
    left
}
