//! ShareGroupDescribe (key 77): the epochs, members and assignments of share groups (KIP-932).
//!
//! Versions: 1–1. Kafka: `KafkaApis.handleShareGroupDescribe`.

use protocol::share_group_describe_response::DescribedGroup;
use protocol::{ErrorCode, ShareGroupDescribeRequest, ShareGroupDescribeResponse};

use super::share_group_heartbeat::is_enabled;
use crate::authorize::{ResourceKind, operations};
use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ShareGroupDescribeRequest,
) -> ShareGroupDescribeResponse {
    if !is_enabled(broker) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        let refuse = |group_id| DescribedGroup { group_id, error_code, ..Default::default() };
        let groups = request.group_ids.into_iter().map(refuse).collect();
        return ShareGroupDescribeResponse { groups, ..Default::default() };
    }
    let mut groups = broker.groups.describe_share_groups(request.group_ids).await;
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::NONE) {
            group.authorized_operations = operations(context, ResourceKind::Group);
        }
    }
    ShareGroupDescribeResponse { groups, ..Default::default() }
}
