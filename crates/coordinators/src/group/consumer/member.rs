//! A member of a consumer group: what it subscribes to, its epoch, and what it has of its assignment.
//!
//! Invariants:
//! - a member is a value: each change makes another member, which a record tells whole

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use model::Uuid;
use protocol::consumer_group_current_member_assignment_value::TopicPartitions as RecordedPartitions;
use protocol::consumer_group_describe_response as described;
use protocol::consumer_group_member_metadata_value::{ClassicMemberMetadata, ClassicProtocol};
use protocol::consumer_group_target_assignment_member_value::TopicPartition as RecordedTarget;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataValue,
    ConsumerGroupTargetAssignmentMemberValue,
};

use super::entry::ConsumerEntry;
use crate::group::metadata::Metadata;
use crate::group::record::GroupRecord;

/// Partitions by topic.
pub(super) type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;
/// Partitions by topic, each with the member epoch at which it was assigned.
pub(super) type Partitions = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch of a static member that is away for a while.
pub(super) const AWAY_EPOCH: i32 = -2;
/// The epoch with which a member leaves.
pub(super) const LEAVE_EPOCH: i32 = -1;

/// How far a member is on the way to its target. Kafka: `MemberState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberState {
    /// It has its target, or as much of it as it may have at its epoch.
    Stable,
    /// It must give up partitions before it goes on to the next epoch.
    UnrevokedPartitions,
    /// It waits for partitions that others have still.
    UnreleasedPartitions,
    /// A later broker's state.
    Unknown(i8),
}

impl MemberState {
    fn of(value: i8) -> Self {
        match value {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            value => Self::Unknown(value),
        }
    }

    fn value(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown(_) => 127,
        }
    }
}

/// A member. Kafka: `ConsumerGroupMember`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ConsumerMember {
    pub(super) id: Arc<str>,
    pub(super) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: MemberState,
    pub(super) instance_id: Option<String>,
    pub(super) rack_id: Option<String>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) topics: Arc<BTreeSet<String>>,
    /// The regular expression that it reads topics by; empty or none for none.
    pub(super) regex: Option<String>,
    pub(super) assignor: Option<String>,
    pub(super) assigned: Arc<Partitions>,
    /// What it must give up.
    pub(super) revoking: Arc<Partitions>,
    /// What a member that uses the classic protocol has beyond the others.
    pub(super) classic: Option<Arc<ClassicMemberMetadata>>,
}

impl ConsumerMember {
    /// Makes a member that has said nothing yet.
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            client_id: String::new(),
            client_host: String::new(),
            topics: Arc::default(),
            regex: Some(String::new()),
            assignor: None,
            assigned: Arc::default(),
            revoking: Arc::default(),
            classic: None,
        }
    }

    /// The regular expression that the member reads topics by.
    pub(super) fn regex(&self) -> Option<&str> {
        self.regex.as_deref().filter(|regex| !regex.is_empty())
    }

    pub(super) fn uses_classic_protocol(&self) -> bool {
        self.classic.is_some()
    }

    /// The protocols of a member that uses the classic protocol.
    pub(super) fn classic_protocols(&self) -> &[ClassicProtocol] {
        self.classic.as_ref().map(|classic| classic.supported_protocols.as_slice()).unwrap_or_default()
    }

    /// The session timeout of a member that uses the classic protocol, in milliseconds.
    pub(super) fn classic_session_timeout_ms(&self) -> Option<i32> {
        self.classic.as_ref().map(|classic| classic.session_timeout_ms)
    }

    /// Tells whether the member has all of the target of `epoch`.
    pub(super) fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// The epoch at which a partition was assigned that the member has or is to give up.
    pub(super) fn assignment_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        let of = |partitions: &Partitions| partitions.get(&topic)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.revoking))
    }

    /// Goes on to `epoch`, and remembers the one before.
    pub(super) fn advance_to(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }

    /// Takes in what a record says that the member subscribes to.
    pub(super) fn subscribe(&mut self, value: ConsumerGroupMemberMetadataValue) {
        self.instance_id = value.instance_id;
        self.rack_id = value.rack_id;
        self.client_id = value.client_id;
        self.client_host = value.client_host;
        self.topics = Arc::new(value.subscribed_topic_names.into_iter().collect());
        self.regex = value.subscribed_topic_regex;
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.assignor = value.server_assignor;
        self.classic = value.classic_member_metadata.map(|classic| Arc::new(own_classic(&classic)));
    }

    /// Takes in what a record says that the member has.
    pub(super) fn assign(&mut self, value: &ConsumerGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::of(value.state);
        self.assigned = Arc::new(from_recorded(&value.assigned_partitions, value.member_epoch));
        self.revoking = Arc::new(from_recorded(&value.partitions_pending_revocation, value.member_epoch));
    }

    /// Takes in that nothing is assigned to the member any more.
    pub(super) fn unassign(&mut self) {
        self.epoch = -1;
        self.previous_epoch = -1;
        self.assigned = Arc::default();
        self.revoking = Arc::default();
    }

    /// Makes the record of what the member subscribes to.
    pub(super) fn subscription_record(&self, group: &str) -> GroupRecord {
        let value = ConsumerGroupMemberMetadataValue {
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.topics.iter().cloned().collect(),
            subscribed_topic_regex: self.regex.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.assignor.clone(),
            classic_member_metadata: self.classic.as_deref().cloned(),
            ..Default::default()
        };
        ConsumerEntry::Member(self.id.to_string(), Some(value)).of(group)
    }

    /// Makes the record of what the member has.
    pub(super) fn assignment_record(&self, group: &str) -> GroupRecord {
        let value = ConsumerGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.value(),
            assigned_partitions: to_recorded(&self.assigned),
            partitions_pending_revocation: to_recorded(&self.revoking),
            ..Default::default()
        };
        ConsumerEntry::Current(self.id.to_string(), Some(value)).of(group)
    }

    /// Describes the member. Topics that are gone are left out.
    pub(super) fn describe(&self, target: Option<&Assignment>, metadata: &Metadata) -> described::Member {
        let mut held: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, partitions) in self.assigned.iter().chain(self.revoking.iter()) {
            held.entry(*topic).or_default().extend(partitions.keys());
        }
        let target = target.into_iter().flatten();
        described::Member {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            member_epoch: self.epoch,
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.topics.iter().cloned().collect(),
            subscribed_topic_regex: self.regex.clone(),
            assignment: describe_partitions(held.into_iter(), metadata),
            target_assignment: describe_partitions(
                target.map(|(topic, partitions)| (*topic, partitions.iter().copied().collect())),
                metadata,
            ),
            member_type: i8::from(!self.uses_classic_protocol()),
            ..Default::default()
        }
    }
}

