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
    turns: u64,
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
    /// A turn that comes after all before it.
    pub(super) fn next_turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    /// Whether something of the partition waits to be read.
    pub(super) fn has(&self, name: &TopicPartition) -> bool {
        self.buffered.iter().any(|(_, fetch)| fetch.partition == *name)
    }

    /// The request for exactly `wanted`; what has the lowest `turn` comes first, which counts where the answer has
    /// no room for all and the broker keeps no session, in which it would take turns itself.
    pub(super) fn request(
        &mut self,
        node: NodeId,
        wanted: BTreeMap<TopicPartition, Ask>,
        turn: impl Fn(&TopicPartition) -> u64,
        by_id: bool,
        config: &ConsumerConfig,
    ) -> FetchRequest {
        let session = self.sessions.entry(node).or_default();
        if self.by_id.insert(node, by_id).is_some_and(|before| before != by_id) {
            session.failed();
        }
        let mut plan = session.plan(wanted);
        plan.send.sort_by_key(|(name, _)| turn(name));
        FetchRequest {
            max_wait_ms: i32::try_from(config.fetch_max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: config.fetch_min_bytes,
            max_bytes: config.fetch_max_bytes,
            isolation_level: config.isolation_level as i8,
            session_id: plan.session_id,
            session_epoch: plan.session_epoch,
            topics: named(&plan, by_id),
            forgotten_topics_data: forgotten(&plan, by_id),
            rack_id: config.client_rack.clone(),
            ..Default::default()
        }
    }

    /// The requests that end the sessions, by node. Kafka: `AbstractFetch.prepareCloseFetchSessionRequests`.
    pub(super) fn farewells(&self) -> Vec<(NodeId, FetchRequest)> {
        let farewell = |(node, session): (&NodeId, &FetchSession)| {
            let Plan { session_id, session_epoch, .. } = session.farewell()?;
            Some((*node, FetchRequest { session_id, session_epoch, ..Default::default() }))
        };
        self.sessions.iter().filter_map(farewell).collect()
    }

    /// Drops what is of no use any more.
    pub(super) fn retain(&mut self, keep: impl Fn(&TopicPartition, Offset) -> bool) {
        self.buffered.retain(|(_, fetch)| keep(&fetch.partition, fetch.next));
    }
}

/// The partitions of `plan` in their order, so that a topic may be named more than once.
fn named(plan: &Plan, by_id: bool) -> Vec<FetchTopic> {
    let mut topics: Vec<(&str, FetchTopic)> = Vec::new();
    for (name, ask) in &plan.send {
        if topics.last().is_none_or(|(topic, _)| *topic != &*name.topic) {
            let topic = FetchTopic {
                topic: if by_id { String::new() } else { name.topic.to_string() },
                topic_id: if by_id { ask.topic_id } else { Uuid::ZERO },
                ..Default::default()
            };
            topics.push((&*name.topic, topic));
        }
        if let Some((_, topic)) = topics.last_mut() {
            topic.partitions.push(partition(name.partition, ask));
        }
    }
    topics.into_iter().map(|(_, topic)| topic).collect()
}

fn partition(index: i32, ask: &Ask) -> FetchPartition {
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
