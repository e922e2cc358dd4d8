//! What the group machine knows of the cluster: topics, their partitions and racks, and the configurations of groups.
//!
//! Invariants:
//! - the machine reads nothing by itself: the image comes in when it begins and with [`MetadataChange`]s
//! - a topic's hash is computed once for each of its states

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metadata::{ConfigResource, MetadataDelta, MetadataImage, ResourceType};
use model::Uuid;
use twox_hash::XxHash3_64;

/// New metadata, with what in it differs from the metadata before.
#[derive(Clone, Debug)]
pub struct MetadataChange {
    /// The metadata.
    pub image: Arc<MetadataImage>,
    /// Topics that came, went or changed, by name.
    pub topics: BTreeSet<Arc<str>>,
    /// Whether one of them is new.
    pub has_new_topics: bool,
}

impl MetadataChange {
    /// Takes from `delta` what the machine wants to know about `image`.
    pub fn new(image: Arc<MetadataImage>, delta: &MetadataDelta) -> Self {
        let changed = delta.topics.iter().map(|change| &change.topic);
        Self {
            image,
            topics: changed.chain(&delta.deleted_topics).map(|topic| topic.name().clone()).collect(),
            has_new_topics: delta.topics.iter().any(|change| change.is_new),
        }
    }
}

/// The metadata as it is now.
#[derive(Debug)]
pub(super) struct Metadata {
    image: Arc<MetadataImage>,
    /// The version of the last image that brought new topics, which regular expressions may match.
    version_with_new_topics: i64,
    topic_hashes: BTreeMap<Arc<str>, i64>,
}

impl Metadata {
    pub(super) fn new(image: Arc<MetadataImage>) -> Self {
        let version_with_new_topics = version_of(&image);
        Self { image, version_with_new_topics, topic_hashes: BTreeMap::new() }
    }

    pub(super) fn change(&mut self, change: &MetadataChange) {
        self.image = change.image.clone();
        if change.has_new_topics {
            self.version_with_new_topics = version_of(&self.image);
        }
        for topic in &change.topics {
            self.topic_hashes.remove(topic);
        }
    }

    /// The offset of the metadata log that this is the state at.
    pub(super) fn version(&self) -> i64 {
        version_of(&self.image)
    }

    pub(super) fn version_with_new_topics(&self) -> i64 {
        self.version_with_new_topics
    }

    pub(super) fn topic_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.image.topics().iter().map(|topic| topic.name())
    }

    pub(super) fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.image.topics().id_of(name)
    }

    pub(super) fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.image.topics().by_id(id).map(|topic| topic.name())
    }

    pub(super) fn partition_count(&self, id: Uuid) -> Option<i32> {
        self.image.topics().by_id(id).map(|topic| topic.partition_count())
    }

    /// A group's own setting of a key that holds a number.
    pub(super) fn group_setting(&self, group: &str, key: &str) -> Option<i32> {
        let configs = self.image.configs();
        configs.value(&ConfigResource::new(ResourceType::GROUP, group), key)?.parse().ok()
    }

    /// Hashes the topics that a group reads, so that it notices when one of them changes; 0 for none.
    ///
    /// Kafka: `Utils.computeGroupHash`, `ModernGroup.computeMetadataHash`.
    pub(super) fn group_hash<'a>(&mut self, topics: impl Iterator<Item = &'a String>) -> i64 {
        // Kafka sorts by UTF-16 units; names of topics are ASCII.
        let mut bytes = Vec::new();
        for hash in topics.collect::<BTreeSet<_>>().into_iter().filter_map(|topic| self.topic_hash(topic)) {
            bytes.extend_from_slice(&hash.to_le_bytes());
        }
        if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes).cast_signed() }
    }

    fn topic_hash(&mut self, name: &str) -> Option<i64> {
        if let Some(hash) = self.topic_hashes.get(name) {
            return Some(*hash);
        }
        let hash = hash_topic(&self.image, name)?;
        self.topic_hashes.insert(name.into(), hash);
        Some(hash)
    }
}

fn version_of(image: &MetadataImage) -> i64 {
    image.provenance().last_contained_offset.0
}

/// Hashes a topic's id, name, partitions and racks. Kafka: `Utils.computeTopicHash`.
fn hash_topic(image: &MetadataImage, name: &str) -> Option<i64> {
    let topic = image.topics().by_name(name)?;
    let mut bytes = Vec::new();
    let id = topic.id();
    let (high, low) = id.0.split_at(8);
    bytes.push(0);
    for half in [high, low] {
        bytes.extend(half.iter().rev());
    }
    write_text(&mut bytes, name);
    write_int(&mut bytes, topic.partition_count());
    for index in 0..topic.partition_count() {
        write_int(&mut bytes, index);
        for rack in racks(image, topic, index) {
            write_int(&mut bytes, utf16_length(rack));
            write_text(&mut bytes, rack);
        }
    }
    Some(XxHash3_64::oneshot(&bytes).cast_signed())
}

/// The racks of a partition's replicas, sorted, one entry for each replica whose broker names its rack.
fn racks<'a>(image: &'a MetadataImage, topic: &metadata::TopicImage, index: i32) -> Vec<&'a str> {
    let replicas = topic.partition(index).map(|partition| partition.replicas.as_slice()).unwrap_or_default();
    let brokers = replicas.iter().filter_map(|id| image.cluster().broker(*id));
    let mut racks: Vec<&str> = brokers.filter_map(|broker| broker.rack.as_deref()).collect();
    racks.sort_unstable();
    racks
}

fn write_int(bytes: &mut Vec<u8>, value: i32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

/// Writes a text as hash4j does: its UTF-16 units, then how many they are.
fn write_text(bytes: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    write_int(bytes, utf16_length(text));
}

fn utf16_length(text: &str) -> i32 {
    i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_apache_kafka() {
        let mut bytes = Vec::new();
        bytes.push(0);
        bytes.extend_from_slice(&1i64.to_le_bytes());
        bytes.extend_from_slice(&2i64.to_le_bytes());
        write_text(&mut bytes, "foo");
        [2, 0, 1].into_iter().for_each(|value| write_int(&mut bytes, value));
        assert_eq!(XxHash3_64::oneshot(&bytes).cast_signed(), -5_159_372_484_819_424_185);
        let mut metadata = Metadata::new(Arc::default());
        metadata.topic_hashes = [("foo".into(), 5), ("bar".into(), -7)].into();
        let topics = ["foo".to_owned(), "bar".to_owned()];
        assert_eq!(metadata.group_hash(topics.iter()), -8_589_419_398_681_722_680);
    }
}
