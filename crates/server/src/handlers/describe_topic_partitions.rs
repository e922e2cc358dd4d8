//! DescribeTopicPartitions (key 75): topics and partitions page by page, with eligible leader replicas.
//!
//! Versions: 0. Kafka: `DescribeTopicPartitionsRequestHandler`.

use std::collections::BTreeSet;

use metadata::{MetadataImage, PartitionRegistration};
use model::{AclOperation, AclResourceType, NodeId, topic_name};
use protocol::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, ErrorCode};

use crate::authorize::Gate;
use crate::broker::Broker;
use crate::broker::metadata_cache::{node, offline_replicas};
use crate::request::RequestContext;

type Topic = DescribeTopicPartitionsResponseTopic;

/// Describes up to `max.request.partition.size.limit` partitions from the cursor on; the answer says where to go on.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = broker.metadata.image();
    let names = match wanted(&image, request) {
        Ok(names) => names,
        Err(error) => return refused(request, error),
    };
    let limit =
        broker.config().network.max_request_partition_size_limit.min(request.response_partition_limit).max(1);
    let gate = broker.gate(context);
    let mut page = Page { image: &image, gate: &gate, context, room: limit, response: Default::default() };
    let mut refused = Vec::new();
    for name in names {
        if let Err(error_code) = gate.check_topic(AclOperation::Describe, name) {
            if !request.topics.is_empty() {
                refused.push(Topic { error_code, name: Some(name.to_owned()), ..Default::default() });
            }
            continue;
        }
        let cursor = request.cursor.as_ref().filter(|cursor| cursor.topic_name == name);
        let first = cursor.map_or(0, |cursor| cursor.partition_index);
        if !page.add(name, first, request.topics.is_empty()) {
            break;
        }
    }
    page.response.topics.extend(refused);
    page.response
}

/// The names from the cursor on, in order. Of all topics no more are looked at than a page has room for.
fn wanted<'a>(
    image: &'a MetadataImage,
    request: &'a DescribeTopicPartitionsRequest,
) -> Result<Box<dyn Iterator<Item = &'a str> + 'a>, ErrorCode> {
    let from = request.cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < 0) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    if request.topics.is_empty() {
        return Ok(Box::new(image.topics().iter_from(from).map(|topic| &**topic.name())));
    }
    let names: BTreeSet<&str> = request.topics.iter().map(|topic| topic.name.as_str()).collect();
    match request.cursor.is_some() && !names.contains(from) {
        true => Err(ErrorCode::INVALID_REQUEST),
        false => Ok(Box::new(names.into_iter().filter(move |name| *name >= from))),
    }
}

struct Page<'a> {
    image: &'a MetadataImage,
    gate: &'a Gate<'a>,
    context: &'a RequestContext,
    room: i32,
    response: DescribeTopicPartitionsResponse,
}

impl Page<'_> {
    /// Adds a topic from partition `first` on; false when the page is full.
    fn add(&mut self, name: &str, first: i32, skip_missing: bool) -> bool {
        if self.room == 0 {
            self.end_at(name, 0);
            return false;
        }
        let Some(topic) = self.image.topics().by_name(name) else {
            if !skip_missing {
                self.response.topics.push(self.missing(name));
            }
            return true;
        };
        let end = topic.partition_count().min(first.saturating_add(self.room));
        let indexes = (first..end).filter_map(|index| Some((index, topic.partition(index)?)));
        let partitions: Vec<_> = indexes.map(|(index, state)| self.partition(index, state)).collect();
        self.room -= partitions.len() as i32;
        self.response.topics.push(Topic {
            name: Some(name.to_owned()),
            topic_id: topic.id(),
            is_internal: topic_name::is_internal(name),
            partitions,
            topic_authorized_operations: self.gate.operations(AclResourceType::Topic, name),
            ..Default::default()
        });
        if end < topic.partition_count() {
            self.end_at(name, end);
            return false;
        }
        true
    }

    fn end_at(&mut self, name: &str, partition_index: i32) {
        let topic_name = name.to_owned();
        self.response.next_cursor = Some(Cursor { topic_name, partition_index, ..Default::default() });
    }

    fn missing(&self, name: &str) -> Topic {
        let valid = topic_name::is_valid(name);
        Topic {
            error_code: match valid {
                true => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                false => ErrorCode::INVALID_TOPIC_EXCEPTION,
            },
            name: Some(name.to_owned()),
            is_internal: topic_name::is_internal(name),
            topic_authorized_operations: self.gate.operations(AclResourceType::Topic, name),
            ..Default::default()
        }
    }

    fn partition(
        &self,
        index: i32,
        state: &PartitionRegistration,
    ) -> DescribeTopicPartitionsResponsePartition {
        let listener = self.context.listener.name.as_str();
        DescribeTopicPartitionsResponsePartition {
            partition_index: index,
            leader_id: node(self.image, state.leader, listener).map_or(-1, |leader| leader.id.0),
            leader_epoch: state.leader_epoch.0,
            replica_nodes: numbers(&state.replicas),
            isr_nodes: numbers(&state.isr),
            eligible_leader_replicas: Some(numbers(&state.elr)),
            last_known_elr: Some(numbers(&state.last_known_elr)),
            offline_replicas: offline_replicas(self.image, state, listener),
            ..Default::default()
        }
    }
}

fn numbers(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

/// Kafka: `DescribeTopicPartitionsRequest.getErrorResponse`.
fn refused(
    request: &DescribeTopicPartitionsRequest,
    error_code: ErrorCode,
) -> DescribeTopicPartitionsResponse {
    let topic = |name: &str| Topic { error_code, name: Some(name.to_owned()), ..Default::default() };
    let topics = request.topics.iter().map(|asked| topic(&asked.name)).collect();
    DescribeTopicPartitionsResponse { topics, ..Default::default() }
}
