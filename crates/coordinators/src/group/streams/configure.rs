//! A topology against the topics that there are: whether it can run, with how many tasks, and which internal topics are to be
//! made first.
//!
//! Kafka: `InternalTopicManager`, `ConfiguredTopology`.

use std::collections::BTreeMap;

use protocol::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::streams_group_describe_response as described;
use protocol::streams_group_heartbeat_response::Status;
use protocol::streams_group_topology_value::{Subtopology, TopicInfo};

use super::partition_counts::{Counts, PartitionCounts};
use super::status;
use super::topology::{StreamsTopology, invalid};
use crate::group::consumer::Refusal;
use crate::group::java_order::{hash_of_text, in_map_order};
use crate::group::metadata::Metadata;

/// How many names a message tells at most.
const MOST_NAMES: usize = 3;

/// Why a topology cannot run yet, as its members are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    code: i8,
    detail: String,
}

impl Problem {
    pub(super) fn incorrectly_partitioned(detail: String) -> Self {
        Self { code: status::INCORRECTLY_PARTITIONED_TOPICS, detail }
    }

    pub(super) fn status(&self) -> Status {
        status::of(self.code, self.detail.clone())
    }
}

/// Why a topology cannot run: for now, or never.
pub(super) enum Unfit {
    Problem(Problem),
    Refused(Refusal),
}

impl From<Problem> for Unfit {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Refusal> for Unfit {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A topic that the application has for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct InternalTopic {
    partitions: i32,
    /// 0 for the broker's default.
    replication_factor: i16,
    configs: BTreeMap<String, String>,
}

/// A subtopology whose topics' partitions are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfiguredSubtopology {
    pub(super) task_count: i32,
    source_topics: Vec<String>,
    repartition_sink_topics: Vec<String>,
    repartition_source_topics: BTreeMap<String, InternalTopic>,
    state_changelog_topics: BTreeMap<String, InternalTopic>,
}

impl ConfiguredSubtopology {
    pub(super) fn is_stateful(&self) -> bool {
        !self.state_changelog_topics.is_empty()
    }

    /// The topics that it reads.
    pub(super) fn topics(&self) -> impl Iterator<Item = &String> {
        self.source_topics.iter().chain(self.repartition_source_topics.keys())
    }

    fn internal_topics(&self) -> impl Iterator<Item = (&String, &InternalTopic)> {
        self.repartition_source_topics.iter().chain(&self.state_changelog_topics)
    }
}

/// What came of a topology.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConfiguredTopology {
    epoch: i32,
    /// By id; empty if they could not be configured.
    pub(super) subtopologies: BTreeMap<String, ConfiguredSubtopology>,
    /// Internal topics that are missing.
    pub(super) missing_topics: Vec<CreatableTopic>,
    pub(super) problem: Option<Problem>,
}

impl ConfiguredTopology {
    /// Sets a topology beside the topics that there are. What can never run is refused.
    pub(super) fn new(topology: &StreamsTopology, metadata: &Metadata) -> Result<Self, Refusal> {
        match configure(topology, metadata) {
            Ok(configured) => Ok(configured),
            Err(Unfit::Refused(refusal)) => Err(refusal),
            Err(Unfit::Problem(problem)) => Ok(Self {
                epoch: topology.epoch,
                subtopologies: BTreeMap::new(),
                missing_topics: Vec::new(),
                problem: Some(problem),
            }),
        }
    }

    /// Tells whether its tasks can be assigned.
    pub(super) fn is_ready(&self) -> bool {
        self.problem.is_none()
    }

    /// Describes the topology with the partitions that were decided on.
    pub(super) fn describe(&self) -> described::Topology {
        let sorted = |topics: &[String]| {
            let mut topics = topics.to_vec();
            topics.sort();
            topics
        };
        let subtopologies = self.subtopologies.iter().map(|(id, subtopology)| described::Subtopology {
            subtopology_id: id.clone(),
            source_topics: sorted(&subtopology.source_topics),
            repartition_sink_topics: sorted(&subtopology.repartition_sink_topics),
            state_changelog_topics: describe_topics(&subtopology.state_changelog_topics),
            repartition_source_topics: describe_topics(&subtopology.repartition_source_topics),
            ..Default::default()
        });
        let subtopologies = Some(subtopologies.collect());
        described::Topology { epoch: self.epoch, subtopologies, ..Default::default() }
    }
}

