//! FindCoordinator (key 10): which broker coordinates a group or a transactional id.
//!
//! Versions: 0–6. 1 key type · 3 flexible · 4 several keys (KIP-699) · 5 transaction errors · 6 share groups (KIP-932).
//! The first question creates the coordinator's topic.
//! Kafka: `KafkaApis.handleFindCoordinatorRequest`.

use std::borrow::Cow;
use std::sync::Arc;

use coordinator::partition_for_key;
use coordinators::share::SharePartitionKey;
use metadata::MetadataImage;
use model::{AclOperation, topic_name};
use protocol::find_coordinator_response::Coordinator;
use protocol::{ErrorCode, FindCoordinatorRequest, FindCoordinatorResponse};

use crate::broker::Broker;
use crate::broker::metadata_cache::{BrokerNode, alive_nodes};
use crate::request::RequestContext;

/// The key types: a group, a transactional id, a share group's partition.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// The first version that knows of share groups.
const FIRST_WITH_SHARE: i16 = 6;

/// Finds each key's coordinator.
pub fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: &FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let image = broker.metadata.image();
    let find = |key: &str| find_one(broker, &image, context, request.key_type, key);
    if context.version >= 4 {
        let of_brokers = request.key_type == SHARE && context.version >= FIRST_WITH_SHARE;
        let refusal = match request.key_type {
            SHARE if of_brokers => broker.gate(context).check_cluster_action().err(),
            GROUP | TRANSACTION | SHARE => None,
            _ => Some(ErrorCode::INVALID_REQUEST),
        };
        let row = |key: &String| match refusal {
            Some(error_code) => Coordinator {
                error_message: Some(error_code.message().to_owned()),
                ..coordinator(key, Err(error_code))
            },
            None => coordinator(key, find(key)),
        };
        let coordinators = request.coordinator_keys.iter().map(row).collect();
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let row = coordinator(&request.key, find(&request.key));
    FindCoordinatorResponse {
        error_code: row.error_code,
        error_message: Some(row.error_code.message().to_owned()),
        node_id: row.node_id,
        host: row.host,
        port: row.port,
        ..Default::default()
    }
}

fn coordinator(key: &str, found: Result<BrokerNode, ErrorCode>) -> Coordinator {
    let key = key.to_owned();
    match found {
        Ok(node) => {
            Coordinator { key, node_id: node.id.0, host: node.host, port: node.port, ..Default::default() }
        }
        // Kafka gives a message only where one key is asked for, or the request as a whole is refused.
        Err(error_code) => Coordinator { key, error_code, node_id: -1, port: -1, ..Default::default() },
    }
}

fn find_one(
    broker: &Arc<Broker>,
    image: &MetadataImage,
    context: &RequestContext,
    key_type: i8,
    key: &str,
) -> Result<BrokerNode, ErrorCode> {
    let gate = broker.gate(context);
    let mut key = Cow::Borrowed(key);
    let topic = match key_type {
        GROUP => {
            gate.check_group(AclOperation::Describe, &key)?;
            topic_name::CONSUMER_OFFSETS
        }
        TRANSACTION => {
            gate.check_transactional_id(AclOperation::Describe, &key)?;
            topic_name::TRANSACTION_STATE
        }
        SHARE if context.version >= FIRST_WITH_SHARE => {
            let named = SharePartitionKey::parse(&key).map_err(|_| ErrorCode::INVALID_REQUEST)?;
            key = named.to_string().into();
            topic_name::SHARE_GROUP_STATE
        }
        _ => return Err(ErrorCode::INVALID_REQUEST),
    };
    let Some(topic_image) = image.topics().by_name(topic) else {
        broker.topic_creation.create(broker, [topic.to_owned()], None);
        return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    };
    let index = partition_for_key(&key, topic_image.partition_count());
    let leader = topic_image.partition(index).map(|partition| partition.leader);
    let nodes = alive_nodes(image, &context.listener.name);
    let node = nodes.into_iter().find(|node| Some(node.id) == leader);
    node.ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}
