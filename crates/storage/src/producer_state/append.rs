//! Validates the batches of one producer in one append, against its state and against each other.

use model::{Offset, ProducerEpoch, ProducerId, TopicPartition};
use records::{BatchHeader, EndTxnMarker};

use super::entry::{BatchMetadata, ProducerStateEntry};
use super::{NO_LAST_SEQUENCE, in_sequence};
use crate::{AppendOrigin, StorageError};

/// A transaction that a marker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// The offset of its first record.
    pub first_offset: Offset,
    /// The offset of the marker.
    pub last_offset: Offset,
    /// Whether it was aborted, else committed.
    pub is_aborted: bool,
}

/// One producer's state as it will be once the batches validated so far are appended.
#[derive(Debug)]
pub struct ProducerAppend {
    current: ProducerStateEntry,
    updated: ProducerStateEntry,
    origin: AppendOrigin,
    started: Vec<Offset>,
}

impl ProducerAppend {
    pub(super) fn new(current: ProducerStateEntry, origin: AppendOrigin) -> Self {
        Self { current, updated: current.without_batches(), origin, started: Vec::new() }
    }

    /// Whose state it is.
    pub fn producer_id(&self) -> ProducerId {
        self.current.producer_id
    }

    pub(super) fn started_transactions(&self) -> &[Offset] {
        &self.started
    }

    pub(super) fn updated(&self) -> &ProducerStateEntry {
        &self.updated
    }

    /// Validates a batch and takes it in; `marker` is what a control batch holds, if it is a marker.
    /// Returns the transaction that it ends. `partition` is for the texts of errors.
    pub fn append(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTxnMarker>,
        partition: &TopicPartition,
    ) -> Result<Option<CompletedTxn>, StorageError> {
        match marker {
            Some(marker) => self.append_marker(header, marker, partition),
            // A control batch without a marker had its transaction cleaned away.
            None if header.is_control() => Ok(None),
            None => self.append_data(header, partition).map(|()| None),
        }
    }

    fn append_data(&mut self, header: &BatchHeader, partition: &TopicPartition) -> Result<(), StorageError> {
        self.check_epoch(header.producer_epoch, header.base_offset, partition)?;
        if self.origin == AppendOrigin::Client {
            self.check_sequence(header, partition)?;
        }
        let batch = BatchMetadata {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        };
        self.updated.add_batch(header.producer_epoch, batch);
        match (self.updated.current_txn_first_offset, header.is_transactional()) {
            (Some(_), false) if self.origin != AppendOrigin::Replication => {
                Err(StorageError::InvalidTxnState(format!(
                    "Expected transactional write from producer {} at offset {} in partition {partition}",
                    header.producer_id, header.base_offset
                )))
            }
            (None, true) => {
                self.updated.current_txn_first_offset = Some(header.base_offset);
                self.started.push(header.base_offset);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_epoch(
        &self,
        epoch: ProducerEpoch,
        offset: Offset,
        partition: &TopicPartition,
    ) -> Result<(), StorageError> {
        if epoch >= self.updated.producer_epoch || self.origin == AppendOrigin::Replication {
            return Ok(());
        }
        Err(StorageError::InvalidProducerEpoch(format!(
            "Epoch of producer {} at offset {offset} in {partition} is {epoch}, \
             which is smaller than the last seen epoch {}",
            self.producer_id(),
            self.updated.producer_epoch
        )))
    }

    fn check_sequence(&self, header: &BatchHeader, partition: &TopicPartition) -> Result<(), StorageError> {
        let (epoch, first) = (header.producer_epoch, header.base_sequence);
        let known = self.updated.producer_epoch;
        if epoch != known {
            if first == 0 || known == ProducerEpoch::NONE {
                return Ok(());
            }
            return Err(StorageError::OutOfOrderSequence(format!(
                "Invalid sequence number for new epoch of producer {} at offset {} in partition {partition}: \
                 {epoch} (request epoch), {first} (seq. number), {known} (current producer epoch)",
                self.producer_id(),
                header.base_offset
            )));
        }
        let last = match (self.updated.last_batch(), epoch == self.current.producer_epoch) {
            (Some(batch), _) => batch.last_sequence,
            (None, true) => self.current.last_sequence(),
            (None, false) => NO_LAST_SEQUENCE,
        };
        // A producer of which nothing is known any more may go on where it was.
        if self.current.producer_epoch == ProducerEpoch::NONE || in_sequence(last, first) {
            return Ok(());
        }
        Err(StorageError::OutOfOrderSequence(format!(
            "Out of order sequence number for producer {} at offset {} in partition {partition}: \
             {first} (incoming seq. number), {last} (current end sequence number)",
            self.producer_id(),
            header.base_offset
        )))
    }

    fn append_marker(
        &mut self,
        header: &BatchHeader,
        marker: EndTxnMarker,
        partition: &TopicPartition,
    ) -> Result<Option<CompletedTxn>, StorageError> {
        self.check_epoch(header.producer_epoch, header.base_offset, partition)?;
        let known = self.updated.coordinator_epoch;
        if known > marker.coordinator_epoch && self.origin != AppendOrigin::Replication {
            return Err(StorageError::TransactionCoordinatorFenced(format!(
                "Invalid coordinator epoch for producerId {} at offset {} in partition {partition}: \
                 {} (zombie), {known} (current)",
                self.producer_id(),
                header.base_offset,
                marker.coordinator_epoch
            )));
        }
        let completed = self.updated.current_txn_first_offset.map(|first_offset| CompletedTxn {
            producer_id: self.producer_id(),
            first_offset,
            last_offset: header.base_offset,
            is_aborted: !marker.commit,
        });
        self.updated.set_epoch(header.producer_epoch);
        self.updated.coordinator_epoch = marker.coordinator_epoch;
        self.updated.current_txn_first_offset = None;
        // A marker's batch has one record, so its greatest timestamp is the marker's.
        self.updated.last_timestamp = header.max_timestamp;
        Ok(completed)
    }
}
