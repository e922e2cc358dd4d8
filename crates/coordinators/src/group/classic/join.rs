//! JoinGroup 0-9: v4 hands out the member id first, v5 static members, v9 the leader that may skip the assignment.

use std::sync::Arc;

use bytes::Bytes;
use machine::Ticket;
use protocol::{ErrorCode, JoinGroupRequest};

use super::group::{ClassicGroup, ClassicGroupState};
use super::member::{Member, own_protocols};
use super::{Turn, millis};
use crate::group::GroupCoordinatorConfig;
use crate::group::request::{GroupResponse, RequestContext};
use crate::group::timers::TimerKey;

/// A JoinGroup request on its way.
pub(in crate::group) struct Joining<'a> {
    /// Who waits for the answer.
    pub(in crate::group) ticket: Ticket,
    /// Who asks.
    pub(in crate::group) context: &'a RequestContext,
    /// What for.
    pub(in crate::group) request: &'a JoinGroupRequest,
}

impl Joining<'_> {
    fn refuse(&self, member_id: &str, error: ErrorCode, turn: &mut Turn<'_>) {
        turn.refuse_join(self.ticket, member_id, error);
    }

    fn instance_id(&self) -> Option<&str> {
        self.request.group_instance_id.as_deref()
    }

    /// Makes the id of a member that has none: its instance id or client id, and a part that no other has.
    fn new_member_id(&self) -> Arc<str> {
        let prefix = self.instance_id().unwrap_or(&self.context.client_id);
        format!("{prefix}-{}", self.context.fresh_id).into()
    }
}

impl ClassicGroup {
    /// Lets a member join. Kafka: `GroupMetadataManager.classicGroupJoinToClassicGroup`.
    pub(in crate::group) fn join(&mut self, joining: &Joining<'_>, turn: &mut Turn<'_>) {
        let request = joining.request;
        let is_new = request.member_id.is_empty();
        if !self.accepts(&request.member_id, turn.config) {
            self.remove_member(&request.member_id, turn);
            joining.refuse("", ErrorCode::GROUP_MAX_SIZE_REACHED, turn);
        } else if !self.supports_protocols(&request.protocol_type, &request.protocols) {
            joining.refuse(&request.member_id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, turn);
        } else if is_new {
            self.join_new(joining, turn);
        } else {
            self.join_known(joining, turn);
        }
    }

    /// Writes the record of a group that this request brought into being, if nothing else was written.
    pub(in crate::group) fn record_birth(&self, turn: &mut Turn<'_>) {
        if turn.out.records.is_empty() {
            turn.out.records.push(self.birth());
        }
    }

    /// Tells whether the group has room. Kafka: `GroupMetadataManager.acceptJoiningMember`.
    fn accepts(&self, member_id: &str, config: &GroupCoordinatorConfig) -> bool {
        let member = self.members.get(member_id);
        match self.state {
            ClassicGroupState::Empty => true,
            // Those who wait are counted, not the members: so the last to rejoin a group that is too large are out.
            ClassicGroupState::PreparingRebalance => {
                member.is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join() < config.max_size
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                member.is_some() || self.members.len() < config.max_size
            }
        }
    }

    fn join_new(&mut self, joining: &Joining<'_>, turn: &mut Turn<'_>) {
        let new_id = joining.new_member_id();
        match joining.instance_id() {
            Some(instance_id) => match self.static_members.get(instance_id).cloned() {
                Some(old_id) => self.replace_static(joining, &old_id, new_id, turn),
                None => self.add_and_rebalance(joining, new_id, turn),
            },
            None if joining.context.api_version >= 4 => self.hand_out_id(joining, new_id, turn),
            None => self.add_and_rebalance(joining, new_id, turn),
        }
    }

    fn hand_out_id(&mut self, joining: &Joining<'_>, new_id: Arc<str>, turn: &mut Turn<'_>) {
        self.pending_joins.insert(new_id.clone());
        let session = millis(joining.request.session_timeout_ms);
        turn.set_timer(TimerKey::Session(self.id.clone(), new_id.clone()), session);
        joining.refuse(&new_id, ErrorCode::MEMBER_ID_REQUIRED, turn);
    }

    fn join_known(&mut self, joining: &Joining<'_>, turn: &mut Turn<'_>) {
        let member_id = joining.request.member_id.as_str();
        if self.pending_joins.contains(member_id) && joining.instance_id().is_none() {
            return self.add_and_rebalance(joining, member_id.into(), turn);
        }
        if let Err(error) = self.validate_member(member_id, joining.instance_id()) {
            return joining.refuse(member_id, error, turn);
        }
        let unchanged =
            self.members.get(member_id).is_some_and(|member| member.matches(&joining.request.protocols));
        match self.state {
            ClassicGroupState::CompletingRebalance if unchanged => self.answer_generation(joining, turn),
            // A leader that joins again wants a rebalance, for something changed that its metadata does not show.
            ClassicGroupState::Stable if unchanged && !self.is_leader(member_id) => {
                self.answer_generation(joining, turn);
            }
            ClassicGroupState::Empty => joining.refuse(member_id, ErrorCode::UNKNOWN_MEMBER_ID, turn),
            _ => {
                self.update(member_id, joining, turn);
                self.prepare_or_complete(turn);
            }
        }
    }

