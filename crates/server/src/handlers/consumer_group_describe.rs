//! ConsumerGroupDescribe (key 69): the epochs, members and assignments of consumer groups (KIP-848).
//!
//! Versions: 0–1. 1 which protocol each member uses. Kafka: `KafkaApis.handleConsumerGroupDescribe`.

use model::{AclOperation, AclResourceType};
use protocol::consumer_group_describe_response::DescribedGroup;
use protocol::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ErrorCode};

use super::consumer_group_heartbeat::is_enabled;
use crate::authorize::{Gate, Permitted};
use crate::broker::Broker;
use crate::request::RequestContext;

/// What is said of a group instead.
const HIDDEN: &str = "The group has described topic(s) that the client is not authorized to describe.";

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
    let gate = broker.gate(context);
    let (permitted, refused): (Vec<_>, Vec<_>) = request
        .group_ids
        .into_iter()
        .partition(|group| gate.check_group(AclOperation::Describe, group).is_ok());
    let mut groups: Vec<_> = refused.into_iter().map(refuse_group).collect();
    groups.extend(broker.groups.describe_consumer_groups(permitted).await);
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::NONE) {
            group.authorized_operations = gate.operations(AclResourceType::Group, &group.group_id);
        }
    }
    hide_topics(&gate, &mut groups);
    ConsumerGroupDescribeResponse { groups, ..Default::default() }
}

fn refuse_group(group_id: String) -> DescribedGroup {
    DescribedGroup { error_code: ErrorCode::GROUP_AUTHORIZATION_FAILED, group_id, ..Default::default() }
}

/// Says nothing of groups that have to do with topics that the asker may not know of.
fn hide_topics(gate: &Gate<'_>, groups: &mut [DescribedGroup]) {
    let permitted = gate.permitted_topics(AclOperation::Describe, groups.iter().flat_map(topics));
    if matches!(permitted, Permitted::All) {
        return;
    }
    for group in groups {
        if topics(group).any(|topic| !permitted.contains(topic)) {
            *group = DescribedGroup {
                group_id: std::mem::take(&mut group.group_id),
                error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
                error_message: Some(HIDDEN.to_owned()),
                ..Default::default()
            };
        }
    }
}

fn topics(group: &DescribedGroup) -> impl Iterator<Item = &str> {
    let assignments = group.members.iter().flat_map(|member| [&member.assignment, &member.target_assignment]);
    assignments.flat_map(|assignment| &assignment.topic_partitions).map(|topic| topic.topic_name.as_str())
}
