//! Heartbeat (key 12): keeps a member of a classic group alive and tells it of rebalances.
//!
//! Versions: 0–4. 3 static members · 4 flexible. Kafka: `KafkaApis.handleHeartbeatRequest`.

use model::AclOperation;
use protocol::{HeartbeatRequest, HeartbeatResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Takes a member's heartbeat.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    if let Err(error_code) = broker.gate(context).check_group(AclOperation::Read, &request.group_id) {
        return HeartbeatResponse { error_code, ..Default::default() };
    }
    broker.groups.heartbeat(request).await
}
