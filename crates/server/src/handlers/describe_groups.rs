//! DescribeGroups (key 15): the state and members of classic groups.
//!
//! Versions: 0–6. 3 authorized operations · 4 static members · 5 flexible · 6 `GROUP_ID_NOT_FOUND` (KIP-1043).
//! Kafka: `KafkaApis.handleDescribeGroupsRequest`.

use protocol::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::group_descriptions::describe;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let (gate, client) = (broker.gate(context), context.client());
    let ask = |ids| broker.groups.describe_groups(&client, ids);
    let groups = describe(&gate, request.groups, request.include_authorized_operations, ask).await;
    DescribeGroupsResponse { groups, ..Default::default() }
}
