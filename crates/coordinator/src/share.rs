//! The share coordinator as the server calls it: one method for each API, over the partitions of `__share_group_state`
//! that this broker leads.
//!
//! The caller authorizes. Each partition of a request is asked for by itself. Kafka: `ShareCoordinatorService`.

mod machine_runner;
mod persister;
mod requests;

pub use persister::Persister;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use coordinators::share::{
    ShareCoordinatorConfig, ShareMachine, SharePartitionKey, ShareRequest, ShareResponse, ShareState,
    ShareStateError, ShareStateSummary, ShareStateWrite,
};
use metadata::MetadataImage;
use model::{LeaderEpoch, Offset, Uuid};
use protocol::ErrorCode;
use tokio::task::JoinHandle;
use world::clock::Clock;

use crate::group::client_error;
use crate::metrics::PartitionCounts;
use crate::partition_log::PartitionLog;
use crate::runtime::{Runtime, RuntimeConfig};

/// The coordinator of share groups' partitions.
pub struct ShareCoordinator {
    runtime: Arc<Runtime<ShareMachine>>,
    config: ShareCoordinatorConfig,
    /// The newest metadata, for machines that are still to begin.
    metadata: Arc<RwLock<Arc<MetadataImage>>>,
    pruned: PrunedOffsets,
}

/// Before which offset each partition of `__share_group_state` was last pruned here.
type PrunedOffsets = Arc<Mutex<BTreeMap<i32, Offset>>>;

/// Takes the variant that a request is answered with; the machine answers each request with its own.
macro_rules! expect_response {
    ($variant:ident, $result:expr) => {
        match $result {
            Ok(ShareResponse::$variant(answer)) => answer,
            Ok(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR.into()),
            Err(error) => Err(error),
        }
    };
}

impl ShareCoordinator {
    /// Makes a coordinator that leads no partition, and begins to answer. Must be called within a tokio runtime.
    /// `partition_count` is `share.coordinator.state.topic.num.partitions`, or how many the topic has.
    pub fn start(
        config: ShareCoordinatorConfig,
        runtime: RuntimeConfig,
        partition_count: i32,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (runtime, work) = Runtime::new(runtime, clock, partition_count);
        let runtime = Arc::new(runtime);
        runtime.start();
        let pruned = PrunedOffsets::default();
        runtime.keep(tokio::spawn(machine_runner::run(Arc::downgrade(&runtime), work, pruned.clone())));
        Self { runtime, config, metadata: Arc::default(), pruned }
    }

    /// Hands out the tasks that were begun, none of which may fail while the node runs.
    pub fn tasks(&self) -> Vec<JoinHandle<()>> {
        self.runtime.take_tasks()
    }

    /// Ceases to answer; requests that wait are told to find another coordinator.
    pub fn shutdown(&self) {
        self.runtime.shutdown();
    }

    /// Takes in how many partitions `__share_group_state` has, once it exists.
    pub fn set_partition_count(&self, partition_count: i32) {
        self.runtime.set_partition_count(partition_count);
    }

    /// Returns how many partitions of `__share_group_state` this broker leads, by how far they are.
    pub fn partition_counts(&self) -> PartitionCounts {
        self.runtime.partition_counts()
    }

    /// Returns before which offset each partition of `__share_group_state` was last pruned here.
    pub fn pruned_offsets(&self) -> BTreeMap<i32, Offset> {
        self.pruned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the partition of `__share_group_state` that serves `key`.
    pub fn partition_for(&self, key: &SharePartitionKey) -> i32 {
        self.runtime.partition_for(&key.to_string())
    }

    /// Takes in new metadata, which says which partitions there are.
    pub fn on_new_metadata(&self, image: Arc<MetadataImage>) {
        *self.metadata.write().unwrap_or_else(PoisonError::into_inner) = image.clone();
        self.tell_all(|| ShareRequest::MetadataChanged(image.clone()));
    }

    /// Forgets the states of topics that were deleted, in all partitions that this broker leads.
    pub fn on_topics_deleted(&self, topics: BTreeSet<Uuid>) {
        let topics = Arc::new(topics);
        self.tell_all(|| ShareRequest::TopicsDeleted(topics.clone()));
    }

    fn tell_all(&self, request: impl Fn() -> ShareRequest) {
        for partition in self.runtime.partitions() {
            match self.runtime.tell(partition, request()) {
                // One that is still loaded takes the newest metadata when it begins; one that is no longer led needs none.
                Ok(()) | Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::NOT_COORDINATOR) => {}
                Err(error) => {
                    tracing::warn!(partition, error = error.name(), "a share coordinator cannot follow");
                }
            }
        }
    }

    /// Begins to lead a partition of `__share_group_state`: its log is replayed in the background.
    pub fn on_partition_elected(&self, partition: i32, epoch: LeaderEpoch, log: Arc<dyn PartitionLog>) {
        let metadata = self.metadata.clone();
        let machine = ShareMachine::new(self.config, Arc::default());
        self.runtime.elect(partition, epoch, log, machine, move |machine| {
            machine.set_metadata(metadata.read().unwrap_or_else(PoisonError::into_inner).clone());
        });
    }

    /// Ceases to lead a partition of `__share_group_state`, at `epoch` or, without one, at any.
    pub fn on_partition_resigned(&self, partition: i32, epoch: Option<LeaderEpoch>) {
        self.runtime.resign(partition, epoch);
    }

    /// Wakes the timers that are due at the clock's present time; for simulations, where no task sleeps.
    pub fn wake_due(&self) {
        self.runtime.wake_due();
    }

    /// Begins the state of a partition, or begins it anew. `start_offset` is -1 where its leader is to choose.
    pub async fn initialize(
        &self,
        key: SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Result<(), ShareStateError> {
        let partition = self.partition_for(&key);
        let request = ShareRequest::Initialize { key, state_epoch, start_offset };
        expect_response!(Done, self.ask(partition, request).await)
    }

    /// Reads the state of a partition for a leader; `leader_epoch` is -1 for one that does not lead.
    pub async fn read(
        &self,
        key: SharePartitionKey,
        leader_epoch: i32,
    ) -> Result<ShareState, ShareStateError> {
        let partition = self.partition_for(&key);
        expect_response!(Read, self.ask(partition, ShareRequest::Read { key, leader_epoch }).await)
    }

    /// Writes what changed of the state of a partition.
    pub async fn write(&self, key: SharePartitionKey, write: ShareStateWrite) -> Result<(), ShareStateError> {
        let partition = self.partition_for(&key);
        expect_response!(Done, self.ask(partition, ShareRequest::Write { key, write }).await)
    }

    /// Forgets the state of a partition.
    pub async fn delete(&self, key: SharePartitionKey) -> Result<(), ShareStateError> {
        let partition = self.partition_for(&key);
        expect_response!(Done, self.ask(partition, ShareRequest::Delete(key)).await)
    }

    /// Tells how far a group is in a partition.
    pub async fn summarize(&self, key: SharePartitionKey) -> Result<ShareStateSummary, ShareStateError> {
        let partition = self.partition_for(&key);
        expect_response!(Summary, self.ask(partition, ShareRequest::Summarize(key)).await)
    }

    async fn ask(&self, partition: i32, request: ShareRequest) -> Result<ShareResponse, ShareStateError> {
        self.runtime
            .check_serving()
            .map_err(|code| ShareStateError::new(code, "Share coordinator is not available."))?;
        let answer = self.runtime.submit(partition, request).await;
        answer.map_err(|error| client_error(error).into())
    }
}
