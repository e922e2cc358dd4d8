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

use crate::group::entries::group_entries;
use crate::group::record::{GroupRecord, KeyValue, RecordError, decode, decode_value, written};

group_entries! {
    /// What a record says of a share group; a value that is none takes back what was said.
    ShareEntry of Share {
        /// The group's epoch and the hash of its topics.
        Epoch = ShareGroupMetadataKey, ShareGroupMetadataValue;
        /// What a member subscribes to, by member id.
        Member(member_id: String) = ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue;
        /// The epoch of the target assignment.
        TargetEpoch = ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue;
        /// What a member is to be assigned, by member id.
        Target(member_id: String) = ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue;
        /// What a member has, by member id.
        Current(member_id: String) = ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue;
        /// The partitions whose state has begun, is to begin, or is to be forgotten.
        States = ShareGroupStatePartitionMetadataKey, ShareGroupStatePartitionMetadataValue;
    }
}

impl ShareEntry {
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
