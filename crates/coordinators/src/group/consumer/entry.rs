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

use crate::group::entries::group_entries;
use crate::group::record::{GroupRecord, KeyValue, RecordError, decode, decode_value, written};

group_entries! {
    /// What a record says of a consumer group; a value that is none takes back what was said.
    ConsumerEntry of Consumer {
        /// The group's epoch and the hash of its topics.
        Epoch = ConsumerGroupMetadataKey, ConsumerGroupMetadataValue;
        /// The partitions of its topics, as brokers before 4.1 kept them instead of the hash.
        PartitionMetadata = ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue;
        /// What a member subscribes to, by member id.
        Member(member_id: String) = ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue;
        /// The epoch of the target assignment.
        TargetEpoch = ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue;
        /// What a member is to be assigned, by member id.
        Target(member_id: String) = ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue;
        /// What a member has, by member id.
        Current(member_id: String) = ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue;
        /// The topics that a regular expression matches, by expression.
        Regex(regular_expression: String) = ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue;
    }
}

impl ConsumerEntry {
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
}
