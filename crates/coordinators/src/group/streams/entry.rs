//! The records of streams groups: six kinds, all in version 0.
//!
//! Kafka: `StreamsCoordinatorRecordHelpers`.

use bytes::Bytes;
use protocol::{
    StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue, StreamsGroupMetadataKey,
    StreamsGroupMetadataValue, StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue, StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue, StreamsGroupTopologyKey, StreamsGroupTopologyValue,
};

use crate::group::record::{GroupRecord, KeyValue, RecordError, decode, decode_value, written};

const EPOCH: i16 = 17;
const MEMBER: i16 = 19;
const TARGET_EPOCH: i16 = 20;
const TARGET: i16 = 21;
const CURRENT: i16 = 22;
const TOPOLOGY: i16 = 23;

/// What a record says of a streams group; a value that is none takes back what was said.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamsEntry {
    /// The group's epoch, the hash of its topics, the topology that was found to fit them, the assignor's settings.
    Epoch(Option<StreamsGroupMetadataValue>),
    /// What a member says of itself, by member id.
    Member(String, Option<StreamsGroupMemberMetadataValue>),
    /// The epoch of the target assignment.
    TargetEpoch(Option<StreamsGroupTargetAssignmentMetadataValue>),
    /// What a member is to be assigned, by member id.
    Target(String, Option<StreamsGroupTargetAssignmentMemberValue>),
    /// What a member has, by member id.
    Current(String, Option<StreamsGroupCurrentMemberAssignmentValue>),
    /// The topology that the group's members run.
    Topology(Option<StreamsGroupTopologyValue>),
}

impl StreamsEntry {
    /// Tells whether the entry takes something back.
    pub(in crate::group) fn is_tombstone(&self) -> bool {
        match self {
            Self::Epoch(value) => value.is_none(),
            Self::Member(_, value) => value.is_none(),
            Self::TargetEpoch(value) => value.is_none(),
            Self::Target(_, value) => value.is_none(),
            Self::Current(_, value) => value.is_none(),
            Self::Topology(value) => value.is_none(),
        }
    }

    /// Makes the record of this entry.
    pub(in crate::group) fn of(self, group: &str) -> GroupRecord {
        GroupRecord::Streams { id: group.into(), entry: self }
    }

    /// Tells whether records of type `kind` are of streams groups.
    pub(in crate::group) fn is_record_type(kind: i16) -> bool {
        matches!(kind, EPOCH | MEMBER..=TOPOLOGY)
    }

    /// Writes the key and value of the entry's record.
    pub(in crate::group) fn encode(&self, id: &str) -> Result<KeyValue, RecordError> {
        let group_id = id.to_owned();
        match self {
            Self::Epoch(value) => {
                written(EPOCH, &StreamsGroupMetadataKey { group_id, ..Default::default() }, value)
            }
            Self::Member(member_id, value) => {
                let member_id = member_id.clone();
                let key = StreamsGroupMemberMetadataKey { group_id, member_id, ..Default::default() };
                written(MEMBER, &key, value)
            }
            Self::TargetEpoch(value) => {
                let key = StreamsGroupTargetAssignmentMetadataKey { group_id, ..Default::default() };
                written(TARGET_EPOCH, &key, value)
            }
            Self::Target(member_id, value) => {
                let member_id = member_id.clone();
                let key = StreamsGroupTargetAssignmentMemberKey { group_id, member_id, ..Default::default() };
                written(TARGET, &key, value)
            }
            Self::Current(member_id, value) => {
                let member_id = member_id.clone();
                let key =
                    StreamsGroupCurrentMemberAssignmentKey { group_id, member_id, ..Default::default() };
                written(CURRENT, &key, value)
            }
            Self::Topology(value) => {
                written(TOPOLOGY, &StreamsGroupTopologyKey { group_id, ..Default::default() }, value)
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
                let key: StreamsGroupMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::Epoch(decode_value(kind, value)?))
            }
            MEMBER => {
                let key: StreamsGroupMemberMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::Member(key.member_id, decode_value(kind, value)?))
            }
            TARGET_EPOCH => {
                let key: StreamsGroupTargetAssignmentMetadataKey = decode(kind, key, 0)?;
                (key.group_id, Self::TargetEpoch(decode_value(kind, value)?))
            }
            TARGET => {
                let key: StreamsGroupTargetAssignmentMemberKey = decode(kind, key, 0)?;
                (key.group_id, Self::Target(key.member_id, decode_value(kind, value)?))
            }
            CURRENT => {
                let key: StreamsGroupCurrentMemberAssignmentKey = decode(kind, key, 0)?;
                (key.group_id, Self::Current(key.member_id, decode_value(kind, value)?))
            }
            _ => {
                let key: StreamsGroupTopologyKey = decode(kind, key, 0)?;
                (key.group_id, Self::Topology(decode_value(kind, value)?))
            }
        })
    }

    /// Makes the record of a target assignment's epoch, and of when it was computed, in milliseconds since 1970.
    pub(super) fn target_epoch(group: &str, assignment_epoch: i32, assignment_timestamp: i64) -> GroupRecord {
        let value = StreamsGroupTargetAssignmentMetadataValue {
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
