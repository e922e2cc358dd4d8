//! Lays new state batches over those that are known, so that none overlap and neighbours in the same state are one.
//!
//! Invariants:
//! - of two batches over the same records, the one that was delivered more often counts, then the one of the later state
//! - a batch without records, which no leader writes, is left out
//!
//! Kafka: `PersisterStateBatchCombiner`.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use model::Offset;

use super::state_batch::StateBatch;

/// Combines batches. What lies before `start_offset` is left out, unless that is -1.
pub fn combine(
    known: impl IntoIterator<Item = StateBatch>,
    new: impl IntoIterator<Item = StateBatch>,
    start_offset: Offset,
) -> Vec<StateBatch> {
    let from_start = |batch: StateBatch| prune(batch, start_offset);
    let all = known.into_iter().chain(new).filter(StateBatch::is_valid).filter_map(from_start);
    let mut sorted: BTreeSet<StateBatch> = all.collect();
    let mut combined = Vec::with_capacity(sorted.len());
    while let Some(batch) = sorted.pop_first() {
        match sorted.first().copied() {
            Some(next) if touch(&batch, &next) => {
                sorted.remove(&next);
                merge(batch, next, &mut sorted);
            }
            _ => combined.push(batch),
        }
    }
    combined
}

fn prune(batch: StateBatch, start: Offset) -> Option<StateBatch> {
    let pruned = StateBatch { first_offset: batch.first_offset.max(start), ..batch };
    pruned.is_valid().then_some(pruned)
}

/// Tells whether two batches, in order, are to become others.
fn touch(batch: &StateBatch, next: &StateBatch) -> bool {
    let overlap = next.first_offset <= batch.last_offset;
    overlap
        || next.first_offset.0 == batch.last_offset.0.saturating_add(1)
            && compare_delivery(batch, next) == Ordering::Equal
}

fn compare_delivery(one: &StateBatch, other: &StateBatch) -> Ordering {
    (one.delivery_count, one.state).cmp(&(other.delivery_count, other.state))
}

/// Puts in what two batches that touch, in order, become.
fn merge(batch: StateBatch, next: StateBatch, sorted: &mut BTreeSet<StateBatch>) {
    match compare_delivery(&next, &batch) {
        Ordering::Equal => {
            let last_offset = batch.last_offset.max(next.last_offset);
            sorted.insert(StateBatch { last_offset, ..batch });
        }
        Ordering::Less => {
            sorted.insert(batch);
            if next.last_offset > batch.last_offset {
                sorted.insert(StateBatch { first_offset: batch.last_offset.plus(1), ..next });
            }
        }
        Ordering::Greater => {
            if next.first_offset > batch.first_offset {
                sorted.insert(StateBatch { last_offset: Offset(next.first_offset.0 - 1), ..batch });
            }
            sorted.insert(next);
            if next.last_offset < batch.last_offset {
                sorted.insert(StateBatch { first_offset: next.last_offset.plus(1), ..batch });
            }
        }
    }
}