fn configure(topology: &StreamsTopology, metadata: &Metadata) -> Result<ConfiguredTopology, Unfit> {
    let sources = topology.subtopologies.values().flat_map(|subtopology| &subtopology.source_topics);
    let missing: std::collections::BTreeSet<&String> =
        sources.filter(|topic| metadata.topic_id(topic).is_none()).collect();
    if !missing.is_empty() {
        let detail = format!("Source topics {} are missing.", some_of(missing.into_iter()));
        return Err(Problem { code: status::MISSING_SOURCE_TOPICS, detail }.into());
    }
    let mut counts = PartitionCounts { metadata, decided: Counts::new() };
    counts.decide(topology)?;
    let mut subtopologies = BTreeMap::new();
    for (id, subtopology) in &topology.subtopologies {
        subtopologies.insert(id.clone(), configure_subtopology(subtopology, &counts)?);
    }
    let missing_topics = missing_topics(&subtopologies, metadata)?;
    let problem = (!missing_topics.is_empty()).then(|| {
        let names = some_of(missing_topics.iter().map(|topic| &topic.name));
        Problem {
            code: status::MISSING_INTERNAL_TOPICS,
            detail: format!("Internal topics are missing: {names}"),
        }
    });
    Ok(ConfiguredTopology { epoch: topology.epoch, subtopologies, missing_topics, problem })
}

fn configure_subtopology(
    subtopology: &Subtopology,
    counts: &PartitionCounts<'_>,
) -> Result<ConfiguredSubtopology, Unfit> {
    let task_count = counts.task_count(subtopology)?.unwrap_or(0);
    let internal = |topics: &[TopicInfo]| {
        let topics =
            topics.iter().map(|topic| Ok((topic.name.clone(), internal_topic(topic, &counts.decided)?)));
        topics.collect::<Result<BTreeMap<_, _>, Unfit>>()
    };
    Ok(ConfiguredSubtopology {
        task_count,
        source_topics: subtopology.source_topics.clone(),
        repartition_sink_topics: subtopology.repartition_sink_topics.clone(),
        repartition_source_topics: internal(&subtopology.repartition_source_topics)?,
        state_changelog_topics: internal(&subtopology.state_changelog_topics)?,
    })
}

fn internal_topic(topic: &TopicInfo, decided: &Counts) -> Result<InternalTopic, Unfit> {
    let partitions = match topic.partitions {
        0 => decided.get(&topic.name).copied().unwrap_or(0),
        partitions => partitions,
    };
    if partitions < 1 {
        let message = format!("Number of partitions of topic {} must be at least 1.", topic.name);
        return Err(invalid(message).into());
    }
    let configs = topic.topic_configs.iter().map(|config| (config.key.clone(), config.value.clone()));
    Ok(InternalTopic { partitions, replication_factor: topic.replication_factor, configs: configs.collect() })
}

/// Finds the internal topics that are not there, and checks those that are.
fn missing_topics(
    subtopologies: &BTreeMap<String, ConfiguredSubtopology>,
    metadata: &Metadata,
) -> Result<Vec<CreatableTopic>, Unfit> {
    let internal: BTreeMap<&String, &InternalTopic> =
        subtopologies.values().flat_map(ConfiguredSubtopology::internal_topics).collect();
    let mut missing = Vec::new();
    // In the order in which Kafka's messages tell them.
    for (name, topic) in in_map_order(internal, |(name, _)| hash_of_text(name)) {
        let found = metadata.topic_id(name).and_then(|id| metadata.partition_count(id));
        match found {
            None => missing.push(creatable(name, topic)),
            Some(found) if found != topic.partitions => {
                return Err(Problem::incorrectly_partitioned(format!(
                    "Existing topic {name} has different number of partitions: expected {}, found {found}",
                    topic.partitions
                ))
                .into());
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

fn creatable(name: &str, topic: &InternalTopic) -> CreatableTopic {
    let config = |(name, value): (&String, &String)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
        ..Default::default()
    };
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: topic.partitions,
        replication_factor: if topic.replication_factor == 0 { -1 } else { topic.replication_factor },
        configs: topic.configs.iter().map(config).collect(),
        ..Default::default()
    }
}

fn describe_topics(topics: &BTreeMap<String, InternalTopic>) -> Vec<described::TopicInfo> {
    let config = |(key, value): (&String, &String)| described::KeyValue {
        key: key.clone(),
        value: value.clone(),
        ..Default::default()
    };
    let describe = |(name, topic): (&String, &InternalTopic)| described::TopicInfo {
        name: name.clone(),
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
        topic_configs: topic.configs.iter().map(config).collect(),
        ..Default::default()
    };
    topics.iter().map(describe).collect()
}

/// Names some of the topics, and says how many more there are.
fn some_of<'a>(topics: impl ExactSizeIterator<Item = &'a String>) -> String {
    let count = topics.len();
    let names: Vec<&str> = topics.take(MOST_NAMES).map(String::as_str).collect();
    let names = names.join(", ");
    match count.checked_sub(MOST_NAMES) {
        None | Some(0) => names,
        Some(more) => format!("{names} and {more} additional topics"),
    }
}
