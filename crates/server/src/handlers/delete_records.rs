//! DeleteRecords (key 21): moves the start of partitions on, so that what lies before is gone.
//!
//! Versions: 0–2. 2 flexible. Kafka: `KafkaApis.handleDeleteRecordsRequest`, `ReplicaManager.deleteRecords`.

use config::LogConfig;
use metadata::MetadataImage;
use model::{AclOperation, Offset, topic_name};
use protocol::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use protocol::{DeleteRecordsRequest, DeleteRecordsResponse, ErrorCode};

use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::request::RequestContext;

/// The offset that stands for the high watermark. Kafka: `DeleteRecordsRequest.HIGH_WATERMARK`.
const HIGH_WATERMARK: i64 = -1;

/// Moves each partition's start; with this broker as the only replica, there is nobody to wait for.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let image = broker.metadata.image();
    let names = request.topics.iter().map(|topic| topic.name.as_str());
    let permitted = broker.gate(context).permitted_topics(AclOperation::Delete, names);
    let topic =
        |topic: &DeleteRecordsTopic| delete_in_topic(broker, &image, topic, permitted.contains(&topic.name));
    let topics = request.topics.iter().map(topic).collect();
    DeleteRecordsResponse { topics, ..Default::default() }
}

fn delete_in_topic(
    broker: &Broker,
    image: &MetadataImage,
    topic: &DeleteRecordsTopic,
    permitted: bool,
) -> DeleteRecordsTopicResult {
    let row = |asked: &DeleteRecordsPartition| {
        let deleted = match permitted {
            true => delete_one(broker, image, &topic.name, asked),
            false => Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        };
        DeleteRecordsPartitionResult {
            partition_index: asked.partition_index,
            low_watermark: deleted.map_or(-1, |start| start.0),
            error_code: deleted.err().unwrap_or(ErrorCode::NONE),
            ..Default::default()
        }
    };
    let partitions = topic.partitions.iter().map(row).collect();
    DeleteRecordsTopicResult { name: topic.name.clone(), partitions, ..Default::default() }
}

/// Returns the partition's start afterwards, which is never past the high watermark.
fn delete_one(
    broker: &Broker,
    image: &MetadataImage,
    topic: &str,
    asked: &DeleteRecordsPartition,
) -> Result<Offset, ErrorCode> {
    if topic_name::is_internal(topic) && image.topics().partition(topic, asked.partition_index).is_some() {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let partition = broker.replicas.find(image, &TopicKey::Name(topic.into()), asked.partition_index)?;
    let log = partition.leader_log(None).map_err(|error| error.code())?;
    if !deletes_records(&log.config()) {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let start = match asked.offset {
        HIGH_WATERMARK => log.high_watermark(),
        offset if offset < 0 => return Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        offset => Offset(offset),
    };
    let moved = log.maybe_increment_log_start_offset(start, "client delete records request");
    moved.map_err(|error| error.code())?;
    Ok(log.log_start_offset())
}

/// Only topics from which records are deleted let clients delete them. Kafka: `Partition.deleteRecordsOnLeader`.
fn deletes_records(config: &LogConfig) -> bool {
    config.cleanup_policy.delete || !config.cleanup_policy.compact
}
