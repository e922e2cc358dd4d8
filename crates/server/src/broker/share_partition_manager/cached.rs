//! One share partition in memory: being loaded, loaded, or not to be had; who waits for it, and what is to be written of it.

use std::sync::{Arc, Mutex, MutexGuard};

use coordinators::share::{SharePartitionKey, ShareStateError};
use coordinators::share_partition::{DeadLetter, SharePartition};
use machine::Instant;
use model::LeaderEpoch;
use protocol::ErrorCode;
use storage::{Interest, Subscription};
use telemetry::{GroupMetrics, SharePartitionMetrics, SharePartitionRow};
use tokio::sync::Notify;

use super::writes::Queued;
use crate::broker::partition::Partition;

/// One share partition, while its partition is led at one epoch.
pub(super) struct CachedSharePartition {
    key: SharePartitionKey,
    partition: Arc<Partition>,
    leader_epoch: LeaderEpoch,
    state: Mutex<State>,
    waiters: Mutex<Vec<Arc<Notify>>>,
    metrics: Arc<SharePartitionMetrics>,
    of_group: Arc<GroupMetrics>,
}

/// What changes of it.
pub(super) struct State {
    pub(super) phase: Phase,
    is_fenced: bool,
    /// Changes in their order, none of which is being written yet.
    pub(super) queue: Vec<Queued>,
    pub(super) is_writing: bool,
    /// Records for the dead-letter queue, none of which is being written there yet.
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) is_burying: bool,
    /// When it will be woken.
    pub(super) wakeup: Option<Instant>,
}

/// How far it is.
pub(super) enum Phase {
    /// Its state is being read.
    Loading,
    /// It is in use.
    Active {
        /// The share partition.
        share: SharePartition,
        /// The epoch of its state.
        state_epoch: i32,
    },
    /// Its state cannot be read.
    Failed(ShareStateError),
}

impl CachedSharePartition {
    pub(super) fn new(
        key: SharePartitionKey,
        partition: Arc<Partition>,
        leader_epoch: LeaderEpoch,
        of_group: Arc<GroupMetrics>,
    ) -> Self {
        let state = State {
            phase: Phase::Loading,
            is_fenced: false,
            queue: Vec::new(),
            is_writing: false,
            dead_letters: Vec::new(),
            is_burying: false,
            wakeup: None,
        };
        Self {
            key,
            partition,
            leader_epoch,
            state: Mutex::new(state),
            waiters: Mutex::default(),
            metrics: Arc::default(),
            of_group,
        }
    }

    pub(super) fn metrics(&self) -> &SharePartitionMetrics {
        &self.metrics
    }

    /// Returns where its group is counted.
    pub(super) fn of_group(&self) -> &Arc<GroupMetrics> {
        &self.of_group
    }

    /// Tells of it to a reader of the metrics, if it is in use.
    pub(super) fn in_flight(&self) -> Option<SharePartitionRow> {
        let (messages, batches) =
            self.change(|share| (share.in_flight_count(), share.in_flight_batches()))?;
        let name = self.partition.topic_partition();
        Some(SharePartitionRow {
            group: self.key.group.to_string(),
            topic: name.topic.to_string(),
            partition: name.partition,
            messages: messages.max(0) as u64,
            batches: batches as u64,
            metrics: self.metrics.clone(),
        })
    }

    pub(super) fn key(&self) -> &SharePartitionKey {
        &self.key
    }

    pub(super) fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    pub(super) fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Looks into it or changes it, if it is in use.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut SharePartition) -> T) -> Option<T> {
        let mut state = self.state();
        match &mut state.phase {
            Phase::Active { share, .. } => Some(change(share)),
            _ => None,
        }
    }

    /// Returns why it will not be in use again; none while it may be.
    pub(super) fn failure(&self) -> Option<ErrorCode> {
        let state = self.state();
        match &state.phase {
            Phase::Failed(error) => Some(error.code),
            _ if state.is_fenced => Some(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            _ => None,
        }
    }

    /// Takes it out of use for fetches, which turn to its successor. What is to be written is still written.
    pub(super) fn fence(&self) {
        self.state().is_fenced = true;
        self.wake();
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.state().phase = phase;
        self.wake();
    }

    /// Wakes `notify` when records may have come, in the log or given back, until the result is dropped.
    pub(super) fn subscribe(self: &Arc<Self>, notify: &Arc<Notify>) -> ShareSubscription {
        self.waiters().push(notify.clone());
        let log = self.partition.log().subscribe(Interest::HIGH_WATERMARK, notify);
        ShareSubscription { cached: self.clone(), notify: notify.clone(), _log: log }
    }

    /// Has everybody look again.
    pub(super) fn wake(&self) {
        self.waiters().iter().for_each(|notify| notify.notify_one());
    }

    fn waiters(&self) -> MutexGuard<'_, Vec<Arc<Notify>>> {
        self.waiters.lock().expect("no holder panics")
    }
}

/// Ends when it is dropped.
pub(super) struct ShareSubscription {
    cached: Arc<CachedSharePartition>,
    notify: Arc<Notify>,
    _log: Subscription,
}

impl Drop for ShareSubscription {
    fn drop(&mut self) {
        let mut waiters = self.cached.waiters();
        if let Some(index) = waiters.iter().position(|other| Arc::ptr_eq(other, &self.notify)) {
            waiters.swap_remove(index);
        }
    }
}
