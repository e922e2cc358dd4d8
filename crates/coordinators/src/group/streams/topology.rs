//! The topology that a streams group runs: subtopologies with their topics, as a member told it.
//!
//! Invariants:
//! - each subtopology has its own id; copartition groups point at topics that there are
//!
//! Kafka: `StreamsTopology`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::streams_group_describe_response as described;
use protocol::streams_group_heartbeat_request as request;
use protocol::streams_group_topology_value::{CopartitionGroup, Subtopology, TopicConfig, TopicInfo};
use protocol::{ErrorCode, StreamsGroupTopologyValue};

use crate::group::consumer::Refusal;

/// A topology. Its parts are those of the record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StreamsTopology {
    pub(super) epoch: i32,
    /// By id.
    pub(super) subtopologies: BTreeMap<String, Subtopology>,
    /// The subtopology that reads a topic.
    readers: BTreeMap<String, String>,
}

impl StreamsTopology {
    /// Takes a topology out of its record.
    pub(super) fn from_record(value: StreamsGroupTopologyValue) -> Self {
        let mut readers = BTreeMap::new();
        for subtopology in &value.subtopologies {
            let topics = source_topics(subtopology);
            readers.extend(topics.map(|topic| (topic.clone(), subtopology.subtopology_id.clone())));
        }
        let by_id = |subtopology: Subtopology| (subtopology.subtopology_id.clone(), subtopology);
        Self {
            epoch: value.epoch,
            subtopologies: value.subtopologies.into_iter().map(by_id).collect(),
            readers,
        }
    }

    /// The subtopology that reads `topic`.
    pub(super) fn reader_of(&self, topic: &str) -> Option<&str> {
        self.readers.get(topic).map(String::as_str)
    }

    /// The topics that must be there: sources, repartition topics and changelogs.
    pub(super) fn required_topics(&self) -> BTreeSet<&String> {
        let subtopologies = self.subtopologies.values();
        let changelogs = subtopologies.clone().flat_map(|it| &it.state_changelog_topics);
        subtopologies.flat_map(source_topics).chain(changelogs.map(|topic| &topic.name)).collect()
    }

    /// Describes the topology as the member told it.
    pub(super) fn describe(&self) -> described::Topology {
        let subtopologies = self.subtopologies.values().map(describe_subtopology);
        described::Topology {
            epoch: self.epoch,
            subtopologies: Some(subtopologies.collect()),
            ..Default::default()
        }
    }
}

/// The topics that a subtopology reads.
pub(super) fn source_topics(subtopology: &Subtopology) -> impl Iterator<Item = &String> {
    let repartition = subtopology.repartition_source_topics.iter().map(|topic| &topic.name);
    subtopology.source_topics.iter().chain(repartition)
}

/// Takes a topology out of a heartbeat, as the record that keeps it.
///
/// Kafka refuses what is refused here too, but as an unknown error.
pub(super) fn record_of(topology: &request::Topology) -> Result<StreamsGroupTopologyValue, Refusal> {
    if topology.epoch < 0 {
        return Err(invalid("Topology epoch must be non-negative."));
    }
    let mut ids = BTreeSet::new();
    for subtopology in &topology.subtopologies {
        let id = &subtopology.subtopology_id;
        if !ids.insert(id) {
            return Err(invalid(format!("Subtopology {id} is there more than once.")));
        }
        for group in &subtopology.copartition_groups {
            let within = |indexes: &[i16], length: usize| {
                indexes.iter().all(|index| usize::try_from(*index).is_ok_and(|index| index < length))
            };
            let repartition_count = subtopology.repartition_source_topics.len();
            if !within(&group.source_topics, subtopology.source_topics.len())
                || !within(&group.repartition_source_topics, repartition_count)
            {
                let message =
                    format!("A copartition group of subtopology {id} points at a topic that is not there.");
                return Err(invalid(message));
            }
        }
    }
    let subtopologies = topology.subtopologies.iter().map(subtopology_record).collect();
    Ok(StreamsGroupTopologyValue { epoch: topology.epoch, subtopologies, ..Default::default() })
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::STREAMS_INVALID_TOPOLOGY, message)
}

fn subtopology_record(told: &request::Subtopology) -> Subtopology {
    let group = |group: &request::CopartitionGroup| CopartitionGroup {
        source_topics: group.source_topics.clone(),
        source_topic_regex: group.source_topic_regex.clone(),
        repartition_source_topics: group.repartition_source_topics.clone(),
        ..Default::default()
    };
    Subtopology {
        subtopology_id: told.subtopology_id.clone(),
        source_topics: told.source_topics.clone(),
        source_topic_regex: told.source_topic_regex.clone(),
        state_changelog_topics: told.state_changelog_topics.iter().map(topic_record).collect(),
        repartition_sink_topics: told.repartition_sink_topics.clone(),
        repartition_source_topics: told.repartition_source_topics.iter().map(topic_record).collect(),
        copartition_groups: told.copartition_groups.iter().map(group).collect(),
        ..Default::default()
    }
}

fn topic_record(told: &request::TopicInfo) -> TopicInfo {
    let config = |config: &request::KeyValue| TopicConfig {
        key: config.key.clone(),
        value: config.value.clone(),
        ..Default::default()
    };
    TopicInfo {
        name: told.name.clone(),
        partitions: told.partitions,
        replication_factor: told.replication_factor,
        topic_configs: told.topic_configs.iter().map(config).collect(),
        ..Default::default()
    }
}

fn describe_subtopology(subtopology: &Subtopology) -> described::Subtopology {
    described::Subtopology {
        subtopology_id: subtopology.subtopology_id.clone(),
        source_topics: sorted(&subtopology.source_topics),
        repartition_sink_topics: sorted(&subtopology.repartition_sink_topics),
        state_changelog_topics: describe_topics(&subtopology.state_changelog_topics),
        repartition_source_topics: describe_topics(&subtopology.repartition_source_topics),
        ..Default::default()
    }
}

fn sorted(topics: &[String]) -> Vec<String> {
    let mut topics = topics.to_vec();
    topics.sort();
    topics
}

fn describe_topics(topics: &[TopicInfo]) -> Vec<described::TopicInfo> {
    let config = |config: &TopicConfig| described::KeyValue {
        key: config.key.clone(),
        value: config.value.clone(),
        ..Default::default()
    };
    let describe = |topic: &TopicInfo| described::TopicInfo {
        name: topic.name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: topic.topic_configs.iter().map(config).collect(),
        ..Default::default()
    };
    let mut topics: Vec<_> = topics.iter().map(describe).collect();
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    topics
}
