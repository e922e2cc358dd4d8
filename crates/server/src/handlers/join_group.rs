//! JoinGroup (key 11): becomes a member of a classic group; answers when the join phase ends.
//!
//! Versions: 0–9. 1 rebalance timeout · 4 member id first (KIP-394) · 5 static members (KIP-345) · 6 flexible ·
//! 7 protocol type · 8 reason (KIP-800) · 9 skip the assignment. Kafka: `KafkaApis.handleJoinGroupRequest`.

use protocol::{JoinGroupRequest, JoinGroupResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Joins.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    broker.groups.join_group(&context.client(), request).await
}
