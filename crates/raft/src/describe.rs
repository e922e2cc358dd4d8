//! DescribeQuorum: who leads, who votes, who watches, and how far each has come.
//!
//! Kafka: `KafkaRaftClient.handleDescribeQuorumRequest`.

use std::time::Duration;

use model::Timestamp;
use model::topic_name::CLUSTER_METADATA;
use protocol::describe_quorum_response::{Listener, Node, PartitionData, ReplicaState, TopicData};
use protocol::{DescribeQuorumRequest, DescribeQuorumResponse, ErrorCode};

use crate::{Quorum, ReplicaKey, VoterNode};

impl Quorum {
    /// Answers as of `at` by the monotonic clock and `now` by the wall clock. Nodes and directories are in versions
    /// from 2 on.
    pub fn describe(
        &self,
        request: &DescribeQuorumRequest,
        version: i16,
        at: Duration,
        now: Timestamp,
    ) -> DescribeQuorumResponse {
        let is_metadata = matches!(request.topics.as_slice(), [topic] if topic.topic_name == CLUSTER_METADATA
            && matches!(topic.partitions.as_slice(), [partition] if partition.partition_index == 0));
        if !is_metadata {
            return unknown_partitions(request);
        }
        let state = |key: ReplicaKey| self.replica_state(key, version, now);
        let voters = || self.voters().voters();
        let data = if self.is_leader() {
            PartitionData {
                leader_id: self.leader_or_none(),
                leader_epoch: self.epoch().0,
                high_watermark: self.high_watermark().map_or(-1, |offset| offset.0),
                current_voters: voters().map(|voter| state(voter.key)).collect(),
                observers: self.observers(at).into_iter().map(|(key, _)| state(key)).collect(),
                ..Default::default()
            }
        } else {
            PartitionData { error_code: ErrorCode::NOT_LEADER_OR_FOLLOWER, ..Default::default() }
        };
        let topic = TopicData {
            topic_name: CLUSTER_METADATA.to_owned(),
            partitions: vec![data],
            ..Default::default()
        };
        let nodes = if version >= 2 { voters().map(node).collect() } else { Vec::new() };
        DescribeQuorumResponse { topics: vec![topic], nodes, ..Default::default() }
    }

    fn replica_state(&self, key: ReplicaKey, version: i16, now: Timestamp) -> ReplicaState {
        let is_local = key.id == self.config.local.id;
        let progress = self.progress_of(key);
        let time = |time: Option<Timestamp>| if is_local { now.0 } else { time.unwrap_or(Timestamp::NONE).0 };
        let end = if is_local { Some(self.log_end()) } else { progress.and_then(|p| p.log_end) };
        let directory = if version >= 2 { key.directory_or_zero() } else { model::Uuid::ZERO };
        ReplicaState {
            replica_id: key.id.0,
            replica_directory_id: directory,
            log_end_offset: end.map_or(-1, |offset| offset.0),
            last_fetch_timestamp: time(progress.map(|p| p.last_fetch)),
            last_caught_up_timestamp: time(progress.map(|p| p.last_caught_up)),
            ..Default::default()
        }
    }
}

fn node(voter: &VoterNode) -> Node {
    let listener = |endpoint: &crate::Endpoint| Listener {
        name: endpoint.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        ..Default::default()
    };
    Node {
        node_id: voter.key.id.0,
        listeners: voter.endpoints.iter().map(listener).collect(),
        ..Default::default()
    }
}

fn unknown_partitions(request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
    let unknown = |partition_index| PartitionData {
        partition_index,
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        error_message: Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.message().to_owned()),
        ..Default::default()
    };
    let topic = |topic: &protocol::describe_quorum_request::TopicData| TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic.partitions.iter().map(|partition| unknown(partition.partition_index)).collect(),
        ..Default::default()
    };
    DescribeQuorumResponse { topics: request.topics.iter().map(topic).collect(), ..Default::default() }
}
