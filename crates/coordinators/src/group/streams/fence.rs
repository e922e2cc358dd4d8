//! Members leave, or are put out when their session or their time to give up tasks is over.
//!
//! Kafka: `GroupMetadataManager.streamsGroupLeave`, `streamsGroupFenceMember`.

use std::sync::Arc;

use protocol::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::entry::StreamsEntry;
use super::group::StreamsGroup;
use super::member::MemberState;
use super::{StreamsHeartbeat, StreamsTurn};
use crate::group::consumer::Refusal;
use crate::group::timers::TimerKey;

impl StreamsGroup {
    /// Takes in the heartbeat with which a member leaves.
    pub(super) fn leave(
        &mut self,
        request: &StreamsGroupHeartbeatRequest,
        turn: &mut StreamsTurn<'_>,
    ) -> Result<StreamsHeartbeat, Refusal> {
        if request.shutdown_application {
            self.request_shutdown(&request.member_id);
        }
        if !self.members.contains_key(request.member_id.as_str()) {
            return Err(self.unknown_member(&request.member_id));
        }
        self.fence(&request.member_id.as_str().into(), turn);
        let response = StreamsGroupHeartbeatResponse {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            ..Default::default()
        };
        Ok(StreamsHeartbeat { response, ..Default::default() })
    }

    fn fence(&self, member: &Arc<str>, turn: &mut StreamsTurn<'_>) {
        if !self.members.contains_key(member) {
            return;
        }
        turn.out.records.extend(StreamsEntry::member_tombstones(&self.id, member));
        let epoch = self.epoch.wrapping_add(1);
        let validated = self.validated_topology_epoch;
        turn.write(self.epoch_record(epoch, self.metadata_hash, validated, &self.last_assignment_configs));
        turn.timers.cancel(&TimerKey::StreamsSession(self.id.clone(), member.clone()));
        turn.timers.cancel(&TimerKey::StreamsRebalance(self.id.clone(), member.clone()));
    }

    /// A member's session is over.
    pub(in crate::group) fn session_timed_out(&self, member: &Arc<str>, turn: &mut StreamsTurn<'_>) {
        self.fence(member, turn);
    }

    /// A member's time to give up tasks is over.
    pub(in crate::group) fn rebalance_timed_out(&self, member: &Arc<str>, turn: &mut StreamsTurn<'_>) {
        if self.members.get(member).is_some_and(|member| member.state == MemberState::UnrevokedTasks) {
            self.fence(member, turn);
        }
    }

    /// Begins the sessions of a group that was just loaded.
    pub(in crate::group) fn loaded(&self, turn: &mut StreamsTurn<'_>) {
        for member in self.members.values() {
            turn.renew_session(&self.id, &member.id);
            self.watch_revocation(member, turn);
        }
    }
}
