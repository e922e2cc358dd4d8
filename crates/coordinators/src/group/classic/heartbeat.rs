//! Heartbeat 0-4: keeps a member's session, and tells it of a rebalance.

use protocol::{ErrorCode, HeartbeatRequest};

use super::Turn;
use super::group::{ClassicGroup, ClassicGroupState};

impl ClassicGroup {
    /// Keeps a member's session. Kafka: `GroupMetadataManager.classicGroupHeartbeatToClassicGroup`.
    pub(in crate::group) fn heartbeat(&self, request: &HeartbeatRequest, turn: &mut Turn<'_>) -> ErrorCode {
        if let Err(error) = self.validate_member(&request.member_id, request.group_instance_id.as_deref()) {
            return error;
        }
        if request.generation_id != self.generation {
            return ErrorCode::ILLEGAL_GENERATION;
        }
        if self.state == ClassicGroupState::Empty {
            return ErrorCode::UNKNOWN_MEMBER_ID;
        }
        self.renew_session(&request.member_id, turn);
        match self.state {
            ClassicGroupState::PreparingRebalance => ErrorCode::REBALANCE_IN_PROGRESS,
            _ => ErrorCode::NONE,
        }
    }
}
