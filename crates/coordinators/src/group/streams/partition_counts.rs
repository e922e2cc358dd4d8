//! How many partitions the internal topics of a topology must have: repartition topics as many as what is written to them
//! has, those that are joined the same, changelogs as many as their subtopology has tasks.
//!
//! Kafka: `RepartitionTopics`, `CopartitionedTopicsEnforcer`, `ChangelogTopics`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::streams_group_topology_value::Subtopology;

use super::configure::{Problem, Unfit};
use super::topology::{StreamsTopology, invalid, source_topics};
use crate::group::metadata::Metadata;

/// Partition counts by topic.
pub(super) type Counts = BTreeMap<String, i32>;

/// The topics that there are, and those that are decided on.
pub(super) struct PartitionCounts<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) decided: Counts,
}

impl PartitionCounts<'_> {
    /// How many partitions a topic has, or is to have.
    pub(super) fn of(&self, topic: &str) -> Option<i32> {
        let existing = self.metadata.topic_id(topic).and_then(|id| self.metadata.partition_count(id));
        existing.or_else(|| self.decided.get(topic).copied())
    }

    fn decided_of(&self, topic: &str) -> Result<i32, Unfit> {
        self.of(topic)
            .ok_or_else(|| invalid(format!("Number of partitions is not set for topic: {topic}")).into())
    }

    /// How many tasks a subtopology has; none if it reads nothing.
    pub(super) fn task_count(&self, subtopology: &Subtopology) -> Result<Option<i32>, Unfit> {
        let mut most = None;
        for topic in source_topics(subtopology) {
            most = most.max(Some(self.decided_of(topic)?));
        }
        Ok(most)
    }

    /// Decides on all internal topics. The source topics must be there.
    pub(super) fn decide(&mut self, topology: &StreamsTopology) -> Result<(), Unfit> {
        let repartition = self.repartition_topics(topology)?;
        self.decided.extend(repartition);
        for subtopology in topology.subtopologies.values() {
            for group in copartition_groups(subtopology) {
                let enforced = self.enforce_copartitioning(topology, &group)?;
                self.decided.extend(enforced);
            }
        }
        for subtopology in topology.subtopologies.values() {
            let Some(count) = self.task_count(subtopology)? else {
                let id = &subtopology.subtopology_id;
                return Err(invalid(format!("No source topics found for subtopology {id}")).into());
            };
            let changelogs = subtopology.state_changelog_topics.iter();
            self.decided.extend(changelogs.map(|topic| (topic.name.clone(), count)));
        }
        Ok(())
    }

    /// Goes from what is known to what follows from it, until all is known.
    fn repartition_topics(&self, topology: &StreamsTopology) -> Result<Counts, Unfit> {
        let mut counts: Counts =
            fixed_topics(topology).into_iter().map(|(topic, n)| (topic.clone(), n)).collect();
        loop {
            let (mut missing, mut progress) = (false, false);
            for subtopology in topology.subtopologies.values() {
                for sink in &subtopology.repartition_sink_topics {
                    if counts.contains_key(sink) {
                        continue;
                    }
                    match self.known_count(subtopology, &counts) {
                        Some(count) => {
                            counts.insert(sink.clone(), count);
                            progress = true;
                        }
                        None => missing = true,
                    }
                }
            }
            if !missing {
                break;
            }
            if !progress {
                let message = "Failed to compute number of partitions for all repartition topics. There may be loops in the topology that cannot be resolved.";
                return Err(invalid(message).into());
            }
        }
        let mut sources = topology.subtopologies.values().flat_map(|it| &it.repartition_source_topics);
        if sources.any(|topic| !counts.contains_key(&topic.name)) {
            let message = "Failed to compute number of partitions for all repartition topics, because a repartition source topic is never used as a sink topic.";
            return Err(invalid(message).into());
        }
        Ok(counts)
    }

    /// The largest count among the topics that a subtopology reads, of those that are known.
    fn known_count(&self, subtopology: &Subtopology, counts: &Counts) -> Option<i32> {
        let repartition = subtopology.repartition_source_topics.iter();
        let repartition = repartition.filter_map(|topic| counts.get(&topic.name).copied());
        let sources = subtopology.source_topics.iter().filter_map(|topic| self.of(topic));
        repartition.chain(sources).max()
    }

    /// Gives the repartition topics among topics that are joined the same count as the others.
    fn enforce_copartitioning(
        &self,
        topology: &StreamsTopology,
        group: &BTreeSet<&String>,
    ) -> Result<Counts, Unfit> {
        let fixed = fixed_topics(topology);
        let is_repartition = |topic: &String| {
            let mut topics = topology.subtopologies.values().flat_map(|it| &it.repartition_source_topics);
            topics.any(|repartition| repartition.name == *topic)
        };
        let (mut internal, mut external) = (BTreeMap::new(), BTreeMap::new());
        for topic in group {
            let counts = if is_repartition(topic) { &mut internal } else { &mut external };
            counts.insert((*topic).clone(), self.decided_of(topic)?);
        }
        let count = match external.values().next() {
            Some(_) => same_count(external.values().copied(), &external)?,
            None if !fixed.is_empty() => {
                let mut counts = Vec::with_capacity(fixed.len());
                for topic in fixed.keys() {
                    counts.push(self.decided_of(topic)?);
                }
                same_count(counts.into_iter(), &internal)?
            }
            None => internal.values().copied().max().unwrap_or(0),
        };
        for (topic, own) in &internal {
            if fixed.contains_key(topic) && *own != count {
                return Err(Problem::incorrectly_partitioned(format!(
                    "Number of partitions [{own}] of repartition topic [{topic}] doesn't match number of partitions [{count}] of the source topic."
                ))
                .into());
            }
        }
        Ok(internal.into_keys().map(|topic| (topic, count)).collect())
    }
}

/// The repartition topics whose count the application says.
fn fixed_topics(topology: &StreamsTopology) -> BTreeMap<&String, i32> {
    let topics = topology.subtopologies.values().flat_map(|it| &it.repartition_source_topics);
    topics.filter(|topic| topic.partitions != 0).map(|topic| (&topic.name, topic.partitions)).collect()
}

fn copartition_groups(subtopology: &Subtopology) -> Vec<BTreeSet<&String>> {
    let at = |index: &i16| usize::try_from(*index).ok();
    let groups = subtopology.copartition_groups.iter().map(|group| {
        let sources =
            group.source_topics.iter().filter_map(|index| subtopology.source_topics.get(at(index)?));
        let repartition = group.repartition_source_topics.iter();
        let repartition = repartition.filter_map(|index| {
            subtopology.repartition_source_topics.get(at(index)?).map(|topic| &topic.name)
        });
        sources.chain(repartition).collect::<BTreeSet<_>>()
    });
    groups.filter(|group| !group.is_empty()).collect()
}

fn same_count(counts: impl Iterator<Item = i32>, shown: &Counts) -> Result<i32, Unfit> {
    let counts: BTreeSet<i32> = counts.collect();
    match counts.first() {
        Some(count) if counts.len() == 1 => Ok(*count),
        _ => {
            let shown: Vec<String> = shown.iter().map(|(topic, count)| format!("{topic}={count}")).collect();
            let shown = shown.join(", ");
            let message =
                format!("Following topics do not have the same number of partitions: [{{{shown}}}]");
            Err(Problem::incorrectly_partitioned(message).into())
        }
    }
}
