//! Metadata (key 3): brokers, topics, partitions and their leaders.
//!
//! Versions: 0–13. 0 all topics for an empty list, unreachable replicas left out · 1 rack, internal, controller ·
//! 2 cluster id · 4 auto-creation can be refused · 5 offline replicas · 7 leader epoch · 8 authorized operations ·
//! 10 topic ids · 11 no cluster operations · 12 by topic id · 13 top-level error.
//! Kafka: `KafkaApis.handleTopicMetadataRequest`, `KRaftMetadataCache.getTopicMetadata`.

use std::collections::BTreeSet;
use std::sync::Arc;

use controller::CLUSTER_NAME;
use metadata::{MetadataImage, PartitionRegistration, TopicImage};
use model::{AclOperation, AclResourceType, NodeId, Uuid, topic_name};
use protocol::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};
use protocol::{ErrorCode, MetadataRequest, MetadataResponse};
use quota::QuotaKind;

use crate::authorize::{Gate, Permitted};
use crate::broker::Broker;
use crate::broker::metadata_cache::{alive_nodes, controller_id_for_clients, node, offline_replicas};
use crate::request::RequestContext;

/// Describes the topics asked for, and creates those that are missing where that is allowed.
pub fn handle(broker: &Arc<Broker>, context: &RequestContext, request: &MetadataRequest) -> MetadataResponse {
    let image = broker.metadata.image();
    let gate = broker.gate(context);
    let topics = match wanted(context.version, request) {
        Ok(Wanted::All) => all(&gate, &image, context),
        Ok(Wanted::Ids(ids)) => {
            let known = ids.iter().filter_map(|id| image.topics().by_id(*id));
            let permitted = gate.permitted_topics(AclOperation::Describe, known.map(|topic| &**topic.name()));
            ids.into_iter().map(|id| by_id(&image, &permitted, context, id)).collect()
        }
        Ok(Wanted::Names(names)) => {
            let creates = request.allow_auto_topic_creation && broker.config().log.auto_create_topics_enable;
            let (names, refused) = permitted(&gate, &image, names, creates);
            if creates {
                create_missing(broker, context, &image, &names);
            }
            let mut topics = by_name(&image, context, names);
            topics.extend(refused);
            topics
        }
        Err(error) => return refused(request, error),
    };
    respond(broker, &image, &gate, context, request, topics)
}

enum Wanted {
    All,
    Ids(BTreeSet<Uuid>),
    Names(BTreeSet<String>),
}

/// Versions 10 and 11 carry topic ids in their schema, but cannot be asked by them.
fn wanted(version: i16, request: &MetadataRequest) -> Result<Wanted, ErrorCode> {
    let Some(topics) = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty()) else {
        return Ok(Wanted::All);
    };
    if version < 12 && topics.iter().any(|topic| topic.name.is_none() || topic.topic_id != Uuid::ZERO) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let ids: BTreeSet<Uuid> =
        topics.iter().map(|topic| topic.topic_id).filter(|id| *id != Uuid::ZERO).collect();
    if !ids.is_empty() {
        return Ok(Wanted::Ids(ids));
    }
    Ok(Wanted::Names(topics.iter().filter_map(|topic| topic.name.clone()).collect()))
}

/// All topics that the asker may know of.
fn all(gate: &Gate<'_>, image: &MetadataImage, context: &RequestContext) -> Vec<MetadataResponseTopic> {
    let names = image.topics().iter().map(|topic| &**topic.name());
    let permitted = gate.permitted_quietly(AclOperation::Describe, AclResourceType::Topic, names);
    let topics = image.topics().iter().filter(|topic| permitted.contains(topic.name()));
    topics.map(|topic| described(image, context, topic)).collect()
}

/// Leaves the names of topics that the asker may describe, or may have created if they are not there; the others are
/// answered without a word of whether they are.
fn permitted(
    gate: &Gate<'_>,
    image: &MetadataImage,
    mut names: BTreeSet<String>,
    creates: bool,
) -> (BTreeSet<String>, Vec<MetadataResponseTopic>) {
    let mut refused = Vec::new();
    let describable = gate.permitted_topics(AclOperation::Describe, names.iter().map(String::as_str));
    names.retain(|name| {
        let permitted = describable.contains(name);
        if !permitted {
            refused.push(refused_topic(name, false));
        }
        permitted
    });
    let is_missing = |name: &&String| image.topics().by_name(name).is_none();
    let may_create = !creates
        || !names.iter().any(|name| is_missing(&name))
        || gate.may_quietly(AclOperation::Create, AclResourceType::Cluster, CLUSTER_NAME);
    if !may_create {
        let missing: BTreeSet<String> = names.iter().filter(is_missing).cloned().collect();
        let creatable = gate.permitted_topics(AclOperation::Create, missing.iter().map(String::as_str));
        for name in missing.into_iter().filter(|name| !creatable.contains(name)) {
            names.remove(&name);
            refused.push(refused_topic(&name, topic_name::is_internal(&name)));
        }
    }
    (names, refused)
}

fn refused_topic(name: &str, is_internal: bool) -> MetadataResponseTopic {
    let error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    MetadataResponseTopic { error_code, name: Some(name.to_owned()), is_internal, ..Default::default() }
}

fn by_id(
    image: &MetadataImage,
    permitted: &Permitted,
    context: &RequestContext,
    id: Uuid,
) -> MetadataResponseTopic {
    match image.topics().by_id(id) {
        Some(topic) if !permitted.contains(topic.name()) => MetadataResponseTopic {
            error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            topic_id: id,
            name: None,
            ..Default::default()
        },
        Some(topic) => described(image, context, topic),
        None => MetadataResponseTopic {
            error_code: ErrorCode::UNKNOWN_TOPIC_ID,
            topic_id: id,
            name: None,
            ..Default::default()
        },
    }
}

