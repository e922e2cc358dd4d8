//! Heartbeat (key 12): keeps a member of a classic group alive and tells it of rebalances.
//!
//! Versions: 0–4. 3 static members · 4 flexible. Kafka: `KafkaApis.handleHeartbeatRequest`.

use protocol::{HeartbeatRequest, HeartbeatResponse};

use crate::broker::Broker;

/// Takes a member's heartbeat.
pub async fn handle(broker: &Broker, request: HeartbeatRequest) -> HeartbeatResponse {
    broker.groups.heartbeat(request).await
}
