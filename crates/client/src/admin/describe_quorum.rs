//! Describing the controllers' quorum. Kafka: `Admin.describeMetadataQuorum`.

use model::{LeaderEpoch, NodeId, Offset, Timestamp, Uuid};
use protocol::DescribeQuorumRequest;
use protocol::describe_quorum_request::{PartitionData, TopicData};
use protocol::describe_quorum_response::{Node, ReplicaState};

use super::Admin;
use crate::error::{Error, Result};
use crate::settings::Address;

/// The topic of the cluster's metadata.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// The quorum.
#[derive(Clone, Debug, PartialEq)]
pub struct QuorumInfo {
    /// Its leader: the active controller.
    pub leader: NodeId,
    /// The leader's term.
    pub leader_epoch: LeaderEpoch,
    /// Up to where records are committed.
    pub high_watermark: Offset,
    /// Those that vote.
    pub voters: Vec<QuorumReplica>,
    /// Those that only follow.
    pub observers: Vec<QuorumReplica>,
    /// Where voters listen; none from old brokers.
    pub nodes: Vec<QuorumNode>,
}

/// A replica of the metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct QuorumReplica {
    /// The node.
    pub id: NodeId,
    /// The directory that it keeps its log in; zero where that is not known.
    pub directory_id: Uuid,
    /// The end of its log.
    pub log_end_offset: Offset,
    /// When it last fetched; `None` where that is not known.
    pub last_fetch: Option<Timestamp>,
    /// When it last had everything; `None` where that is not known.
    pub last_caught_up: Option<Timestamp>,
}

/// Where a voter listens.
#[derive(Clone, Debug, PartialEq)]
pub struct QuorumNode {
    /// The node.
    pub id: NodeId,
    /// The name of each listener, and its address.
    pub listeners: Vec<(String, Address)>,
}

impl Admin {
    /// Describes the quorum of the controllers.
    pub async fn describe_quorum(&self) -> Result<QuorumInfo> {
        let partitions = vec![PartitionData::default()];
        let topic = TopicData { topic_name: METADATA_TOPIC.to_owned(), partitions, ..Default::default() };
        let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
        let response =
            self.on_any("describeMetadataQuorum", &request, |response| response.error_code).await?;
        Error::check_with(response.error_code, response.error_message)?;
        let partition =
            response.topics.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
        let partition =
            partition.ok_or_else(|| Error::Protocol("the answer does not tell of the quorum".into()))?;
        Error::check_with(partition.error_code, partition.error_message)?;
        Ok(QuorumInfo {
            leader: NodeId(partition.leader_id),
            leader_epoch: LeaderEpoch(partition.leader_epoch),
            high_watermark: Offset(partition.high_watermark),
            voters: partition.current_voters.into_iter().map(replica).collect(),
            observers: partition.observers.into_iter().map(replica).collect(),
            nodes: response.nodes.into_iter().map(node).collect(),
        })
    }
}

fn node(node: Node) -> QuorumNode {
    let listeners = node.listeners.into_iter();
    let listeners =
        listeners.map(|listener| (listener.name, Address { host: listener.host, port: listener.port }));
    QuorumNode { id: NodeId(node.node_id), listeners: listeners.collect() }
}

fn replica(state: ReplicaState) -> QuorumReplica {
    let known = |timestamp| Some(Timestamp(timestamp)).filter(|timestamp| timestamp.0 >= 0);
    QuorumReplica {
        id: NodeId(state.replica_id),
        directory_id: state.replica_directory_id,
        log_end_offset: Offset(state.log_end_offset),
        last_fetch: known(state.last_fetch_timestamp),
        last_caught_up: known(state.last_caught_up_timestamp),
    }
}
