//! LeaveGroup (key 13): ends memberships of a classic group.
//!
//! Versions: 0–5. 3 several members (KIP-345) · 4 flexible · 5 reason (KIP-800). Kafka: `KafkaApis.handleLeaveGroupRequest`.

use model::AclOperation;
use protocol::{LeaveGroupRequest, LeaveGroupResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Lets members leave.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    if let Err(error_code) = broker.gate(context).check_group(AclOperation::Read, &request.group_id) {
        return LeaveGroupResponse { error_code, ..Default::default() };
    }
    broker.groups.leave_group(&context.client(), request).await
}
