//! A batch of records for one partition, from its first record to its fate. Kafka: `ProducerBatch`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use model::{LeaderEpoch, TopicPartition};
use records::{BatchBuilder, BatchOptions, RecordBatch};

use super::delivery::Completion;
use super::sequences::Identity;

/// Names a batch within its producer; later batches have larger ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct BatchId(pub u64);

#[derive(Debug)]
pub(super) struct Batch {
    pub partition: TopicPartition,
    pub completion: Arc<Completion>,
    pub created: Instant,
    pub last_attempt: Instant,
    pub attempts: u32,
    pub contents: Contents,
    pub count: i32,
    /// What it takes of `buffer.memory`.
    pub memory: usize,
    pub numbered: Option<(Identity, i32)>,
    /// Whether it is part of a transaction.
    pub transactional: bool,
    /// The leader's epoch at the last attempt: a newer leader is tried at once.
    pub leader_epoch: LeaderEpoch,
}

#[derive(Debug)]
pub(super) enum Contents {
    /// Takes records.
    Open(BatchBuilder),
    /// Being compressed by the sender.
    Building,
    /// Takes none any more.
    Sealed(RecordBatch),
}

impl Batch {
    pub(super) fn new(partition: TopicPartition, options: BatchOptions, memory: usize, now: Instant) -> Self {
        Self {
            completion: Completion::new(partition.clone()),
            partition,
            created: now,
            last_attempt: now,
            attempts: 0,
            contents: Contents::Open(BatchBuilder::new(options)),
            count: 0,
            memory,
            numbered: None,
            transactional: false,
            leader_epoch: LeaderEpoch::NONE,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        match &self.contents {
            Contents::Open(builder) => builder.is_full(),
            Contents::Building | Contents::Sealed(_) => true,
        }
    }

    /// Its size in bytes, or what that will be about.
    pub(super) fn size(&self) -> usize {
        match &self.contents {
            Contents::Open(builder) => builder.estimated_size(),
            Contents::Sealed(batch) => batch.size(),
            Contents::Building => 0,
        }
    }

    /// Gives the batch its number, in the bytes too.
    pub(super) fn set_number(&mut self, identity: Identity, sequence: i32) {
        self.numbered = Some((identity, sequence));
        match &mut self.contents {
            Contents::Open(builder) => {
                builder.set_producer_state(identity.id, identity.epoch, sequence, self.transactional);
            }
            Contents::Sealed(batch) => {
                batch.set_producer_state(identity.id, identity.epoch, sequence, self.transactional);
            }
            Contents::Building => {}
        }
    }
}

/// A batch on its way out.
#[derive(Debug)]
pub(super) struct Drained {
    pub id: BatchId,
    pub partition: TopicPartition,
    pub work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// To be built, which may mean to be compressed.
    Build(Box<BatchBuilder>),
    /// As it was sent before.
    Send(Bytes),
}
