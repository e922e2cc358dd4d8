//! One producer's last batches, epoch, and open transaction.

use model::{Offset, ProducerEpoch, ProducerId, Timestamp};
use records::BatchHeader;

use super::{NO_LAST_SEQUENCE, NO_TIMESTAMP, decrement_sequence};

/// How many batches of a producer are remembered. Kafka: `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`.
const RETAINED: usize = 5;

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMetadata {
    /// The sequence of its last record.
    pub last_sequence: i32,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// The last offset less the first.
    pub offset_delta: i32,
    /// Its greatest timestamp.
    pub timestamp: Timestamp,
}

impl BatchMetadata {
    /// Returns the sequence of the first record.
    pub fn first_sequence(&self) -> i32 {
        decrement_sequence(self.last_sequence, self.offset_delta)
    }

    /// Returns the offset of the first record.
    pub fn first_offset(&self) -> Offset {
        self.last_offset.plus(-i64::from(self.offset_delta))
    }
}

/// What is known of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStateEntry {
    /// Whose state it is.
    pub producer_id: ProducerId,
    /// Its present incarnation; [`ProducerEpoch::NONE`] if nothing was seen of it.
    pub producer_epoch: ProducerEpoch,
    /// The epoch of the coordinator that last ended a transaction of it; -1 for none.
    pub coordinator_epoch: i32,
    /// The timestamp of its last batch or marker.
    pub last_timestamp: Timestamp,
    /// Where its open transaction begins.
    pub current_txn_first_offset: Option<Offset>,
    batches: [BatchMetadata; RETAINED],
    count: u8,
}

impl ProducerStateEntry {
    /// Knows nothing of the producer.
    pub fn empty(producer_id: ProducerId) -> Self {
        Self {
            producer_id,
            producer_epoch: ProducerEpoch::NONE,
            coordinator_epoch: -1,
            last_timestamp: NO_TIMESTAMP,
            current_txn_first_offset: None,
            batches: Default::default(),
            count: 0,
        }
    }

    /// Returns the batches of the present epoch that are remembered, oldest first.
    pub fn batches(&self) -> &[BatchMetadata] {
        &self.batches[..usize::from(self.count)]
    }

    /// Returns the last batch of the present epoch.
    pub fn last_batch(&self) -> Option<&BatchMetadata> {
        self.batches().last()
    }

    /// Returns the sequence of the last record, or -1.
    pub fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_LAST_SEQUENCE, |batch| batch.last_sequence)
    }

    /// Returns the offset of the last record, or -1.
    pub fn last_data_offset(&self) -> Offset {
        self.last_batch().map_or(Offset(-1), |batch| batch.last_offset)
    }

    pub(super) fn is_expired(&self, now: Timestamp, expiration_ms: i64) -> bool {
        self.current_txn_first_offset.is_none()
            && now.0.saturating_sub(self.last_timestamp.0) >= expiration_ms
    }

    pub(super) fn find_duplicate(&self, header: &BatchHeader) -> Option<BatchMetadata> {
        if header.producer_epoch != self.producer_epoch {
            return None;
        }
        let range = (header.base_sequence, header.last_sequence());
        self.batches().iter().find(|batch| (batch.first_sequence(), batch.last_sequence) == range).copied()
    }

    /// The same producer before any of the batches that are about to be appended.
    pub(super) fn without_batches(mut self) -> Self {
        self.count = 0;
        self
    }

    pub(super) fn add_batch(&mut self, epoch: ProducerEpoch, batch: BatchMetadata) {
        self.set_epoch(epoch);
        self.push(batch);
        self.last_timestamp = batch.timestamp;
    }

    pub(crate) fn push(&mut self, batch: BatchMetadata) {
        if usize::from(self.count) == RETAINED {
            self.batches.rotate_left(1);
            self.count -= 1;
        }
        self.batches[usize::from(self.count)] = batch;
        self.count += 1;
    }

    pub(super) fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.producer_epoch != epoch {
            self.producer_epoch = epoch;
            self.count = 0;
        }
    }

    /// Takes over the state of an append: its batches go after those of the same epoch.
    pub(super) fn update(&mut self, next: &Self) {
        self.set_epoch(next.producer_epoch);
        for batch in next.batches() {
            self.push(*batch);
        }
        self.coordinator_epoch = next.coordinator_epoch;
        self.current_txn_first_offset = next.current_txn_first_offset;
        self.last_timestamp = next.last_timestamp;
    }
}
