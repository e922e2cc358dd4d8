//! The records of share groups: six kinds, all in version 0.
//!
//! Kafka: `GroupCoordinatorRecordHelpers`.

use bytes::Bytes;
use protocol::{
    ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue, ShareGroupMetadataKey,
    ShareGroupMetadataValue, ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue,
};

use crate::group::record::{GroupRecord, KeyValue, RecordError, decode, decode_value, written};

const MEMBER: i16 = ShareGroupMemberMetadataKey::RECORD_TYPE;
const EPOCH: i16 = ShareGroupMetadataKey::RECORD_TYPE;
const TARGET_EPOCH: i16 = ShareGroupTargetAssignmentMetadataKey::RECORD_TYPE;
const TARGET: i16 = ShareGroupTargetAssignmentMemberKey::RECORD_TYPE;
const CURRENT: i16 = ShareGroupCurrentMemberAssignmentKey::RECORD_TYPE;
const STATES: i16 = ShareGroupStatePartitionMetadataKey::RECORD_TYPE;

/// What a record says of a share group; a value that is none takes back what was said.
#[derive(Clone, Debug, PartialEq)]
pub enum ShareEntry {
    /// The group's epoch and the hash of its topics.
    Epoch(Option<ShareGroupMetadataValue>),
    /// What a member subscribes to, by member id.
    Member(String, Option<ShareGroupMemberMetadataValue>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<ShareGroupTargetAssignmentMetadataValue>),
    /// What a member is to be assigned, by member id.
    Target(String, Option<ShareGroupTargetAssignmentMemberValue>),
    /// What a member has, by member id.
    Current(String, Option<ShareGroupCurrentMemberAssignmentValue>),
    /// The partitions whose state has begun, is to begin, or is to be forgotten.
    States(Option<ShareGroupStatePartitionMetadataValue>),
}

impl ShareEntry {
    /// Tells whether the entry takes something back.
    pub(in crate::group) fn is_tombstone(&self) -> bool {
        match self {
            Self::Epoch(value) => value.is_none(),
            Self::Member(_, value) => value.is_none(),
            Self::TargetEpoch(value) => value.is_none(),
            Self::Target(_, value) => value.is_none(),
            Self::Current(_, value) => value.is_none(),
            Self::States(value) => value.is_none(),
        }
    }

    /// Makes the record of this entry.
    pub(in crate::group) fn of(self, group: &str) -> GroupRecord {
        GroupRecord::Share { id: group.into(), entry: self }
    }

    /// Tells whether records of type `kind` are of share groups.
    pub(in crate::group) fn is_record_type(kind: i16) -> bool {
        matches!(kind, MEMBER..=STATES)
    }

    /// Writes the key and value of the entry's record.
    pub(in crate::group) fn encode(&self, id: &str) -> Result<KeyValue, RecordError> {
        let group_id = id.to_owned();
        match self {
            Self::Epoch(value) => {
                written(EPOCH, &ShareGroupMetadataKey { group_id, ..Default::default() }, value)
            }
            Self::Member(member_id, value) => {
                let member_id = member_id.clone();
                let key = ShareGroupMemberMetadataKey { group_id, member_id, ..Default::default() };
                written(MEMBER, &key, value)
            }
            Self::TargetEpoch(value) => {
                let key = ShareGroupTargetAssignmentMetadataKey { group_id, ..Default::default() };
                written(TARGET_EPOCH, &key, value)
            }
            Self::Target(member_id, value) => {
                let member_id = member_id.clone();
                let key = ShareGroupTargetAssignmentMemberKey { group_id, member_id, ..Default::default() };
                written(TARGET, &key, value)
            }
            Self::Current(member_id, value) => {
                let member_id = member_id.clone();
                let key = ShareGroupCurrentMemberAssignmentKey { group_id, member_id, ..Default::default() };
                written(CURRENT, &key, value)
            }
            Self::States(value) => {
                let key = ShareGroupStatePartitionMetadataKey { group_id, ..Default::default() };
                written(STATES, &key, value)
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
                let key: ShareGroupMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::Epoch(decode_value(kind, value)?))
            }
            MEMBER => {
                let key: ShareGroupMemberMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::Member(key.member_id, decode_value(kind, value)?))
            }
            TARGET_EPOCH => {
                let key: ShareGroupTargetAssignmentMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::TargetEpoch(decode_value(kind, value)?))
            }
            TARGET => {
                let key: ShareGroupTargetAssignmentMemberKey = decode(kind, key, 0)?;
                (key.group_id, Self::Target(key.member_id, decode_value(kind, value)?))
            }
            CURRENT => {
                let key: ShareGroupCurrentMemberAssignmentKey = decode(kind, key, 0)?;
                (key.group_id, Self::Current(key.member_id, decode_value(kind, value)?))
            }
            _ => {
                let key: ShareGroupStatePartitionMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::States(decode_value(kind, value)?))
            }
        })
    }

    /// Makes the record of a group's epoch.
    pub(super) fn epoch(group: &str, epoch: i32, metadata_hash: i64) -> GroupRecord {
        Self::Epoch(Some(ShareGroupMetadataValue { epoch, metadata_hash, ..Default::default() })).of(group)
    }

    /// Makes the record of a target assignment's epoch, and of when it was computed, in milliseconds since 1970.
    pub(super) fn target_epoch(group: &str, assignment_epoch: i32, assignment_timestamp: i64) -> GroupRecord {
        let value = ShareGroupTargetAssignmentMetadataValue {
            assignment_epoch,
            assignment_timestamp,
            ..Default::default()
        };
        Self::TargetEpoch(Some(value)).of(group)
    }
}
