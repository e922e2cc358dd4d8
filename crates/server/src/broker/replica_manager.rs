//! The partitions that this broker has replicas of, by topic id and by name.
//!
//! Invariants:
//! - a partition is here from when its log is open until its topic, or its replica here, is gone
//! - a name leads to the topic that has it now: a topic that was made again under its name has another id
//! - a replica whose log is still being loaded is not here yet; what metadata decides on it meanwhile is done when it is
//!
//! Kafka: `ReplicaManager`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

use metadata::{LocalReplicaChanges, MetadataImage, PartitionRegistration};
use model::{NodeId, Offset, TopicIdPartition, TopicPartition, Uuid};
use protocol::ErrorCode;
use storage::{Interest, LogManager, UnifiedLog};
use telemetry::BrokerTopicMetrics;
use tokio::sync::{Notify, watch};

use super::dynamic_config::DynamicConfig;
use super::fetch_session::TopicKey;
use super::partition::{Partition, PartitionError};

/// The partitions of this broker.
#[derive(Debug)]
pub struct ReplicaManager {
    node_id: NodeId,
    logs: Arc<LogManager>,
    metrics: Arc<BrokerTopicMetrics>,
    topics: RwLock<Topics>,
    /// Partitions whose logs are being loaded.
    awaited: watch::Sender<BTreeSet<TopicPartition>>,
}

#[derive(Debug, Default)]
struct Topics {
    by_id: HashMap<Uuid, BTreeMap<i32, Arc<Partition>>>,
    by_name: HashMap<Arc<str>, Uuid>,
}

/// What a change of metadata did to the partitions here.
#[derive(Debug, Default)]
pub struct Applied {
    /// Partitions that this broker leads from now on, at a new epoch.
    pub elected: Vec<Arc<Partition>>,
    /// Partitions that it led before, or that are gone.
    pub resigned: Vec<Arc<Partition>>,
    /// Log dirs that this broker chose for replicas, of which the controller does not know yet.
    pub assignments: Vec<(Uuid, TopicIdPartition)>,
}

impl ReplicaManager {
    /// Makes a manager without partitions, over `logs`, that counts in `metrics`.
    pub fn new(node_id: NodeId, logs: Arc<LogManager>, metrics: Arc<BrokerTopicMetrics>) -> Self {
        Self { node_id, logs, metrics, topics: RwLock::default(), awaited: watch::Sender::default() }
    }

    /// Returns the logs of all log dirs.
    pub fn logs(&self) -> &Arc<LogManager> {
        &self.logs
    }

    /// Finds a partition by its topic's name.
    pub fn by_name(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        let topics = self.topics.read().expect("no holder panics");
        topics.by_id.get(topics.by_name.get(topic)?)?.get(&index).cloned()
    }

    /// Finds a partition by its topic's id.
    pub fn by_id(&self, topic: Uuid, index: i32) -> Option<Arc<Partition>> {
        self.topics.read().expect("no holder panics").by_id.get(&topic)?.get(&index).cloned()
    }

    /// Finds a partition as a request names it.
    ///
    /// # Errors
    /// Without a replica here: `NOT_LEADER_OR_FOLLOWER` if the partition exists (its log may still be loaded: the client asks
    /// again), `KAFKA_STORAGE_ERROR` if its log dir here is gone, else `UNKNOWN_TOPIC_ID` or `UNKNOWN_TOPIC_OR_PARTITION`. Kafka: `ReplicaManager.getPartitionOrError`.
    pub fn find(
        &self,
        image: &MetadataImage,
        topic: &TopicKey,
        index: i32,
    ) -> Result<Arc<Partition>, ErrorCode> {
        let found = match topic {
            TopicKey::Id(id) => self.by_id(*id, index),
            TopicKey::Name(name) => self.by_name(name, index),
        };
        found.ok_or_else(|| match (topic.find(image), topic) {
            (None, TopicKey::Id(_)) => ErrorCode::UNKNOWN_TOPIC_ID,
            (None, TopicKey::Name(_)) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            (Some(topic), _) => match topic.partition(index) {
                Some(state) if self.is_on_offline_dir(state) => ErrorCode::KAFKA_STORAGE_ERROR,
                Some(_) => ErrorCode::NOT_LEADER_OR_FOLLOWER,
                None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            },
        })
    }

