//! The share partitions that this broker leads: loaded when a member first fetches, kept while their group is here.
//!
//! Invariants:
//! - a share partition is here while this broker leads its partition at the epoch at which it was loaded
//! - its state is written in the order in which it changed, one write at a time; a member is answered when what it
//!   acknowledged is written
//! - whoever waits for records is woken when some are given back
//! - records that are given up are in the group's dead-letter queue, if it has one, before their state says that nobody needs
//!   them any more
//!
//! Kafka: `SharePartitionManager`.

mod cached;
mod dead_letters;
mod fetch;
mod load;
mod lock_timers;
mod read;
mod topic_counts;
mod writes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use config::ShareGroupSettings;
use coordinator::Persister;
use coordinators::share::{SharePartitionKey, ShareStateError};
use coordinators::share_partition::{AcknowledgeError, AcknowledgementBatch, ShareLimits};
use metadata::Feature;
use model::Uuid;
use protocol::ErrorCode;
use telemetry::{ShareGroupMetrics, SharePartitionRow, TopicMetrics};
use world::clock::Clock;

use super::Broker;
use super::fetch_session::TopicKey;
use super::partition::Partition;
use super::share_sessions::{EndedSession, ShareSessionKey, ShareTarget};
use crate::essential::Essential;

use cached::CachedSharePartition;
pub use fetch::{ShareFetchParams, ShareFetchRow, error_row};
use lock_timers::LockTimers;
use writes::Written;

/// The level of `share.version` at which share groups have dead-letter queues. Kafka: `ShareVersion.SV_2`.
const DEAD_LETTER_QUEUES: i16 = 2;

/// The share partitions that this broker leads.
pub struct SharePartitionManager {
    broker: Weak<Broker>,
    metrics: Arc<ShareGroupMetrics>,
    persister: Arc<dyn Persister>,
    clock: Arc<dyn Clock>,
    cache: Mutex<BTreeMap<SharePartitionKey, Arc<CachedSharePartition>>>,
    timers: Arc<LockTimers>,
}

impl std::fmt::Debug for SharePartitionManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharePartitionManager").finish_non_exhaustive()
    }
}

/// What became of an acknowledgement: nothing more to say, or an error and its text.
pub type Acknowledged = Result<(), ShareStateError>;

impl SharePartitionManager {
    /// Begins without share partitions; their state is kept by `persister`. Must be called within a tokio runtime.
    pub fn start(
        broker: Weak<Broker>,
        persister: Arc<dyn Persister>,
        clock: Arc<dyn Clock>,
        metrics: Arc<ShareGroupMetrics>,
        essential: &Essential,
    ) -> Arc<Self> {
        let timers = Arc::new(LockTimers::default());
        let manager = Arc::new(Self {
            broker,
            metrics,
            persister,
            clock: clock.clone(),
            cache: Mutex::default(),
            timers: timers.clone(),
        });
        let timing = tokio::spawn(lock_timers::run(Arc::downgrade(&manager), timers, clock));
        essential.watch("the task that ends the locks of share groups", timing);
        manager
    }

    fn cache(&self) -> MutexGuard<'_, BTreeMap<SharePartitionKey, Arc<CachedSharePartition>>> {
        self.cache.lock().expect("no holder panics")
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    fn settings(&self, group: &str) -> Option<ShareGroupSettings> {
        self.broker.upgrade().map(|broker| broker.share_group_settings(group))
    }

    fn limits(&self, group: &str) -> ShareLimits {
        // Without a broker nothing is answered any more, so that any limits do.
        let Some(broker) = self.broker.upgrade() else { return no_limits() };
        let settings = broker.share_group_settings(group);
        let has_queues =
            broker.metadata.image().features().level(Feature::ShareVersion) >= DEAD_LETTER_QUEUES;
        ShareLimits {
            delivery_count_limit: settings.delivery_count_limit,
            max_record_locks: settings.partition_max_record_locks as i64,
            lock_duration: settings.record_lock_duration,
            renew: settings.renew_acknowledge,
            dead_letters: has_queues && settings.dead_letter_topic.is_some(),
        }
    }

