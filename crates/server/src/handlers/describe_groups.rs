//! DescribeGroups (key 15): the state and members of classic groups.
//!
//! Versions: 0–6. 3 authorized operations · 4 static members · 5 flexible · 6 `GROUP_ID_NOT_FOUND` (KIP-1043).
//! Kafka: `KafkaApis.handleDescribeGroupsRequest`.

use protocol::{DescribeGroupsRequest, DescribeGroupsResponse, ErrorCode};

use crate::authorize::{ResourceKind, operations};
use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let mut groups = broker.groups.describe_groups(&context.client(), request.groups).await;
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::NONE) {
            group.authorized_operations = operations(context, ResourceKind::Group);
        }
    }
    DescribeGroupsResponse { groups, ..Default::default() }
}
