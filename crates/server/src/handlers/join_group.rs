//! JoinGroup (key 11): becomes a member of a classic group; answers when the join phase ends.
//!
//! Versions: 0–9. 1 rebalance timeout · 4 member id first (KIP-394) · 5 static members (KIP-345) · 6 flexible ·
//! 7 protocol type · 8 reason (KIP-800) · 9 skip the assignment. Kafka: `KafkaApis.handleJoinGroupRequest`.

use std::sync::Arc;

use coordinator::ClientContext;
use model::AclOperation;
use protocol::{JoinGroupRequest, JoinGroupResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Joins.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    if let Err(error_code) = broker.gate(context).check_group(AclOperation::Read, &request.group_id) {
        let protocol_name = (context.version < 7).then(String::new);
        return JoinGroupResponse { error_code, protocol_name, ..Default::default() };
    }
    let client = ClientContext { topic_gate: broker.topic_gate(context), ..context.client() };
    broker.groups.join_group(&client, request).await
}
