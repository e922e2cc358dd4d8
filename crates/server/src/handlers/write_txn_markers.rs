//! WriteTxnMarkers (key 27): a transaction coordinator, or an administrator, ends transactions in partitions led here.
//!
//! Versions: 1–2. 1 flexible · 2 transaction version (KIP-1228). Kafka: `KafkaApis.handleWriteTxnMarkersRequest`.

use coordinators::transaction::Producer;
use model::TopicPartition;
use protocol::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use protocol::{ErrorCode, WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use crate::broker::Broker;
use crate::broker::transaction_markers::{Marker, write_marker};

/// Writes each marker to each of its partitions.
pub async fn handle(broker: &Broker, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut response = WriteTxnMarkersResponse::default();
    for marker in request.markers {
        response.markers.push(write(broker, marker).await);
    }
    response
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
        let error_code = write_marker(broker, &name, marker).await.err().unwrap_or(ErrorCode::NONE);
        partitions.push(WritableTxnMarkerPartitionResult {
            partition_index,
            error_code,
            ..Default::default()
        });
    }
    WritableTxnMarkerTopicResult { name: topic.name, partitions, ..Default::default() }
}