    /// Tells whether the replica here is on a log dir that failed, or that could not be opened.
    fn is_on_offline_dir(&self, state: &PartitionRegistration) -> bool {
        let dir = state.directory(self.node_id).filter(|id| !id.is_reserved());
        dir.is_some_and(|id| self.logs.dir(id).is_none_or(|dir| dir.is_offline()))
    }

    /// Returns all partitions, in no order.
    pub fn all(&self) -> Vec<Arc<Partition>> {
        let topics = self.topics.read().expect("no holder panics");
        topics.by_id.values().flat_map(BTreeMap::values).cloned().collect()
    }

    /// Takes up replicas of these partitions only when [`ReplicaManager::take_up`] is told that their logs are loaded.
    pub fn await_logs(&self, partitions: impl Iterator<Item = TopicPartition>) {
        self.awaited.send_modify(|awaited| awaited.extend(partitions));
    }

    /// Tells whether a partition's log is being loaded.
    pub fn is_awaited(&self, partition: &TopicPartition) -> bool {
        self.awaited.borrow().contains(partition)
    }

    /// Tells whether any log is being loaded.
    pub fn awaits_logs(&self) -> bool {
        !self.awaited.borrow().is_empty()
    }

    /// Waits until all logs are loaded.
    pub async fn all_loaded(&self) {
        // The sender lives as long as this manager, so the wait cannot fail.
        let _ = self.awaited.subscribe().wait_for(BTreeSet::is_empty).await;
    }

    /// Serves partitions whose logs were loaded as `image` has them, which must have been acted on.
    pub fn take_up(
        &self,
        partitions: &[TopicPartition],
        image: &MetadataImage,
        configs: &DynamicConfig,
    ) -> Applied {
        let mut applied = Applied::default();
        self.awaited.send_modify(|awaited| {
            partitions.iter().for_each(|partition| _ = awaited.remove(partition));
        });
        for partition in partitions {
            let here =
                replica_of(image, partition).filter(|(_, state)| state.replicas.contains(&self.node_id));
            let of_topic = here.as_ref().map(|(name, _)| name.topic_id);
            let log = self.logs.get_log(partition);
            if log.is_some_and(|log| {
                of_topic.is_none() || log.topic_id().is_some_and(|id| Some(id) != of_topic)
            }) {
                self.delete_log(partition);
            }
            if let Some((name, registration)) = here {
                self.add(&name, registration, image, configs, &mut applied);
            }
        }
        applied
    }

    /// Opens, closes and deletes logs as the controller decided.
    /// Kafka: `ReplicaManager.applyDelta`.
    pub fn apply(
        &self,
        changes: &LocalReplicaChanges,
        image: &MetadataImage,
        configs: &DynamicConfig,
    ) -> Applied {
        let mut applied = Applied::default();
        for name in &changes.deletes {
            applied.resigned.extend(self.remove(name));
        }
        for (name, registration) in changes.leaders.iter().chain(&changes.followers) {
            match self.by_id(name.topic_id, name.topic_partition.partition) {
                Some(partition) => apply_to(&partition, registration, &mut applied),
                None => self.add(name, registration, image, configs, &mut applied),
            }
        }
        applied
    }

    /// Takes up a replica.
    fn add(
        &self,
        name: &TopicIdPartition,
        registration: &Arc<PartitionRegistration>,
        image: &MetadataImage,
        configs: &DynamicConfig,
        applied: &mut Applied,
    ) {
        if self.is_awaited(&name.topic_partition) {
            return;
        }
        if self.may_be_on_lost_dir(registration) {
            tracing::error!(
                partition = %name.topic_partition,
                "a partition's log dir is offline: it is served again once the dir is mended and the node restarted"
            );
            return;
        }
        let config = configs.topic(image, &name.topic_partition.topic);
        let assigned = registration.directory(self.node_id).unwrap_or(Uuid::DIRECTORY_UNASSIGNED);
        let wanted = self.logs.dir(assigned).map(|dir| dir.id());
        let opened =
            self.logs.get_or_create_log(&name.topic_partition, Some(name.topic_id), wanted, config.clone());
        match opened {
            Ok(log) => {
                // It may have changed since the log was loaded.
                log.update_config(config);
                if log.dir().id() != assigned {
                    applied.assignments.push((log.dir().id(), name.clone()));
                }
                applied.elected.extend(self.host(name, registration, log));
            }
            Err(error) => {
                tracing::error!(
                    partition = %name.topic_partition,
                    "a partition's log cannot be opened, so it is not served until the node is restarted: {error}"
                );
            }
        }
    }

