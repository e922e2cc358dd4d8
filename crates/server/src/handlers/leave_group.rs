//! LeaveGroup (key 13): ends memberships of a classic group.
//!
//! Versions: 0–5. 3 several members (KIP-345) · 4 flexible · 5 reason (KIP-800). Kafka: `KafkaApis.handleLeaveGroupRequest`.

use protocol::{LeaveGroupRequest, LeaveGroupResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Lets members leave.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    broker.groups.leave_group(&context.client(), request).await
}