    fn answer_generation(&mut self, joining: &Joining<'_>, turn: &mut Turn<'_>) {
        let mut response = self.joined_response(&joining.request.member_id);
        if self.state == ClassicGroupState::Stable {
            response.members.clear();
        }
        turn.answer(joining.ticket, GroupResponse::Join(response));
    }

    fn update(&mut self, member_id: &str, joining: &Joining<'_>, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.protocols = own_protocols(&joining.request.protocols);
            member.rebalance_timeout_ms = joining.request.rebalance_timeout_ms;
            member.session_timeout_ms = joining.request.session_timeout_ms;
        }
        self.await_join(member_id, joining.ticket, turn);
    }

    fn add_and_rebalance(&mut self, joining: &Joining<'_>, id: Arc<str>, turn: &mut Turn<'_>) {
        let request = joining.request;
        if let Some(initial) = &mut self.initial_delay {
            initial.new_member_added = true;
        }
        let member = Member {
            id: id.clone(),
            instance_id: request.group_instance_id.clone(),
            client_id: joining.context.client_id.clone(),
            client_host: joining.context.client_host.clone(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: own_protocols(&request.protocols),
            assignment: Bytes::new(),
            awaiting_join: Some(joining.ticket),
            awaiting_sync: None,
            is_new: true,
        };
        self.add(member, &request.protocol_type);
        // A client that is gone may come again and again under new ids, and none of them can send heartbeats.
        let key = TimerKey::Session(self.id.clone(), id);
        turn.set_timer(key, GroupCoordinatorConfig::NEW_MEMBER_JOIN_TIMEOUT);
        self.prepare_or_complete(turn);
    }

    /// Lets a static member come back under a new id. Kafka: `updateStaticMemberThenRebalanceOrCompleteJoin`.
    fn replace_static(
        &mut self,
        joining: &Joining<'_>,
        old_id: &Arc<str>,
        new_id: Arc<str>,
        turn: &mut Turn<'_>,
    ) {
        let old_leader = self.leader_name();
        self.rename_static(old_id, &new_id, turn);
        self.renew_session(&new_id, turn);
        self.update(&new_id, joining, turn);
        match self.state {
            ClassicGroupState::Stable if self.protocol == self.select_protocol() => {
                self.keep_assignment(joining, &new_id, old_leader, turn);
            }
            // In CompletingRebalance the leader may already be at work for the old id.
            ClassicGroupState::Stable | ClassicGroupState::CompletingRebalance => {
                self.prepare_rebalance(turn);
            }
            ClassicGroupState::PreparingRebalance => self.complete_join_if_all_joined(turn),
            ClassicGroupState::Empty => {}
        }
    }

    /// Gives a static member its new id; requests of the old one are fenced.
    fn rename_static(&mut self, old_id: &Arc<str>, new_id: &Arc<str>, turn: &mut Turn<'_>) {
        turn.cancel_session(&self.id, old_id);
        let Some(mut member) = self.members.remove(old_id) else { return };
        if let Some(ticket) = member.awaiting_join.take() {
            turn.refuse_join(ticket, old_id, ErrorCode::FENCED_INSTANCE_ID);
        }
        if let Some(ticket) = member.awaiting_sync.take() {
            turn.refuse_sync(ticket, ErrorCode::FENCED_INSTANCE_ID);
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), new_id.clone());
        }
        self.pending_syncs.remove(old_id);
        member.id = new_id.clone();
        member.is_new = false;
        self.members.insert(new_id.clone(), member);
    }

    /// Writes down the new id of a static member and lets it go on with the assignment that it had.
    fn keep_assignment(
        &mut self,
        joining: &Joining<'_>,
        new_id: &str,
        old_leader: String,
        turn: &mut Turn<'_>,
    ) {
        turn.out.records.push(self.to_record(|member| member.assignment.clone()));
        let mut response = self.joined_response(new_id);
        if joining.context.api_version >= 9 {
            response.skip_assignment = self.is_leader(new_id);
        } else {
            // Without skip_assignment, a leader that learnt that it leads would assign anew.
            response.members.clear();
            response.leader = old_leader;
        }
        if let Some(member) = self.members.get_mut(new_id) {
            member.awaiting_join = None;
        }
        turn.answer(joining.ticket, GroupResponse::Join(response));
    }
}
