//! For which partitions of a share group the share coordinator keeps state: those whose state has begun, those whose state
//! is to begin, and the topics whose state is to be forgotten.
//!
//! Kafka: `ShareGroup.ShareGroupStatePartitionMetadataInfo`.

use std::collections::{BTreeMap, BTreeSet};

use model::Uuid;
use protocol::ShareGroupStatePartitionMetadataValue;
use protocol::share_group_state_partition_metadata_value::{TopicInfo, TopicPartitionsInfo};

use super::SharePartitions;
use super::entry::ShareEntry;
use crate::group::metadata::Metadata;
use crate::group::record::GroupRecord;

/// The name of a topic that is not known any more.
const UNKNOWN_NAME: &str = "<UNKNOWN>";

/// A topic's name, and some of its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedPartitions {
    pub(super) name: String,
    pub(super) partitions: BTreeSet<i32>,
}

/// Partitions by topic, each with its name.
pub(super) type NamedTopics = BTreeMap<Uuid, NamedPartitions>;

/// The partitions that have state, or soon will.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PartitionStates {
    pub(super) initializing: NamedTopics,
    pub(super) initialized: NamedTopics,
    pub(super) deleting: BTreeSet<Uuid>,
}

impl PartitionStates {
    /// Reads what a record says.
    pub(super) fn from_record(value: ShareGroupStatePartitionMetadataValue) -> Self {
        let topics = |topics: Vec<TopicPartitionsInfo>| {
            let one = |topic: TopicPartitionsInfo| {
                let partitions = topic.partitions.into_iter().collect();
                (topic.topic_id, NamedPartitions { name: topic.topic_name, partitions })
            };
            topics.into_iter().map(one).collect()
        };
        Self {
            initializing: topics(value.initializing_topics),
            initialized: topics(value.initialized_topics),
            deleting: value.deleting_topics.into_iter().map(|topic| topic.topic_id).collect(),
        }
    }

    /// Makes the record of these states.
    pub(super) fn record(&self, group: &str, metadata: &Metadata) -> GroupRecord {
        let topics = |topics: &NamedTopics| {
            let one = |(topic_id, topic): (&Uuid, &NamedPartitions)| TopicPartitionsInfo {
                topic_id: *topic_id,
                topic_name: topic.name.clone(),
                partitions: topic.partitions.iter().copied().collect(),
                ..Default::default()
            };
            topics.iter().map(one).collect()
        };
        let deleting = |topic_id: &Uuid| TopicInfo {
            topic_id: *topic_id,
            topic_name: name_of(*topic_id, metadata),
            ..Default::default()
        };
        let value = ShareGroupStatePartitionMetadataValue {
            initializing_topics: topics(&self.initializing),
            initialized_topics: topics(&self.initialized),
            deleting_topics: self.deleting.iter().map(deleting).collect(),
            ..Default::default()
        };
        ShareEntry::States(Some(value)).of(group)
    }

    /// Makes what follows when the states of `topics` are to begin: they are not to be forgotten any more.
    pub(super) fn begin(&self, topics: &NamedTopics) -> Self {
        let mut next = self.clone();
        add(&mut next.initializing, topics);
        let initializing = &next.initializing;
        next.deleting.retain(|topic| !initializing.contains_key(topic));
        next
    }

    /// Makes what follows when the states of `partitions` have begun.
    pub(super) fn begun(&self, partitions: &SharePartitions, metadata: &Metadata) -> Self {
        let mut next = self.give_up(partitions);
        let named = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
            let name = name_of(*topic, metadata);
            (*topic, NamedPartitions { name, partitions: partitions.clone() })
        };
        add(&mut next.initialized, &partitions.iter().map(named).collect());
        next
    }

    /// Makes what follows when the states of `partitions` could not be begun.
    pub(super) fn give_up(&self, partitions: &SharePartitions) -> Self {
        let mut next = self.clone();
        for (topic, partitions) in partitions {
            if let Some(waiting) = next.initializing.get_mut(topic) {
                waiting.partitions.retain(|partition| !partitions.contains(partition));
                if waiting.partitions.is_empty() {
                    next.initializing.remove(topic);
                }
            }
        }
        next
    }

    /// Makes what follows when topics are gone; none if nothing does.
    pub(super) fn without(&self, topics: &BTreeSet<Uuid>) -> Option<Self> {
        let mut next = self.clone();
        next.initializing.retain(|topic, _| !topics.contains(topic));
        next.initialized.retain(|topic, _| !topics.contains(topic));
        next.deleting.retain(|topic| !topics.contains(topic));
        (next != *self).then_some(next)
    }
}

/// Adds partitions; the newer name counts.
fn add(topics: &mut NamedTopics, more: &NamedTopics) {
    for (id, topic) in more {
        match topics.get_mut(id) {
            Some(known) => {
                known.name.clone_from(&topic.name);
                known.partitions.extend(&topic.partitions);
            }
            None => _ = topics.insert(*id, topic.clone()),
        }
    }
}

/// Leaves the names away.
pub(super) fn partitions_of(topics: &NamedTopics) -> SharePartitions {
    topics.iter().map(|(id, topic)| (*id, topic.partitions.clone())).collect()
}

fn name_of(topic: Uuid, metadata: &Metadata) -> String {
    metadata.topic_name(topic).map_or(UNKNOWN_NAME, |name| name).to_owned()
}
