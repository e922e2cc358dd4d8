//! What each idempotent producer last wrote to a partition: duplicates, gaps, fencing, open transactions.
//!
//! Invariants:
//! - the last 5 batches of a producer's present epoch are known, so that a retry of any of them is answered and not
//!   appended
//! - the state is that of the log up to [`ProducerState::end`]; it changes only after the append it stands for
//! - whether a transaction was verified with its coordinator is for the caller to say
//! - the first unstable offset is the first of a transaction that is open, or ended at or above the high watermark
//!
//! Kafka: `ProducerStateManager`, `ProducerAppendInfo`, `ProducerStateEntry`.

use std::collections::BTreeMap;

use model::{Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use records::{BatchHeader, EndTxnMarker, NO_SEQUENCE};

use crate::{AppendOrigin, StorageError};

mod append;
mod entry;

pub use append::{CompletedTxn, ProducerAppend};
pub use entry::{BatchMetadata, ProducerStateEntry};

/// The producers of one partition.
#[derive(Debug)]
pub struct ProducerState {
    /// None where nobody is known, as in most of many partitions.
    known: Option<Box<Known>>,
    end: Offset,
}

#[derive(Debug, Default)]
struct Known {
    producers: BTreeMap<ProducerId, ProducerStateEntry>,
    /// First offsets of open transactions.
    ongoing: BTreeMap<Offset, ProducerId>,
    /// First offsets of transactions that ended at or above the high watermark, with their last offsets.
    unreplicated: BTreeMap<Offset, Offset>,
}

static NOBODY: Known =
    Known { producers: BTreeMap::new(), ongoing: BTreeMap::new(), unreplicated: BTreeMap::new() };

impl ProducerState {
    /// Knows of no producer, up to `end`.
    pub fn empty(end: Offset) -> Self {
        Self { known: None, end }
    }

    fn known(&self) -> &Known {
        self.known.as_deref().unwrap_or(&NOBODY)
    }

    fn known_mut(&mut self) -> &mut Known {
        self.known.get_or_insert_default()
    }

    /// Takes the producers that a snapshot at `end` holds, but for those that have expired.
    pub fn from_snapshot(
        end: Offset,
        entries: Vec<ProducerStateEntry>,
        now: Timestamp,
        expiration_ms: i64,
    ) -> Self {
        let mut state = Self::empty(end);
        for entry in entries.into_iter().filter(|entry| !entry.is_expired(now, expiration_ms)) {
            if let Some(first) = entry.current_txn_first_offset {
                state.known_mut().ongoing.insert(first, entry.producer_id);
            }
            state.known_mut().producers.insert(entry.producer_id, entry);
        }
        state
    }

    /// The offset up to which the log is accounted for.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Accounts for the log up to `end`.
    pub fn set_end(&mut self, end: Offset) {
        self.end = end;
    }

    /// Returns the producers, by id.
    pub fn producers(&self) -> impl ExactSizeIterator<Item = &ProducerStateEntry> {
        self.known().producers.values()
    }

    /// Returns what is known of one producer.
    pub fn get(&self, producer_id: ProducerId) -> Option<&ProducerStateEntry> {
        self.known().producers.get(&producer_id)
    }

    /// Tells whether the producer has an open transaction here.
    pub fn has_ongoing_transaction(&self, producer_id: ProducerId, epoch: ProducerEpoch) -> bool {
        self.get(producer_id)
            .is_some_and(|entry| entry.current_txn_first_offset.is_some() && entry.producer_epoch == epoch)
    }

    /// Returns the batch already appended that `header` is a retry of.
    pub fn find_duplicate(&self, header: &BatchHeader) -> Option<BatchMetadata> {
        self.get(header.producer_id)?.find_duplicate(header)
    }

    /// Begins to validate batches of one producer. Kafka: `ProducerStateManager.prepareUpdate`.
    pub fn prepare(&self, producer_id: ProducerId, origin: AppendOrigin) -> ProducerAppend {
        let current =
            self.get(producer_id).copied().unwrap_or_else(|| ProducerStateEntry::empty(producer_id));
        ProducerAppend::new(current, origin)
    }

    /// Takes over what was validated and then appended. Kafka: `ProducerStateManager.update`.
    pub fn update(&mut self, append: ProducerAppend) {
        let known = self.known_mut();
        for first in append.started_transactions() {
            known.ongoing.insert(*first, append.producer_id());
        }
        known
            .producers
            .entry(append.producer_id())
            .or_insert_with(|| ProducerStateEntry::empty(append.producer_id()))
            .update(append.updated());
    }

    /// Returns the last stable offset as it is once `completed` has ended. Kafka: `lastStableOffset(completedTxn)`.
    pub fn last_stable_offset_after(&self, completed: &CompletedTxn) -> Offset {
        let other = self.known().ongoing.iter().find(|(_, producer)| **producer != completed.producer_id);
        other.map_or(completed.last_offset.plus(1), |(first, _)| *first)
    }

    /// Ends a transaction whose marker was appended.
    pub fn complete(&mut self, completed: &CompletedTxn) {
        let Some(known) = &mut self.known else { return };
        if known.ongoing.remove(&completed.first_offset).is_some() {
            known.unreplicated.insert(completed.first_offset, completed.last_offset);
        }
    }

    /// Accounts for one batch of the log, which is taken as valid: for followers and for loading.
    /// Returns the transaction that it ended.
    pub fn replay(&mut self, header: &BatchHeader, marker: Option<EndTxnMarker>) -> Option<CompletedTxn> {
        let mut completed = None;
        if header.has_producer_id() {
            let mut append = self.prepare(header.producer_id, AppendOrigin::Replication);
            // The origin says that nothing is refused.
            completed = append.append(header, marker, &TopicPartition::new("", 0)).ok().flatten();
            self.update(append);
        }
        self.end = header.next_offset();
        completed
    }

    /// Returns the first offset that a reader of committed records must not reach.
    pub fn first_unstable_offset(&self) -> Option<Offset> {
        let first = |(offset, _): (&Offset, _)| *offset;
        let ongoing = self.known().ongoing.first_key_value().map(|(offset, _)| *offset);
        let unreplicated =
            self.known().unreplicated.first_key_value().map(|(offset, last)| first((offset, last)));
        ongoing.into_iter().chain(unreplicated).min()
    }

    /// Forgets transactions that ended below the high watermark or the log's start.
    pub fn on_high_watermark(&mut self, high_watermark: Offset) {
        if let Some(known) = &mut self.known {
            known.unreplicated.retain(|_, last| *last >= high_watermark);
        }
    }

    /// Forgets producers that were silent for `producer.id.expiration.ms` and have no open transaction.
    pub fn remove_expired(&mut self, now: Timestamp, expiration_ms: i64) {
        let Some(known) = &mut self.known else { return };
        known.producers.retain(|_, entry| !entry.is_expired(now, expiration_ms));
        if known.producers.is_empty() && known.ongoing.is_empty() && known.unreplicated.is_empty() {
            self.known = None;
        }
    }

    /// Checks that a client's transactional batch belongs to a transaction that its coordinator knows of.
    pub fn check_transaction(&self, header: &BatchHeader, verified: bool) -> Result<(), StorageError> {
        let missing = header.is_transactional()
            && !header.is_control()
            && !verified
            && !self.has_ongoing_transaction(header.producer_id, header.producer_epoch);
        if missing {
            return Err(StorageError::InvalidTxnState(
                "Record was not part of an ongoing transaction".to_owned(),
            ));
        }
        Ok(())
    }
}

/// The sequence `by` before `sequence`; before 0 comes 2^31-1. Kafka: `DefaultRecordBatch.decrementSequence`.
fn decrement_sequence(sequence: i32, by: i32) -> i32 {
    if sequence < by {
        i32::MAX.wrapping_sub(by.wrapping_sub(sequence)).wrapping_add(1)
    } else {
        sequence - by
    }
}

/// Tells whether a batch that begins with `next` follows one that ended with `last`.
fn in_sequence(last: i32, next: i32) -> bool {
    i64::from(next) == i64::from(last) + 1 || (next == 0 && last == i32::MAX)
}

const NO_TIMESTAMP: Timestamp = Timestamp::NONE;
const NO_LAST_SEQUENCE: i32 = NO_SEQUENCE;

#[cfg(test)]
mod tests;
