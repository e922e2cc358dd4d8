//! ConsumerGroupDescribe (key 69): the epochs, members and assignments of consumer groups (KIP-848).
//!
//! Versions: 0–1. 1 which protocol each member uses. Kafka: `KafkaApis.handleConsumerGroupDescribe`.

use protocol::consumer_group_describe_response::DescribedGroup;
use protocol::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ErrorCode};

use super::consumer_group_heartbeat::is_enabled;
use super::group_descriptions::{describe, hide_topics, refuse_all};
use crate::broker::Broker;
use crate::request::RequestContext;

/// What is said of a group instead of its topics; of a share group too.
pub(super) const HIDDEN: &str =
    "The group has described topic(s) that the client is not authorized to describe.";

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let (ids, with_operations) = (request.group_ids, request.include_authorized_operations);
    if !is_enabled(broker, &broker.metadata.image()) {
        let groups = refuse_all(ids, ErrorCode::UNSUPPORTED_VERSION);
        return ConsumerGroupDescribeResponse { groups, ..Default::default() };
    }
    let gate = broker.gate(context);
    let ask = |ids| broker.groups.describe_consumer_groups(ids);
    let mut groups = describe(&gate, ids, with_operations, ask).await;
    hide_topics(&gate, &mut groups, topics, HIDDEN);
    ConsumerGroupDescribeResponse { groups, ..Default::default() }
}

fn topics(group: &DescribedGroup) -> Vec<&str> {
    let assignments = group.members.iter().flat_map(|member| [&member.assignment, &member.target_assignment]);
    let assigned = assignments.flat_map(|assignment| &assignment.topic_partitions);
    assigned.map(|topic| topic.topic_name.as_str()).collect()
}
