//! What differs between two images, so that a broker acts on what changed alone.
//!
//! Computed from the images themselves, which share structure: a broker that missed images in between compares the
//! last one it acted on with the newest one.
//!
//! Kafka: `MetadataDelta`, `TopicsDelta`, `TopicDelta.localChanges`, `LocalReplicaChanges`.

use std::sync::Arc;

use imbl::ordmap::DiffItem;
use imbl::{GenericOrdMap, OrdMap, shared_ptr::DefaultSharedPtr};
use model::{NodeId, TopicIdPartition, TopicPartition};

use crate::{ConfigResource, MetadataImage, PartitionRegistration, TopicImage};

/// What differs between an old image and a new one.
#[derive(Clone, Debug, Default)]
pub struct MetadataDelta {
    /// Topics that are new or have changed partitions.
    pub topics: Vec<TopicDelta>,
    /// Topics that are gone, as they were.
    pub deleted_topics: Vec<TopicImage>,
    /// Resources whose configs changed, came or went.
    pub configs: Vec<ConfigResource>,
    /// Brokers that registered, changed or went.
    pub brokers: Vec<NodeId>,
    /// Controllers that registered, changed or went.
    pub controllers: Vec<NodeId>,
    /// Whether feature levels differ.
    pub features_changed: bool,
    /// Whether client quotas differ.
    pub client_quotas_changed: bool,
    /// Whether access control entries differ.
    pub acls_changed: bool,
    /// Whether SCRAM credentials differ.
    pub scram_changed: bool,
    /// Whether delegation tokens differ.
    pub delegation_tokens_changed: bool,
    /// Whether producer ids were handed out.
    pub producer_ids_changed: bool,
}

/// What changed in one topic.
#[derive(Clone, Debug)]
pub struct TopicDelta {
    /// The topic as it is now.
    pub topic: TopicImage,
    /// Whether the topic was not there before.
    pub is_new: bool,
    /// The partitions that differ.
    pub partitions: Vec<PartitionChange>,
}

/// How one partition changed. Partitions never go but with their topic.
#[derive(Clone, Debug)]
pub struct PartitionChange {
    /// The partition's index.
    pub index: i32,
    /// The partition as it was; `None` if it is new.
    pub old: Option<Arc<PartitionRegistration>>,
    /// The partition as it is.
    pub new: Arc<PartitionRegistration>,
}

/// What a delta asks of one broker.
#[derive(Clone, Debug, Default)]
pub struct LocalReplicaChanges {
    /// Partitions that this broker leads from now on, or leads in changed circumstances (ISR, epochs, replicas).
    pub leaders: Vec<(TopicIdPartition, Arc<PartitionRegistration>)>,
    /// Partitions that this broker follows from now on, or follows in changed circumstances.
    pub followers: Vec<(TopicIdPartition, Arc<PartitionRegistration>)>,
    /// Partitions of which this broker no longer has a replica.
    pub deletes: Vec<TopicIdPartition>,
}

impl MetadataDelta {
    /// Compares two images; the cost is that of what differs, if one came from the other.
    pub fn between(old: &MetadataImage, new: &MetadataImage) -> Self {
        let (topics, deleted_topics) = topic_changes(old, new);
        Self {
            topics,
            deleted_topics,
            configs: changed_keys(&old.configs().resources, &new.configs().resources),
            brokers: changed_keys(&old.cluster().brokers, &new.cluster().brokers),
            controllers: changed_keys(&old.cluster().controllers, &new.cluster().controllers),
            features_changed: old.features() != new.features(),
            client_quotas_changed: old.client_quotas() != new.client_quotas(),
            acls_changed: old.acls() != new.acls(),
            scram_changed: old.scram() != new.scram(),
            delegation_tokens_changed: old.delegation_tokens() != new.delegation_tokens(),
            producer_ids_changed: old.producer_ids() != new.producer_ids(),
        }
    }

    /// Returns what `broker` must do about its replicas.
    pub fn local_changes(&self, broker: NodeId) -> LocalReplicaChanges {
        let mut changes = LocalReplicaChanges::default();
        for topic in &self.deleted_topics {
            let here = topic.partitions().filter(|(_, partition)| partition.replicas.contains(&broker));
            changes.deletes.extend(here.map(|(index, _)| name(topic, index)));
        }
        for delta in &self.topics {
            for change in &delta.partitions {
                changes.add(broker, name(&delta.topic, change.index), change);
            }
        }
        changes
    }
}

impl LocalReplicaChanges {
    fn add(&mut self, broker: NodeId, partition: TopicIdPartition, change: &PartitionChange) {
        let was_here = change.old.as_ref().is_some_and(|old| old.replicas.contains(&broker));
        match &change.new {
            new if new.leader == broker => self.leaders.push((partition, new.clone())),
            new if new.replicas.contains(&broker) => self.followers.push((partition, new.clone())),
            _ if was_here => self.deletes.push(partition),
            _ => {}
        }
    }
}

fn name(topic: &TopicImage, index: i32) -> TopicIdPartition {
    TopicIdPartition {
        topic_id: topic.id(),
        topic_partition: TopicPartition { topic: topic.name().clone(), partition: index },
    }
}

fn topic_changes(old: &MetadataImage, new: &MetadataImage) -> (Vec<TopicDelta>, Vec<TopicImage>) {
    let (mut changed, mut deleted) = (Vec::new(), Vec::new());
    for item in old.topics().by_id.diff(&new.topics().by_id) {
        match item {
            DiffItem::Add(_, topic) => changed.push(topic_delta(None, topic)),
            DiffItem::Update { old: (_, old), new: (_, new) } => changed.push(topic_delta(Some(old), new)),
            DiffItem::Remove(_, topic) => deleted.push(topic.clone()),
        }
    }
    (changed, deleted)
}

fn topic_delta(old: Option<&TopicImage>, topic: &TopicImage) -> TopicDelta {
    let none = OrdMap::new();
    let before = old.map_or(&none, |old| &old.partitions);
    let change = |item: DiffItem<'_, '_, i32, Arc<PartitionRegistration>>| match item {
        DiffItem::Add(index, new) => Some(PartitionChange { index: *index, old: None, new: new.clone() }),
        DiffItem::Update { old: (_, old), new: (index, new) } => {
            Some(PartitionChange { index: *index, old: Some(old.clone()), new: new.clone() })
        }
        DiffItem::Remove(..) => None,
    };
    let partitions = before.diff(&topic.partitions).filter_map(change).collect();
    TopicDelta { topic: topic.clone(), is_new: old.is_none(), partitions }
}

fn changed_keys<K: Ord + Clone, V: PartialEq>(
    old: &GenericOrdMap<K, V, DefaultSharedPtr>,
    new: &GenericOrdMap<K, V, DefaultSharedPtr>,
) -> Vec<K> {
    let key = |item: DiffItem<'_, '_, K, V>| match item {
        DiffItem::Add(key, _) | DiffItem::Remove(key, _) | DiffItem::Update { new: (key, _), .. } => {
            key.clone()
        }
    };
    old.diff(new).map(key).collect()
}
