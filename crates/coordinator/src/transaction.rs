//! The transaction coordinator as the server calls it: one method for each API, answers as Kafka's at every version.
//!
//! The caller authorizes and checks that topics and partitions exist. Once the end of a transaction is committed to the
//! log, a task writes its markers through [`WriteMarkers`] and tells the machine, which then completes the transaction.
//!
//! Kafka: `TransactionCoordinator`, `TransactionMarkerChannelManager`.

mod machine_runner;
mod requests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI16, Ordering};

use coordinators::transaction::{
    Markers, TransactionConfig, TransactionMachine, TransactionRequest, TransactionResponse,
    TransactionVersion,
};
use model::{LeaderEpoch, ProducerId};
use protocol::ErrorCode;
use tokio::task::JoinHandle;
use world::clock::Clock;

use crate::metrics::{PartitionCounts, RuntimeMetrics};
use crate::partition_log::PartitionLog;
use crate::runtime::{Runtime, RuntimeConfig};

/// Work that ends later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Gives out producer ids that were never given out before.
pub trait ProducerIds: Send + Sync + 'static {
    /// Returns a new producer id, or the error that the client gets.
    fn next(&self) -> Later<'_, Result<ProducerId, ErrorCode>>;
}

/// Writes transaction markers to partitions, wherever they are led.
pub trait WriteMarkers: Send + Sync + 'static {
    /// Writes the markers and ends when each partition has its own, is gone, or has a newer coordinator's. Tries again
    /// by itself what may succeed later. `coordinator_epoch` is the leader epoch of the coordinator's partition.
    fn write(&self, markers: Markers, coordinator_epoch: i32) -> Later<'_, ()>;
}

/// The coordinator of transactions, over the partitions of `__transaction_state` that this broker leads.
pub struct TransactionCoordinator {
    runtime: Arc<Runtime<TransactionMachine>>,
    config: TransactionConfig,
    producer_ids: Arc<dyn ProducerIds>,
    /// The level of the feature `transaction.version`.
    level: AtomicI16,
}

impl TransactionCoordinator {
    /// Makes a coordinator that leads no partition, and begins to write markers. Must be called within a tokio runtime.
    /// `partition_count` is `transaction.state.log.num.partitions`, or how many the topic has.
    pub fn start(
        config: TransactionConfig,
        runtime: RuntimeConfig,
        partition_count: i32,
        level: TransactionVersion,
        clock: Arc<dyn Clock>,
        producer_ids: Arc<dyn ProducerIds>,
        writer: Arc<dyn WriteMarkers>,
    ) -> Self {
        let (runtime, work) = Runtime::new(runtime, clock, partition_count);
        let runtime = Arc::new(runtime);
        runtime.start();
        runtime.keep(tokio::spawn(machine_runner::run(Arc::downgrade(&runtime), work, writer)));
        Self { runtime, config, producer_ids, level: AtomicI16::new(level.0) }
    }

    /// Hands out the tasks that were begun, none of which may fail while the node runs.
    pub fn tasks(&self) -> Vec<JoinHandle<()>> {
        self.runtime.take_tasks()
    }

    /// Ceases to answer; requests that wait are told to find another coordinator.
    pub fn shutdown(&self) {
        self.runtime.shutdown();
    }

    /// Takes in how many partitions `__transaction_state` has, once it exists.
    pub fn set_partition_count(&self, partition_count: i32) {
        self.runtime.set_partition_count(partition_count);
    }

    /// Takes in the level of the feature `transaction.version`; partitions that are led already follow.
    pub fn set_level(&self, level: TransactionVersion) {
        if self.level.swap(level.0, Ordering::AcqRel) != level.0 {
            for partition in self.runtime.partitions() {
                // A partition that is not led any more follows when it is led again.
                _ = self.runtime.tell(partition, TransactionRequest::SetLevel(level));
            }
        }
    }

    /// Returns the level of the feature `transaction.version`.
    pub fn level(&self) -> TransactionVersion {
        TransactionVersion(self.level.load(Ordering::Acquire))
    }

    /// Returns the partition of `__transaction_state` that serves `transactional_id`.
    pub fn partition_for(&self, transactional_id: &str) -> i32 {
        self.runtime.partition_for(transactional_id)
    }

    /// Returns what is measured of requests and partitions.
    pub fn metrics(&self) -> &RuntimeMetrics {
        self.runtime.metrics()
    }

    /// Returns how many partitions of `__transaction_state` this broker leads, by how far they are.
    pub fn partition_counts(&self) -> PartitionCounts {
        self.runtime.partition_counts()
    }

    /// Begins to lead a partition of `__transaction_state`: its log is replayed in the background.
    pub fn on_partition_elected(&self, partition: i32, epoch: LeaderEpoch, log: Arc<dyn PartitionLog>) {
        let machine = TransactionMachine::new(self.config.clone(), self.level());
        self.runtime.elect(partition, epoch, log, machine, |_| ());
    }

    /// Ceases to lead a partition of `__transaction_state`, at `epoch` or, without one, at any.
    pub fn on_partition_resigned(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        self.runtime.resign(partition, epoch);
    }

    /// Puts a request to the machine that serves `transactional_id`.
    async fn ask(
        &self,
        transactional_id: &str,
        request: TransactionRequest,
    ) -> Result<TransactionResponse, ErrorCode> {
        self.runtime.check_serving()?;
        let answered = self.runtime.submit(self.partition_for(transactional_id), request).await;
        answered.map_err(|error| match error {
            // What Kafka's coordinator makes of a failed append. Kafka: `TransactionStateManager.appendTransactionToLog`.
            ErrorCode::NOT_ENOUGH_REPLICAS
            | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | ErrorCode::REQUEST_TIMED_OUT => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::KAFKA_STORAGE_ERROR => ErrorCode::NOT_COORDINATOR,
            ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => {
                ErrorCode::UNKNOWN_SERVER_ERROR
            }
            other => other,
        })
    }
}
