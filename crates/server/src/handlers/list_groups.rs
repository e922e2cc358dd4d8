//! ListGroups (key 16): the groups that this broker coordinates.
//!
//! Versions: 0–5. 3 flexible · 4 filter by state (KIP-518) · 5 filter by type (KIP-848).
//! Kafka: `KafkaApis.handleListGroupsRequest`.

use controller::CLUSTER_NAME;
use model::{AclOperation, AclResourceType};
use protocol::{ListGroupsRequest, ListGroupsResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Lists groups: all for who may describe the cluster, otherwise those that the asker may describe.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let mut response = broker.groups.list_groups(request).await;
    let gate = broker.gate(context);
    if !gate.may_quietly(AclOperation::Describe, AclResourceType::Cluster, CLUSTER_NAME) {
        let may_describe =
            |group: &str| gate.may_quietly(AclOperation::Describe, AclResourceType::Group, group);
        response.groups.retain(|group| may_describe(&group.group_id));
    }
    response
}
