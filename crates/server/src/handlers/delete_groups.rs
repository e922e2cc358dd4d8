//! DeleteGroups (key 42): removes empty groups and their offsets.
//!
//! Versions: 0–2. 2 flexible. Kafka: `KafkaApis.handleDeleteGroupsRequest`.

use model::{AclOperation, AclResourceType};
use protocol::delete_groups_response::DeletableGroupResult;
use protocol::{DeleteGroupsRequest, DeleteGroupsResponse, ErrorCode};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Deletes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let names = request.groups_names;
    let asked = names.iter().map(String::as_str);
    let permitted = broker.gate(context).permitted(AclOperation::Delete, AclResourceType::Group, asked);
    let (names, mut refused): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|group| permitted.contains(group));
    let mut results = broker.groups.delete_groups(names).await;
    refused.sort_unstable();
    refused.dedup();
    results.extend(refused.into_iter().map(|group_id| DeletableGroupResult {
        group_id,
        error_code: ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ..Default::default()
    }));
    DeleteGroupsResponse { results, ..Default::default() }
}
