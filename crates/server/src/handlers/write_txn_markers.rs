//! WriteTxnMarkers (key 27): a transaction coordinator, or an administrator, ends transactions in partitions led here.
//!
//! Versions: 1–2. 1 flexible · 2 transaction version (KIP-1228). Kafka: `KafkaApis.handleWriteTxnMarkersRequest`.

use controller::CLUSTER_NAME;
use coordinators::transaction::Producer;
use model::{AclOperation, AclResourceType, TopicPartition};
use protocol::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use protocol::{ErrorCode, WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use crate::broker::Broker;
use crate::broker::transaction_markers::{Marker, write_marker};
use crate::request::RequestContext;

/// Writes each marker to each of its partitions.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let mut response = WriteTxnMarkersResponse::default();
    let gate = broker.gate(context);
    if !gate.may_quietly(AclOperation::Alter, AclResourceType::Cluster, CLUSTER_NAME)
        && let Err(error) = gate.check_cluster_action()
    {
        response.markers = request.markers.into_iter().map(|marker| refuse(marker, error)).collect();
        return response;
    }
    for marker in request.markers {
        response.markers.push(write(broker, marker).await);
    }
    response
}

fn refuse(marker: WritableTxnMarker, error_code: ErrorCode) -> WritableTxnMarkerResult {
    let row = |partition_index| WritableTxnMarkerPartitionResult {
        partition_index,
        error_code,
        ..Default::default()
    };
    let topic = |topic: WritableTxnMarkerTopic| WritableTxnMarkerTopicResult {
        name: topic.name,
        partitions: topic.partition_indexes.into_iter().map(row).collect(),
        ..Default::default()
    };
    let topics = marker.topics.into_iter().map(topic).collect();
    WritableTxnMarkerResult { producer_id: marker.producer_id, topics, ..Default::default() }
}

async fn write(broker: &Broker, request: WritableTxnMarker) -> WritableTxnMarkerResult {
    let marker = Marker {
        producer: Producer { id: request.producer_id.into(), epoch: request.producer_epoch.into() },
        coordinator_epoch: request.coordinator_epoch,
        commit: request.transaction_result,
    };
    let mut topics = Vec::new();
    for topic in request.topics {
        topics.push(write_topic(broker, topic, marker).await);
    }
    WritableTxnMarkerResult { producer_id: request.producer_id, topics, ..Default::default() }
}

async fn write_topic(
    broker: &Broker,
    topic: WritableTxnMarkerTopic,
    marker: Marker,
) -> WritableTxnMarkerTopicResult {
    let mut partitions = Vec::new();
    for partition_index in topic.partition_indexes {
        let name = TopicPartition::new(topic.name.as_str(), partition_index);
        let error_code = match marker.producer.id.0 < 0 || marker.producer.epoch.0 < 0 {
            // A batch of no producer would end nobody's transaction. Kafka's builder of batches throws, which it tells as -1.
            true => ErrorCode::INVALID_REQUEST,
            false => write_marker(broker, &name, marker).await.err().unwrap_or(ErrorCode::NONE),
        };
        partitions.push(WritableTxnMarkerPartitionResult {
            partition_index,
            error_code,
            ..Default::default()
        });
    }
    WritableTxnMarkerTopicResult { name: topic.name, partitions, ..Default::default() }
}
