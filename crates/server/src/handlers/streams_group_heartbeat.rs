//! StreamsGroupHeartbeat (key 88): a member of a streams group (KIP-1071) joins, stays and leaves, and learns its tasks.
//!
//! Versions: 0. Served where `streams.version` is 1 and `group.coordinator.rebalance.protocols` names `streams`. Internal
//! topics that the topology lacks are created on behalf of the member. Kafka: `KafkaApis.handleStreamsGroupHeartbeat`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use controller::CLUSTER_NAME;
use coordinators::group::StreamsHeartbeat;
use metadata::{Feature, MetadataImage};
use model::{AclOperation, AclResourceType, topic_name};
use protocol::streams_group_heartbeat_request::Topology;
use protocol::streams_group_heartbeat_response::Status;
use protocol::{ErrorCode, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::consumer_group_heartbeat::may_describe_all;
use crate::authorize::Gate;
use crate::broker::Broker;
use crate::request::RequestContext;

/// `StreamsGroupHeartbeatResponse.Status.MISSING_INTERNAL_TOPICS` of Kafka.
const MISSING_INTERNAL_TOPICS: i8 = 3;
/// How many creations that failed a member is told of.
const MOST_ERRORS: usize = 3;

/// Takes in a heartbeat.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: StreamsGroupHeartbeatRequest,
) -> StreamsGroupHeartbeatResponse {
    if !is_enabled(broker, &broker.metadata.image()) {
        let message = ErrorCode::UNSUPPORTED_VERSION.message().to_owned();
        return refuse(ErrorCode::UNSUPPORTED_VERSION, message);
    }
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_group(AclOperation::Read, &request.group_id) {
        return StreamsGroupHeartbeatResponse { error_code, ..Default::default() };
    }
    if let Some(Err(message)) = request.topology.as_ref().map(check_names) {
        return refuse(ErrorCode::STREAMS_INVALID_TOPOLOGY, message);
    }
    if let Err(error_code) = may_describe_all(&gate, request.topology.iter().flat_map(topic_names)) {
        return StreamsGroupHeartbeatResponse { error_code, ..Default::default() };
    }
    let answer = broker.groups.streams_group_heartbeat(&context.client(), request).await;
    create_missing_topics(broker, context, answer)
}

/// Tells whether streams groups are served. Kafka: `KafkaApis.isStreamsGroupProtocolEnabled`.
pub fn is_enabled(broker: &Broker, image: &MetadataImage) -> bool {
    let config = broker.config();
    let protocols = &config.groups.group_coordinator_rebalance_protocols;
    image.features().level(Feature::StreamsVersion) >= 1
        && protocols.iter().any(|protocol| protocol.eq_ignore_ascii_case("streams"))
}

fn refuse(error_code: ErrorCode, message: String) -> StreamsGroupHeartbeatResponse {
    StreamsGroupHeartbeatResponse { error_code, error_message: Some(message), ..Default::default() }
}

/// A topology may not name topics of the cluster itself, nor what no topic can be called.
fn check_names(topology: &Topology) -> Result<(), String> {
    let names: Vec<&str> = topic_names(topology);
    let internal: Vec<&str> = names.iter().copied().filter(|name| topic_name::is_internal(name)).collect();
    if !internal.is_empty() {
        let internal = internal.join(",");
        return Err(format!(
            "Use of Kafka internal topics {internal} in a Kafka Streams topology is prohibited."
        ));
    }
    let invalid: Vec<&str> = names.into_iter().filter(|name| !topic_name::is_valid(name)).collect();
    if invalid.is_empty() {
        return Ok(());
    }
    Err(format!("Topic names {} are not valid topic names.", invalid.join(",")))
}

fn topic_names(topology: &Topology) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let names = topology.subtopologies.iter().flat_map(|subtopology| {
        let repartition = subtopology.repartition_source_topics.iter().map(|topic| &topic.name);
        let changelogs = subtopology.state_changelog_topics.iter().map(|topic| &topic.name);
        let named = subtopology.source_topics.iter().chain(&subtopology.repartition_sink_topics);
        named.chain(repartition).chain(changelogs)
    });
    names.map(String::as_str).filter(|name| seen.insert(*name)).collect()
}

