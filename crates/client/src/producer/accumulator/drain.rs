//! When batches go, and which go together. Kafka: `RecordAccumulator.ready`, `RecordAccumulator.drain`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use model::{NodeId, TopicPartition};
use records::{Codec, RecordBatch};

use super::super::batch::{Batch, BatchId, Contents, Drained, Work};
use super::super::transactions::Transactions;
use super::Accumulator;
use crate::cluster::ClusterMetadata;

/// How fast the estimate of a topic's compression follows what is seen. Kafka: `CompressionRatioEstimator`.
const RATIO_IMPROVES: f64 = 0.005;
const RATIO_DETERIORATES: f64 = 0.05;

/// What can be sent.
#[derive(Debug, Default, PartialEq)]
pub(in crate::producer) struct Ready {
    /// The nodes that something is ready for.
    pub nodes: BTreeSet<NodeId>,
    /// When to look again.
    pub next: Option<Instant>,
    /// Topics with records for partitions whose leader is not known.
    pub unknown_leaders: BTreeSet<Arc<str>>,
}

impl Accumulator {
    /// Which nodes something is ready for, of those that `can_send` allows. Kafka: `RecordAccumulator.ready`.
    pub(in crate::producer) fn ready(
        &mut self,
        now: Instant,
        metadata: &ClusterMetadata,
        can_send: impl Fn(NodeId) -> bool,
    ) -> Ready {
        let mut ready = Ready::default();
        let completing = self.transactions.as_ref().is_some_and(Transactions::is_completing);
        let hurry = !self.starving.is_empty() || self.flushing > 0 || self.closing || completing;
        let mut load: BTreeMap<&Arc<str>, BTreeMap<i32, usize>> = BTreeMap::new();
        for (partition, queue) in &self.queues {
            let leader = metadata.leader(partition);
            if self.limits.adaptive {
                load.entry(&partition.topic).or_default().insert(partition.partition, queue.len());
            }
            let Some(first) = queue.front().and_then(|id| self.batches.get(id)) else { continue };
            let Some(leader) = leader else {
                ready.unknown_leaders.insert(Arc::clone(&partition.topic));
                continue;
            };
            if self.muted.contains(partition) || ready.nodes.contains(&leader) {
                continue;
            }
            let full = queue.len() > 1 || first.is_full();
            match self.wait(first, now, full || hurry, metadata) {
                None => drop(ready.nodes.insert(leader)),
                Some(at) => ready.next = Some(ready.next.map_or(at, |next| next.min(at))),
            }
        }
        let load: Vec<_> = load.into_iter().map(|(topic, queues)| (Arc::clone(topic), queues)).collect();
        for (topic, queues) in load {
            self.weigh(&topic, &queues, metadata);
        }
        let timeout = self.limits.availability_timeout;
        ready.nodes.retain(|node| {
            let can = can_send(*node);
            if !timeout.is_zero() {
                let seen = self.nodes.entry(*node).or_insert((now, now));
                *seen = (now, if can { now } else { seen.1 });
            }
            can
        });
        ready
    }

    /// Partitions without a queue count too, as empty ones; those of a node that takes nothing for long are left out.
    fn weigh(&mut self, topic: &Arc<str>, lengths: &BTreeMap<i32, usize>, metadata: &ClusterMetadata) {
        let Some(known) = metadata.topics.get(topic) else { return };
        let (mut queues, mut left_out) = (Vec::new(), 0);
        for partition in known.partitions.values() {
            match partition.leader {
                Some(leader) if self.is_available(leader) => {
                    let length = lengths.get(&partition.partition).copied().unwrap_or(0);
                    queues.push((partition.partition, length));
                }
                Some(_) => left_out += 1,
                None => {}
            }
        }
        self.sticky_of(topic).take_load(&queues, left_out);
    }

    fn is_available(&self, node: NodeId) -> bool {
        let timeout = self.limits.availability_timeout;
        let late = |(ready, drained): &(Instant, Instant)| ready.duration_since(*drained) > timeout;
        timeout.is_zero() || !self.nodes.get(&node).is_some_and(late)
    }

