//! A member of a streams group: the process it runs in, its epoch, and what it has of its tasks.
//!
//! Invariants:
//! - a member is a value: each change makes another member, which a record tells whole

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::streams_group_describe_response as described;
use protocol::streams_group_member_metadata_value::{Endpoint, KeyValue};
use protocol::{
    StreamsGroupCurrentMemberAssignmentValue, StreamsGroupHeartbeatRequest, StreamsGroupMemberMetadataValue,
};

use super::entry::StreamsEntry;
use super::tasks::{AssignedTasks, TaskSet};
use crate::group::record::GroupRecord;
use crate::group::request::RequestContext;

/// How far a member is on the way to its target. Kafka: `streams.MemberState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberState {
    /// It has its target, or as much of it as it may have at its epoch.
    Stable,
    /// It must give up tasks before it goes on to the next epoch.
    UnrevokedTasks,
    /// It waits for tasks that others have still.
    UnreleasedTasks,
    /// A later broker's state.
    Unknown,
}

impl MemberState {
    fn of(value: i8) -> Self {
        match value {
            1 => Self::Stable,
            2 => Self::UnrevokedTasks,
            3 => Self::UnreleasedTasks,
            _ => Self::Unknown,
        }
    }

    fn value(self) -> i8 {
        match self {
            Self::Stable => 1,
            Self::UnrevokedTasks => 2,
            Self::UnreleasedTasks => 3,
            Self::Unknown => 127,
        }
    }
}

/// A member. Kafka: `StreamsGroupMember`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StreamsMember {
    pub(super) id: Arc<str>,
    pub(super) epoch: i32,
    pub(super) previous_epoch: i32,
    pub(super) state: MemberState,
    pub(super) instance_id: Option<String>,
    pub(super) rack_id: Option<String>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) topology_epoch: i32,
    /// The process that the member is a thread of.
    pub(super) process_id: Arc<str>,
    /// Where the process answers queries.
    pub(super) user_endpoint: Option<Endpoint>,
    pub(super) client_tags: BTreeMap<String, String>,
    pub(super) assigned: Arc<AssignedTasks>,
    /// What it must give up.
    pub(super) revoking: Arc<AssignedTasks>,
}

impl StreamsMember {
    /// Makes a member that has said nothing yet.
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            client_id: String::new(),
            client_host: String::new(),
            topology_epoch: -1,
            process_id: "".into(),
            user_endpoint: None,
            client_tags: BTreeMap::new(),
            assigned: Arc::default(),
            revoking: Arc::default(),
        }
    }

    /// Tells whether the member has all of the target of `epoch`.
    pub(super) fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == epoch
    }

    /// The epoch at which an active task was assigned that the member has or is to give up.
    pub(super) fn assignment_epoch(&self, subtopology: &str, partition: i32) -> Option<i32> {
        let of = |tasks: &AssignedTasks| tasks.active.get(subtopology)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.revoking))
    }

    /// Takes in what a heartbeat says; what it leaves out stays as it was.
    pub(super) fn hear(&mut self, context: &RequestContext, request: &StreamsGroupHeartbeatRequest) {
        if request.rack_id.is_some() {
            self.rack_id.clone_from(&request.rack_id);
        }
        if request.rebalance_timeout_ms != -1 {
            self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        if let Some(topology) = &request.topology {
            self.topology_epoch = topology.epoch;
        }
        if let Some(process_id) = &request.process_id {
            self.process_id = process_id.as_str().into();
        }
        if let Some(tags) = &request.client_tags {
            self.client_tags = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        }
        if let Some(endpoint) = &request.user_endpoint {
            let host = endpoint.host.clone();
            self.user_endpoint = Some(Endpoint { host, port: endpoint.port, ..Default::default() });
        }
        self.client_id.clone_from(&context.client_id);
        self.client_host.clone_from(&context.client_host);
    }

    /// Goes on to another epoch, and remembers the one before.
    pub(super) fn advance_to(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }

    /// Takes in what a record says that the member is.
    pub(super) fn introduce(&mut self, value: StreamsGroupMemberMetadataValue) {
        self.instance_id = value.instance_id;
        self.rack_id = value.rack_id;
        self.client_id = value.client_id;
        self.client_host = value.client_host;
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.topology_epoch = value.topology_epoch;
        self.process_id = value.process_id.into();
        self.user_endpoint = value.user_endpoint;
        self.client_tags = value.client_tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    }

    /// Takes in what a record says that the member has.
    pub(super) fn assign(&mut self, value: &StreamsGroupCurrentMemberAssignmentValue) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_member_epoch;
        self.state = MemberState::of(value.state);
        self.assigned = Arc::new(AssignedTasks::from_record(
            &value.active_tasks,
            &value.standby_tasks,
            &value.warmup_tasks,
            value.member_epoch,
        ));
        self.revoking = Arc::new(AssignedTasks::from_record(
            &value.active_tasks_pending_revocation,
            &value.standby_tasks_pending_revocation,
            &value.warmup_tasks_pending_revocation,
            value.member_epoch,
        ));
    }

    /// Takes in that nothing is assigned to the member any more.
    pub(super) fn unassign(&mut self) {
        self.epoch = -1;
        self.previous_epoch = -1;
        self.assigned = Arc::default();
        self.revoking = Arc::default();
    }

    /// Makes the record of what the member is.
    pub(super) fn member_record(&self, group: &str) -> GroupRecord {
        let tags = self.client_tags.iter();
        let tag = |(key, value): (&String, &String)| KeyValue {
            key: key.clone(),
            value: value.clone(),
            ..Default::default()
        };
        let value = StreamsGroupMemberMetadataValue {
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            topology_epoch: self.topology_epoch,
            process_id: self.process_id.to_string(),
            user_endpoint: self.user_endpoint.clone(),
            client_tags: tags.map(tag).collect(),
            ..Default::default()
        };
        StreamsEntry::Member(self.id.to_string(), Some(value)).of(group)
    }

    /// Makes the record of what the member has.
    pub(super) fn assignment_record(&self, group: &str) -> GroupRecord {
        let [active_tasks, standby_tasks, warmup_tasks] = self.assigned.to_record();
        let [
            active_tasks_pending_revocation,
            standby_tasks_pending_revocation,
            warmup_tasks_pending_revocation,
        ] = self.revoking.to_record();
        let value = StreamsGroupCurrentMemberAssignmentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.value(),
            active_tasks,
            standby_tasks,
            warmup_tasks,
            active_tasks_pending_revocation,
            standby_tasks_pending_revocation,
            warmup_tasks_pending_revocation,
            ..Default::default()
        };
        StreamsEntry::Current(self.id.to_string(), Some(value)).of(group)
    }

    /// Describes the member.
    pub(super) fn describe(&self, target: Option<&TaskSet>) -> described::Member {
        let tag = |(key, value): (&String, &String)| described::KeyValue {
            key: key.clone(),
            value: value.clone(),
            ..Default::default()
        };
        let endpoint = |endpoint: &Endpoint| described::Endpoint {
            host: endpoint.host.clone(),
            port: endpoint.port,
            ..Default::default()
        };
        described::Member {
            member_id: self.id.to_string(),
            member_epoch: self.epoch,
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            topology_epoch: self.topology_epoch,
            process_id: self.process_id.to_string(),
            user_endpoint: self.user_endpoint.as_ref().map(endpoint),
            client_tags: self.client_tags.iter().map(tag).collect(),
            assignment: self.assigned.tasks().describe(),
            target_assignment: target.map(TaskSet::describe).unwrap_or_default(),
            ..Default::default()
        }
    }
}
