//! StreamsGroupDescribe (key 89): the epochs, topology, members and tasks of streams groups (KIP-1071).
//!
//! Versions: 0. Kafka: `KafkaApis.handleStreamsGroupDescribe`.

use protocol::streams_group_describe_response::DescribedGroup;
use protocol::{ErrorCode, StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use super::streams_group_heartbeat::is_enabled;
use crate::authorize::{ResourceKind, operations};
use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: StreamsGroupDescribeRequest,
) -> StreamsGroupDescribeResponse {
    if !is_enabled(broker, &broker.metadata.image()) {
        let refuse = |group_id| DescribedGroup {
            group_id,
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            ..Default::default()
        };
        let groups = request.group_ids.into_iter().map(refuse).collect();
        return StreamsGroupDescribeResponse { groups, ..Default::default() };
    }
    let mut groups = broker.groups.describe_streams_groups(request.group_ids).await;
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::NONE) {
            group.authorized_operations = operations(context, ResourceKind::Group);
        }
    }
    StreamsGroupDescribeResponse { groups, ..Default::default() }
}
