//! ConsumerGroupHeartbeat (key 68): a member of a consumer group (KIP-848) joins, stays and leaves, and learns its partitions.
//!
//! Versions: 0–1. 1 regular expressions, member ids made by the client. Served where `group.version` is 1 and
//! `group.coordinator.rebalance.protocols` names `consumer`. Kafka: `KafkaApis.handleConsumerGroupHeartbeat`.

use std::sync::Arc;

use coordinator::ClientContext;
use metadata::{Feature, MetadataImage};
use model::AclOperation;
use protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode};

use crate::authorize::Gate;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Takes in a heartbeat.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    if !is_enabled(broker, &broker.metadata.image()) {
        return ConsumerGroupHeartbeatResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            error_message: Some(ErrorCode::UNSUPPORTED_VERSION.message().to_owned()),
            ..Default::default()
        };
    }
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_group(AclOperation::Read, &request.group_id) {
        return ConsumerGroupHeartbeatResponse { error_code, ..Default::default() };
    }
    let topics = request.subscribed_topic_names.iter().flatten();
    if let Err(error_code) = may_describe_all(&gate, topics.map(String::as_str)) {
        return ConsumerGroupHeartbeatResponse { error_code, ..Default::default() };
    }
    let client = ClientContext { topic_gate: broker.topic_gate(context), ..context.client() };
    broker.groups.consumer_group_heartbeat(&client, request).await
}

/// Checks that a member may know of all the topics that it subscribes to by name.
pub fn may_describe_all<'n>(
    gate: &Gate<'_>,
    topics: impl IntoIterator<Item = &'n str>,
) -> Result<(), ErrorCode> {
    match gate.permitted_topics(AclOperation::Describe, topics).is_all() {
        true => Ok(()),
        false => Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
    }
}

/// Tells whether consumer groups are served. Kafka: `KafkaApis.isConsumerGroupProtocolEnabled`.
pub fn is_enabled(broker: &Broker, image: &MetadataImage) -> bool {
    let config = broker.config();
    let protocols = &config.groups.group_coordinator_rebalance_protocols;
    image.features().level(Feature::GroupVersion) >= 1
        && protocols.iter().any(|protocol| protocol.eq_ignore_ascii_case("consumer"))
}
