//! What is known of one transactional id, and the steps from one state to the next.
//!
//! Each step is a plain function from what is to what shall be; it is written to the log and only then becomes true.
//!
//! Kafka: `TransactionMetadata`, `TxnTransitMetadata`.

use std::collections::BTreeSet;

use model::{ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use protocol::ErrorCode;

use super::TransactionState;

/// The level of the feature `transaction.version` that a request was made at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionVersion(pub i16);

impl TransactionVersion {
    /// Tells whether the epoch rises with every transaction (KIP-890 part 2).
    pub fn bumps_epoch(self) -> bool {
        self.0 >= 2
    }

    /// Returns the version in which records are written. Kafka: `TransactionVersion.transactionLogValueVersion`.
    pub fn record_version(self) -> i16 {
        (self.0 >= 1).into()
    }
}

/// A producer by id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The id.
    pub id: ProducerId,
    /// The epoch.
    pub epoch: ProducerEpoch,
}

impl Producer {
    /// No producer, as answers with an error carry it.
    pub const NONE: Self = Self { id: ProducerId::NONE, epoch: ProducerEpoch::NONE };
}

/// The last epoch that a producer id may have before a new id is needed: one below the largest, so that there is always
/// one left to fence with. Kafka: `TransactionMetadata.isEpochExhausted`.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// Tells whether an epoch is the last of its producer id.
pub fn is_exhausted(epoch: ProducerEpoch) -> bool {
    epoch.0 >= LAST_EPOCH
}

/// What is known of one transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionMetadata {
    /// The producer that may act now. The epoch is -1 until the id is first given out.
    pub producer: Producer,
    /// The producer id before the last change; -1 for none.
    pub previous_producer_id: ProducerId,
    /// The producer id that takes over when the transaction is complete; -1 for none.
    pub next_producer_id: ProducerId,
    /// The epoch before the last change, for retries; -1 for none. Lives in memory alone, as in Kafka.
    pub last_epoch: ProducerEpoch,
    /// How long a transaction may take, in milliseconds.
    pub timeout_ms: i32,
    /// Where it stands.
    pub state: TransactionState,
    /// The transaction's partitions.
    pub partitions: BTreeSet<TopicPartition>,
    /// When the transaction began; -1 if there is none.
    pub start: Timestamp,
    /// When anything last changed.
    pub last_update: Timestamp,
    /// The level that the client used when the state last changed.
    pub client_version: TransactionVersion,
}

impl TransactionMetadata {
    /// Makes the state of an id that was never seen, before its first epoch.
    pub fn new(producer_id: ProducerId, timeout_ms: i32, now: Timestamp) -> Self {
        Self {
            producer: Producer { id: producer_id, epoch: ProducerEpoch::NONE },
            previous_producer_id: ProducerId::NONE,
            next_producer_id: ProducerId::NONE,
            last_epoch: ProducerEpoch::NONE,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            start: Timestamp::NONE,
            last_update: now,
            client_version: TransactionVersion::default(),
        }
    }

    /// Raises the epoch for a producer that starts or starts over. A retry of a call that succeeded gets the same epoch
    /// again. Kafka: `prepareIncrementProducerEpoch`.
    pub fn with_next_epoch(
        &self,
        timeout_ms: i32,
        expected: Option<ProducerEpoch>,
        now: Timestamp,
    ) -> Result<Self, ErrorCode> {
        let current = self.producer.epoch;
        let (epoch, last_epoch) = match expected {
            None => (next(current), ProducerEpoch::NONE),
            Some(expected) if current == ProducerEpoch::NONE || expected == current => {
                (next(current), current)
            }
            Some(expected) if expected == self.last_epoch => (current, self.last_epoch),
            Some(_) => return Err(ErrorCode::PRODUCER_FENCED),
        };
        Ok(self.empty(Producer { id: self.producer.id, epoch }, last_epoch, timeout_ms, now))
    }

    /// Takes a new producer id since the old one has no epochs left. Kafka: `prepareProducerIdRotation`.
    pub fn with_new_producer_id(
        &self,
        id: ProducerId,
        timeout_ms: i32,
        keep_last_epoch: bool,
        now: Timestamp,
    ) -> Self {
        let last_epoch = if keep_last_epoch { self.producer.epoch } else { ProducerEpoch::NONE };
        self.empty(Producer { id, epoch: ProducerEpoch(0) }, last_epoch, timeout_ms, now)
    }

    fn empty(&self, producer: Producer, last_epoch: ProducerEpoch, timeout_ms: i32, now: Timestamp) -> Self {
        Self {
            producer,
            previous_producer_id: self.producer.id,
            next_producer_id: ProducerId::NONE,
            last_epoch,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            start: Timestamp::NONE,
            last_update: now,
            client_version: self.client_version,
        }
    }

    /// Adds partitions, beginning a transaction if there is none. Kafka: `prepareAddPartitions`.
    pub fn with_partitions(
        &self,
        added: impl IntoIterator<Item = TopicPartition>,
        client_version: TransactionVersion,
        now: Timestamp,
    ) -> Self {
        let mut to = self.clone();
        if self.state != TransactionState::Ongoing {
            to.start = now;
        }
        to.partitions.extend(added);
        Self {
            state: TransactionState::Ongoing,
            previous_producer_id: self.producer.id,
            next_producer_id: ProducerId::NONE,
            last_update: now,
            client_version,
            ..to
        }
    }

    /// Takes the epoch away from the producer that has it, on the way to an abort. That epoch is never handed out.
    /// Kafka: `prepareFenceProducerEpoch`.
    pub fn fenced(&self) -> Self {
        let epoch = next(self.producer.epoch);
        Self {
            producer: Producer { epoch, ..self.producer },
            last_epoch: ProducerEpoch::NONE,
            ..self.clone()
        }
    }

    /// Decides the transaction's end. At level 2 the epoch rises, or a new producer id takes over if it cannot.
    /// Kafka: `prepareAbortOrCommit`.
    pub fn prepared(
        &self,
        commit: bool,
        client_version: TransactionVersion,
        next_producer_id: ProducerId,
        now: Timestamp,
    ) -> Self {
        let mut to = self.clone();
        if client_version.bumps_epoch() {
            to.last_epoch = self.producer.epoch;
            to.producer.epoch = next(self.producer.epoch);
        }
        if self.state != TransactionState::Ongoing {
            // An abort of a transaction that never got a partition.
            to.start = now;
        }
        Self {
            state: if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort },
            previous_producer_id: self.producer.id,
            next_producer_id,
            last_update: now,
            client_version,
            ..to
        }
    }

    /// Ends a transaction whose markers are all written. Kafka: `prepareComplete`.
    pub fn complete(&self, now: Timestamp) -> Self {
        let rotates = self.client_version.bumps_epoch() && self.next_producer_id != ProducerId::NONE;
        let producer = if rotates {
            Producer { id: self.next_producer_id, epoch: ProducerEpoch(0) }
        } else {
            self.producer
        };
        let state = match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        };
        Self {
            producer,
            previous_producer_id: self.producer.id,
            next_producer_id: ProducerId::NONE,
            state,
            partitions: BTreeSet::new(),
            last_update: now,
            ..self.clone()
        }
    }
}

/// The next epoch; the largest stays, since there is nothing above it.
fn next(epoch: ProducerEpoch) -> ProducerEpoch {
    ProducerEpoch(epoch.0.saturating_add(1))
}
