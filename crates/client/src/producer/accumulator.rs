//! Records that wait to be sent, in batches by partition; when each batch goes, and what comes of it.
//! Kafka: `RecordAccumulator`, and what `Sender` decides about batches.
//!
//! Invariants: batches of a partition leave in the order in which they were made, retried ones first; what waits and
//! what is in flight together take at most `buffer.memory`; a batch has its fate by `delivery.timeout.ms`.

mod drain;
mod fates;
mod split;
mod transactional;

pub(super) use drain::Ready;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{NodeId, Timestamp, TopicPartition};
use records::{BatchBuilder, BatchOptions, Compression};

use super::batch::{Batch, BatchId, Contents};
use super::delivery::{Completion, Delivery};
use super::measures::Measures;
use super::murmur2::partition_for_key;
use super::partitioner::{RoundRobin, Sticky};
use super::record::ProducerRecord;
use super::sequences::Sequences;
use super::transactions::Transactions;
use crate::cluster::ClusterMetadata;
use crate::config::{PartitionerClass, ProducerConfig};
use crate::error::{Error, Result};
use crate::metrics::ClientMetric;
use crate::settings::Backoff;

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
    /// Memory was given back since that was last asked.
    freed: bool,
    /// Those that wait for memory, the first one first. Nobody else gets any, or a large record would wait for ever.
    starving: VecDeque<Turn>,
    next_turn: u64,
    flushing: usize,
    closing: bool,
    sticky: HashMap<Arc<str>, Sticky>,
    round_robin: RoundRobin,
    ratios: HashMap<Arc<str>, f64>,
    /// When each node last had something to send, and last could take it.
    nodes: HashMap<NodeId, (Instant, Instant)>,
    drained_to: HashMap<NodeId, TopicPartition>,
    pub sequences: Sequences,
    pub measures: Measures,
    /// Where the producer has a transactional id.
    pub transactions: Option<Transactions>,
}

/// A place among those that wait for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn(u64);

/// A record to take in.
pub(super) struct Offer<'a> {
    pub record: &'a ProducerRecord,
    /// The partition, if it is decided already.
    pub chosen: Option<i32>,
    pub timestamp: Timestamp,
    /// The place of the one who waits for memory for it.
    pub turn: Option<Turn>,
}

/// What came of handing in a record.
pub(super) enum Append {
    /// It was taken in; `wake`: there may be something to send.
    Taken { delivery: Delivery, wake: bool },
    /// There is no memory for it.
    Full,
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
            freed: false,
            starving: VecDeque::new(),
            next_turn: 0,
            flushing: 0,
            closing: false,
            sticky: HashMap::new(),
            round_robin: RoundRobin::default(),
            ratios: HashMap::new(),
            nodes: HashMap::new(),
            drained_to: HashMap::new(),
            sequences: Sequences::default(),
            measures: Measures::new(),
            transactions: None,
        }
    }

    /// Returns what was measured.
    pub(super) fn metrics(&self) -> Vec<ClientMetric> {
        self.measures.metrics(self.free, self.limits.buffer_memory, self.starving.len())
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

    /// Takes a record in, for a topic whose partitions `metadata` knows. `chance`: any number.
    pub(super) fn append(
        &mut self,
        now: Instant,
        metadata: &ClusterMetadata,
        offer: &Offer<'_>,
        chance: u64,
    ) -> Result<Append> {
        let record = offer.record;
        if self.closing {
            return Err(super::closed());
        }
        if let Some(transactions) = &mut self.transactions {
            transactions.check_send(&record.topic)?;
        }
        let decided = offer.chosen.or_else(|| self.decide(record, metadata));
        let index = decided.unwrap_or_else(|| self.stick(&record.topic, metadata, chance));
        let partition = TopicPartition::new(Arc::clone(&record.topic), index);
        let before = self.last_size(&partition);
        let Some((completion, at)) = self.append_to(now, &partition, offer)? else {
            return Ok(Append::Full);
        };
        if let Some(transactions) = &mut self.transactions {
            transactions.add_partition(&partition);
        }
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
        let delivery = Delivery::new(completion, at, offer.timestamp);
        Ok(Append::Taken { delivery, wake: full || at == 0 })
    }

    /// The sticky partition. Where enough was written to it and no batch of it takes records any more, that is another
    /// one from now on. Kafka: `RecordAccumulator.partitionChanged`.
    fn stick(&mut self, topic: &Arc<str>, metadata: &ClusterMetadata, chance: u64) -> i32 {
        let size = self.limits.batch_size;
        let sticky = self.sticky_of(topic);
        let index = sticky.partition(topic, metadata, chance);
        let due = sticky.is_due(size);
        if due && self.last(&TopicPartition::new(Arc::clone(topic), index)).is_none_or(Batch::is_full) {
            return self.sticky_of(topic).choose(topic, metadata, chance >> 7);
        }
        index
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
        offer: &Offer<'_>,
    ) -> Result<Option<(Arc<Completion>, i32)>> {
        let (record, timestamp) = (offer.record, offer.timestamp);
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
        let memory = self.memory_for(record);
        let before_others = self.starving.front().is_none_or(|first| Some(*first) == offer.turn);
        if memory > self.free || !before_others {
            return Ok(None);
        }
        let options = BatchOptions {
            compression: self.limits.compression,
            write_limit: self.limits.batch_size,
            compression_ratio: self.ratios.get(&partition.topic).copied().unwrap_or(1.0),
            ..Default::default()
        };
        let mut batch = Batch::new(partition.clone(), options, memory, now);
        batch.transactional = self.transactions.is_some();
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

    /// What a new batch for the record takes of `buffer.memory`, in bytes.
    pub(super) fn memory_for(&self, record: &ProducerRecord) -> usize {
        self.limits.batch_size.max(size_upper_bound(record))
    }

    /// How much of `buffer.memory` is free, in bytes.
    pub(super) fn free_memory(&self) -> usize {
        self.free
    }

    /// Whether memory was given back since this was last asked.
    pub(super) fn take_freed(&mut self) -> bool {
        std::mem::take(&mut self.freed)
    }

    /// One more waits for memory; gives its place. Kafka: `BufferPool.waiters`.
    pub(super) fn starve(&mut self) -> Turn {
        let turn = Turn(self.next_turn);
        self.next_turn += 1;
        self.starving.push_back(turn);
        turn
    }

    /// The one with this place got memory, or waits no more.
    pub(super) fn waits_no_more(&mut self, turn: Turn) {
        self.starving.retain(|waiting| *waiting != turn);
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

#[cfg(test)]
mod tests;
