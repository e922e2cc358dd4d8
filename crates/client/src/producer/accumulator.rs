//! Records that wait to be sent, in batches by partition; when each batch goes, and what comes of it.
//! Kafka: `RecordAccumulator`, and what `Sender` decides about batches.
//!
//! Invariants: batches of a partition leave in the order in which they were made, retried ones first; what waits and
//! what is in flight together take at most `buffer.memory`; a batch has its fate by `delivery.timeout.ms`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{NodeId, Offset, Timestamp, TopicPartition};
use protocol::ErrorCode;
use records::{BatchBuilder, BatchOptions, Codec, Compression, RecordBatch};

use super::batch::{Batch, BatchId, Contents, Drained, Work};
use super::delivery::{Completion, Delivery, Fate};
use super::murmur2::partition_for_key;
use super::partitioner::{RoundRobin, Sticky};
use super::record::ProducerRecord;
use super::sequences::Sequences;
use crate::cluster::ClusterMetadata;
use crate::config::{PartitionerClass, ProducerConfig};
use crate::error::{Error, Result};
use crate::settings::Backoff;

/// How fast the estimate of a topic's compression follows what is seen. Kafka: `CompressionRatioEstimator`.
const RATIO_IMPROVES: f64 = 0.005;
const RATIO_DETERIORATES: f64 = 0.05;

/// What the accumulator is configured with.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub batch_size: usize,
    pub buffer_memory: usize,
    pub max_request_size: usize,
    pub linger: Duration,
    pub delivery_timeout: Duration,
    pub retry_backoff: Backoff,
    pub retries: u32,
    pub compression: Compression,
    pub adaptive: bool,
    pub availability_timeout: Duration,
    pub partitioner: PartitionerClass,
    pub ignore_keys: bool,
    pub idempotent: bool,
    /// One request in flight: a partition waits for the answer to its batch.
    pub one_by_one: bool,
}

impl Limits {
    pub(super) fn new(config: &ProducerConfig) -> Self {
        Self {
            batch_size: config.batch_size,
            buffer_memory: config.buffer_memory,
            max_request_size: config.max_request_size,
            linger: config.linger,
            delivery_timeout: config.delivery_timeout,
            retry_backoff: config.client.retry_backoff,
            retries: config.retries,
            compression: config.compression,
            adaptive: config.adaptive_partitioning,
            availability_timeout: config.availability_timeout,
            partitioner: config.partitioner,
            ignore_keys: config.ignore_keys,
            idempotent: config.idempotence,
            one_by_one: config.max_in_flight == 1,
        }
    }
}

#[derive(Debug)]
pub(super) struct Accumulator {
    limits: Limits,
    next_id: u64,
    batches: BTreeMap<BatchId, Batch>,
    queues: BTreeMap<TopicPartition, VecDeque<BatchId>>,
    /// Partitions with a batch in flight, where they must wait for it.
    muted: BTreeSet<TopicPartition>,
    free: usize,
    /// Senders that wait for memory.
    starving: usize,
    flushing: usize,
    closing: bool,
    sticky: HashMap<Arc<str>, Sticky>,
    round_robin: RoundRobin,
    ratios: HashMap<Arc<str>, f64>,
    /// When each node last had something to send, and last could take it.
    nodes: HashMap<NodeId, (Instant, Instant)>,
    drained_to: HashMap<NodeId, TopicPartition>,
    pub sequences: Sequences,
}

/// What came of handing in a record.
pub(super) enum Append {
    /// It was taken in; `wake`: there may be something to send.
    Taken { delivery: Delivery, wake: bool },
    /// There is no memory for it.
    Full,
}

/// What can be sent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Ready {
    /// The nodes that something is ready for.
    pub nodes: BTreeSet<NodeId>,
    /// When to look again.
    pub next: Option<Instant>,
    /// Topics with records for partitions whose leader is not known.
    pub unknown_leaders: BTreeSet<Arc<str>>,
}

