//! The producer: records in, batches out. Kafka: `KafkaProducer`.
//!
//! [`Producer::enqueue`] waits until a record has its place in memory; the [`Delivery`] that it gives tells where the
//! record was written. Records of one task keep their order in a partition.
//!
//! Not yet: interceptors.

mod accumulator;
mod batch;
mod delivery;
mod measures;
mod murmur2;
mod partitioner;
mod produce_request;
mod record;
mod sender;
mod sequences;
mod transactional;
mod transactions;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::chance;
use crate::cluster::{Cluster, ClusterMetadata, Interest};
use crate::config::{ConfigMap, ProducerConfig};
use crate::error::{Error, Result};
use crate::metrics::ClientMetric;

pub use delivery::Delivery;
pub use murmur2::{murmur2, partition_for_key};
pub use partitioner::Partitioner;
pub use record::{ProducerRecord, RecordMetadata};

use accumulator::{Accumulator, Append, Limits, Offer, Turn};
use transactions::Transactions;

/// A producer, shared by cloning. When the last clone is dropped, what waits is still sent.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    partitioner: Option<Arc<dyn Partitioner>>,
    /// Ends with the sender.
    running: watch::Receiver<()>,
}

/// What the producer and its sender have in common.
struct Shared {
    cluster: Cluster,
    config: ProducerConfig,
    accumulator: Mutex<Accumulator>,
    /// There may be something to send.
    wake: Notify,
    /// Memory was given back.
    memory: Notify,
    /// Why nothing can ever be sent any more, where there are no transactions to know it.
    fatal: Mutex<Option<Error>>,
}

impl Shared {
    /// What is known of `transaction.version`.
    fn transaction_version(&self) -> Option<(i64, i16)> {
        self.config.transactional_id.as_ref()?;
        self.cluster.finalized_feature("transaction.version")
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Accumulator) -> T) -> T {
        use_it(&mut self.accumulator.lock().expect("no holder panics"))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.with(Accumulator::close);
        self.shared.wake.notify_one();
    }
}

impl Producer {
    /// Makes a producer. Must be called within a tokio runtime.
    pub fn new(config: ProducerConfig) -> Self {
        Self::make(config, None)
    }

