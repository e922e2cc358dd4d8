//! The records of consumer groups: seven kinds, all in version 0.
//!
//! Kafka: `GroupCoordinatorRecordHelpers`.

use bytes::Bytes;
use protocol::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue,
    ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
};

use crate::group::record::{GroupRecord, KeyValue, RecordError, decode, decode_value, written};

const EPOCH: i16 = 3;
const PARTITION_METADATA: i16 = 4;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;

/// What a record says of a consumer group; a value that is none takes back what was said.
#[derive(Clone, Debug, PartialEq)]
pub enum ConsumerEntry {
    /// The group's epoch and the hash of its topics.
    Epoch(Option<ConsumerGroupMetadataValue>),
    /// The partitions of its topics, as brokers before 4.1 kept them instead of the hash.
    PartitionMetadata(Option<ConsumerGroupPartitionMetadataValue>),
    /// What a member subscribes to, by member id.
    Member(String, Option<ConsumerGroupMemberMetadataValue>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<ConsumerGroupTargetAssignmentMetadataValue>),
    /// What a member is to be assigned, by member id.
    Target(String, Option<ConsumerGroupTargetAssignmentMemberValue>),
    /// What a member has, by member id.
    Current(String, Option<ConsumerGroupCurrentMemberAssignmentValue>),
    /// The topics that a regular expression matches, by expression.
    Regex(String, Option<ConsumerGroupRegularExpressionValue>),
}

impl ConsumerEntry {
    /// Tells whether the entry takes something back.
    pub(in crate::group) fn is_tombstone(&self) -> bool {
        match self {
            Self::Epoch(value) => value.is_none(),
            Self::PartitionMetadata(value) => value.is_none(),
            Self::Member(_, value) => value.is_none(),
            Self::TargetEpoch(value) => value.is_none(),
            Self::Target(_, value) => value.is_none(),
            Self::Current(_, value) => value.is_none(),
            Self::Regex(_, value) => value.is_none(),
        }
    }

    /// Makes the record of this entry.
    pub(in crate::group) fn of(self, group: &str) -> GroupRecord {
        GroupRecord::Consumer { id: group.into(), entry: self }
    }

    /// Tells whether records of type `kind` are of consumer groups.
    pub(in crate::group) fn is_record_type(kind: i16) -> bool {
        matches!(kind, EPOCH..=CURRENT | REGEX)
    }

    /// Writes the key and value of the entry's record.
    pub(in crate::group) fn encode(&self, id: &str) -> Result<KeyValue, RecordError> {
        let group_id = id.to_owned();
        match self {
            Self::Epoch(value) => {
                written(EPOCH, &ConsumerGroupMetadataKey { group_id, ..Default::default() }, value)
            }
            Self::PartitionMetadata(value) => {
                let key = ConsumerGroupPartitionMetadataKey { group_id, ..Default::default() };
                written(PARTITION_METADATA, &key, value)
            }
            Self::Member(member_id, value) => {
                let member_id = member_id.clone();
                let key = ConsumerGroupMemberMetadataKey { group_id, member_id, ..Default::default() };
                written(MEMBER, &key, value)
            }
            Self::TargetEpoch(value) => {
                let key = ConsumerGroupTargetAssignmentMetadataKey { group_id, ..Default::default() };
                written(TARGET_EPOCH, &key, value)
            }
            Self::Target(member_id, value) => {
                let member_id = member_id.clone();
                let key =
                    ConsumerGroupTargetAssignmentMemberKey { group_id, member_id, ..Default::default() };
                written(TARGET, &key, value)
            }
            Self::Current(member_id, value) => {
                let member_id = member_id.clone();
                let key =
                    ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id, ..Default::default() };
                written(CURRENT, &key, value)
            }
            Self::Regex(regex, value) => {
                let regular_expression = regex.clone();
                let key =
                    ConsumerGroupRegularExpressionKey { group_id, regular_expression, ..Default::default() };
                written(REGEX, &key, value)
            }
        }
    }

    /// Reads a record of type `kind`, whose `key` begins after the type: the group's id and the entry.
    pub(in crate::group) fn decode(
        kind: i16,
        key: Bytes,
        value: Option<Bytes>,
    ) -> Result<(String, Self), RecordError> {
        Ok(match kind {
            EPOCH => {
                let key: ConsumerGroupMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::Epoch(decode_value(kind, value)?))
            }
            PARTITION_METADATA => {
                let key: ConsumerGroupPartitionMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::PartitionMetadata(decode_value(kind, value)?))
            }
            MEMBER => {
                let key: ConsumerGroupMemberMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::Member(key.member_id, decode_value(kind, value)?))
            }
            TARGET_EPOCH => {
                let key: ConsumerGroupTargetAssignmentMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::TargetEpoch(decode_value(kind, value)?))
            }
            TARGET => {
                let key: ConsumerGroupTargetAssignmentMemberKey = decode(kind, key, 0)?;
                (key.group_id, Self::Target(key.member_id, decode_value(kind, value)?))
            }
            CURRENT => {
                let key: ConsumerGroupCurrentMemberAssignmentKey = decode(kind, key, 0)?;
                (key.group_id, Self::Current(key.member_id, decode_value(kind, value)?))
            }
            _ => {
                let key: ConsumerGroupRegularExpressionKey = decode(kind, key, 0)?;
                (key.group_id, Self::Regex(key.regular_expression, decode_value(kind, value)?))
            }
        })
    }

    /// Makes the record of a group's epoch.
    pub(super) fn epoch(group: &str, epoch: i32, metadata_hash: i64) -> GroupRecord {
        Self::Epoch(Some(ConsumerGroupMetadataValue { epoch, metadata_hash, ..Default::default() })).of(group)
    }

    /// Makes the record of a target assignment's epoch, and of when it was computed, in milliseconds since 1970.
    pub(super) fn target_epoch(group: &str, assignment_epoch: i32, assignment_timestamp: i64) -> GroupRecord {
        let value = ConsumerGroupTargetAssignmentMetadataValue {
            assignment_epoch,
            assignment_timestamp,
            ..Default::default()
        };
        Self::TargetEpoch(Some(value)).of(group)
    }

    /// Makes the tombstones of a member: its assignment, its target, then itself, the order in which Kafka replays them.
    pub(super) fn member_tombstones(group: &str, member: &str) -> [GroupRecord; 3] {
        [
            Self::Current(member.into(), None).of(group),
            Self::Target(member.into(), None).of(group),
            Self::Member(member.into(), None).of(group),
        ]
    }
}