impl Accumulator {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            free: limits.buffer_memory,
            limits,
            next_id: 0,
            batches: BTreeMap::new(),
            queues: BTreeMap::new(),
            muted: BTreeSet::new(),
            starving: 0,
            flushing: 0,
            closing: false,
            sticky: HashMap::new(),
            round_robin: RoundRobin::default(),
            ratios: HashMap::new(),
            nodes: HashMap::new(),
            drained_to: HashMap::new(),
            sequences: Sequences::default(),
        }
    }

    /// Refuses records that can never be sent. Kafka: `KafkaProducer.ensureValidRecordSize`.
    pub(super) fn check_size(&self, record: &ProducerRecord) -> Result<()> {
        let size = size_upper_bound(record);
        if size > self.limits.max_request_size {
            return Err(Error::RecordTooLarge(format!(
                "The message is {size} bytes when serialized which is larger than {}, which is the value of the max.request.size configuration.",
                self.limits.max_request_size
            )));
        }
        if size > self.limits.buffer_memory {
            return Err(Error::RecordTooLarge(format!(
                "The message is {size} bytes when serialized which is larger than the total memory buffer you have configured with the buffer.memory configuration."
            )));
        }
        Ok(())
    }

    /// Takes a record in, for a topic whose partitions `metadata` knows. `chosen`: the partition, if it is decided
    /// already; `chance`: any number.
    pub(super) fn append(
        &mut self,
        now: Instant,
        metadata: &ClusterMetadata,
        record: &ProducerRecord,
        chosen: Option<i32>,
        timestamp: Timestamp,
        chance: u64,
    ) -> Result<Append> {
        if self.closing {
            return Err(Error::Closed("Cannot perform operation after producer has been closed".into()));
        }
        let decided = chosen.or_else(|| self.decide(record, metadata));
        let index = match decided {
            Some(index) => index,
            None => self.sticky_of(&record.topic).partition(&record.topic, metadata, chance),
        };
        let partition = TopicPartition::new(Arc::clone(&record.topic), index);
        let before = self.last_size(&partition);
        let Some((completion, at)) = self.append_to(now, &partition, record, timestamp)? else {
            return Ok(Append::Full);
        };
        let queue = self.queues.get(&partition);
        let full =
            queue.is_some_and(|queue| queue.len() > 1) || self.last(&partition).is_some_and(Batch::is_full);
        if decided.is_none() {
            let after = self.last_size(&partition);
            let written = if at == 0 { after } else { after.saturating_sub(before) };
            let last_is_full = self.last(&partition).is_some_and(Batch::is_full);
            let (size, topic) = (self.limits.batch_size, Arc::clone(&record.topic));
            self.sticky_of(&topic).wrote(written, size, last_is_full, &topic, metadata, chance >> 7);
        }
        Ok(Append::Taken { delivery: Delivery::new(completion, at, timestamp), wake: full || at == 0 })
    }

    /// The partition, where a rule other than stickiness decides.
    fn decide(&mut self, record: &ProducerRecord, metadata: &ClusterMetadata) -> Option<i32> {
        if self.limits.partitioner == PartitionerClass::RoundRobin {
            return Some(self.round_robin.partition(&record.topic, metadata));
        }
        let key = record.key.as_deref().filter(|_| !self.limits.ignore_keys)?;
        let count = metadata.topics.get(&record.topic).map_or(0, |topic| topic.partitions.len() as i32);
        Some(partition_for_key(key, count.max(1)))
    }

    fn sticky_of(&mut self, topic: &Arc<str>) -> &mut Sticky {
        self.sticky.entry(Arc::clone(topic)).or_default()
    }

    fn last(&self, partition: &TopicPartition) -> Option<&Batch> {
        self.batches.get(self.queues.get(partition)?.back()?)
    }

    fn last_size(&self, partition: &TopicPartition) -> usize {
        self.last(partition).map_or(0, Batch::size)
    }

    /// Puts the record into the last batch or a new one; gives its place, or nothing where there is no memory.
    fn append_to(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        record: &ProducerRecord,
        timestamp: Timestamp,
    ) -> Result<Option<(Arc<Completion>, i32)>> {
        let headers = record.wire_headers();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        if let Some(batch) =
            self.queues.get(partition).and_then(|queue| queue.back()).and_then(|id| self.batches.get_mut(id))
            && batch.numbered.is_none()
            && let Contents::Open(builder) = &mut batch.contents
            && builder.has_room_for(timestamp, key, value, &headers)
        {
            return append_record(batch, timestamp, key, value, &headers).map(Some);
        }
        let memory = self.limits.batch_size.max(size_upper_bound(record));
        if memory > self.free {
            return Ok(None);
        }
        let options = BatchOptions {
            compression: self.limits.compression,
            write_limit: self.limits.batch_size,
            compression_ratio: self.ratios.get(&partition.topic).copied().unwrap_or(1.0),
            ..Default::default()
        };
        let mut batch = Batch::new(partition.clone(), options, memory, now);
        let place = append_record(&mut batch, timestamp, key, value, &headers)?;
        self.free -= memory;
        let id = self.insert(batch);
        self.queues.entry(partition.clone()).or_default().push_back(id);
        Ok(Some(place))
    }

    fn insert(&mut self, batch: Batch) -> BatchId {
        let id = BatchId(self.next_id);
        self.next_id += 1;
        self.batches.insert(id, batch);
        id
    }

    /// How much of `buffer.memory` is free, in bytes.
    pub(super) fn free_memory(&self) -> usize {
        self.free
    }

    /// One more (or one fewer) sender waits for memory.
    pub(super) fn starve(&mut self, more: bool) {
        self.starving = if more { self.starving + 1 } else { self.starving.saturating_sub(1) };
    }

    /// Everything that waits shall go at once. Gives what to wait for.
    pub(super) fn begin_flush(&mut self) -> Vec<Arc<Completion>> {
        self.flushing += 1;
        self.batches.values().map(|batch| Arc::clone(&batch.completion)).collect()
    }

    pub(super) fn end_flush(&mut self) {
        self.flushing = self.flushing.saturating_sub(1);
    }

    /// Takes no more records; what waits goes at once.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether no batch is without its fate.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Which nodes something is ready for, of those that `can_send` allows. Kafka: `RecordAccumulator.ready`.
    pub(super) fn ready(
        &mut self,
        now: Instant,
        metadata: &ClusterMetadata,
        can_send: impl Fn(NodeId) -> bool,
    ) -> Ready {
        let mut ready = Ready::default();
        let hurry = self.starving > 0 || self.flushing > 0 || self.closing;
        let mut load: BTreeMap<&Arc<str>, Vec<(i32, usize)>> = BTreeMap::new();
        for (partition, queue) in &self.queues {
            let leader = metadata.leader(partition);
            if self.limits.adaptive
                && let Some(leader) = leader
                && self.is_available(leader)
            {
                load.entry(&partition.topic).or_default().push((partition.partition, queue.len()));
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
        let load: Vec<(Arc<str>, Vec<(i32, usize)>)> =
            load.into_iter().map(|(topic, queues)| (Arc::clone(topic), queues)).collect();
        for (topic, queues) in load {
            self.weigh(&topic, queues, metadata);
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

    /// Partitions without a queue count too, as empty ones.
    fn weigh(&mut self, topic: &Arc<str>, mut queues: Vec<(i32, usize)>, metadata: &ClusterMetadata) {
        if let Some(known) = metadata.topics.get(topic) {
            for partition in known.partitions.values() {
                let queued = queues.iter().any(|(index, _)| *index == partition.partition);
                if !queued && partition.leader.is_some_and(|leader| self.is_available(leader)) {
                    queues.push((partition.partition, 0));
                }
            }
        }
        self.sticky_of(topic).take_load(&queues);
    }

    fn is_available(&self, node: NodeId) -> bool {
        let timeout = self.limits.availability_timeout;
        let late = |(ready, drained): &(Instant, Instant)| ready.duration_since(*drained) > timeout;
        timeout.is_zero() || !self.nodes.get(&node).is_some_and(late)
    }

    /// How long the batch must wait; `None` for not at all.
    fn wait(
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
    pub(super) fn drain(&mut self, now: Instant, metadata: &ClusterMetadata, node: NodeId) -> Vec<Drained> {
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
            drained.push(self.take(id, &partition, metadata));
            self.drained_to.insert(node, partition);
        }
        drained
    }

    fn must_wait(&self, id: BatchId, batch: &Batch) -> bool {
        if !self.limits.idempotent {
            return false;
        }
        match batch.numbered {
            Some(_) => !self.sequences.is_first(&batch.partition, id),
            None => self.sequences.must_wait(&batch.partition),
        }
    }

    fn take(&mut self, id: BatchId, partition: &TopicPartition, metadata: &ClusterMetadata) -> Drained {
        if let Some(queue) = self.queues.get_mut(partition) {
            queue.pop_front();
        }
        if self.limits.one_by_one {
            self.muted.insert(partition.clone());
        }
        let batch = self.batches.get_mut(&id).expect("a queued batch is known");
        batch.sent = true;
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
    pub(super) fn sealed(&mut self, id: BatchId, sealed: RecordBatch, plain_size: usize) {
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
        batch.contents = Contents::Sealed(sealed);
    }

    /// The batch was written.
    pub(super) fn succeed(&mut self, id: BatchId, base: Option<Offset>, append_time: Option<Timestamp>) {
        let Some(batch) = self.remove(id) else { return };
        if let Some((identity, sequence)) = batch.numbered {
            self.sequences.acked(&batch.partition, identity, sequence, batch.count);
        }
        batch.completion.complete(Fate::Written { base, append_time });
    }

    /// The batch will not be written. `certain`: it surely was not, so that later numbers move up.
    pub(super) fn fail(&mut self, id: BatchId, fate: Fate, certain: bool) {
        let Some(batch) = self.remove(id) else { return };
        if let Some((identity, sequence)) = batch.numbered {
            if certain {
                for (other, number) in self.sequences.close_gap(&batch.partition, sequence, batch.count) {
                    if let Some(other) = self.batches.get_mut(&other).filter(|other| !other.sent) {
                        other.set_number(identity, number);
                    }
                }
            } else {
                self.sequences.forget(&batch.partition, identity, sequence);
                self.sequences.mark_unresolved(&batch.partition);
            }
        }
        batch.completion.complete(fate);
    }

    fn remove(&mut self, id: BatchId) -> Option<Batch> {
        let batch = self.batches.remove(&id)?;
        self.free += batch.memory;
        self.muted.remove(&batch.partition);
        if let Some(queue) = self.queues.get_mut(&batch.partition) {
            queue.retain(|queued| *queued != id);
        }
        Some(batch)
    }

    /// Whether the batch may be sent once more after `code`. Kafka: `Sender.canRetry`.
    pub(super) fn can_retry(
        &mut self,
        id: BatchId,
        now: Instant,
        code: Option<ErrorCode>,
        retriable: bool,
    ) -> bool {
        let Some(batch) = self.batches.get(&id) else { return false };
        if batch.attempts >= self.limits.retries || now >= batch.created + self.limits.delivery_timeout {
            return false;
        }
        let Some((identity, sequence)) = batch.numbered else { return retriable };
        match code {
            Some(
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                | ErrorCode::UNKNOWN_PRODUCER_ID
                | ErrorCode::INVALID_PRODUCER_EPOCH,
            ) => {
                let stale = Some(identity) != self.sequences.identity();
                let behind_another = !self.sequences.is_unresolved(&batch.partition)
                    && !self.sequences.is_next(&batch.partition, sequence);
                if code != Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) || !behind_another && !stale {
                    self.sequences.request_bump(&batch.partition);
                }
                true
            }
            _ => retriable,
        }
    }

    /// Puts the batch back into its place.
    pub(super) fn retry(&mut self, id: BatchId, now: Instant) {
        let Some(batch) = self.batches.get_mut(&id) else { return };
        batch.attempts += 1;
        batch.last_attempt = now;
        batch.sent = false;
        let partition = batch.partition.clone();
        self.muted.remove(&partition);
        self.requeue(&partition, id);
    }

    /// Ids grow with time, so that order by id is order of making; parts of a split batch were queued in order.
    fn requeue(&mut self, partition: &TopicPartition, id: BatchId) {
        let number = |id: &BatchId| self.batches.get(id).and_then(|batch| batch.numbered).map(|(_, at)| at);
        let queue = self.queues.get(partition);
        let before = |queued: &BatchId| match (number(queued), number(&id)) {
            (Some(theirs), Some(ours)) => theirs < ours,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => *queued < id,
        };
        let at = queue.map_or(0, |queue| queue.iter().take_while(|queued| before(queued)).count());
        self.queues.entry(partition.clone()).or_default().insert(at, id);
    }

    /// Makes several batches of one that was too large; false where it has one record. Kafka: `RecordAccumulator.splitAndReenqueue`.
    pub(super) fn split(&mut self, id: BatchId, now: Instant) -> bool {
        let Some(batch) = self.batches.get(&id).filter(|batch| batch.count > 1) else { return false };
        let Contents::Sealed(sealed) = &batch.contents else { return false };
        let Ok(parts) = split_records(sealed, &self.limits) else { return false };
        let topic = Arc::clone(&batch.partition.topic);
        let batch = self.remove(id).expect("the batch was there just now");
        self.ratios.insert(topic, 1.0);
        if let Some((identity, sequence)) = batch.numbered {
            self.sequences.forget(&batch.partition, identity, sequence);
        }
        let mut first = 0;
        let mut children = Vec::new();
        for builder in parts {
            let count = builder.record_count();
            let mut part = Batch::new(batch.partition.clone(), BatchOptions::default(), 0, batch.created);
            part.memory = builder.uncompressed_size().min(self.free);
            self.free -= part.memory;
            part.count = count;
            part.contents = Contents::Open(builder);
            part.last_attempt = now;
            children.push((first, Arc::clone(&part.completion)));
            if let Some((identity, sequence)) = batch.numbered {
                part.set_number(identity, records::increment_sequence(sequence, first));
            }
            // A part takes no more records: its size is what is known to fit.
            let numbered = part.numbered;
            let child = self.insert(part);
            if let Some((_, sequence)) = numbered {
                self.sequences.adopt(&batch.partition, child, sequence);
            }
            self.requeue_part(&batch.partition, child, children.len() - 1);
            first += count;
        }
        batch.completion.complete(Fate::Split(children));
        true
    }

    /// Without numbers, the parts go before all that waits.
    fn requeue_part(&mut self, partition: &TopicPartition, id: BatchId, nth: usize) {
        if self.limits.idempotent {
            return self.requeue(partition, id);
        }
        let queue = self.queues.entry(partition.clone()).or_default();
        queue.insert(nth.min(queue.len()), id);
    }

    /// Fails what is past `delivery.timeout.ms`; tells when to look again.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        let timeout = self.limits.delivery_timeout;
        let expired: Vec<BatchId> = self
            .batches
            .iter()
            .filter(|(_, batch)| now >= batch.created + timeout)
            .map(|(id, _)| *id)
            .collect();
        for id in expired {
            let batch = &self.batches[&id];
            let text = format!(
                "Expiring {} record(s) for {}:{} ms has passed since batch creation",
                batch.count,
                batch.partition,
                now.duration_since(batch.created).as_millis()
            );
            // A batch that was never sent has no number, and leaves no gap.
            self.fail(id, Fate::Failed(Error::Timeout(text)), false);
        }
        self.batches.values().map(|batch| batch.created + timeout).min()
    }

    /// Fails everything.
    pub(super) fn abort(&mut self, error: &Error) {
        let ids: Vec<BatchId> = self.batches.keys().copied().collect();
        for id in ids {
            self.fail(id, Fate::Failed(error.clone()), false);
        }
    }

    /// Raises the epoch if that is wanted, and numbers what is in flight anew. True if a new identity is needed.
    pub(super) fn settle_sequences(&mut self) -> bool {
        if !self.limits.idempotent {
            return false;
        }
        self.sequences.resolve();
        let mut renumber = self.sequences.bump();
        renumber.extend(self.sequences.restart_after_reset());
        for (id, identity, _) in renumber {
            let Some(batch) = self.batches.get_mut(&id) else { continue };
            let sequence = self.sequences.renumber(&batch.partition, id, batch.count);
            batch.set_number(identity, sequence);
        }
        self.sequences.identity().is_none()
    }
}

fn append_record(
    batch: &mut Batch,
    timestamp: Timestamp,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[records::Header<'_>],
) -> Result<(Arc<Completion>, i32)> {
    let Contents::Open(builder) = &mut batch.contents else {
        return Err(Error::IllegalState("the batch is closed".into()));
    };
    builder
        .append(timestamp, key, value, headers)
        .map_err(|error| Error::RecordTooLarge(error.to_string()))?;
    let index = batch.count;
    batch.count += 1;
    Ok((Arc::clone(&batch.completion), index))
}

fn size_upper_bound(record: &ProducerRecord) -> usize {
    BatchBuilder::size_upper_bound(record.key.as_deref(), record.value.as_deref(), &record.wire_headers())
}

/// The records of a batch in batches of about `batch.size`, taken to compress not at all.
fn split_records(sealed: &RecordBatch, limits: &Limits) -> Result<Vec<BatchBuilder>> {
    let options = BatchOptions {
        compression: limits.compression,
        write_limit: limits.batch_size,
        ..Default::default()
    };
    let decoded = sealed.decode(usize::MAX)?;
    let mut parts = vec![BatchBuilder::new(options.clone())];
    for record in decoded.iter() {
        let record = record?;
        let headers: Vec<records::Header<'_>> = record.headers.collect();
        let last = parts.last_mut().expect("there is always one");
        if last.has_room_for(record.timestamp, record.key, record.value, &headers) {
            last.append(record.timestamp, record.key, record.value, &headers)?;
        } else {
            let mut next = BatchBuilder::new(options.clone());
            next.append(record.timestamp, record.key, record.value, &headers)?;
            parts.push(next);
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
