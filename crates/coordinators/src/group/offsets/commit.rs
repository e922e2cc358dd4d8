//! OffsetCommit 2-10 and TxnOffsetCommit 0-6: offsets of a member, of a consumer without a group protocol, of a transaction.

use machine::Now;
use model::{ProducerEpoch, ProducerId, Uuid};
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
use protocol::{
    ErrorCode, OffsetCommitKey, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitValue,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use crate::group::GroupOutcome;
use crate::group::classic::ClassicGroupState;
use crate::group::groups::Group;
use crate::group::machine::GroupMachine;
use crate::group::record::{GroupRecord, Producer};
use crate::group::request::RequestContext;
use crate::group::{consumer, streams};

/// Who commits.
#[derive(Clone, Copy)]
pub(in crate::group) struct Committer<'a> {
    group: &'a str,
    pub(in crate::group) member_id: &'a str,
    pub(in crate::group) instance_id: Option<&'a str>,
    /// The generation, or the member's epoch.
    pub(in crate::group) generation: i32,
    pub(in crate::group) transactional: bool,
    pub(in crate::group) api_version: i16,
}

/// What each partition of a commit must still pass.
enum CommitCheck<'a> {
    Consumer(consumer::CommitCheck<'a>),
    Streams(streams::CommitCheck<'a>),
}

impl CommitCheck<'_> {
    /// Checks one partition of a topic, by name and, where it is known, by id.
    fn check(&self, topic: &str, id: Option<Uuid>, partition: i32) -> Result<(), ErrorCode> {
        match (self, id) {
            (Self::Consumer(check), Some(id)) => check.check(id, partition),
            (Self::Consumer(_), None) => Err(ErrorCode::STALE_MEMBER_EPOCH),
            (Self::Streams(check), _) => check.check(topic, partition),
        }
    }
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
            api_version: context.api_version,
        };
        let unknown_group = if context.api_version >= 9 {
            ErrorCode::GROUP_ID_NOT_FOUND
        } else {
            ErrorCode::ILLEGAL_GENERATION
        };
        let mut partitions = request.topics.iter().flat_map(|topic| {
            let sized =
                topic.partitions.iter().filter(|row| !self.is_too_large(row.committed_metadata.as_deref()));
            sized.map(move |row| (topic, row.partition_index))
        });
        let valid = self.validate_commit(&committer, unknown_group).and_then(|check| match check {
            Some(check) => partitions
                .try_for_each(|(topic, partition)| check.check(&topic.name, Some(topic.topic_id), partition)),
            None => Ok(()),
        });
        if let Err(error) = valid {
            let refuse = |_: &_, partition: OffsetCommitRequestPartition| OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: error,
                ..Default::default()
            };
            return OffsetCommitResponse { topics: respond(request.topics, refuse), ..Default::default() };
        }
        self.renew_committer(now, &request, out);
        let wall = now.wall.0;
        let expire_timestamp = match request.retention_time_ms {
            -1 => -1,
            retention => wall.saturating_add(retention),
        };
        let commit_one = |topic: &OffsetCommitRequestTopic, partition: OffsetCommitRequestPartition| {
            let value = OffsetCommitValue {
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.unwrap_or_default(),
                commit_timestamp: wall,
                expire_timestamp,
                topic_id: topic.topic_id,
                ..Default::default()
            };
            let key = offset_key(&request.group_id, &topic.name, partition.partition_index);
            let error_code = self.commit_one(key, value, None, out);
            let partition_index = partition.partition_index;
            OffsetCommitResponsePartition { partition_index, error_code, ..Default::default() }
        };
        let topics = respond(request.topics, commit_one);
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
            // Of no account in a transaction.
            api_version: i16::MAX,
        };
        let mut partitions = request.topics.iter().flat_map(|topic| {
            let topic_id = self.metadata.topic_id(&topic.name);
            let sized =
                topic.partitions.iter().filter(|row| !self.is_too_large(row.committed_metadata.as_deref()));
            sized.map(move |row| (topic.name.as_str(), topic_id, row.partition_index))
        });
        let valid = self.validate_commit(&committer, ErrorCode::ILLEGAL_GENERATION);
        let valid = valid.and_then(|check| match check {
            Some(check) => {
                partitions.try_for_each(|(topic, id, partition)| check.check(topic, id, partition))
            }
            None => Ok(()),
        });
        // Producers do not know of member epochs.
        let valid = valid.map_err(|error| match error {
            ErrorCode::STALE_MEMBER_EPOCH => ErrorCode::ILLEGAL_GENERATION,
            error => error,
        });
        if let Err(error) = valid {
            let refuse =
                |_: &_, partition: TxnOffsetCommitRequestPartition| TxnOffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: error,
                    ..Default::default()
                };
            let topics = respond_in_transaction(request.topics, refuse);
            return TxnOffsetCommitResponse { topics, ..Default::default() };
        }
        let producer =
            Producer { id: ProducerId(request.producer_id), epoch: ProducerEpoch(request.producer_epoch) };
        let commit_one = |topic: &TxnOffsetCommitRequestTopic, partition: TxnOffsetCommitRequestPartition| {
            let value = OffsetCommitValue {
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.unwrap_or_default(),
                commit_timestamp: now.wall.0,
                expire_timestamp: -1,
                topic_id: topic.topic_id,
                ..Default::default()
            };
            let key = offset_key(&request.group_id, &topic.name, partition.partition_index);
            let error_code = self.commit_one(key, value, Some(producer), out);
            let partition_index = partition.partition_index;
            TxnOffsetCommitResponsePartition { partition_index, error_code, ..Default::default() }
        };
        let topics = respond_in_transaction(request.topics, commit_one);
        TxnOffsetCommitResponse { topics, ..Default::default() }
    }

    /// Writes one offset, unless its metadata is too large.
    fn commit_one(
        &self,
        key: OffsetCommitKey,
        value: OffsetCommitValue,
        producer: Option<Producer>,
        out: &mut GroupOutcome,
    ) -> ErrorCode {
        if self.is_too_large(Some(&value.metadata)) {
            return ErrorCode::OFFSET_METADATA_TOO_LARGE;
        }
        out.records.push(GroupRecord::Offset { key, value: Some(value), producer });
        ErrorCode::NONE
    }

    fn is_too_large(&self, metadata: Option<&str>) -> bool {
        let limit = self.config.offset_metadata_max_size;
        // No text has more UTF-16 units than UTF-8 bytes.
        metadata.is_some_and(|text| text.len() > limit && text.encode_utf16().count() > limit)
    }

    /// Checks who commits. A group that is not there is made by a commit without generation. Kafka:
    /// `OffsetMetadataManager.validateOffsetCommit`.
    /// What it returns is still to be checked for each partition.
    fn validate_commit(
        &self,
        committer: &Committer<'_>,
        unknown_group: ErrorCode,
    ) -> Result<Option<CommitCheck<'_>>, ErrorCode> {
        match self.groups.get(committer.group) {
            None if committer.generation < 0 => Ok(None),
            None => Err(unknown_group),
            Some(Group::Classic(group)) => group
                .validate_offset_commit(
                    committer.member_id,
                    committer.instance_id,
                    committer.generation,
                    committer.transactional,
                )
                .map(|()| None),
            Some(Group::Consumer(group)) => {
                Ok(group.validate_offset_commit(committer)?.map(CommitCheck::Consumer))
            }
            Some(Group::Streams(group)) => {
                Ok(group.validate_offset_commit(committer)?.map(CommitCheck::Streams))
            }
            Some(Group::Share(_)) => Err(ErrorCode::GROUP_ID_NOT_FOUND),
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

fn offset_key(group: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group.into(), topic: topic.into(), partition, ..Default::default() }
}

