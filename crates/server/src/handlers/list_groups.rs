//! ListGroups (key 16): the groups that this broker coordinates.
//!
//! Versions: 0–5. 3 flexible · 4 filter by state (KIP-518) · 5 filter by type (KIP-848).
//! Kafka: `KafkaApis.handleListGroupsRequest`.

use protocol::{ListGroupsRequest, ListGroupsResponse};

use crate::broker::Broker;

/// Lists groups.
pub async fn handle(broker: &Broker, request: ListGroupsRequest) -> ListGroupsResponse {
    broker.groups.list_groups(request).await
}
