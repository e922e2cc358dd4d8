//! A classic group's members on their way to a consumer group and back.

use std::sync::Arc;

use bytes::Bytes;
use model::Timestamp;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::{ErrorCode, JoinGroupResponse, SyncGroupResponse};

use super::Turn;
use super::group::{CONSUMER_PROTOCOL_TYPE, ClassicGroup, ClassicGroupState};
use super::member::Member;
use crate::group::GroupOutcome;
use crate::group::record::GroupRecord;
use crate::group::request::GroupResponse;

/// A member as both kinds of groups know it; timeouts are in milliseconds.
#[derive(Clone, Debug)]
pub(in crate::group) struct MigratingMember {
    pub(in crate::group) id: Arc<str>,
    pub(in crate::group) instance_id: Option<String>,
    pub(in crate::group) client_id: String,
    pub(in crate::group) client_host: String,
    pub(in crate::group) rebalance_timeout_ms: i32,
    pub(in crate::group) session_timeout_ms: i32,
    pub(in crate::group) protocols: Vec<JoinGroupRequestProtocol>,
    pub(in crate::group) assignment: Bytes,
}

impl ClassicGroup {
    /// Makes a stable group of consumers. Kafka: `ClassicGroup.fromConsumerGroup`.
    pub(in crate::group) fn from_members(
        id: Arc<str>,
        generation: i32,
        since: Timestamp,
        members: Vec<MigratingMember>,
    ) -> Self {
        let mut group = Self::new(id, since);
        group.generation = generation;
        for member in members {
            group.add(from_migrating(member), CONSUMER_PROTOCOL_TYPE);
        }
        group.state = ClassicGroupState::Stable;
        group.protocol = group.select_protocol();
        group
    }

    /// Makes the record of a group that has just come to be of a consumer group. `assignment` makes that of a member of its
    /// id and subscription; the record is none where one cannot be made.
    pub(in crate::group) fn migrated_record(
        &self,
        assignment: impl Fn(&str, &Bytes) -> Option<Bytes>,
    ) -> Option<GroupRecord> {
        let protocol = self.protocol.as_deref()?;
        let of = |member: &Member| assignment(&member.id, &member.metadata(protocol));
        if self.members.values().any(|member| of(member).is_none()) {
            return None;
        }
        Some(self.to_record(|member| of(member).unwrap_or_default()))
    }

    /// Begins the sessions of a group that has just come to be of a consumer group, and where so said a rebalance.
    pub(in crate::group) fn downgraded(&mut self, rebalance: bool, turn: &mut Turn<'_>) {
        self.loaded(turn);
        if rebalance && self.state == ClassicGroupState::Stable {
            self.prepare_rebalance(turn);
        }
    }

    /// Returns the members in order of their ids.
    pub(in crate::group) fn to_members(&self) -> Vec<MigratingMember> {
        self.members.values().map(to_migrating).collect()
    }

    pub(in crate::group) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(in crate::group) fn generation(&self) -> i32 {
        self.generation
    }

    pub(in crate::group) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Returns the protocol of this generation; before the first, the one that would be chosen.
    pub(in crate::group) fn protocol_or_choice(&self) -> Option<String> {
        self.protocol.clone().or_else(|| self.select_protocol())
    }

    /// Answers all who wait with an error.
    pub(in crate::group) fn refuse_all_waiting(&mut self, error_code: ErrorCode, out: &mut GroupOutcome) {
        for member in self.members.values_mut() {
            if let Some(ticket) = member.awaiting_join.take() {
                let member_id = member.id.to_string();
                let response = JoinGroupResponse { member_id, error_code, ..Default::default() };
                out.answers.push((ticket, GroupResponse::Join(response)));
            }
            if let Some(ticket) = member.awaiting_sync.take() {
                let response = SyncGroupResponse { error_code, ..Default::default() };
                out.answers.push((ticket, GroupResponse::Sync(response)));
            }
        }
    }
}

fn from_migrating(member: MigratingMember) -> Member {
    Member {
        id: member.id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout_ms,
        protocols: member.protocols,
        assignment: member.assignment,
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
    }
}

fn to_migrating(member: &Member) -> MigratingMember {
    MigratingMember {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: member.session_timeout_ms,
        protocols: member.protocols.clone(),
        assignment: member.assignment.clone(),
    }
}
