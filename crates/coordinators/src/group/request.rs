//! What the group machine may be asked, and what it answers.
//!
//! Invariants:
//! - requests come normalised: LeaveGroup always has `members`, OffsetFetch is one group at a time, a v0 JoinGroup has its
//!   session timeout as rebalance timeout, topic ids are resolved to names

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use protocol::delete_groups_response::DeletableGroupResult;
use protocol::describe_groups_response::DescribedGroup;
use protocol::list_groups_response::ListedGroup;
use protocol::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::offset_fetch_response::OffsetFetchResponseGroup;
use protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    StreamsGroupHeartbeatRequest, SyncGroupRequest, SyncGroupResponse, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse, consumer_group_describe_response, streams_group_describe_response,
};

use super::metadata::MetadataChange;
use super::record::Producer;
use super::share::{ShareGroupRequest, ShareGroupResponse};
use super::streams::StreamsHeartbeat;

/// Which topics somebody may know of, by the rules at the time of asking.
pub trait TopicGate: fmt::Debug + Send + Sync {
    /// Returns those of `topics`, each with how often it is asked about, that are to be kept secret.
    fn hidden(&self, topics: &BTreeMap<&str, usize>) -> BTreeSet<String>;
}

/// Who asks, and how.
#[derive(Clone, Debug, Default)]
pub struct RequestContext {
    /// The request's version.
    pub api_version: i16,
    /// The `client.id` of the request's header; empty for none.
    pub client_id: String,
    /// The client's address as Kafka writes it into group records: `/127.0.0.1`.
    pub client_host: String,
    /// Text that no other request has, for the member id that this request may bring.
    pub fresh_id: String,
    /// An id that no other request has, for a member of a consumer group.
    pub fresh_uuid: model::Uuid,
    /// Which topics the client may know of; none where it may know of all.
    pub topic_gate: Option<Arc<dyn TopicGate>>,
}

/// A topic that is gone, by name and by the id that tells it from a later topic of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// The topic's name.
    pub name: String,
    /// The topic's id.
    pub id: model::Uuid,
}

/// A request to the group machine.
#[derive(Clone, Debug)]
pub enum GroupRequest {
    /// JoinGroup; answered with [`GroupResponse::Join`], perhaps when the join phase ends.
    Join(RequestContext, JoinGroupRequest),
    /// SyncGroup; answered with [`GroupResponse::Sync`], perhaps when the leader brings the assignment.
    Sync(SyncGroupRequest),
    /// Heartbeat; answered with [`GroupResponse::Heartbeat`].
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup; answered with [`GroupResponse::Leave`].
    Leave(LeaveGroupRequest),
    /// DescribeGroups at a version; answered with [`GroupResponse::Describe`].
    Describe(i16, Vec<String>),
    /// ListGroups; answered with [`GroupResponse::List`].
    List(ListGroupsRequest),
    /// DeleteGroups; answered with [`GroupResponse::Delete`].
    Delete(Vec<String>),
    /// OffsetCommit; answered with [`GroupResponse::OffsetCommit`].
    OffsetCommit(RequestContext, OffsetCommitRequest),
    /// TxnOffsetCommit; answered with [`GroupResponse::TxnOffsetCommit`].
    TxnOffsetCommit(TxnOffsetCommitRequest),
    /// OffsetFetch of one group; answered with [`GroupResponse::OffsetFetch`].
    OffsetFetch {
        /// The group, and its topics by name; no topics for all of them.
        group: OffsetFetchRequestGroup,
        /// Whether a partition with an open transaction answers `UNSTABLE_OFFSET_COMMIT`.
        require_stable: bool,
    },
    /// OffsetDelete; answered with [`GroupResponse::OffsetDelete`].
    OffsetDelete(OffsetDeleteRequest),
    /// ConsumerGroupHeartbeat; answered with [`GroupResponse::ConsumerHeartbeat`].
    ConsumerHeartbeat(RequestContext, ConsumerGroupHeartbeatRequest),
    /// ConsumerGroupDescribe; answered with [`GroupResponse::ConsumerDescribe`].
    ConsumerDescribe(Vec<String>),
    /// A request about share groups; answered with [`GroupResponse::Share`].
    Share(ShareGroupRequest),
    /// StreamsGroupHeartbeat; answered with [`GroupResponse::StreamsHeartbeat`].
    StreamsHeartbeat(RequestContext, StreamsGroupHeartbeatRequest),
    /// StreamsGroupDescribe; answered with [`GroupResponse::StreamsDescribe`].
    StreamsDescribe(Vec<String>),
    /// There is new metadata; answered with [`GroupResponse::Done`].
    MetadataChanged(Arc<MetadataChange>),
    /// Topics are gone, and so are their offsets; answered with [`GroupResponse::Done`].
    TopicsDeleted(Vec<DeletedTopic>),
    /// The transaction of a producer ends; answered with [`GroupResponse::Done`].
    EndTransaction {
        /// The producer.
        producer: Producer,
        /// The epoch of the transaction coordinator that says so.
        coordinator_epoch: i32,
        /// Whether its offsets are committed, not dropped.
        commit: bool,
    },
}

/// An answer of the group machine.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupResponse {
    /// To JoinGroup.
    Join(JoinGroupResponse),
    /// To SyncGroup.
    Sync(SyncGroupResponse),
    /// To Heartbeat.
    Heartbeat(HeartbeatResponse),
    /// To LeaveGroup.
    Leave(LeaveGroupResponse),
    /// To DescribeGroups, one entry for each group, in the request's order.
    Describe(Vec<DescribedGroup>),
    /// To ListGroups, in order of group id.
    List(Vec<ListedGroup>),
    /// To DeleteGroups, one entry for each group, in the request's order.
    Delete(Vec<DeletableGroupResult>),
    /// To OffsetCommit.
    OffsetCommit(OffsetCommitResponse),
    /// To TxnOffsetCommit.
    TxnOffsetCommit(TxnOffsetCommitResponse),
    /// To OffsetFetch of one group.
    OffsetFetch(OffsetFetchResponseGroup),
    /// To OffsetDelete.
    OffsetDelete(OffsetDeleteResponse),
    /// To ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerGroupHeartbeatResponse),
    /// To ConsumerGroupDescribe, one entry for each group, in the request's order.
    ConsumerDescribe(Vec<consumer_group_describe_response::DescribedGroup>),
    /// About share groups.
    Share(ShareGroupResponse),
    /// To StreamsGroupHeartbeat.
    StreamsHeartbeat(StreamsHeartbeat),
    /// To StreamsGroupDescribe, one entry for each group, in the request's order.
    StreamsDescribe(Vec<streams_group_describe_response::DescribedGroup>),
    /// To what has nothing to say.
    Done,
}
