//! OffsetCommit 2-10 and TxnOffsetCommit 0-6: offsets of a member, of a consumer without a group protocol, of a transaction.

use machine::Now;
use model::{ProducerEpoch, ProducerId};
use protocol::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
use protocol::{
    ErrorCode, OffsetCommitKey, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitValue,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use crate::group::classic::ClassicGroupState;
use crate::group::groups::Group;
use crate::group::machine::GroupMachine;
use crate::group::record::{GroupRecord, Producer};
use crate::group::request::RequestContext;
use crate::group::{GroupCoordinatorConfig, GroupOutcome};

/// Who commits.
struct Committer<'a> {
    group: &'a str,
    member_id: &'a str,
    instance_id: Option<&'a str>,
    generation: i32,
    transactional: bool,
}

impl GroupMachine {
    /// Commits offsets. Kafka: `OffsetMetadataManager.commitOffset`.
    pub(in crate::group) fn commit_offsets(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: OffsetCommitRequest,
        out: &mut GroupOutcome,
    ) -> OffsetCommitResponse {
        let committer = Committer {
            group: &request.group_id,
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
            generation: request.generation_id_or_member_epoch,
            transactional: false,
        };
        let unknown_group = if context.api_version >= 9 {
            ErrorCode::GROUP_ID_NOT_FOUND
        } else {
            ErrorCode::ILLEGAL_GENERATION
        };
        if let Err(error) = self.validate_commit(&committer, unknown_group) {
            return refuse_offset_commit(request, error);
        }
        self.renew_committer(now, &request, out);
        let wall = now.wall.0;
        let expire_timestamp = match request.retention_time_ms {
            -1 => -1,
            retention => wall.saturating_add(retention),
        };
        let config = self.config.clone();
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                let metadata = partition.committed_metadata.unwrap_or_default();
                let error_code = check_metadata(&config, &metadata);
                partitions.push(OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                    ..Default::default()
                });
                if error_code == ErrorCode::NONE {
                    let value = OffsetCommitValue {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata,
                        commit_timestamp: wall,
                        expire_timestamp,
                        topic_id: topic.topic_id,
                        ..Default::default()
                    };
                    out.records.push(offset_record(
                        &request.group_id,
                        &topic.name,
                        partition.partition_index,
                        value,
                        None,
                    ));
                }
            }
            topics.push(OffsetCommitResponseTopic {
                name: topic.name,
                topic_id: topic.topic_id,
                partitions,
                ..Default::default()
            });
        }
        OffsetCommitResponse { topics, ..Default::default() }
    }

    /// Commits offsets that count when the transaction does. Kafka: `OffsetMetadataManager.commitTransactionalOffset`.
    pub(in crate::group) fn commit_transactional_offsets(
        &mut self,
        now: Now,
        request: TxnOffsetCommitRequest,
        out: &mut GroupOutcome,
    ) -> TxnOffsetCommitResponse {
        let committer = Committer {
            group: &request.group_id,
            member_id: &request.member_id,
            instance_id: request.group_instance_id.as_deref(),
            generation: request.generation_id_or_member_epoch,
            transactional: true,
        };
        if let Err(error) = self.validate_commit(&committer, ErrorCode::ILLEGAL_GENERATION) {
            return refuse_txn_offset_commit(request, error);
        }
        let producer = Some(Producer {
            id: ProducerId(request.producer_id),
            epoch: ProducerEpoch(request.producer_epoch),
        });
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in topic.partitions {
                let metadata = partition.committed_metadata.unwrap_or_default();
                let error_code = check_metadata(&self.config, &metadata);
                partitions.push(TxnOffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                    ..Default::default()
                });
                if error_code == ErrorCode::NONE {
                    let value = OffsetCommitValue {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata,
                        commit_timestamp: now.wall.0,
                        expire_timestamp: -1,
                        topic_id: topic.topic_id,
                        ..Default::default()
                    };
                    let index = partition.partition_index;
                    out.records.push(offset_record(&request.group_id, &topic.name, index, value, producer));
                }
            }
            topics.push(TxnOffsetCommitResponseTopic {
                name: topic.name,
                topic_id: topic.topic_id,
                partitions,
                ..Default::default()
            });
        }
        TxnOffsetCommitResponse { topics, ..Default::default() }
    }

    /// Checks who commits. A group that is not there is made by a commit without generation. Kafka:
    /// `OffsetMetadataManager.validateOffsetCommit`.
    fn validate_commit(&self, committer: &Committer<'_>, unknown_group: ErrorCode) -> Result<(), ErrorCode> {
        match self.groups.get(committer.group) {
            None if committer.generation < 0 => Ok(()),
            None => Err(unknown_group),
            Some(Group::Classic(group)) => group.validate_offset_commit(
                committer.member_id,
                committer.instance_id,
                committer.generation,
                committer.transactional,
            ),
            Some(Group::Foreign(group)) if group.keeps_offsets() => {
                match committer.generation < 0 && group.is_empty() {
                    true => Ok(()),
                    false => Err(ErrorCode::UNKNOWN_MEMBER_ID),
                }
            }
            Some(Group::Foreign(_)) => Err(ErrorCode::GROUP_ID_NOT_FOUND),
        }
    }

    /// A commit is a sign of life while the group is stable or rebalances.
    fn renew_committer(&mut self, now: Now, request: &OffsetCommitRequest, out: &mut GroupOutcome) {
        self.with_classic(now, &request.group_id, out, |group, turn| {
            if matches!(group.state(), ClassicGroupState::Stable | ClassicGroupState::PreparingRebalance) {
                group.renew_session(&request.member_id, turn);
            }
        });
    }
}

fn check_metadata(config: &GroupCoordinatorConfig, metadata: &str) -> ErrorCode {
    let limit = config.offset_metadata_max_size;
    // No text has more UTF-16 units than UTF-8 bytes.
    let too_large = metadata.len() > limit && metadata.encode_utf16().count() > limit;
    if too_large { ErrorCode::OFFSET_METADATA_TOO_LARGE } else { ErrorCode::NONE }
}

fn offset_record(
    group: &str,
    topic: &str,
    partition: i32,
    value: OffsetCommitValue,
    producer: Option<Producer>,
) -> GroupRecord {
    let key = OffsetCommitKey { group: group.into(), topic: topic.into(), partition, ..Default::default() };
    GroupRecord::Offset { key, value: Some(value), producer }
}

/// Answers every partition of an OffsetCommit with `error_code`.
pub(in crate::group) fn refuse_offset_commit(
    request: OffsetCommitRequest,
    error_code: ErrorCode,
) -> OffsetCommitResponse {
    let refuse =
        |partition_index| OffsetCommitResponsePartition { partition_index, error_code, ..Default::default() };
    let topics = request.topics.into_iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|partition| refuse(partition.partition_index)).collect(),
        ..Default::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

/// Answers every partition of a TxnOffsetCommit with `error_code`.
pub(in crate::group) fn refuse_txn_offset_commit(
    request: TxnOffsetCommitRequest,
    error_code: ErrorCode,
) -> TxnOffsetCommitResponse {
    let refuse = |partition_index| TxnOffsetCommitResponsePartition {
        partition_index,
        error_code,
        ..Default::default()
    };
    let topics = request.topics.into_iter().map(|topic| TxnOffsetCommitResponseTopic {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|partition| refuse(partition.partition_index)).collect(),
        ..Default::default()
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}
