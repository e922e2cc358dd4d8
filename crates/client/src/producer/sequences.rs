//! Numbering batches so that brokers write each once and in order. Kafka: `TransactionManager`, `TxnPartitionMap`.
//!
//! Invariants: per partition, sequences of one epoch run without a gap; while it is unknown whether a batch was
//! written, no new number is given out, and if that cannot be told the epoch is raised and numbers start at 0. After
//! the greatest number comes 0, so that which of two comes first is never asked by their size. The first batch of all
//! goes alone, for a broker that knows nothing of a producer takes any number from it: were the first refused and the
//! second taken, the first could never be written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::{ProducerEpoch, ProducerId, TopicPartition};
use records::increment_sequence;

use super::batch::BatchId;

/// A producer's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
}

/// The numbers of every partition.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    identity: Option<Identity>,
    partitions: BTreeMap<TopicPartition, Entry>,
    /// Partitions with batches whose fates are unknown, and the number after the last of those.
    unresolved: BTreeMap<TopicPartition, i32>,
    /// Partitions that something was written to under our producer id, so that a number is held against the last one.
    known: BTreeSet<TopicPartition>,
    /// Partitions whose numbers must start anew, once the epoch is raised.
    restart: BTreeSet<TopicPartition>,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    next: i32,
    last_acked: Option<i32>,
    /// Batches that have a number and no fate, in the order of their numbers.
    in_flight: VecDeque<(i32, BatchId)>,
}

impl Sequences {
    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(super) fn take_identity(&mut self, identity: Identity) {
        self.known.clear();
        self.identity = Some(identity);
    }

    /// Takes an identity with which the numbers of every partition start at 0.
    pub(super) fn start_anew(&mut self, identity: Identity) {
        let same = self.identity.is_some_and(|before| before.id == identity.id);
        let known = std::mem::take(&mut self.known);
        *self = Self {
            identity: Some(identity),
            known: if same { known } else { BTreeSet::new() },
            ..Self::default()
        };
    }

    /// Whether a partition's numbers would have to start anew because a batch's fate stayed unknown; it is told once.
    pub(super) fn take_lost(&mut self) -> bool {
        !std::mem::take(&mut self.restart).is_empty()
    }

    /// The number for a batch of `count` records, which is in flight from now on.
    pub(super) fn assign(
        &mut self,
        partition: &TopicPartition,
        batch: BatchId,
        count: i32,
    ) -> Option<(Identity, i32)> {
        let identity = self.identity?;
        let entry = self.partitions.entry(partition.clone()).or_insert_with(|| Entry::new(identity));
        if entry.identity != identity && entry.in_flight.is_empty() {
            *entry = Entry::new(identity);
        }
        let sequence = entry.next;
        entry.next = increment_sequence(sequence, count);
        entry.in_flight.push_back((sequence, batch));
        Some((entry.identity, sequence))
    }

    /// Whether a batch without a number must wait. Kafka: `RecordAccumulator.shouldStopDrainBatchesForPartition`.
    pub(super) fn must_wait(&self, partition: &TopicPartition) -> bool {
        let known = self.known.contains(partition);
        let held_up = self.partitions.get(partition).is_some_and(|entry| {
            !entry.in_flight.is_empty() && (!known || Some(entry.identity) != self.identity)
        });
        self.identity.is_none() || held_up || self.unresolved.contains_key(partition)
    }

    /// Whether a batch that has a number may go: it is the first of those in flight.
    pub(super) fn is_first(&self, partition: &TopicPartition, batch: BatchId) -> bool {
        let first = self.partitions.get(partition).and_then(|entry| entry.in_flight.front());
        first.is_none_or(|(_, first)| *first == batch)
    }

    /// Notes that a batch that already has a number is in flight, as part of a larger one.
    pub(super) fn adopt(&mut self, partition: &TopicPartition, batch: BatchId, sequence: i32) {
        if let Some(entry) = self.partitions.get_mut(partition) {
            let at = entry.in_flight.partition_point(|(other, _)| precedes(*other, sequence));
            entry.in_flight.insert(at, (sequence, batch));
        }
    }

    /// The batch was written, up to its last number.
    pub(super) fn acked(&mut self, partition: &TopicPartition, identity: Identity, first: i32, count: i32) {
        if let Some(entry) = self.partitions.get_mut(partition)
            && entry.identity == identity
        {
            if !self.known.contains(partition) {
                self.known.insert(partition.clone());
            }
            entry.leave(first);
            let last = increment_sequence(first, count - 1);
            entry.last_acked = match entry.last_acked {
                Some(known) if precedes(last, known) => Some(known),
                _ => Some(last),
            };
        }
    }

    /// The batch leaves; its fate may be unknown.
    pub(super) fn forget(&mut self, partition: &TopicPartition, identity: Identity, first: i32) {
        if let Some(entry) = self.partitions.get_mut(partition)
            && entry.identity == identity
        {
            entry.leave(first);
        }
    }

