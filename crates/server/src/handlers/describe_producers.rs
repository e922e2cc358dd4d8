//! DescribeProducers (key 61): the idempotent and transactional producers that a partition remembers.
//!
//! Versions: 0. Kafka: `KafkaApis.handleDescribeProducersRequest`, `UnifiedLog.activeProducers`.

use std::collections::BTreeSet;

use metadata::MetadataImage;
use model::{AclOperation, topic_name};
use protocol::describe_producers_request::TopicRequest;
use protocol::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use protocol::{DescribeProducersRequest, DescribeProducersResponse, ErrorCode};
use storage::ProducerStateEntry;

use crate::authorize::Gate;
use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::request::RequestContext;

/// Describes the producers of each partition that this broker leads.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let gate = broker.gate(context);
    let image = broker.metadata.image();
    // Also where a topic is named more than once.
    let mut seen = BTreeSet::new();
    for TopicRequest { name, partition_indexes, .. } in &mut request.topics {
        // By reference: a name may be long, and have very many partitions.
        let name: &str = name;
        partition_indexes.retain(|index| seen.insert((name, *index)));
    }
    let topics = request.topics.iter().map(|topic| describe_topic(broker, &gate, &image, topic)).collect();
    DescribeProducersResponse { topics, ..Default::default() }
}

fn describe_topic(
    broker: &Broker,
    gate: &Gate<'_>,
    image: &MetadataImage,
    topic: &TopicRequest,
) -> TopicResponse {
    let permitted = || gate.check_topic(AclOperation::Read, &topic.name);
    let refusal = match topic_name::validate(&topic.name) {
        Err(error) => Some((ErrorCode::INVALID_TOPIC_EXCEPTION, error)),
        Ok(()) if permitted().is_err() => {
            let error = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
            Some((error, error.message().to_owned()))
        }
        Ok(()) if image.topics().by_name(&topic.name).is_none() => {
            let error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            Some((error, error.message().to_owned()))
        }
        Ok(()) => None,
    };
    let key = TopicKey::Name(topic.name.as_str().into());
    let row = |index: &i32| match &refusal {
        Some((error_code, text)) => PartitionResponse {
            partition_index: *index,
            error_code: *error_code,
            error_message: Some(text.clone()),
            ..Default::default()
        },
        None => describe_partition(broker, image, &key, *index),
    };
    let partitions = topic.partition_indexes.iter().map(row).collect();
    TopicResponse { name: topic.name.clone(), partitions, ..Default::default() }
}

fn describe_partition(
    broker: &Broker,
    image: &MetadataImage,
    key: &TopicKey,
    partition_index: i32,
) -> PartitionResponse {
    let found = broker.replicas.find(image, key, partition_index);
    let producers = found.and_then(|partition| {
        let log = partition.leader_log(None).map_err(|error| error.code())?;
        Ok(log.active_producers())
    });
    match producers {
        Err(error_code) => PartitionResponse { partition_index, error_code, ..Default::default() },
        Ok(producers) => PartitionResponse {
            partition_index,
            active_producers: producers.iter().map(state).collect(),
            ..Default::default()
        },
    }
}

fn state(producer: &ProducerStateEntry) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch.0.into(),
        last_sequence: producer.last_sequence(),
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.current_txn_first_offset.map_or(-1, |offset| offset.0),
        ..Default::default()
    }
}
