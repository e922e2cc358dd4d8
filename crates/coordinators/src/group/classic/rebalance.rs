//! A rebalance of a classic group: from the wish for one, through the join phase, to the next generation.
//!
//! Invariants:
//! - a request that waits is answered when its member is taken out, replaced, or asks again

use std::sync::Arc;
use std::time::Duration;

use machine::Ticket;
use protocol::{ErrorCode, JoinGroupResponse};

use super::group::{ClassicGroup, ClassicGroupState};
use super::{Turn, millis};
use crate::group::request::GroupResponse;
use crate::group::timers::TimerKey;

/// The delay of a group's first rebalance, in which more members may come.
#[derive(Clone, Copy, Debug)]
pub(in crate::group) struct InitialDelay {
    /// The part that runs now.
    delay: Duration,
    /// What may still be added.
    remaining: Duration,
    /// Whether a member came in the part that runs now.
    pub(super) new_member_added: bool,
}

impl ClassicGroup {
    /// Begins a rebalance, or ends the join phase of the one that runs if all members have joined.
    pub(super) fn prepare_or_complete(&mut self, turn: &mut Turn<'_>) {
        if self.state == ClassicGroupState::PreparingRebalance {
            self.complete_join_if_all_joined(turn);
        } else {
            self.prepare_rebalance(turn);
        }
    }