    /// Tells whether a replica's log may lie on a dir that cannot be used now: then no empty one may take its place.
    /// Kafka: `LogManager.getOrCreateLog`.
    fn may_be_on_lost_dir(&self, registration: &PartitionRegistration) -> bool {
        let is_old = registration.leader_epoch.0 > 0 || registration.partition_epoch > 0;
        let unassigned = registration.directory(self.node_id).is_none_or(|id| id.is_reserved());
        self.is_on_offline_dir(registration) || (is_old && unassigned && !self.logs.offline_dirs().is_empty())
    }

    /// Serves a replica from now on; returns it if this broker leads.
    fn host(
        &self,
        name: &TopicIdPartition,
        registration: &Arc<PartitionRegistration>,
        log: Arc<UnifiedLog>,
    ) -> Option<Arc<Partition>> {
        let metrics = self.metrics.topic(&name.topic_partition.topic);
        let partition = Partition::new(self.node_id, name.topic_id, log, registration.clone(), metrics);
        let partition = Arc::new(partition);
        let leads = partition.is_leader();
        if leads {
            partition.begin_to_lead();
        }
        let mut topics = self.topics.write().expect("no holder panics");
        topics.by_name.insert(name.topic_partition.topic.clone(), name.topic_id);
        let of_topic = topics.by_id.entry(name.topic_id).or_default();
        of_topic.insert(name.topic_partition.partition, partition.clone());
        leads.then_some(partition)
    }

    /// Lets go of a replica and deletes its log.
    fn remove(&self, name: &TopicIdPartition) -> Option<Arc<Partition>> {
        let mut topics = self.topics.write().expect("no holder panics");
        let partitions = topics.by_id.get_mut(&name.topic_id)?;
        let partition = partitions.remove(&name.topic_partition.partition);
        if partitions.is_empty() {
            topics.by_id.remove(&name.topic_id);
            if topics.by_name.get(&name.topic_partition.topic) == Some(&name.topic_id) {
                topics.by_name.remove(&name.topic_partition.topic);
            }
        }
        drop(topics);
        self.delete_log(&name.topic_partition);
        partition
    }

    fn delete_log(&self, partition: &TopicPartition) {
        if let Err(error) = self.logs.delete_log(partition) {
            tracing::error!(
                %partition,
                "a deleted partition's log cannot be put away, and keeps its room on the disk: {error}"
            );
        }
    }
}

/// Returns a partition that there is, with its topic's id.
fn replica_of<'i>(
    image: &'i MetadataImage,
    partition: &TopicPartition,
) -> Option<(TopicIdPartition, &'i Arc<PartitionRegistration>)> {
    let topic = image.topics().by_name(&partition.topic)?;
    let registration = topic.partition(partition.partition)?;
    Some((TopicIdPartition { topic_id: topic.id(), topic_partition: partition.clone() }, registration))
}

/// Waits until all before `end` is committed: replicated, and synced where the topic promises that.
///
/// # Errors
/// The partition can no longer be led from here, or its disk failed.
pub async fn wait_committed(partition: &Partition, end: Offset) -> Result<(), PartitionError> {
    wait_replicated(partition, end).await?;
    wait_durable(partition, end).await
}

/// Waits until every in-sync replica has all before `end`.
///
/// # Errors
/// The partition can no longer be led from here.
pub async fn wait_replicated(partition: &Partition, end: Offset) -> Result<(), PartitionError> {
    let log = partition.log();
    if log.high_watermark() < end {
        let notify = Arc::new(Notify::new());
        let _subscription = log.subscribe(Interest::HIGH_WATERMARK, &notify);
        while log.high_watermark() < end {
            partition.leader_log(None)?;
            notify.notified().await;
        }
    }
    Ok(())
}

/// Waits until all before `end` is synced here, where the topic promises that.
///
/// # Errors
/// The disk failed, or the log was cut.
pub async fn wait_durable(partition: &Partition, end: Offset) -> Result<(), PartitionError> {
    let log = partition.log();
    if log.config().ack_durability == config::AckDurability::Synced {
        log.wait_synced(end).await?;
    }
    Ok(())
}

fn apply_to(partition: &Arc<Partition>, registration: &Arc<PartitionRegistration>, applied: &mut Applied) {
    let led = partition.is_leader();
    if partition.apply(registration.clone()) {
        applied.elected.push(partition.clone());
    } else if led && !partition.is_leader() {
        applied.resigned.push(partition.clone());
    }
}