fn describe_partitions(
    partitions: impl Iterator<Item = (Uuid, Vec<i32>)>,
    metadata: &Metadata,
) -> described::Assignment {
    let topics = partitions.filter_map(|(topic_id, partitions)| {
        let topic_name = metadata.topic_name(topic_id)?.to_string();
        Some(described::TopicPartitions { topic_id, topic_name, partitions, ..Default::default() })
    });
    described::Assignment { topic_partitions: topics.collect(), ..Default::default() }
}

/// Copies out of the read buffer, which would else stay in memory.
fn own_classic(classic: &ClassicMemberMetadata) -> ClassicMemberMetadata {
    let own = |protocol: &ClassicProtocol| ClassicProtocol {
        name: protocol.name.clone(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
        ..Default::default()
    };
    ClassicMemberMetadata {
        session_timeout_ms: classic.session_timeout_ms,
        supported_protocols: classic.supported_protocols.iter().map(own).collect(),
        ..Default::default()
    }
}

/// Makes what a member keeps of its JoinGroup.
pub(super) fn classic_metadata(
    session_timeout_ms: i32,
    protocols: &[JoinGroupRequestProtocol],
) -> ClassicMemberMetadata {
    let own = |protocol: &JoinGroupRequestProtocol| ClassicProtocol {
        name: protocol.name.clone(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
        ..Default::default()
    };
    ClassicMemberMetadata {
        session_timeout_ms,
        supported_protocols: protocols.iter().map(own).collect(),
        ..Default::default()
    }
}

fn from_recorded(topics: &[RecordedPartitions], member_epoch: i32) -> Partitions {
    let default = member_epoch.max(0);
    let one = |topic: &RecordedPartitions| {
        let epochs = topic.assignment_epochs.as_ref().filter(|epochs| epochs.len() == topic.partitions.len());
        let epoch_of = |index: usize| epochs.map_or(default, |epochs| epochs[index]);
        let partitions = topic.partitions.iter().enumerate();
        (topic.topic_id, partitions.map(|(index, partition)| (*partition, epoch_of(index))).collect())
    };
    topics.iter().map(one).collect()
}

fn to_recorded(partitions: &Partitions) -> Vec<RecordedPartitions> {
    let one = |(topic, partitions): (&Uuid, &BTreeMap<i32, i32>)| RecordedPartitions {
        topic_id: *topic,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
        ..Default::default()
    };
    partitions.iter().map(one).collect()
}

/// Gives each partition of an assignment the same epoch.
pub(super) fn with_epoch(assignment: &Assignment, epoch: i32) -> Partitions {
    let one = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
        (*topic, partitions.iter().map(|partition| (*partition, epoch)).collect())
    };
    assignment.iter().map(one).collect()
}

/// Reads a recorded target assignment.
pub(super) fn target_from_record(value: &ConsumerGroupTargetAssignmentMemberValue) -> Assignment {
    let one = |topic: &RecordedTarget| (topic.topic_id, topic.partitions.iter().copied().collect());
    value.topic_partitions.iter().map(one).collect()
}

/// Makes the record of a member's target assignment.
pub(super) fn target_record(group: &str, member: &str, target: &Assignment) -> GroupRecord {
    let one = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| RecordedTarget {
        topic_id: *topic,
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    };
    let value = ConsumerGroupTargetAssignmentMemberValue {
        topic_partitions: target.iter().map(one).collect(),
        ..Default::default()
    };
    ConsumerEntry::Target(member.into(), Some(value)).of(group)
}
