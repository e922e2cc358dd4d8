//! Which partitions a broker keeps in sync, which have no leader or not their preferred one, and which topic names
//! would collide. Derived from the image, so that no decision walks over all partitions.
//!
//! Kafka: `BrokersToIsrs`, `BrokersToElrs`, `imbalancedPartitions`, `topicsWithCollisionChars`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::{MetadataImage, PartitionRegistration, TopicImage};
use model::{NodeId, Uuid};
use protocol::MetadataRecord;

/// A partition by its topic's id and its index.
pub(crate) type PartitionKey = (Uuid, i32);

/// What a record is about to change.
#[derive(Debug)]
pub(crate) enum Before {
    Nothing,
    Topic(TopicImage),
    Partition(Arc<PartitionRegistration>),
}

#[derive(Debug, Default)]
pub(crate) struct ReplicaIndex {
    isr: BTreeMap<NodeId, BTreeSet<PartitionKey>>,
    elr: BTreeMap<NodeId, BTreeSet<PartitionKey>>,
    leaders: BTreeMap<NodeId, usize>,
    leaderless: BTreeSet<PartitionKey>,
    imbalanced: BTreeSet<PartitionKey>,
    reassigning: BTreeSet<PartitionKey>,
    /// Topic names by what they become when `.` is taken for `_`.
    collisions: BTreeMap<String, BTreeSet<Arc<str>>>,
}

impl ReplicaIndex {
    pub(crate) fn of(image: &MetadataImage) -> Self {
        let mut index = Self::default();
        for topic in image.topics().iter() {
            index.add_topic(topic);
        }
        index
    }

    /// Takes what `record` is about to change, before it is replayed.
    pub(crate) fn before(&self, image: &MetadataImage, record: &MetadataRecord) -> Before {
        match record {
            MetadataRecord::RemoveTopicRecord(record) => {
                image.topics().by_id(record.topic_id).cloned().map_or(Before::Nothing, Before::Topic)
            }
            record => partition_key(record)
                .and_then(|key| find(image, key))
                .map_or(Before::Nothing, Before::Partition),
        }
    }

    /// Follows a record that was replayed on `image`.
    pub(crate) fn replay(&mut self, before: Before, image: &MetadataImage, record: &MetadataRecord) {
        if let MetadataRecord::TopicRecord(record) = record {
            self.collisions.entry(unified(&record.name)).or_default().insert(record.name.as_str().into());
        }
        let key = partition_key(record);
        match (before, key) {
            (Before::Topic(topic), _) => self.remove_topic(&topic),
            (Before::Partition(old), Some(key)) => self.remove(key, &old),
            _ => {}
        }
        if let Some((key, new)) = key.and_then(|key| Some((key, find(image, key)?))) {
            self.add(key, &new);
        }
    }

    fn add_topic(&mut self, topic: &TopicImage) {
        self.collisions.entry(unified(topic.name())).or_default().insert(topic.name().clone());
        for (partition, registration) in topic.partitions() {
            self.add((topic.id(), partition), registration);
        }
    }

    fn remove_topic(&mut self, topic: &TopicImage) {
        let name = unified(topic.name());
        if let Some(names) = self.collisions.get_mut(&name) {
            names.remove(topic.name());
            if names.is_empty() {
                self.collisions.remove(&name);
            }
        }
        for (partition, registration) in topic.partitions() {
            self.remove((topic.id(), partition), registration);
        }
    }

    fn add(&mut self, key: PartitionKey, partition: &PartitionRegistration) {
        for id in &partition.isr {
            self.isr.entry(*id).or_default().insert(key);
        }
        for id in &partition.elr {
            self.elr.entry(*id).or_default().insert(key);
        }
        if partition.has_leader() {
            *self.leaders.entry(partition.leader).or_default() += 1;
        } else {
            self.leaderless.insert(key);
        }
        if !partition.has_preferred_leader() {
            self.imbalanced.insert(key);
        }
        if partition.is_reassigning() {
            self.reassigning.insert(key);
        }
    }

    fn remove(&mut self, key: PartitionKey, partition: &PartitionRegistration) {
        for id in &partition.isr {
            remove_from(&mut self.isr, *id, key);
        }
        for id in &partition.elr {
            remove_from(&mut self.elr, *id, key);
        }
        if let Some(count) = self.leaders.get_mut(&partition.leader) {
            *count = count.saturating_sub(1);
        }
        self.leaderless.remove(&key);
        self.imbalanced.remove(&key);
        self.reassigning.remove(&key);
    }

    /// Partitions with `broker` among their in-sync replicas.
    pub(crate) fn in_isr(&self, broker: NodeId) -> Vec<PartitionKey> {
        self.isr.get(&broker).into_iter().flatten().copied().collect()
    }

    /// Partitions with `broker` among their eligible leader replicas.
    pub(crate) fn in_elr(&self, broker: NodeId) -> Vec<PartitionKey> {
        self.elr.get(&broker).into_iter().flatten().copied().collect()
    }

    pub(crate) fn has_leaderships(&self, broker: NodeId) -> bool {
        self.leaders.get(&broker).is_some_and(|count| *count > 0)
    }

    pub(crate) fn leaderless(&self) -> Vec<PartitionKey> {
        self.leaderless.iter().copied().collect()
    }

    pub(crate) fn imbalanced(&self) -> impl Iterator<Item = PartitionKey> {
        self.imbalanced.iter().copied()
    }

    pub(crate) fn reassigning(&self) -> impl Iterator<Item = PartitionKey> {
        self.reassigning.iter().copied()
    }

    /// A topic whose name differs from `name` in dots and underscores alone, so that metrics would confuse them.
    pub(crate) fn colliding(&self, name: &str) -> Option<&Arc<str>> {
        self.collisions.get(&unified(name))?.iter().find(|existing| existing.as_ref() != name)
    }
}

fn partition_key(record: &MetadataRecord) -> Option<PartitionKey> {
    match record {
        MetadataRecord::PartitionRecord(record) => Some((record.topic_id, record.partition_id)),
        MetadataRecord::PartitionChangeRecord(record) => Some((record.topic_id, record.partition_id)),
        _ => None,
    }
}

fn find(image: &MetadataImage, (topic, partition): PartitionKey) -> Option<Arc<PartitionRegistration>> {
    image.topics().by_id(topic)?.partition(partition).cloned()
}

fn remove_from(sets: &mut BTreeMap<NodeId, BTreeSet<PartitionKey>>, id: NodeId, key: PartitionKey) {
    if let Some(set) = sets.get_mut(&id) {
        set.remove(&key);
        if set.is_empty() {
            sets.remove(&id);
        }
    }
}

/// Kafka: `Topic.unifyCollisionChars`.
fn unified(name: &str) -> String {
    name.replace('.', "_")
}
