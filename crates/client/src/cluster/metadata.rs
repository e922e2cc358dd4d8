//! What is known of a cluster at one moment.
//!
//! Invariants: a value never changes, newer ones replace it; a partition's leader epoch never goes back while its
//! topic's id stays. Kafka: `MetadataSnapshot`, `Metadata.updateLatestMetadata`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{LeaderEpoch, NodeId, TopicPartition, Uuid};
use protocol::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use protocol::{ErrorCode, MetadataResponse};

use crate::settings::Address;

/// A broker, as the cluster names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broker {
    /// Its `node.id`; negative for a bootstrap server whose id is not known yet.
    pub id: NodeId,
    /// The host of the listener that we use.
    pub host: String,
    /// The port of that listener.
    pub port: u16,
    /// Its `broker.rack`.
    pub rack: Option<String>,
    /// Whether the controller holds it for dead; known from `DescribeCluster` alone.
    pub fenced: bool,
}

impl Broker {
    /// Where it listens.
    pub fn address(&self) -> Address {
        Address { host: self.host.clone(), port: self.port }
    }
}

/// A partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionMetadata {
    /// Its index.
    pub partition: i32,
    /// Why there is no leader, for instance.
    pub error: ErrorCode,
    /// Its leader, if it has one.
    pub leader: Option<NodeId>,
    /// The leader's term; -1 from old brokers.
    pub leader_epoch: LeaderEpoch,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those in sync.
    pub isr: Vec<NodeId>,
    /// Those that are not alive.
    pub offline: Vec<NodeId>,
}

/// A topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicMetadata {
    /// Its id; zero from old brokers.
    pub id: Uuid,
    /// Why nothing is known, if so.
    pub error: ErrorCode,
    /// Whether it is Kafka's own.
    pub internal: bool,
    /// Its partitions by index.
    pub partitions: BTreeMap<i32, PartitionMetadata>,
}

/// Who leads a partition, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderAndEpoch {
    /// The leader.
    pub leader: Option<NodeId>,
    /// Its term.
    pub epoch: LeaderEpoch,
}

/// What is known of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterMetadata {
    /// The cluster's id; `None` before the first answer.
    pub cluster_id: Option<String>,
    /// The node that takes requests for the controller.
    pub controller: Option<NodeId>,
    /// The brokers by id.
    pub brokers: BTreeMap<NodeId, Broker>,
    /// The topics by name, those with errors too.
    pub topics: BTreeMap<Arc<str>, TopicMetadata>,
    names: HashMap<Uuid, Arc<str>>,
    is_bootstrap: bool,
}

impl ClusterMetadata {
    /// Nothing is known but where to ask.
    pub fn bootstrap(addresses: &[Address]) -> Self {
        let broker = |(index, address): (usize, &Address)| {
            let id = NodeId(-1 - index as i32);
            (id, Broker { id, host: address.host.clone(), port: address.port, rack: None, fenced: false })
        };
        Self {
            brokers: addresses.iter().enumerate().map(broker).collect(),
            is_bootstrap: true,
            ..Self::default()
        }
    }

    /// The same topics, but of the brokers only where to ask.
    pub(super) fn rebootstrapped(&self, addresses: &[Address]) -> Self {
        Self { topics: self.topics.clone(), names: self.names.clone(), ..Self::bootstrap(addresses) }
    }

    /// Tells whether no broker has answered yet.
    pub fn is_bootstrap(&self) -> bool {
        self.is_bootstrap
    }

    /// The partition's metadata.
    pub fn partition(&self, name: &TopicPartition) -> Option<&PartitionMetadata> {
        self.topics.get(&name.topic)?.partitions.get(&name.partition)
    }

    /// The partition's leader, if it has one that is alive.
    pub fn leader(&self, name: &TopicPartition) -> Option<NodeId> {
        self.partition(name)?.leader.filter(|leader| self.brokers.contains_key(leader))
    }

    /// Tells whether `node` has a replica of the partition and is alive. Kafka: `Cluster.nodeIfOnline`.
    pub fn is_online(&self, name: &TopicPartition, node: NodeId) -> bool {
        let holds = |partition: &PartitionMetadata| {
            partition.replicas.contains(&node) && !partition.offline.contains(&node)
        };
        self.brokers.contains_key(&node) && self.partition(name).is_some_and(holds)
    }

    /// The partition's leader and its term; no leader and -1 where neither is known.
    pub fn leader_and_epoch(&self, name: &TopicPartition) -> LeaderAndEpoch {
        let epoch = self.partition(name).map_or(LeaderEpoch::NONE, |partition| partition.leader_epoch);
        LeaderAndEpoch { leader: self.leader(name), epoch }
    }