/// Has topics created that the topology lacks, and tells the member why earlier attempts failed.
fn create_missing_topics(
    broker: &Arc<Broker>,
    context: &RequestContext,
    answer: StreamsHeartbeat,
) -> StreamsGroupHeartbeatResponse {
    let StreamsHeartbeat { mut response, missing_topics } = answer;
    if missing_topics.is_empty() {
        return response;
    }
    let interval = u64::try_from(response.heartbeat_interval_ms).unwrap_or(0);
    let refused =
        not_creatable(&broker.gate(context), missing_topics.iter().map(|topic| topic.name.as_str()));
    if !refused.is_empty() {
        add_status(&mut response, &format!("Unauthorized to CREATE on topics {}.", refused.join(",")));
        return response;
    }
    let names: Vec<String> = missing_topics.iter().map(|topic| topic.name.clone()).collect();
    broker.topic_creation.create_internal(broker, missing_topics, Duration::from_millis(2 * interval));
    let now = broker.clock.monotonic();
    let error = |name: &String| Some(format!("{name} ({})", broker.topic_creation.error_of(name, now)?));
    let errors: Vec<String> = names.iter().filter_map(error).collect();
    let mut statuses = response.status.iter_mut().flatten();
    if let Some(status) = statuses.find(|status| status.status_code == MISSING_INTERNAL_TOPICS)
        && !errors.is_empty()
    {
        status.status_detail.push_str(&creation_failed(&errors));
    }
    response
}

/// Returns the topics that the member may not have created.
fn not_creatable<'n>(gate: &Gate<'_>, names: impl Iterator<Item = &'n str> + Clone) -> Vec<&'n str> {
    if gate.may_quietly(AclOperation::Create, AclResourceType::Cluster, CLUSTER_NAME) {
        return Vec::new();
    }
    let permitted = gate.permitted_topics(AclOperation::Create, names.clone());
    names.filter(|name| !permitted.contains(name)).collect()
}

/// Tells the member of what is amiss with its internal topics, beside what it is told already.
fn add_status(response: &mut StreamsGroupHeartbeatResponse, detail: &str) {
    let statuses = response.status.get_or_insert_default();
    match statuses.iter_mut().find(|status| status.status_code == MISSING_INTERNAL_TOPICS) {
        Some(status) => status.status_detail.push_str(&format!("; {detail}")),
        None => statuses.push(Status {
            status_code: MISSING_INTERNAL_TOPICS,
            status_detail: detail.to_owned(),
            ..Default::default()
        }),
    }
}

fn creation_failed(errors: &[String]) -> String {
    let told = errors[..errors.len().min(MOST_ERRORS)].join(", ");
    match errors.len().saturating_sub(MOST_ERRORS) {
        0 => format!("; Creation failed: {told}."),
        more => format!("; Creation failed: {told} and {more} more."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::streams_group_heartbeat_request::{Subtopology, TopicInfo};

    fn topology(sources: &[&str], changelog: &str) -> Topology {
        let subtopology = Subtopology {
            source_topics: sources.iter().map(|name| (*name).into()).collect(),
            state_changelog_topics: vec![TopicInfo { name: changelog.into(), ..Default::default() }],
            ..Default::default()
        };
        Topology { subtopologies: vec![subtopology], ..Default::default() }
    }

    #[test]
    fn a_topology_names_topics_that_applications_may_have() {
        assert_eq!(check_names(&topology(&["t", "u"], "app-store-changelog")), Ok(()));
        let refused = check_names(&topology(&["t", "__consumer_offsets"], "c"));
        let text =
            "Use of Kafka internal topics __consumer_offsets in a Kafka Streams topology is prohibited.";
        assert_eq!(refused, Err(text.to_owned()));
        let refused = check_names(&topology(&["a b", "t", "a b"], ".."));
        assert_eq!(refused, Err("Topic names a b,.. are not valid topic names.".to_owned()));
    }

    #[test]
    fn a_member_is_told_of_a_few_failures() {
        let errors: Vec<String> = (0..5).map(|number| format!("t{number} (no)")).collect();
        assert_eq!(creation_failed(&errors[..1]), "; Creation failed: t0 (no).");
        assert_eq!(creation_failed(&errors), "; Creation failed: t0 (no), t1 (no), t2 (no) and 2 more.");
    }
}
