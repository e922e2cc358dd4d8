//! StreamsGroupDescribe (key 89): the epochs, topology, members and tasks of streams groups (KIP-1071).
//!
//! Versions: 0. Kafka: `KafkaApis.handleStreamsGroupDescribe`.

use protocol::streams_group_describe_response::DescribedGroup;
use protocol::{ErrorCode, StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use super::group_descriptions::{describe, hide_topics, refuse_all};
use super::streams_group_heartbeat::is_enabled;
use crate::broker::Broker;
use crate::request::RequestContext;

/// What is said of a group instead of its topics.
const HIDDEN: &str = "The described group uses topics that the client is not authorized to describe.";

/// Describes groups.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: StreamsGroupDescribeRequest,
) -> StreamsGroupDescribeResponse {
    let (ids, with_operations) = (request.group_ids, request.include_authorized_operations);
    if !is_enabled(broker, &broker.metadata.image()) {
        let groups = refuse_all(ids, ErrorCode::UNSUPPORTED_VERSION);
        return StreamsGroupDescribeResponse { groups, ..Default::default() };
    }
    let gate = broker.gate(context);
    let ask = |ids| broker.groups.describe_streams_groups(ids);
    let mut groups = describe(&gate, ids, with_operations, ask).await;
    hide_topics(&gate, &mut groups, topics, HIDDEN);
    StreamsGroupDescribeResponse { groups, ..Default::default() }
}

fn topics(group: &DescribedGroup) -> Vec<&str> {
    let subtopologies = group.topology.iter().flat_map(|topology| topology.subtopologies.iter().flatten());
    let topics = subtopologies.flat_map(|subtopology| {
        let infos = subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
        let named = subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics);
        named.chain(infos.map(|info| &info.name)).map(String::as_str)
    });
    topics.collect()
}
