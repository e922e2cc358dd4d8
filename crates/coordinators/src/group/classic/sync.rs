//! SyncGroup 0-5: the leader brings the assignment, the others fetch theirs; v5 checks protocol type and name.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use machine::Ticket;
use model::Timestamp;
use protocol::{ErrorCode, GroupMetadataValue, SyncGroupRequest, SyncGroupResponse};

use super::group::{ClassicGroup, ClassicGroupState};
use super::{Turn, millis};
use crate::group::request::GroupResponse;
use crate::group::timers::TimerKey;

impl ClassicGroup {
    /// Lets a member have its assignment. Kafka: `GroupMetadataManager.classicGroupSyncToClassicGroup`.
    pub(in crate::group) fn sync(&mut self, ticket: Ticket, request: SyncGroupRequest, turn: &mut Turn<'_>) {
        if let Err(error) = self.validate_sync(&request) {
            return turn.refuse_sync(ticket, error);
        }
        match self.state {
            ClassicGroupState::Empty => turn.refuse_sync(ticket, ErrorCode::UNKNOWN_MEMBER_ID),
            ClassicGroupState::PreparingRebalance => {
                turn.refuse_sync(ticket, ErrorCode::REBALANCE_IN_PROGRESS);
            }
            ClassicGroupState::CompletingRebalance => self.await_sync(ticket, request, turn),
            ClassicGroupState::Stable => {
                self.has_synced(&request.member_id, turn);
                let assignment =
                    self.members.get(request.member_id.as_str()).map(|member| member.assignment.clone());
                let response = self.synced_response(assignment.unwrap_or_default());
                turn.answer(ticket, GroupResponse::Sync(response));
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        if self.is_empty() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs =
            |asked: &Option<String>, own: &Option<String>| asked.is_some() && own.is_some() && asked != own;
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    fn await_sync(&mut self, ticket: Ticket, request: SyncGroupRequest, turn: &mut Turn<'_>) {
        self.has_synced(&request.member_id, turn);
        if let Some(member) = self.members.get_mut(request.member_id.as_str())
            && let Some(earlier) = member.awaiting_sync.replace(ticket)
        {
            turn.refuse_sync(earlier, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        if self.is_leader(&request.member_id) {
            self.assign(request, turn);
        }
    }

    fn has_synced(&mut self, member_id: &str, turn: &mut Turn<'_>) {
        self.pending_syncs.remove(member_id);
        if self.pending_syncs.is_empty() {
            turn.timers.cancel(&TimerKey::Sync(self.id.clone()));
        }
    }

    /// Writes the generation down and hands each waiting member its assignment. The group is stable once that is replayed.
    fn assign(&mut self, request: SyncGroupRequest, turn: &mut Turn<'_>) {
        let assigned: BTreeMap<String, Bytes> = request
            .assignments
            .into_iter()
            .map(|assigned| (assigned.member_id, Bytes::copy_from_slice(&assigned.assignment)))
            .collect();
        turn.out
            .records
            .push(self.to_record(|member| assigned.get(&*member.id).cloned().unwrap_or_default()));
        let waiting =
            self.members.values_mut().filter_map(|member| Some((member.awaiting_sync.take()?, member)));
        let waiting: Vec<(Ticket, Arc<str>, i32)> =
            waiting.map(|(ticket, member)| (ticket, member.id.clone(), member.session_timeout_ms)).collect();
        for (ticket, id, session_timeout_ms) in waiting {
            let response = self.synced_response(assigned.get(&*id).cloned().unwrap_or_default());
            turn.answer(ticket, GroupResponse::Sync(response));
            turn.set_timer(TimerKey::Session(self.id.clone(), id), millis(session_timeout_ms));
        }
    }

    fn synced_response(&self, assignment: Bytes) -> SyncGroupResponse {
        SyncGroupResponse {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment,
            ..Default::default()
        }
    }

    /// Takes in the record of the generation that its members wait for: the group is stable. Tells whether it was that one.
    pub(in crate::group) fn replay_generation(&mut self, value: &GroupMetadataValue) -> bool {
        let awaited =
            self.state == ClassicGroupState::CompletingRebalance && value.generation == self.generation;
        if !awaited {
            return false;
        }
        for record in &value.members {
            if let Some(member) = self.members.get_mut(record.member_id.as_str()) {
                member.assignment = record.assignment.clone();
            }
        }
        self.move_to(ClassicGroupState::Stable, Timestamp(value.current_state_timestamp));
        true
    }
}