    /// How long the batch must wait; `None` for not at all.
    pub(super) fn wait(
        &self,
        batch: &Batch,
        now: Instant,
        sendable: bool,
        metadata: &ClusterMetadata,
    ) -> Option<Instant> {
        let newer_leader = metadata.leader_and_epoch(&batch.partition).epoch > batch.leader_epoch;
        if batch.attempts > 0 && !newer_leader {
            // The spread of the backoff comes from the batch, so that asking twice gives the same answer.
            let backoff =
                self.limits.retry_backoff.delay(batch.attempts - 1, u64::from(batch.count.unsigned_abs()));
            let at = batch.last_attempt + backoff;
            return (at > now).then_some(at);
        }
        let at = batch.created + self.limits.linger;
        (!sendable && batch.attempts == 0 && at > now).then_some(at)
    }

    /// Takes the batches that go to `node` in one request. Kafka: `RecordAccumulator.drainBatchesForOneNode`.
    pub(in crate::producer) fn drain(
        &mut self,
        now: Instant,
        metadata: &ClusterMetadata,
        node: NodeId,
    ) -> Vec<Drained> {
        let led = |partition: &&TopicPartition| metadata.leader(partition) == Some(node);
        let mut partitions: Vec<TopicPartition> = self.queues.keys().filter(led).cloned().collect();
        if let Some(last) = self.drained_to.get(&node) {
            let start = partitions.partition_point(|partition| partition <= last);
            partitions.rotate_left(start);
        }
        let mut drained = Vec::new();
        let mut size = 0;
        for partition in partitions {
            let Some(id) = self.queues.get(&partition).and_then(|queue| queue.front().copied()) else {
                continue;
            };
            let Some(batch) = self.batches.get(&id) else { continue };
            let backing_off = batch.attempts > 0 && self.wait(batch, now, true, metadata).is_some();
            if self.muted.contains(&partition) || backing_off || self.must_wait(id, batch) {
                continue;
            }
            if size + batch.size() > self.limits.max_request_size && !drained.is_empty() {
                break;
            }
            size += batch.size();
            drained.push(self.take(id, &partition, metadata, now));
            self.drained_to.insert(node, partition);
        }
        drained
    }

    fn must_wait(&self, id: BatchId, batch: &Batch) -> bool {
        if !self.limits.idempotent {
            return false;
        }
        let outside = |transactions: &Transactions| !transactions.may_send_to(&batch.partition);
        if self.transactions.as_ref().is_some_and(outside) {
            return true;
        }
        match batch.numbered {
            Some(_) => !self.sequences.is_first(&batch.partition, id),
            None => self.sequences.must_wait(&batch.partition),
        }
    }

    fn take(
        &mut self,
        id: BatchId,
        partition: &TopicPartition,
        metadata: &ClusterMetadata,
        now: Instant,
    ) -> Drained {
        if let Some(queue) = self.queues.get_mut(partition) {
            queue.pop_front();
        }
        if self.limits.one_by_one {
            self.muted.insert(partition.clone());
        }
        let batch = self.batches.get_mut(&id).expect("a queued batch is known");
        self.measures.sent += batch.count as u64;
        self.measures.queue_times.add_time(now.saturating_duration_since(batch.last_attempt));
        batch.leader_epoch = metadata.leader_and_epoch(partition).epoch;
        if self.limits.idempotent
            && batch.numbered.is_none()
            && let Some((identity, sequence)) = self.sequences.assign(partition, id, batch.count)
        {
            batch.set_number(identity, sequence);
        }
        let work = match std::mem::replace(&mut batch.contents, Contents::Building) {
            Contents::Open(builder) => Work::Build(Box::new(builder)),
            Contents::Sealed(sealed) => {
                let bytes = sealed.clone().into_bytes();
                batch.contents = Contents::Sealed(sealed);
                Work::Send(bytes)
            }
            Contents::Building => {
                unreachable!("a batch is built by the one sender before it is queued again")
            }
        };
        Drained { id, partition: partition.clone(), work }
    }

    /// Takes the built form of a batch, and learns how well its topic compresses.
    pub(in crate::producer) fn sealed(&mut self, id: BatchId, sealed: RecordBatch, plain_size: usize) {
        let Some(batch) = self.batches.get_mut(&id) else { return };
        if self.limits.compression.codec() != Codec::None && plain_size > 0 {
            let seen = sealed.size() as f64 / plain_size as f64;
            let ratio = self.ratios.entry(Arc::clone(&batch.partition.topic)).or_insert(1.0);
            *ratio = if seen > *ratio {
                (*ratio + RATIO_DETERIORATES).max(seen)
            } else {
                (*ratio - RATIO_IMPROVES).max(seen)
            };
        }
        self.measures.batch_sizes.add(sealed.size() as f64);
        batch.contents = Contents::Sealed(sealed);
    }
}
