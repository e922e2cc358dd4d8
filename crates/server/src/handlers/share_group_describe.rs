//! ShareGroupDescribe (key 77): the epochs, members and assignments of share groups (KIP-932).
//!
//! Versions: 1–1. Kafka: `KafkaApis.handleShareGroupDescribe`.

use protocol::share_group_describe_response::DescribedGroup;
use protocol::{ErrorCode, ShareGroupDescribeRequest, ShareGroupDescribeResponse};

use super::consumer_group_describe::HIDDEN;
use super::group_descriptions::{describe, hide_topics, refuse_all};
use super::share_group_heartbeat::is_enabled;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ShareGroupDescribeRequest,
) -> ShareGroupDescribeResponse {
    let (ids, with_operations) = (request.group_ids, request.include_authorized_operations);
    if !is_enabled(broker) {
        let groups = refuse_all(ids, ErrorCode::UNSUPPORTED_VERSION);
        return ShareGroupDescribeResponse { groups, ..Default::default() };
    }
    let gate = broker.gate(context);
    let ask = |ids| broker.groups.describe_share_groups(ids);
    let mut groups = describe(&gate, ids, with_operations, ask).await;
    hide_topics(&gate, &mut groups, topics, HIDDEN);
    ShareGroupDescribeResponse { groups, ..Default::default() }
}

fn topics(group: &DescribedGroup) -> Vec<&str> {
    let assigned = group.members.iter().flat_map(|member| &member.assignment.topic_partitions);
    assigned.map(|topic| topic.topic_name.as_str()).collect()
}
