//! SyncGroup (key 14): brings, or waits for, the assignment of a classic group.
//!
//! Versions: 0–5. 3 static members · 4 flexible · 5 protocol type and name. Kafka: `KafkaApis.handleSyncGroupRequest`.

use model::AclOperation;
use protocol::{SyncGroupRequest, SyncGroupResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Syncs.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    if let Err(error_code) = broker.gate(context).check_group(AclOperation::Read, &request.group_id) {
        return SyncGroupResponse { error_code, ..Default::default() };
    }
    broker.groups.sync_group(&context.client(), request).await
}
