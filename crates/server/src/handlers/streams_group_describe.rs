//! StreamsGroupDescribe (key 89): the epochs, topology, members and tasks of streams groups (KIP-1071).
//!
//! Versions: 0. Kafka: `KafkaApis.handleStreamsGroupDescribe`.

use model::{AclOperation, AclResourceType};
use protocol::streams_group_describe_response::DescribedGroup;
use protocol::{ErrorCode, StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use super::streams_group_heartbeat::is_enabled;
use crate::authorize::{Gate, Permitted};
use crate::broker::Broker;
use crate::request::RequestContext;

/// What is said of a group instead.
const HIDDEN: &str = "The described group uses topics that the client is not authorized to describe.";

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
    let gate = broker.gate(context);
    let (permitted, refused): (Vec<_>, Vec<_>) = request
        .group_ids
        .into_iter()
        .partition(|group| gate.check_group(AclOperation::Describe, group).is_ok());
    let mut groups: Vec<_> = refused.into_iter().map(refuse_group).collect();
    groups.extend(broker.groups.describe_streams_groups(permitted).await);
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::NONE) {
            group.authorized_operations = gate.operations(AclResourceType::Group, &group.group_id);
        }
    }
    hide_topics(&gate, &mut groups);
    StreamsGroupDescribeResponse { groups, ..Default::default() }
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
    let subtopologies = group.topology.iter().flat_map(|topology| topology.subtopologies.iter().flatten());
    subtopologies.flat_map(|subtopology| {
        let infos = subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
        let named = subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics);
        named.chain(infos.map(|info| &info.name)).map(String::as_str)
    })
}