    /// The id of `topic`, where brokers tell it.
    pub fn topic_id(&self, topic: &str) -> Option<Uuid> {
        self.topics.get(topic).map(|topic| topic.id).filter(|id| *id != Uuid::ZERO)
    }

    /// The name of the topic with `id`.
    pub fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    /// How many partitions `topic` has; `None` where it is not known.
    pub fn partition_count(&self, topic: &str) -> Option<i32> {
        let topic = self.topics.get(topic).filter(|topic| topic.error == ErrorCode::NONE)?;
        Some(topic.partitions.len() as i32).filter(|count| *count > 0)
    }

    /// What is known after `response`. Topics that it does not name are kept if `partial`.
    pub fn updated(&self, response: MetadataResponse, partial: bool) -> Self {
        let mut next = Self {
            cluster_id: response.cluster_id,
            controller: Some(NodeId(response.controller_id)).filter(|id| id.0 >= 0),
            brokers: response.brokers.into_iter().map(broker).collect(),
            topics: if partial { self.topics.clone() } else { BTreeMap::new() },
            ..Self::default()
        };
        for topic in response.topics {
            let Some(name) = topic.name.clone().map(Arc::<str>::from) else { continue };
            let previous = self.topics.get(&name);
            next.topics.insert(name, topic_metadata(topic, previous));
        }
        next.index_names();
        next
    }

    /// What is known once `leaders` were learnt; `None` if that is nothing new.
    pub fn with_leaders(
        &self,
        leaders: &[(TopicPartition, LeaderAndEpoch)],
        brokers: &[Broker],
    ) -> Option<Self> {
        let newer = |(name, leader): &&(TopicPartition, LeaderAndEpoch)| {
            leader.leader.is_some()
                && self.partition(name).is_some_and(|known| leader.epoch > known.leader_epoch)
        };
        let newer: Vec<_> = leaders.iter().filter(newer).collect();
        if newer.is_empty() {
            return None;
        }
        let mut next = self.clone();
        next.brokers.extend(brokers.iter().map(|broker| (broker.id, broker.clone())));
        for (name, leader) in newer {
            let topic = next.topics.get_mut(&name.topic);
            if let Some(partition) = topic.and_then(|topic| topic.partitions.get_mut(&name.partition)) {
                partition.leader = leader.leader;
                partition.leader_epoch = leader.epoch;
                partition.error = ErrorCode::NONE;
            }
        }
        Some(next)
    }

    /// What is known when all of the nodes are `brokers`. For a client of controllers.
    pub(super) fn of_controllers(cluster_id: String, controller: i32, brokers: Vec<Broker>) -> Self {
        Self {
            cluster_id: Some(cluster_id),
            controller: Some(NodeId(controller)).filter(|id| id.0 >= 0),
            brokers: brokers.into_iter().map(|broker| (broker.id, broker)).collect(),
            ..Self::default()
        }
    }

    fn index_names(&mut self) {
        let named = self.topics.iter().filter(|(_, topic)| topic.id != Uuid::ZERO);
        self.names = named.map(|(name, topic)| (topic.id, Arc::clone(name))).collect();
    }
}

fn broker(broker: protocol::metadata_response::MetadataResponseBroker) -> (NodeId, Broker) {
    let id = NodeId(broker.node_id);
    (id, Broker { id, host: broker.host, port: broker.port as u16, rack: broker.rack, fenced: false })
}

fn topic_metadata(topic: MetadataResponseTopic, previous: Option<&TopicMetadata>) -> TopicMetadata {
    let previous = previous.filter(|previous| previous.id == topic.topic_id);
    let partitions = topic.partitions.into_iter().map(|partition| {
        let known = previous.and_then(|previous| previous.partitions.get(&partition.partition_index));
        let partition = partition_metadata(partition);
        let newer = known.filter(|known| known.leader_epoch > partition.leader_epoch);
        (partition.partition, newer.cloned().unwrap_or(partition))
    });
    TopicMetadata {
        id: topic.topic_id,
        error: topic.error_code,
        internal: topic.is_internal,
        partitions: partitions.collect(),
    }
}

fn partition_metadata(partition: MetadataResponsePartition) -> PartitionMetadata {
    let nodes = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect();
    PartitionMetadata {
        partition: partition.partition_index,
        error: partition.error_code,
        leader: Some(NodeId(partition.leader_id)).filter(|leader| leader.0 >= 0),
        leader_epoch: LeaderEpoch(partition.leader_epoch),
        replicas: nodes(partition.replica_nodes),
        isr: nodes(partition.isr_nodes),
        offline: nodes(partition.offline_replicas),
    }
}

#[cfg(test)]
mod tests;