    fn get(&self, group: &Arc<str>, target: ShareTarget) -> Option<Arc<CachedSharePartition>> {
        let key = SharePartitionKey::new(group.clone(), target.topic_id, target.partition);
        self.cache().get(&key).cloned()
    }

    /// Finds a share partition; the first who asks has it loaded. Kafka:
    /// `SharePartitionManager.getOrCreateSharePartition`.
    fn get_or_load(
        self: &Arc<Self>,
        group: &Arc<str>,
        target: ShareTarget,
    ) -> Result<Arc<CachedSharePartition>, ErrorCode> {
        let partition = self.led_partition(target)?;
        let (_, epoch) = partition.leadership();
        let key = SharePartitionKey::new(group.clone(), target.topic_id, target.partition);
        let mut cache = self.cache();
        if let Some(found) = cache.get(&key).filter(|found| found.leader_epoch() == epoch) {
            return Ok(found.clone());
        }
        let of_group = self.metrics.group(group);
        let fresh = Arc::new(CachedSharePartition::new(key.clone(), partition, epoch, of_group));
        let old = cache.insert(key, fresh.clone());
        drop(cache);
        old.iter().for_each(|old| old.fence());
        tokio::spawn(load::load(self.clone(), fresh.clone()));
        Ok(fresh)
    }

    /// Tells of all share partitions to a reader of the metrics.
    pub fn in_flight(&self) -> Vec<SharePartitionRow> {
        let all: Vec<_> = self.cache().values().cloned().collect();
        all.iter().filter_map(|cached| cached.in_flight()).collect()
    }

    fn led_partition(&self, target: ShareTarget) -> Result<Arc<Partition>, ErrorCode> {
        let broker = self.broker.upgrade().ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        let image = broker.metadata.image();
        let partition = broker.replicas.find(&image, &TopicKey::Id(target.topic_id), target.partition)?;
        if partition.is_leader() { Ok(partition) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
    }

    /// Lets go of a share partition, unless another has taken its place.
    fn remove(&self, gone: &Arc<CachedSharePartition>) {
        let mut cache = self.cache();
        if cache.get(gone.key()).is_some_and(|found| Arc::ptr_eq(found, gone)) {
            cache.remove(gone.key());
        }
        drop(cache);
        gone.fence();
    }

    fn remove_where(&self, is_gone: impl Fn(&SharePartitionKey, &CachedSharePartition) -> bool) {
        let gone: Vec<_> = self.cache().extract_if(.., |key, cached| is_gone(key, cached)).collect();
        gone.iter().for_each(|(_, partition)| partition.fence());
    }

    /// Lets go of a group's share partitions, but for those with records on their way to the dead-letter queue: loaded
    /// anew, they would go there twice.
    fn remove_idle(&self, group: &str) {
        self.remove_where(|key, cached| &*key.group == group && !cached.state().is_burying);
    }

    /// Lets go of all share partitions of a partition that is now led elsewhere, or at another epoch, or gone.
    pub fn on_partition_changed(&self, topic_id: Uuid, partition: i32) {
        self.remove_where(|key, _| key.topic_id == topic_id && key.partition == partition);
    }

    /// Lets go of all share partitions: share groups were switched off. Kafka:
    /// `SharePartitionManager.onShareVersionToggle`.
    pub fn clear(&self) {
        self.remove_where(|_, _| true);
    }

    /// Takes a member's word for what became of its records; what it says of one partition has nothing to do with the
    /// others. What is acknowledged is decided before this first waits.
    pub async fn acknowledge(
        self: &Arc<Self>,
        key: &ShareSessionKey,
        batches: Vec<(ShareTarget, Vec<AcknowledgementBatch>)>,
    ) -> Vec<(ShareTarget, Acknowledged)> {
        let limits = self.limits(&key.group);
        self.count_topics(batches.iter().map(|(target, _)| *target), TopicMetrics::share_acknowledged);
        let begun: Vec<_> = batches
            .into_iter()
            .map(|(target, batches)| (target, self.acknowledge_one(key, target, &batches, &limits)))
            .collect();
        let finished = begun.into_iter().map(|(target, begun)| async move {
            let outcome = match begun {
                Ok(written) => written.wait().await,
                Err(error) => Err(error),
            };
            (target, outcome)
        });
        let outcomes = futures_util::future::join_all(finished).await;
        let failed = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).map(|(target, _)| *target);
        self.count_topics(failed, TopicMetrics::share_acknowledgement_failed);
        outcomes
    }

