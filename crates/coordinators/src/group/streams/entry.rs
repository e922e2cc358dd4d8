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

use crate::group::entries::group_entries;
use crate::group::record::{GroupRecord, KeyValue, RecordError, decode, decode_value, written};

group_entries! {
    /// What a record says of a streams group; a value that is none takes back what was said.
    StreamsEntry of Streams {
        /// The group's epoch, the hash of its topics, the topology that was found to fit them, the assignor's settings.
        Epoch = StreamsGroupMetadataKey, StreamsGroupMetadataValue;
        /// What a member says of itself, by member id.
        Member(member_id: String) = StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue;
        /// The epoch of the target assignment.
        TargetEpoch = StreamsGroupTargetAssignmentMetadataKey, StreamsGroupTargetAssignmentMetadataValue;
        /// What a member is to be assigned, by member id.
        Target(member_id: String) = StreamsGroupTargetAssignmentMemberKey, StreamsGroupTargetAssignmentMemberValue;
        /// What a member has, by member id.
        Current(member_id: String) = StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue;
        /// The topology that the group's members run.
        Topology = StreamsGroupTopologyKey, StreamsGroupTopologyValue;
    }
}

impl StreamsEntry {
    /// Makes the record of a target assignment's epoch, and of when it was computed, in milliseconds since 1970.
    pub(super) fn target_epoch(group: &str, assignment_epoch: i32, assignment_timestamp: i64) -> GroupRecord {
        let value = StreamsGroupTargetAssignmentMetadataValue {
            assignment_epoch,
            assignment_timestamp,
            ..Default::default()
        };
        Self::TargetEpoch(Some(value)).of(group)
    }
}
