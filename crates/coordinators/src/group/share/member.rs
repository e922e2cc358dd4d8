//! A member of a share group: what it subscribes to, its epoch, and what it has of its assignment.
//!
//! Invariants:
//! - a member is a value: each change makes another member, which a record tells whole

use std::collections::BTreeSet;
use std::sync::Arc;

use model::Uuid;
use protocol::share_group_current_member_assignment_value::TopicPartitions as RecordedPartitions;
use protocol::share_group_describe_response as described;
use protocol::share_group_target_assignment_member_value::TopicPartition as RecordedTarget;
use protocol::{
    ShareGroupCurrentMemberAssignmentValue, ShareGroupHeartbeatRequest, ShareGroupMemberMetadataValue,
    ShareGroupTargetAssignmentMemberValue,
};

use super::SharePartitions;
use super::entry::ShareEntry;
use crate::group::metadata::Metadata;
use crate::group::record::GroupRecord;
use crate::group::request::RequestContext;

/// The state of every member, for none has anything to give up first. Kafka: `MemberState.STABLE`.
const STABLE: i8 = 0;

/// A member. Kafka: `ShareGroupMember`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ShareMember {
    pub(super) id: Arc<str>,
    pub(super) epoch: i32,
    pub(super) previous_epoch: i32,
    state: i8,
    rack_id: Option<String>,
    client_id: String,
    client_host: String,
    pub(super) topics: Arc<BTreeSet<String>>,
    pub(super) assigned: Arc<SharePartitions>,
}

impl ShareMember {
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 0,
            previous_epoch: -1,
            state: STABLE,
            rack_id: None,
            client_id: String::new(),
            client_host: String::new(),
            topics: Arc::default(),
            assigned: Arc::default(),
        }
    }

    /// Takes in what a heartbeat says; what it leaves out stays as it was.
    pub(super) fn hear(&mut self, context: &RequestContext, request: &ShareGroupHeartbeatRequest) {
        if request.rack_id.is_some() {
            self.rack_id.clone_from(&request.rack_id);
        }
        if let Some(names) = &request.subscribed_topic_names {
            self.topics = Arc::new(names.iter().cloned().collect());
        }
        self.client_id.clone_from(&context.client_id);
        self.client_host.clone_from(&context.client_host);
    }

    /// Tells whether the member has all of the target of `epoch`.
    pub(super) fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == STABLE && self.epoch == epoch
    }

    /// Goes on to a target, as far as the member reads its topics. Kafka: `ShareGroupAssignmentBuilder.build`.
    pub(super) fn reconcile(
        &mut self,
        epoch: i32,
        target: &SharePartitions,
        subscription_changed: bool,
        metadata: &Metadata,
    ) {
        if epoch == self.epoch && !subscription_changed {
            return;
        }
        let reads: BTreeSet<Uuid> = self.topics.iter().filter_map(|topic| metadata.topic_id(topic)).collect();
        let part = target.iter().filter(|(topic, _)| reads.contains(*topic));
        self.assigned = Arc::new(part.map(|(topic, partitions)| (*topic, partitions.clone())).collect());
        if epoch != self.epoch {
            self.state = STABLE;
            self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
        }
    }

    /// Takes in what a record says that the member subscribes to.
    pub(super) fn subscribe(&mut self, value: ShareGroupMemberMetadataValue) {
        self.rack_id = value.rack_id;
        self.client_id = value.client_id;
        self.client_host = value.client_host;
        self.topics = Arc::new(value.subscribed_topic_names.into_iter().collect());
    }

    /// Takes in what a record says that the member has.
    pub(super) fn assign(&mut self, value: &ShareGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = value.state;
        let one = |topic: &RecordedPartitions| (topic.topic_id, topic.partitions.iter().copied().collect());
        self.assigned = Arc::new(value.assigned_partitions.iter().map(one).collect());
    }

    /// Takes in that nothing is assigned to the member any more.
    pub(super) fn unassign(&mut self) {
        self.epoch = -1;
        self.previous_epoch = -1;
        self.assigned = Arc::default();
    }

    /// Makes the record of what the member subscribes to.
    pub(super) fn subscription_record(&self, group: &str) -> GroupRecord {
        let value = ShareGroupMemberMetadataValue {
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.topics.iter().cloned().collect(),
            ..Default::default()
        };
        ShareEntry::Member(self.id.to_string(), Some(value)).of(group)
    }

    /// Makes the record of what the member has.
    pub(super) fn assignment_record(&self, group: &str) -> GroupRecord {
        let one = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| RecordedPartitions {
            topic_id: *topic,
            partitions: partitions.iter().copied().collect(),
            ..Default::default()
        };
        let value = ShareGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state,
            assigned_partitions: self.assigned.iter().map(one).collect(),
            ..Default::default()
        };
        ShareEntry::Current(self.id.to_string(), Some(value)).of(group)
    }

    /// Describes the member. Topics that are gone are left out.
    pub(super) fn describe(&self, metadata: &Metadata) -> described::Member {
        let one = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
            Some(described::TopicPartitions {
                topic_id: *topic,
                topic_name: metadata.topic_name(*topic)?.to_string(),
                partitions: partitions.iter().copied().collect(),
                ..Default::default()
            })
        };
        described::Member {
            member_id: self.id.to_string(),
            rack_id: self.rack_id.clone(),
            member_epoch: self.epoch,
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.topics.iter().cloned().collect(),
            assignment: described::Assignment {
                topic_partitions: self.assigned.iter().filter_map(one).collect(),
                ..Default::default()
            },
            ..Default::default()
        }
    }
}

/// Reads a recorded target assignment.
pub(super) fn target_from_record(value: &ShareGroupTargetAssignmentMemberValue) -> SharePartitions {
    let one = |topic: &RecordedTarget| (topic.topic_id, topic.partitions.iter().copied().collect());
    value.topic_partitions.iter().map(one).collect()
}

/// Makes the record of a member's target assignment.
pub(super) fn target_record(group: &str, member: &str, target: &SharePartitions) -> GroupRecord {
    let one = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| RecordedTarget {
        topic_id: *topic,
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    };
    let value = ShareGroupTargetAssignmentMemberValue {
        topic_partitions: target.iter().map(one).collect(),
        ..Default::default()
    };
    ShareEntry::Target(member.into(), Some(value)).of(group)
}
