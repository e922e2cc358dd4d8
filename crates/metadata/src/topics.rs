//! Topics by name and by id, with their partitions.
//!
//! Invariant: both maps hold the same topics.
//!
//! Kafka: `TopicsImage`, `TopicImage`, `TopicsDelta`.

use std::sync::Arc;

use imbl::OrdMap;
use model::Uuid;
use protocol::{MetadataRecord, PartitionChangeRecord, PartitionRecord, TopicRecord};

use crate::{MetadataVersion, PartitionRegistration, ReplayError};

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicImage {
    name: Arc<str>,
    id: Uuid,
    pub(crate) partitions: OrdMap<i32, Arc<PartitionRegistration>>,
}

impl TopicImage {
    /// The topic's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The topic's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// How many partitions the topic has.
    pub fn partition_count(&self) -> i32 {
        self.partitions.len() as i32
    }

    /// The partitions by index, from 0.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &Arc<PartitionRegistration>)> {
        self.partitions.iter().map(|(index, partition)| (*index, partition))
    }

    /// The partition with `index`.
    pub fn partition(&self, index: i32) -> Option<&Arc<PartitionRegistration>> {
        self.partitions.get(&index)
    }

    /// Returns the state of the partition with `index`, in the memory of the one before if that is in the same state: on few
    /// brokers most are.
    fn shared(&self, index: i32, state: PartitionRegistration) -> Arc<PartitionRegistration> {
        let before = self.partitions.get(&index.wrapping_sub(1));
        match before.filter(|before| ***before == state) {
            Some(before) => before.clone(),
            None => Arc::new(state),
        }
    }
}

/// All topics.
#[derive(Clone, Debug, Default)]
pub struct TopicsImage {
    pub(crate) by_id: OrdMap<Uuid, TopicImage>,
    by_name: OrdMap<Arc<str>, Uuid>,
}

impl PartialEq for TopicsImage {
    fn eq(&self, other: &Self) -> bool {
        self.by_id == other.by_id
    }
}

impl TopicsImage {
    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Tells whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The topic called `name`.
    pub fn by_name(&self, name: &str) -> Option<&TopicImage> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// The topic with `id`.
    pub fn by_id(&self, id: Uuid) -> Option<&TopicImage> {
        self.by_id.get(&id)
    }

    /// The id of the topic called `name`.
    pub fn id_of(&self, name: &str) -> Option<Uuid> {
        self.by_name.get(name).copied()
    }

    /// All topics, by name.
    pub fn iter(&self) -> impl Iterator<Item = &TopicImage> {
        self.iter_from("")
    }

    /// The topics whose names are not less than `name`, by name.
    pub fn iter_from(&self, name: &str) -> impl Iterator<Item = &TopicImage> {
        self.by_name.range(Arc::<str>::from(name)..).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// The partition `index` of the topic called `name`.
    pub fn partition(&self, name: &str, index: i32) -> Option<&Arc<PartitionRegistration>> {
        self.by_name(name)?.partition(index)
    }

    pub(crate) fn create(&mut self, record: &TopicRecord) -> Result<(), ReplayError> {
        if self.by_name.contains_key(record.name.as_str()) {
            return Err(ReplayError::TopicExists(record.name.clone()));
        }
        let name: Arc<str> = record.name.as_str().into();
        self.by_name.insert(name.clone(), record.topic_id);
        self.by_id
            .insert(record.topic_id, TopicImage { name, id: record.topic_id, partitions: OrdMap::new() });
        Ok(())
    }

    /// Removes a topic and returns its name.
    pub(crate) fn remove(&mut self, id: Uuid) -> Result<Arc<str>, ReplayError> {
        let topic = self.by_id.remove(&id).ok_or(ReplayError::UnknownTopic(id))?;
        self.by_name.remove(&topic.name);
        Ok(topic.name)
    }

    pub(crate) fn put_partition(&mut self, record: &PartitionRecord) -> Result<(), ReplayError> {
        let topic = self.by_id.get_mut(&record.topic_id).ok_or(ReplayError::UnknownTopic(record.topic_id))?;
        let partition = topic.shared(record.partition_id, PartitionRegistration::from_record(record)?);
        topic.partitions.insert(record.partition_id, partition);
        Ok(())
    }

    pub(crate) fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), ReplayError> {
        let topic = self.by_id.get_mut(&record.topic_id).ok_or(ReplayError::UnknownTopic(record.topic_id))?;
        let unknown = ReplayError::UnknownPartition(record.topic_id, record.partition_id);
        let merged = topic.partitions.get(&record.partition_id).ok_or(unknown)?.merge(record)?;
        let partition = topic.shared(record.partition_id, merged);
        topic.partitions.insert(record.partition_id, partition);
        Ok(())
    }

    /// Forgets the eligible leader replicas of one topic, or of all if `name` is empty.
    pub(crate) fn clear_elr(&mut self, name: &str) -> Result<(), ReplayError> {
        let ids = if name.is_empty() {
            self.by_id.keys().copied().collect()
        } else {
            vec![self.id_of(name).ok_or(ReplayError::UnknownTopic(Uuid::ZERO))?]
        };
        for topic in ids {
            self.clear_elr_of(topic);
        }
        Ok(())
    }

    fn clear_elr_of(&mut self, id: Uuid) {
        let has_elr = |p: &PartitionRegistration| !p.elr.is_empty() || !p.last_known_elr.is_empty();
        let Some(topic) = self.by_id.get_mut(&id) else { return };
        let stale =
            topic.partitions.iter().filter(|(_, p)| has_elr(p)).map(|(index, _)| *index).collect::<Vec<_>>();
        for index in stale {
            if let Some(partition) = topic.partitions.get_mut(&index) {
                let partition = Arc::make_mut(partition);
                partition.elr.clear();
                partition.last_known_elr.clear();
            }
        }
    }

    pub(crate) fn to_records(&self, version: MetadataVersion, records: &mut Vec<MetadataRecord>) {
        for topic in self.iter() {
            let record =
                TopicRecord { name: topic.name.to_string(), topic_id: topic.id, ..Default::default() };
            records.push(MetadataRecord::TopicRecord(record));
            let partitions = topic.partitions.iter();
            records.extend(partitions.map(|(index, partition)| {
                MetadataRecord::PartitionRecord(partition.to_record(topic.id, *index, version))
            }));
        }
    }
}