    /// Begins a rebalance. Kafka: `GroupMetadataManager.prepareRebalance`.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == ClassicGroupState::CompletingRebalance {
            self.drop_assignments(turn);
        }
        self.pending_syncs.clear();
        turn.timers.cancel(&TimerKey::Sync(self.id.clone()));
        let initial = self.state == ClassicGroupState::Empty;
        self.move_to(ClassicGroupState::PreparingRebalance, turn.now.wall);
        if initial {
            self.begin_initial_delay(turn);
        } else if self.has_all_members_joined() {
            self.complete_join(turn);
        } else {
            turn.set_timer(TimerKey::Join(self.id.clone()), millis(self.rebalance_timeout_ms()));
        }
    }

    fn drop_assignments(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.assignment.clear();
            if let Some(ticket) = member.awaiting_sync.take() {
                turn.refuse_sync(ticket, ErrorCode::REBALANCE_IN_PROGRESS);
                let key = TimerKey::Session(self.id.clone(), member.id.clone());
                turn.set_timer(key, millis(member.session_timeout_ms));
            }
        }
    }

    fn begin_initial_delay(&mut self, turn: &mut Turn<'_>) {
        let delay = turn.config.initial_rebalance_delay;
        let remaining = millis(self.rebalance_timeout_ms()).saturating_sub(delay);
        self.initial_delay = Some(InitialDelay { delay, remaining, new_member_added: false });
        turn.set_timer(TimerKey::Join(self.id.clone()), delay);
    }

    /// The join phase's time is up.
    pub(in crate::group) fn join_timed_out(&mut self, turn: &mut Turn<'_>) {
        match self.initial_delay {
            Some(initial) if initial.new_member_added && !initial.remaining.is_zero() => {
                let delay = turn.config.initial_rebalance_delay.min(initial.remaining);
                let remaining = initial.remaining.saturating_sub(initial.delay);
                self.initial_delay = Some(InitialDelay { delay, remaining, new_member_added: false });
                turn.set_timer(TimerKey::Join(self.id.clone()), delay);
            }
            _ => self.complete_join(turn),
        }
    }

    /// Ends the join phase if all have joined; a group's first rebalance waits for its delay.
    pub(super) fn complete_join_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        let may_complete = self.state == ClassicGroupState::PreparingRebalance
            && self.previous != Some(ClassicGroupState::Empty)
            && self.has_all_members_joined();
        if may_complete {
            self.complete_join(turn);
        }
    }

    /// Ends the join phase: those who have not joined are out, but for static members. Kafka: `completeClassicGroupJoin`.
    pub(super) fn complete_join(&mut self, turn: &mut Turn<'_>) {
        turn.timers.cancel(&TimerKey::Join(self.id.clone()));
        self.initial_delay = None;
        let absent =
            self.members.values().filter(|member| member.awaiting_join.is_none() && !member.is_static());
        for id in absent.map(|member| member.id.clone()).collect::<Vec<_>>() {
            self.remove_member(&id, turn);
        }
        if !self.elect_joined_leader() && !self.members.is_empty() {
            turn.set_timer(TimerKey::Join(self.id.clone()), millis(self.rebalance_timeout_ms()));
            return;
        }
        self.begin_generation(turn);
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.generation = self.generation.wrapping_add(1);
        self.protocol = self.select_protocol();
        self.refresh_subscribed_topics();
        self.pending_syncs.clear();
        if self.members.is_empty() {
            self.move_to(ClassicGroupState::Empty, turn.now.wall);
            turn.out.records.push(self.to_record(|member| member.assignment.clone()));
        } else {
            self.move_to(ClassicGroupState::CompletingRebalance, turn.now.wall);
            self.answer_joins(turn);
            turn.set_timer(TimerKey::Sync(self.id.clone()), millis(self.rebalance_timeout_ms()));
        }
    }

    fn answer_joins(&mut self, turn: &mut Turn<'_>) {
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let response = self.joined_response(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.is_new = false;
            let (ticket, session) = (member.awaiting_join.take(), member.session_timeout_ms);
            if let Some(ticket) = ticket {
                turn.answer(ticket, GroupResponse::Join(response));
            }
            turn.set_timer(TimerKey::Session(self.id.clone(), id.clone()), millis(session));
            self.pending_syncs.insert(id);
        }
    }

    /// Makes the answer that tells a member of the present generation, and the leader of its members.
    pub(super) fn joined_response(&self, member_id: &str) -> JoinGroupResponse {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let members = match self.is_leader(member_id) {
            true => self.members.values().map(|member| member.as_join_member(protocol)).collect(),
            false => Vec::new(),
        };
        JoinGroupResponse {
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader_name(),
            member_id: member_id.into(),
            members,
            ..Default::default()
        }
    }

    /// The sync phase's time is up: those who have not synced are out. Kafka: `expirePendingSync`.
    pub(in crate::group) fn sync_timed_out(&mut self, turn: &mut Turn<'_>) {
        let awaited =
            matches!(self.state, ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable);
        if !awaited || self.pending_syncs.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pending_syncs) {
            self.remove_member(&id, turn);
        }
        self.prepare_rebalance(turn);
    }

    /// A member's session has run out. Kafka: `expireClassicGroupMemberHeartbeat`.
    pub(in crate::group) fn session_timed_out(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        if self.pending_joins.contains(member_id) {
            self.remove_member(member_id, turn);
            if self.state == ClassicGroupState::PreparingRebalance && self.has_all_members_joined() {
                self.complete_join(turn);
            }
            return;
        }
        let failed = self.members.get(member_id).is_some_and(|member| !member.has_satisfied_heartbeat());
        if !failed {
            return;
        }
        self.remove_member(member_id, turn);
        match self.state {
            ClassicGroupState::Stable | ClassicGroupState::CompletingRebalance => {
                self.prepare_rebalance(turn);
            }
            ClassicGroupState::PreparingRebalance if self.has_all_members_joined() => {
                self.complete_join(turn);
            }
            _ => {}
        }
    }

    /// Takes a member or a pending id out, ends its session, and tells its waiting requests that it is unknown.
    pub(super) fn remove_member(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        let key: Arc<str> = member_id.into();
        turn.cancel_session(&self.id, &key);
        let Some(member) = self.take(member_id) else { return };
        if let Some(ticket) = member.awaiting_join {
            turn.refuse_join(ticket, "", ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if let Some(ticket) = member.awaiting_sync {
            turn.refuse_sync(ticket, ErrorCode::UNKNOWN_MEMBER_ID);
        }
    }

    /// Lets `ticket` wait for the end of the join phase in place of the member's earlier request, which is sent back.
    pub(super) fn await_join(&mut self, member_id: &str, ticket: Ticket, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        if let Some(earlier) = member.awaiting_join.replace(ticket) {
            turn.refuse_join(earlier, member_id, ErrorCode::REBALANCE_IN_PROGRESS);
        }
    }

    /// Puts off the end of a member's session by its session timeout.
    pub(in crate::group) fn renew_session(&self, member_id: &str, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get(member_id) {
            let key = TimerKey::Session(self.id.clone(), member.id.clone());
            turn.set_timer(key, millis(member.session_timeout_ms));
        }
    }

    /// Begins the sessions of a group that was just loaded, and makes it smaller if it is over its size.
    pub(in crate::group) fn loaded(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values() {
            let key = TimerKey::Session(self.id.clone(), member.id.clone());
            turn.set_timer(key, millis(member.session_timeout_ms));
        }
        if self.members.len() > turn.config.max_size {
            self.prepare_rebalance(turn);
        }
    }
}
