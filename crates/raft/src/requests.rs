//! What other nodes ask of a voter: Vote, BeginQuorumEpoch, EndQuorumEpoch.
//!
//! A lone leader knows every voter there can be: a new one would have to be added by a record that it wrote itself. So
//! it answers a stranger's election with `INCONSISTENT_VOTER_SET` and stays, where Kafka would take the stranger's
//! epoch, stop leading, and then elect itself again.
//!
//! Kafka: `KafkaRaftClient.handleVoteRequest` and its neighbours.

use model::topic_name::CLUSTER_METADATA;
use model::{NodeId, Uuid};
use protocol::{
    BeginQuorumEpochRequest, BeginQuorumEpochResponse, EndQuorumEpochRequest, EndQuorumEpochResponse,
    ErrorCode, VoteRequest, VoteResponse, begin_quorum_epoch_response, end_quorum_epoch_response,
    vote_response,
};

use crate::{Quorum, ReplicaKey};

/// Answers for the one partition that there is, with what `$check` says of the request's. A request that names another, or is
/// meant for another cluster, is refused whole. No vote is granted.
macro_rules! answer {
    ($quorum:ident, $request:ident, $response:ident, $rows:ident, |$partition:ident| $check:expr) => {{
        let refuse = |error_code| $response { error_code, ..Default::default() };
        if $quorum.is_other_cluster($request.cluster_id.as_deref()) {
            return refuse(ErrorCode::INCONSISTENT_CLUSTER_ID);
        }
        let [topic] = $request.topics.as_slice() else { return refuse(ErrorCode::INVALID_REQUEST) };
        let [$partition] = topic.partitions.as_slice() else { return refuse(ErrorCode::INVALID_REQUEST) };
        if topic.topic_name != CLUSTER_METADATA || $partition.partition_index != 0 {
            return refuse(ErrorCode::INVALID_REQUEST);
        }
        let checked: Result<(), ErrorCode> = $check;
        let answer = $rows::PartitionData {
            error_code: checked.err().unwrap_or_default(),
            leader_id: $quorum.leader_or_none(),
            leader_epoch: $quorum.epoch().0,
            ..Default::default()
        };
        let topic = $rows::TopicData {
            topic_name: CLUSTER_METADATA.to_owned(),
            partitions: vec![answer],
            ..Default::default()
        };
        $response { topics: vec![topic], ..Default::default() }
    }};
}

impl Quorum {
    pub(crate) fn is_other_cluster(&self, cluster_id: Option<&str>) -> bool {
        cluster_id.is_some_and(|id| id != self.config.cluster_id)
    }

    /// Checks a request that voters send to each other.
    fn check_voter_request(&self, sender: ReplicaKey, epoch: i32) -> Result<(), ErrorCode> {
        if epoch < self.epoch().0 {
            return Err(ErrorCode::FENCED_LEADER_EPOCH);
        }
        if sender.id.0 < 0 {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if !self.voters().is_voter(sender) || sender.id == self.config.local.id {
            return Err(ErrorCode::INCONSISTENT_VOTER_SET);
        }
        Ok(())
    }

    /// Checks that a request is meant for this replica, where it says for whom it is meant.
    fn check_voter_key(&self, id: i32, directory: Uuid) -> Result<(), ErrorCode> {
        let local = self.config.local;
        let matches = id < 0
            || (NodeId(id) == local.id && (directory == Uuid::ZERO || Some(directory) == local.directory_id));
        if matches { Ok(()) } else { Err(ErrorCode::INVALID_VOTER_KEY) }
    }

    /// Answers a candidate.
    pub fn vote(&self, request: &VoteRequest) -> VoteResponse {
        answer!(self, request, VoteResponse, vote_response, |partition| {
            let candidate = ReplicaKey::of(partition.replica_id, partition.replica_directory_id);
            // A candidate has bumped its epoch past that of its last record; one that only asks beforehand has not.
            let last_too_new = if partition.pre_vote {
                partition.last_offset_epoch > partition.replica_epoch
            } else {
                partition.last_offset_epoch >= partition.replica_epoch
            };
            let malformed = partition.last_offset < 0 || partition.last_offset_epoch < 0 || last_too_new;
            let checked = if malformed { Err(ErrorCode::INVALID_REQUEST) } else { Ok(()) };
            checked
                .and_then(|()| self.check_voter_request(candidate, partition.replica_epoch))
                .and_then(|()| self.check_voter_key(request.voter_id, partition.voter_directory_id))
        })
    }

    /// Answers a node that says it leads.
    pub fn begin_quorum_epoch(&self, request: &BeginQuorumEpochRequest) -> BeginQuorumEpochResponse {
        answer!(self, request, BeginQuorumEpochResponse, begin_quorum_epoch_response, |partition| {
            self.check_voter_request(self.voter_key(partition.leader_id), partition.leader_epoch)
                .and_then(|()| self.check_voter_key(request.voter_id, partition.voter_directory_id))
        })
    }

    /// Answers a leader that resigns.
    pub fn end_quorum_epoch(&self, request: &EndQuorumEpochRequest) -> EndQuorumEpochResponse {
        answer!(self, request, EndQuorumEpochResponse, end_quorum_epoch_response, |partition| {
            self.check_voter_request(self.voter_key(partition.leader_id), partition.leader_epoch)
        })
    }

    /// The voter with `id` as the voter set knows it; requests of leaders do not carry their directory.
    fn voter_key(&self, id: i32) -> ReplicaKey {
        let unknown = ReplicaKey { id: NodeId(id), directory_id: None };
        self.voters().voter(NodeId(id)).map_or(unknown, |voter| voter.key)
    }

    /// The leader in the wire's form, in which -1 stands for none.
    pub(crate) fn leader_or_none(&self) -> i32 {
        self.leader().map_or(-1, |leader| leader.0)
    }
}