    /// The batch was certainly not written: later ones move up. Gives the batches that got a new number.
    pub(super) fn close_gap(
        &mut self,
        partition: &TopicPartition,
        identity: Identity,
        first: i32,
        count: i32,
    ) -> Vec<(BatchId, i32)> {
        let entry = self.partitions.get_mut(partition).filter(|entry| entry.identity == identity);
        let Some((entry, gap)) = entry.and_then(|entry| entry.leave(first).map(|gap| (entry, gap))) else {
            return Vec::new();
        };
        entry.next = decrement(entry.next, count);
        let behind = entry.in_flight.range_mut(gap..);
        let move_up = |(at, batch): &mut (i32, BatchId)| {
            *at = decrement(*at, count);
            (*batch, *at)
        };
        behind.map(move_up).collect()
    }

    /// The fate of `count` records from the number `first` on stays unknown.
    pub(super) fn mark_unresolved(&mut self, partition: &TopicPartition, first: i32, count: i32) {
        let after = increment_sequence(first, count);
        let known = self.unresolved.entry(partition.clone()).or_insert(after);
        if precedes(*known, after) {
            *known = after;
        }
    }

    pub(super) fn is_unresolved(&self, partition: &TopicPartition) -> bool {
        self.unresolved.contains_key(partition)
    }

    /// Whether a broker that finds `first` out of order lacks what came before for good. It may not, where that has not
    /// been answered: then a new epoch would have written twice what is there already.
    pub(super) fn is_gap(&self, partition: &TopicPartition, first: i32) -> bool {
        match self.unresolved.get(partition) {
            Some(after) => first == *after,
            None => self.is_next(partition, first),
        }
    }

    /// Whether `first` follows what was last written.
    pub(super) fn is_next(&self, partition: &TopicPartition, first: i32) -> bool {
        let last = self.partitions.get(partition).and_then(|entry| entry.last_acked);
        first == last.map_or(0, |last| increment_sequence(last, 1))
    }

    /// Asks for a new epoch, after which the numbers of `partition` start at 0.
    pub(super) fn request_bump(&mut self, partition: &TopicPartition) {
        self.restart.insert(partition.clone());
    }

    /// Settles partitions whose fate was unknown and that have nothing in flight any more.
    pub(super) fn resolve(&mut self) {
        let settled: Vec<TopicPartition> = self
            .unresolved
            .keys()
            .filter(|name| self.partitions.get(*name).is_none_or(|entry| entry.in_flight.is_empty()))
            .cloned()
            .collect();
        for name in settled {
            self.unresolved.remove(&name);
            let next = self.partitions.get(&name).map_or(0, |entry| entry.next);
            if !self.is_next(&name, next) {
                self.restart.insert(name);
            }
        }
    }

    /// Raises the epoch if that was asked for. Gives the batches that got a new number, with it; the identity is
    /// gone if the epochs are used up, and a new one must be asked for.
    pub(super) fn bump(&mut self) -> Vec<(BatchId, Identity, i32)> {
        let Some(identity) = self.identity.filter(|_| !self.restart.is_empty()) else { return Vec::new() };
        if identity.epoch.0 == i16::MAX {
            self.identity = None;
            return Vec::new();
        }
        let raised = Identity { id: identity.id, epoch: ProducerEpoch(identity.epoch.0 + 1) };
        self.identity = Some(raised);
        self.restart_with(raised)
    }

    /// The partitions that must start anew and have batches in flight, which [`Sequences::renumber`] numbers again.
    fn restart_with(&mut self, identity: Identity) -> Vec<(BatchId, Identity, i32)> {
        let mut order = Vec::new();
        for name in std::mem::take(&mut self.restart) {
            self.unresolved.remove(&name);
            self.known.remove(&name);
            let waiting = self.partitions.remove(&name).map(|entry| entry.in_flight).unwrap_or_default();
            self.partitions.insert(name, Entry::new(identity));
            order.extend(waiting.into_iter().map(|(_, batch)| (batch, identity, 0)));
        }
        order
    }

    /// Gives a batch that was in flight its number in the new epoch.
    pub(super) fn renumber(&mut self, partition: &TopicPartition, batch: BatchId, count: i32) -> i32 {
        self.assign(partition, batch, count).map_or(0, |(_, sequence)| sequence)
    }

    /// After a new identity came when epochs were used up: everything starts anew.
    pub(super) fn restart_after_reset(&mut self) -> Vec<(BatchId, Identity, i32)> {
        match self.identity {
            Some(identity) if !self.restart.is_empty() => self.restart_with(identity),
            _ => Vec::new(),
        }
    }
}

/// Whether `one` comes before `other`, where they are not far apart; after the greatest comes 0 again.
pub(super) fn precedes(one: i32, other: i32) -> bool {
    one != other && decrement(other, one) < i32::MAX / 2
}

/// The sequence `count` before `sequence`. Kafka: `DefaultRecordBatch.decrementSequence`.
fn decrement(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_sub(count) & i32::MAX
}

impl Entry {
    fn new(identity: Identity) -> Self {
        Self { identity, next: 0, last_acked: None, in_flight: VecDeque::new() }
    }

    /// Takes out the batch with the number `first`; gives the place where it was.
    fn leave(&mut self, first: i32) -> Option<usize> {
        let at = self.in_flight.iter().position(|(at, _)| *at == first)?;
        self.in_flight.remove(at);
        Some(at)
    }
}

#[cfg(test)]
mod tests;