/// Answers each partition of an OffsetCommit with what `one` says.
fn respond(
    topics: Vec<OffsetCommitRequestTopic>,
    mut one: impl FnMut(&OffsetCommitRequestTopic, OffsetCommitRequestPartition) -> OffsetCommitResponsePartition,
) -> Vec<OffsetCommitResponseTopic> {
    let respond = |mut topic: OffsetCommitRequestTopic| {
        let partitions = std::mem::take(&mut topic.partitions);
        let partitions = partitions.into_iter().map(|partition| one(&topic, partition)).collect();
        let (name, topic_id) = (topic.name, topic.topic_id);
        OffsetCommitResponseTopic { name, topic_id, partitions, ..Default::default() }
    };
    topics.into_iter().map(respond).collect()
}

/// Answers each partition of a TxnOffsetCommit with what `one` says.
fn respond_in_transaction(
    topics: Vec<TxnOffsetCommitRequestTopic>,
    mut one: impl FnMut(
        &TxnOffsetCommitRequestTopic,
        TxnOffsetCommitRequestPartition,
    ) -> TxnOffsetCommitResponsePartition,
) -> Vec<TxnOffsetCommitResponseTopic> {
    let respond = |mut topic: TxnOffsetCommitRequestTopic| {
        let partitions = std::mem::take(&mut topic.partitions);
        let partitions = partitions.into_iter().map(|partition| one(&topic, partition)).collect();
        let (name, topic_id) = (topic.name, topic.topic_id);
        TxnOffsetCommitResponseTopic { name, topic_id, partitions, ..Default::default() }
    };
    topics.into_iter().map(respond).collect()
}
