//! Moving partitions between brokers. Kafka: `Admin.alterPartitionReassignments`, `Admin.listPartitionReassignments`.

use std::collections::BTreeMap;

use model::{NodeId, TopicPartition};
use protocol::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use protocol::{AlterPartitionReassignmentsRequest, ListPartitionReassignmentsRequest};

use super::Admin;
use super::call::millis;
use crate::error::{Error, Result};
use crate::offsets::by_topic;

/// A move under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionReassignment {
    /// The replicas now, those that come and go included.
    pub replicas: Vec<NodeId>,
    /// Those that come.
    pub adding: Vec<NodeId>,
    /// Those that go.
    pub removing: Vec<NodeId>,
}

fn nodes(ids: Vec<i32>) -> Vec<NodeId> {
    ids.into_iter().map(NodeId).collect()
}

impl Admin {
    /// Gives each partition new replicas, or stops its move where there are none (`None`).
    /// `allow_resize`: a partition may get more or fewer replicas than it has.
    pub async fn alter_partition_reassignments(
        &self,
        moves: &BTreeMap<TopicPartition, Option<Vec<NodeId>>>,
        allow_resize: bool,
    ) -> Result<BTreeMap<TopicPartition, Result<()>>> {
        let partition = |(partition_index, replicas): (i32, &Option<Vec<NodeId>>)| ReassignablePartition {
            partition_index,
            replicas: replicas.as_ref().map(|replicas| replicas.iter().map(|node| node.0).collect()),
            ..Default::default()
        };
        let topic = |(name, partitions): (&str, Vec<_>)| ReassignableTopic {
            name: name.to_owned(),
            partitions: partitions.into_iter().map(partition).collect(),
            ..Default::default()
        };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: millis(self.cluster().settings().request_timeout),
            allow_replication_factor_change: allow_resize,
            topics: by_topic(moves).into_iter().map(topic).collect(),
            ..Default::default()
        };
        let response = self
            .on_controller("alterPartitionReassignments", &request, |response| response.error_code)
            .await?;
        Error::check_with(response.error_code, response.error_message)?;
        let mut done = BTreeMap::new();
        for topic in response.responses {
            for partition in topic.partitions {
                let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                done.insert(name, Error::check_with(partition.error_code, partition.error_message));
            }
        }
        Ok(done)
    }

    /// Lists the moves under way of `partitions`, or all if `None`.
    pub async fn list_partition_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, PartitionReassignment>> {
        let topic = |(name, partitions): (&str, Vec<(i32, ())>)| ListPartitionReassignmentsTopics {
            name: name.to_owned(),
            partition_indexes: partitions.into_iter().map(|(index, ())| index).collect(),
            ..Default::default()
        };
        let topics = partitions.map(|partitions| by_topic(partitions.iter().map(|name| (name, ()))));
        let request = ListPartitionReassignmentsRequest {
            timeout_ms: millis(self.cluster().settings().request_timeout),
            topics: topics.map(|topics| topics.into_iter().map(topic).collect()),
            ..Default::default()
        };
        let response = self
            .on_controller("listPartitionReassignments", &request, |response| response.error_code)
            .await?;
        Error::check_with(response.error_code, response.error_message)?;
        let mut done = BTreeMap::new();
        for topic in response.topics {
            for partition in topic.partitions {
                let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                let moving = PartitionReassignment {
                    replicas: nodes(partition.replicas),
                    adding: nodes(partition.adding_replicas),
                    removing: nodes(partition.removing_replicas),
                };
                done.insert(name, moving);
            }
        }
        Ok(done)
    }
}
