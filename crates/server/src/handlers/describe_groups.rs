//! DescribeGroups (key 15): the state and members of classic groups.
//!
//! Versions: 0–6. 3 authorized operations · 4 static members · 5 flexible · 6 `GROUP_ID_NOT_FOUND` (KIP-1043).
//! Kafka: `KafkaApis.handleDescribeGroupsRequest`.

use model::{AclOperation, AclResourceType};
use protocol::describe_groups_response::DescribedGroup;
use protocol::{DescribeGroupsRequest, DescribeGroupsResponse, ErrorCode};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let gate = broker.gate(context);
    let (permitted, refused): (Vec<_>, Vec<_>) =
        request.groups.into_iter().partition(|group| gate.check_group(AclOperation::Describe, group).is_ok());
    let mut groups: Vec<_> = refused.into_iter().map(refuse).collect();
    groups.extend(broker.groups.describe_groups(&context.client(), permitted).await);
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::NONE) {
            group.authorized_operations = gate.operations(AclResourceType::Group, &group.group_id);
        }
    }
    DescribeGroupsResponse { groups, ..Default::default() }
}

fn refuse(group_id: String) -> DescribedGroup {
    let error_code = ErrorCode::GROUP_AUTHORIZATION_FAILED;
    DescribedGroup { error_code, group_id, ..Default::default() }
}
