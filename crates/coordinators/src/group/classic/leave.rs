//! LeaveGroup 0-5: members leave, many in one request from v3 on; an operator may remove a static member by its instance id.

use protocol::leave_group_request::MemberIdentity;
use protocol::leave_group_response::MemberResponse;
use protocol::{ErrorCode, LeaveGroupRequest, LeaveGroupResponse};

use super::Turn;
use super::group::{ClassicGroup, ClassicGroupState};

impl ClassicGroup {
    /// Takes members out. Kafka: `GroupMetadataManager.classicGroupLeaveToClassicGroup`.
    pub(in crate::group) fn leave(
        &mut self,
        request: LeaveGroupRequest,
        turn: &mut Turn<'_>,
    ) -> LeaveGroupResponse {
        let members: Vec<_> =
            request.members.into_iter().map(|member| self.leave_one(member, turn)).collect();
        if members.iter().any(|member| member.error_code == ErrorCode::NONE) {
            match self.state {
                ClassicGroupState::Stable | ClassicGroupState::CompletingRebalance => {
                    self.prepare_rebalance(turn);
                }
                ClassicGroupState::PreparingRebalance => self.complete_join_if_all_joined(turn),
                ClassicGroupState::Empty => {}
            }
        }
        LeaveGroupResponse { members, ..Default::default() }
    }

    fn leave_one(&mut self, member: MemberIdentity, turn: &mut Turn<'_>) -> MemberResponse {
        let error_code = match self.leaving_id(&member) {
            Ok(id) => {
                self.remove_member(&id, turn);
                ErrorCode::NONE
            }
            Err(error) => error,
        };
        MemberResponse {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            error_code,
            ..Default::default()
        }
    }

    fn leaving_id(&self, member: &MemberIdentity) -> Result<String, ErrorCode> {
        let instance_id = member.group_instance_id.as_deref();
        if member.member_id.is_empty() {
            let id = instance_id.and_then(|instance_id| self.static_members.get(instance_id));
            return id.map(|id| id.to_string()).ok_or(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if !self.pending_joins.contains(member.member_id.as_str()) {
            self.validate_member(&member.member_id, instance_id)?;
        }
        Ok(member.member_id.clone())
    }
}
