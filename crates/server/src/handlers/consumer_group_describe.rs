//! ConsumerGroupDescribe (key 69): the epochs, members and assignments of consumer groups (KIP-848).
//!
//! Versions: 0–1. 1 which protocol each member uses. Kafka: `KafkaApis.handleConsumerGroupDescribe`.

use protocol::consumer_group_describe_response::DescribedGroup;
use protocol::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ErrorCode};

use super::consumer_group_heartbeat::is_enabled;
use crate::authorize::{ResourceKind, operations};
use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    if !is_enabled(broker, &broker.metadata.image()) {
        let refuse = |group_id| DescribedGroup {
            group_id,
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            ..Default::default()
        };
        let groups = request.group_ids.into_iter().map(refuse).collect();
        return ConsumerGroupDescribeResponse { groups, ..Default::default() };
    }
    let mut groups = broker.groups.describe_consumer_groups(request.group_ids).await;
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::NONE) {
            group.authorized_operations = operations(context, ResourceKind::Group);
        }
    }
    ConsumerGroupDescribeResponse { groups, ..Default::default() }
}
