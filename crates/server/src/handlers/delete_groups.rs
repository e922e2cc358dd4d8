//! DeleteGroups (key 42): removes empty groups and their offsets.
//!
//! Versions: 0–2. 2 flexible. Kafka: `KafkaApis.handleDeleteGroupsRequest`.

use protocol::{DeleteGroupsRequest, DeleteGroupsResponse};

use crate::broker::Broker;

/// Deletes groups.
pub async fn handle(broker: &Broker, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let results = broker.groups.delete_groups(request.groups_names).await;
    DeleteGroupsResponse { results, ..Default::default() }
}