    /// Makes a producer from Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        ProducerConfig::from_map(map).map(Self::new)
    }

    /// Makes a producer whose partitions are chosen by `partitioner`.
    pub fn with_partitioner(config: ProducerConfig, partitioner: Arc<dyn Partitioner>) -> Self {
        Self::make(config, Some(partitioner))
    }

    fn make(config: ProducerConfig, partitioner: Option<Arc<dyn Partitioner>>) -> Self {
        let interest = Interest::topics(true, Some(config.metadata_max_idle));
        let mut accumulator = Accumulator::new(Limits::new(&config));
        accumulator.transactions = config
            .transactional_id
            .as_deref()
            .map(|id| Transactions::new(id, config.client.retry_backoff.initial));
        let shared = Arc::new(Shared {
            cluster: Cluster::new(config.client.clone(), interest),
            accumulator: Mutex::new(accumulator),
            config,
            wake: Notify::new(),
            memory: Notify::new(),
            fatal: Mutex::default(),
        });
        let (runs, running) = watch::channel(());
        let sender = sender::Sender::new(Arc::clone(&shared));
        tokio::spawn(async move {
            sender.run().await;
            drop(runs);
        });
        Self { handle: Arc::new(Handle { shared, partitioner, running }) }
    }

    /// Returns what the producer measured of its records and connections, each by name. Kafka: `KafkaProducer.metrics`.
    pub fn metrics(&self) -> Vec<ClientMetric> {
        let of_records = self.shared().with(|accumulator| accumulator.metrics());
        [of_records, self.shared().cluster.traffic().metrics("producer-metrics")].concat()
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Waits until the sender has ended.
    async fn stopped(&self) {
        let mut running = self.handle.running.clone();
        while running.changed().await.is_ok() {}
    }

    /// Sends a record and waits until it is written. To have many on their way, use [`Producer::enqueue`].
    pub async fn send(&self, record: ProducerRecord) -> Result<RecordMetadata> {
        self.enqueue(record).await?.await
    }

    /// Takes a record in; waits for metadata and memory, `max.block.ms` at most. The record is sent whether or not
    /// the [`Delivery`] is awaited.
    pub async fn enqueue(&self, record: ProducerRecord) -> Result<Delivery> {
        let taken = self.take_in(record).await;
        if let Err(error) = &taken {
            self.shared().with(|accumulator| accumulator.record_refused(error));
        }
        taken
    }

    async fn take_in(&self, record: ProducerRecord) -> Result<Delivery> {
        let shared = self.shared();
        if shared.with(|accumulator| accumulator.is_closing()) {
            return Err(closed());
        }
        if let Some(fatal) = shared.fatal.lock().expect("no holder panics").clone() {
            return Err(fatal);
        }
        let timestamp = record.timestamp.unwrap_or_else(wall_clock);
        if timestamp.0 < 0 {
            return Err(Error::IllegalArgument(format!(
                "Invalid timestamp: {timestamp}. Timestamp should always be non-negative or null."
            )));
        }
        let start = Instant::now();
        let metadata = self.wait_for_partition(&record, start).await?;
        shared.with(|accumulator| accumulator.check_size(&record))?;
        let chosen = record.partition.or_else(|| self.ask_partitioner(&record, &metadata));
        let offer = Offer { record: &record, chosen, timestamp, turn: None };
        if let Some(delivery) = self.append(&offer, &metadata)? {
            return Ok(delivery);
        }
        let waits = Starving::new(shared);
        self.append_when_free(&Offer { turn: Some(waits.turn), ..offer }, &metadata, start).await
    }

    fn append(&self, offer: &Offer<'_>, metadata: &ClusterMetadata) -> Result<Option<Delivery>> {
        let now = std::time::Instant::now();
        let appended =
            self.shared().with(|accumulator| accumulator.append(now, metadata, offer, chance::number()))?;
        let Append::Taken { delivery, wake } = appended else { return Ok(None) };
        if wake {
            self.shared().wake.notify_one();
        }
        Ok(Some(delivery))
    }

    async fn append_when_free(
        &self,
        offer: &Offer<'_>,
        metadata: &ClusterMetadata,
        start: Instant,
    ) -> Result<Delivery> {
        let shared = self.shared();
        let max_block = shared.config.max_block;
        loop {
            let freed = shared.memory.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(delivery) = self.append(offer, metadata)? {
                return Ok(delivery);
            }
            shared.wake.notify_one();
            if tokio::time::timeout_at(start + max_block, freed).await.is_err() {
                let (total, poolable) = (shared.config.buffer_memory, shared.config.batch_size);
                let (size, free) = shared.with(|a| (a.memory_for(offer.record), a.free_memory()));
                return Err(Error::BufferExhausted(format!(
                    "Failed to allocate {size} bytes within the configured max blocking time {} ms. Total memory: {total} bytes. Available memory: {free} bytes. Poolable size: {poolable} bytes",
                    max_block.as_millis()
                )));
            }
        }
    }

    fn ask_partitioner(&self, record: &ProducerRecord, metadata: &ClusterMetadata) -> Option<i32> {
        let partitioner = self.handle.partitioner.as_ref()?;
        let count = metadata.partition_count(&record.topic).unwrap_or(1);
        Some(partitioner.partition(&record.topic, record.key.as_deref(), record.value.as_deref(), count))
    }

    /// Metadata that knows the record's topic, and its partition if it names one. Kafka: `KafkaProducer.waitOnMetadata`.
    async fn wait_for_partition(
        &self,
        record: &ProducerRecord,
        start: Instant,
    ) -> Result<Arc<ClusterMetadata>> {
        let shared = self.shared();
        let cluster = &shared.cluster;
        let known = |metadata: &ClusterMetadata| {
            let count = metadata.partition_count(&record.topic);
            count
                .is_some_and(|count| record.partition.is_none_or(|partition| (0..count).contains(&partition)))
        };
        if record.partition.is_some_and(|partition| partition < 0) {
            return Err(Error::IllegalArgument(format!(
                "Invalid partition: {}. Partition number should always be non-negative or null.",
                record.partition.unwrap_or_default()
            )));
        }
        let mut view = cluster.subscribe();
        let before = view.borrow().tries;
        cluster.interest(|interest| interest.touch(&record.topic, Instant::now()));
        loop {
            {
                let seen = view.borrow_and_update();
                if known(&seen.metadata) {
                    return Ok(Arc::clone(&seen.metadata));
                }
                // What an earlier try found may have changed: each call asks anew before it fails.
                if seen.tries > before {
                    if let Some(failure) = &seen.failure {
                        return Err(failure.clone());
                    }
                    let topic = seen.metadata.topics.get(&record.topic);
                    let error = topic.map(|topic| topic.error).unwrap_or_default();
                    if error.is_error() && !error.is_retriable() {
                        return Err(Error::broker(error));
                    }
                }
            }
            cluster.request_update();
            tokio::select! {
                _ = view.changed() => {}
                () = self.stopped() => {
                    return Err(Error::Other("Producer closed while send in progress".into()));
                }
                () = tokio::time::sleep_until(start + shared.config.max_block) => {
                    return Err(self.not_present(record));
                }
            }
        }
    }

    fn not_present(&self, record: &ProducerRecord) -> Error {
        let shared = self.shared();
        let (topic, waited) = (&record.topic, shared.config.max_block.as_millis());
        Error::Timeout(match (shared.cluster.metadata().partition_count(topic), record.partition) {
            (Some(count), Some(partition)) => format!(
                "Partition {partition} of topic {topic} with partition count {count} is not present in metadata after {waited} ms."
            ),
            _ => format!("Topic {topic} not present in metadata after {waited} ms."),
        })
    }

    /// How many partitions `topic` has; waits for metadata, `max.block.ms` at most. Kafka: `Producer.partitionsFor`.
    pub async fn partition_count(&self, topic: &str) -> Result<i32> {
        let metadata = self.wait_for_partition(&ProducerRecord::to(topic), Instant::now()).await?;
        Ok(metadata.partition_count(topic).unwrap_or(0))
    }

    /// Sends everything that was taken in so far, and waits until each record has its answer.
    pub async fn flush(&self) {
        let shared = self.shared();
        let waiting = shared.with(Accumulator::begin_flush);
        let _flushing = Flushing { shared };
        shared.wake.notify_one();
        for completion in waiting {
            completion.done().await;
        }
    }

    /// Sends everything that was taken in, for `timeout` at most, and stops; what is left fails. Who closes it too waits as
    /// well, and the shortest `timeout` counts.
    pub async fn close(&self, timeout: Duration) {
        let shared = self.shared();
        shared.with(Accumulator::close);
        shared.wake.notify_one();
        if tokio::time::timeout(timeout, self.stopped()).await.is_err() {
            shared.with(|accumulator| {
                accumulator.close_transactions();
                accumulator.abort(&Error::Closed("Producer is closed forcefully.".into()));
            });
            shared.wake.notify_one();
            self.stopped().await;
        }
        shared.cluster.close();
    }
}

/// Kafka: `KafkaProducer.throwIfProducerClosed`.
fn closed() -> Error {
    Error::Closed("Cannot perform operation after producer has been closed".into())
}

/// While it lives batches do not wait for their linger, also where the flush is given up.
struct Flushing<'a> {
    shared: &'a Shared,
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.shared.with(Accumulator::end_flush);
    }
}

/// A place among those that wait for memory, as long as it lives; batches do not wait for their linger meanwhile.
struct Starving<'a> {
    shared: &'a Shared,
    turn: Turn,
}

impl<'a> Starving<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, turn: shared.with(Accumulator::starve) }
    }
}

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        self.shared.with(|accumulator| accumulator.waits_no_more(self.turn));
        self.shared.memory.notify_waiters();
    }
}

fn wall_clock() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64))
}