    fn acknowledge_one(
        self: &Arc<Self>,
        key: &ShareSessionKey,
        target: ShareTarget,
        batches: &[AcknowledgementBatch],
        limits: &ShareLimits,
    ) -> Result<Written, ShareStateError> {
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let cached = self.get(&key.group, target).ok_or_else(|| ShareStateError::from(unknown))?;
        let now = self.now();
        let decided =
            self.decide(&cached, |share| match share.acknowledge(now, limits, &key.member, batches) {
                Ok(change) => (Ok(()), change),
                Err(error) => (Err(error), None),
            });
        // Nobody holds records of a share partition that is not loaded yet.
        let (outcome, written) =
            decided.ok_or_else(|| ShareStateError::from(ErrorCode::INVALID_RECORD_STATE))?;
        outcome.map_err(refused)?;
        self.count_acknowledged(batches);
        Ok(written)
    }

    /// Kafka: `SharePartitionManager.acknowledge`.
    fn count_acknowledged(&self, batches: &[AcknowledgementBatch]) {
        for batch in batches {
            match batch.types.as_slice() {
                [one] => {
                    let records = batch.last_offset.0 - batch.first_offset.0 + 1;
                    self.metrics.acknowledged(*one, records.max(0) as u64);
                }
                each => each.iter().for_each(|one| self.metrics.acknowledged(*one, 1)),
            }
        }
    }

    /// Gives back what a member held, for its session has ended; returns when that is written. Kafka:
    /// `SharePartitionManager.releaseSession`.
    async fn release(self: &Arc<Self>, key: &ShareSessionKey, targets: &[ShareTarget]) {
        let limits = self.limits(&key.group);
        let begun: Vec<Written> = targets
            .iter()
            .filter_map(|target| self.get(&key.group, *target))
            .filter_map(|cached| {
                let ((), written) =
                    self.decide(&cached, |share| ((), share.release(&limits, &key.member)))?;
                Some(written)
            })
            .collect();
        for written in begun {
            // A failed write leaves the records locked until their time is up, and was logged.
            _ = written.wait().await;
        }
    }

    /// Gives back what the member of a session held that ended, and lets go of the group's partitions if it was the last.
    pub fn on_session_ended(self: &Arc<Self>, ended: EndedSession) {
        let manager = self.clone();
        tokio::spawn(async move {
            manager.release(&ended.key, &ended.targets).await;
            if ended.was_last && !manager.is_used(&ended.key.group) {
                manager.remove_idle(&ended.key.group);
            }
        });
    }

    /// Tells whether a group has sessions here.
    fn is_used(&self, group: &Arc<str>) -> bool {
        self.broker.upgrade().is_none_or(|broker| broker.share_sessions.has_group(group))
    }
}

fn no_limits() -> ShareLimits {
    ShareLimits {
        delivery_count_limit: i16::MAX,
        max_record_locks: 0,
        lock_duration: Duration::ZERO,
        renew: false,
        dead_letters: false,
    }
}

fn refused(error: AcknowledgeError) -> ShareStateError {
    let code = match &error {
        AcknowledgeError::InvalidRequest(_) => ErrorCode::INVALID_REQUEST,
        AcknowledgeError::InvalidRecordState(_) => ErrorCode::INVALID_RECORD_STATE,
    };
    ShareStateError { code, message: error.to_string() }
}
