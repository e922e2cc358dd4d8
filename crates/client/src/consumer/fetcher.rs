//! Fetches under way and what they brought. Kafka: `AbstractFetch`, `FetchCollector`.
//!
//! Invariant: a node has one fetch at a time, and none while there is something of it to be read that can be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use model::{NodeId, Offset, TopicPartition, Uuid};
use protocol::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use protocol::{FetchRequest, FetchResponse};

use super::completed_fetch::CompletedFetch;
use super::fetch_session::{Ask, FetchSession, Plan};
use crate::config::ConsumerConfig;
use crate::offsets::by_topic;

/// From this version on topics are named by id.
pub(super) const ID_VERSION: i16 = 13;

#[derive(Debug, Default)]
pub(super) struct Fetcher {
    pub sessions: BTreeMap<NodeId, FetchSession>,
    /// Whether a node's session names topics by id.
    by_id: BTreeMap<NodeId, bool>,
    /// Nodes with a fetch, or an attempt to connect, under way.
    pub busy: BTreeSet<NodeId>,
    /// What came and was not read, with the node it came from.
    pub buffered: VecDeque<(NodeId, CompletedFetch)>,
}

/// An answer to a fetch, with what was asked for.
#[derive(Debug)]
pub(super) struct Fetched {
    pub node: NodeId,
    pub asked: BTreeMap<TopicPartition, Ask>,
    pub answer: crate::error::Result<FetchResponse>,
    /// How long it took.
    pub took: Duration,
}

impl Fetcher {
    /// Whether something of the partition waits to be read.
    pub(super) fn has(&self, name: &TopicPartition) -> bool {
        self.buffered.iter().any(|(_, fetch)| fetch.partition == *name)
    }

    /// The request for exactly `wanted`.
    pub(super) fn request(
        &mut self,
        node: NodeId,
        wanted: BTreeMap<TopicPartition, Ask>,
        by_id: bool,
        config: &ConsumerConfig,
    ) -> FetchRequest {
        let session = self.sessions.entry(node).or_default();
        if self.by_id.insert(node, by_id).is_some_and(|before| before != by_id) {
            session.failed();
        }
        let plan = session.plan(wanted);
        let topic_name = |name: &str| if by_id { String::new() } else { name.to_owned() };
        let topic = |(name, partitions): (&str, Vec<(i32, &Ask)>)| FetchTopic {
            topic: topic_name(name),
            topic_id: if by_id { partitions[0].1.topic_id } else { Uuid::ZERO },
            partitions: partitions.into_iter().map(partition).collect(),
            ..Default::default()
        };
        FetchRequest {
            max_wait_ms: i32::try_from(config.fetch_max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: config.fetch_min_bytes,
            max_bytes: config.fetch_max_bytes,
            isolation_level: config.isolation_level as i8,
            session_id: plan.session_id,
            session_epoch: plan.session_epoch,
            topics: by_topic(plan.send.iter().map(|(name, ask)| (name, ask)))
                .into_iter()
                .map(topic)
                .collect(),
            forgotten_topics_data: forgotten(&plan, by_id),
            rack_id: config.client_rack.clone(),
            ..Default::default()
        }
    }

    /// Drops what is of no use any more.
    pub(super) fn retain(&mut self, keep: impl Fn(&TopicPartition, Offset) -> bool) {
        self.buffered.retain(|(_, fetch)| keep(&fetch.partition, fetch.next));
    }
}

fn partition((index, ask): (i32, &Ask)) -> FetchPartition {
    FetchPartition {
        partition: index,
        current_leader_epoch: ask.leader_epoch,
        fetch_offset: ask.offset.0,
        partition_max_bytes: ask.max_bytes,
        ..Default::default()
    }
}

fn forgotten(plan: &Plan, by_id: bool) -> Vec<ForgottenTopic> {
    let topic = |(name, partitions): (&str, Vec<(i32, Uuid)>)| ForgottenTopic {
        topic: if by_id { String::new() } else { name.to_owned() },
        topic_id: if by_id { partitions[0].1 } else { Uuid::ZERO },
        partitions: partitions.into_iter().map(|(index, _)| index).collect(),
        ..Default::default()
    };
    by_topic(plan.forget.iter().map(|(name, id)| (name, *id))).into_iter().map(topic).collect()
}
