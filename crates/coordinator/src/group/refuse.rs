//! Refusals: the answers that say why there is no other, and what an answer looks like at old versions.

use protocol::delete_groups_response::DeletableGroupResult;
use protocol::describe_groups_response::DescribedGroup;
use protocol::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
use protocol::{
    ErrorCode, JoinGroupResponse, LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse,
    SyncGroupResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

/// Turns an error of the log into one that group members know what to do about.
///
/// Kafka: `CoordinatorOperationExceptionHelper.handleOperationException`.
pub(crate) fn client_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::NETWORK_EXCEPTION => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::REQUEST_TIMED_OUT => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::KAFKA_STORAGE_ERROR => ErrorCode::NOT_COORDINATOR,
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE | ErrorCode::INVALID_FETCH_SIZE => {
            ErrorCode::UNKNOWN_SERVER_ERROR
        }
        error => error,
    }
}

/// As [`client_error`] for OffsetFetch: consumers before 3.9 do not know `COORDINATOR_NOT_AVAILABLE` there.
///
/// Kafka: `GroupCoordinatorService.handleOffsetFetchException`.
pub(super) fn fetch_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::REQUEST_TIMED_OUT => ErrorCode::NOT_COORDINATOR,
        error => client_error(error),
    }
}

pub(super) fn join(error_code: ErrorCode, member_id: &str) -> JoinGroupResponse {
    JoinGroupResponse { error_code, member_id: member_id.into(), ..Default::default() }
}

/// Up to v6 a protocol name is never null, from v7 on never empty. Kafka: `JoinGroupResponse`.
pub(super) fn adapt_join(mut response: JoinGroupResponse, version: i16) -> JoinGroupResponse {
    response.protocol_name = match response.protocol_name {
        None if version < 7 => Some(String::new()),
        Some(name) if version >= 7 && name.is_empty() => None,
        name => name,
    };
    response
}

pub(super) fn sync(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, ..Default::default() }
}

/// Up to v2 the one member's error is the answer's. Kafka: `LeaveGroupResponse`.
pub(super) fn adapt_leave(mut response: LeaveGroupResponse, version: i16) -> LeaveGroupResponse {
    if version < 3 {
        let members = std::mem::take(&mut response.members);
        if response.error_code == ErrorCode::NONE {
            response.error_code = members.first().map_or(ErrorCode::NONE, |member| member.error_code);
        }
    }
    response
}

pub(super) fn describe(groups: Vec<String>, error_code: ErrorCode) -> Vec<DescribedGroup> {
    groups.into_iter().map(|group_id| DescribedGroup { group_id, error_code, ..Default::default() }).collect()
}

pub(super) fn delete(groups: Vec<String>, error_code: ErrorCode) -> Vec<DeletableGroupResult> {
    groups
        .into_iter()
        .map(|group_id| DeletableGroupResult { group_id, error_code, ..Default::default() })
        .collect()
}

/// The answer to an OffsetCommit, but for the error.
pub(super) struct OffsetCommit(OffsetCommitResponse);

pub(super) fn offset_commit(request: &OffsetCommitRequest) -> OffsetCommit {
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    OffsetCommit(OffsetCommitResponse { topics: topics.collect(), ..Default::default() })
}

impl OffsetCommit {
    pub(super) fn with_error(mut self, error: ErrorCode) -> OffsetCommitResponse {
        let partitions = self.0.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        partitions.for_each(|partition| partition.error_code = error);
        self.0
    }
}

/// The answer to a TxnOffsetCommit, but for the error.
pub(super) struct TxnOffsetCommit(TxnOffsetCommitResponse);

pub(super) fn txn_offset_commit(request: &TxnOffsetCommitRequest) -> TxnOffsetCommit {
    let topics = request.topics.iter().map(|topic| TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| TxnOffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    TxnOffsetCommit(TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() })
}

impl TxnOffsetCommit {
    pub(super) fn with_error(mut self, error: ErrorCode) -> TxnOffsetCommitResponse {
        let partitions = self.0.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        partitions.for_each(|partition| partition.error_code = error);
        self.0
    }
}

/// The answer to an OffsetFetch of one group, but for the error: v1 has no place for it but the partitions.
pub(super) struct OffsetFetch(OffsetFetchResponseGroup);

impl OffsetFetch {
    pub(super) fn new(request: &OffsetFetchRequestGroup, version: i16) -> Self {
        let asked = if version < 2 { request.topics.as_deref().unwrap_or_default() } else { &[] };
        let topics = asked.iter().map(|topic| OffsetFetchResponseTopics {
            name: topic.name.clone(),
            partitions: topic.partition_indexes.iter().copied().map(no_offset).collect(),
            ..Default::default()
        });
        let topics = topics.collect();
        Self(OffsetFetchResponseGroup { group_id: request.group_id.clone(), topics, ..Default::default() })
    }

    pub(super) fn with_error(mut self, error: ErrorCode) -> OffsetFetchResponseGroup {
        self.0.error_code = error;
        let partitions = self.0.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        partitions.for_each(|partition| partition.error_code = error);
        self.0
    }
}

fn no_offset(partition_index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        ..Default::default()
    }
}