/// Has topics created that are missing and may exist; the client comes again for them.
fn create_missing(
    broker: &Arc<Broker>,
    context: &RequestContext,
    image: &MetadataImage,
    names: &BTreeSet<String>,
) {
    let missing = names.iter().filter(|name| image.topics().by_name(name).is_none());
    let valid = missing.filter(|name| topic_name::is_valid(name)).cloned();
    // Nobody can be told to wait, so who owes is refused. Kafka: `AutoTopicCreationManager`, whose envelope is of the newest version.
    let is_limited = broker.quotas.is_enabled(QuotaKind::ControllerMutation);
    let quota = is_limited.then(|| broker.quotas.mutation(context, i16::MIN));
    broker.topic_creation.create(broker, valid, quota);
}

fn by_name(
    image: &MetadataImage,
    context: &RequestContext,
    names: BTreeSet<String>,
) -> Vec<MetadataResponseTopic> {
    let (known, missing): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| image.topics().by_name(name).is_some());
    let topic_of = |name: &String| image.topics().by_name(name);
    let mut topics: Vec<_> =
        known.iter().filter_map(topic_of).map(|topic| described(image, context, topic)).collect();
    topics.extend(missing.into_iter().map(missing_topic));
    topics
}

/// A topic that is being created is unknown until it is there; clients come again.
fn missing_topic(name: String) -> MetadataResponseTopic {
    let error_code = match topic_name::is_valid(&name) {
        true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        false => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    let is_internal = topic_name::is_internal(&name);
    MetadataResponseTopic { error_code, name: Some(name), is_internal, ..Default::default() }
}

fn described(image: &MetadataImage, context: &RequestContext, topic: &TopicImage) -> MetadataResponseTopic {
    let partitions = topic.partitions();
    MetadataResponseTopic {
        name: Some(topic.name().to_string()),
        topic_id: topic.id(),
        is_internal: topic_name::is_internal(topic.name()),
        partitions: partitions.map(|(index, state)| partition(image, context, index, state)).collect(),
        ..Default::default()
    }
}

fn partition(
    image: &MetadataImage,
    context: &RequestContext,
    index: i32,
    state: &PartitionRegistration,
) -> MetadataResponsePartition {
    let listener = context.listener.name.as_str();
    let reachable = |ids: &[NodeId]| -> Vec<i32> {
        let alive = |id: &&NodeId| {
            let broker = image.cluster().broker(**id);
            broker.is_some_and(|broker| !broker.fenced && broker.listeners.contains_key(listener))
        };
        ids.iter().filter(|id| context.version > 0 || alive(id)).map(|id| id.0).collect()
    };
    let (replica_nodes, isr_nodes) = (reachable(&state.replicas), reachable(&state.isr));
    let leader = node(image, state.leader, listener);
    let cut = replica_nodes.len() < state.replicas.len() || isr_nodes.len() < state.isr.len();
    let error_code = match leader {
        Some(_) if cut => ErrorCode::REPLICA_NOT_AVAILABLE,
        Some(_) => ErrorCode::NONE,
        None if image.cluster().broker(state.leader).is_some() && context.version >= 6 => {
            ErrorCode::LISTENER_NOT_FOUND
        }
        None => ErrorCode::LEADER_NOT_AVAILABLE,
    };
    MetadataResponsePartition {
        error_code,
        partition_index: index,
        leader_id: leader.map_or(-1, |leader| leader.id.0),
        leader_epoch: state.leader_epoch.0,
        replica_nodes,
        isr_nodes,
        offline_replicas: offline_replicas(image, state, listener),
        ..Default::default()
    }
}

fn respond(
    broker: &Broker,
    image: &MetadataImage,
    gate: &Gate<'_>,
    context: &RequestContext,
    request: &MetadataRequest,
    mut topics: Vec<MetadataResponseTopic>,
) -> MetadataResponse {
    if context.version >= 8 && request.include_topic_authorized_operations {
        let is_told = |topic: &&mut MetadataResponseTopic| {
            let untold = [ErrorCode::TOPIC_AUTHORIZATION_FAILED, ErrorCode::UNKNOWN_TOPIC_ID];
            !untold.contains(&topic.error_code)
        };
        for topic in topics.iter_mut().filter(is_told) {
            let name = topic.name.as_deref().unwrap_or_default();
            topic.topic_authorized_operations = gate.operations(AclResourceType::Topic, name);
        }
    }
    let mut response = MetadataResponse {
        brokers: brokers(image, &context.listener.name),
        cluster_id: Some(broker.cluster_id.clone()),
        controller_id: controller_id_for_clients(image).0,
        topics,
        ..Default::default()
    };
    if (8..=10).contains(&context.version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = gate.cluster_operations();
    }
    response
}

fn brokers(image: &MetadataImage, listener: &str) -> Vec<MetadataResponseBroker> {
    let broker = |node: crate::broker::metadata_cache::BrokerNode| MetadataResponseBroker {
        node_id: node.id.0,
        host: node.host,
        port: node.port,
        rack: node.rack,
        ..Default::default()
    };
    alive_nodes(image, listener).into_iter().map(broker).collect()
}

/// Kafka: `MetadataRequest.getErrorResponse`.
fn refused(request: &MetadataRequest, error: ErrorCode) -> MetadataResponse {
    let topic = |topic: &protocol::metadata_request::MetadataRequestTopic| MetadataResponseTopic {
        error_code: error,
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    };
    let topics = request.topics.iter().flatten().map(topic).collect();
    MetadataResponse { topics, error_code: error, ..Default::default() }
}
