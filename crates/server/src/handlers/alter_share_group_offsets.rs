//! AlterShareGroupOffsets (key 91): an empty share group begins to read partitions elsewhere (KIP-932).
//!
//! Versions: 0–0. Kafka: `KafkaApis.handleAlterShareGroupOffsetsRequest`.

use metadata::MetadataImage;
use model::{AclOperation, Uuid};
use protocol::alter_share_group_offsets_request::{
    AlterShareGroupOffsetsRequestPartition, AlterShareGroupOffsetsRequestTopic,
};
use protocol::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use protocol::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, ErrorCode};

use super::share_group_heartbeat::is_enabled;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Moves where the group begins to read.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: AlterShareGroupOffsetsRequest,
) -> AlterShareGroupOffsetsResponse {
    if !is_enabled(broker) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        let error_message = Some(error_code.message().to_owned());
        return AlterShareGroupOffsetsResponse { error_code, error_message, ..Default::default() };
    }
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_group(AclOperation::Read, &request.group_id) {
        let error_message = Some(error_code.message().to_owned());
        return AlterShareGroupOffsetsResponse { error_code, error_message, ..Default::default() };
    }
    let (kept, refused): (Vec<_>, Vec<_>) = std::mem::take(&mut request.topics)
        .into_iter()
        .partition(|topic| gate.check_topic(AclOperation::Read, &topic.topic_name).is_ok());
    request.topics = kept;
    let mut response = broker.groups.alter_share_group_offsets(request).await;
    if response.error_code.is_none() {
        let image = broker.metadata.image();
        response.responses.extend(refused.into_iter().map(|topic| refuse(&image, topic)));
    }
    response
}

fn refuse(
    image: &MetadataImage,
    topic: AlterShareGroupOffsetsRequestTopic,
) -> AlterShareGroupOffsetsResponseTopic {
    let error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let row = |partition: AlterShareGroupOffsetsRequestPartition| AlterShareGroupOffsetsResponsePartition {
        partition_index: partition.partition_index,
        error_code,
        error_message: Some(error_code.message().to_owned()),
        ..Default::default()
    };
    AlterShareGroupOffsetsResponseTopic {
        topic_id: image.topics().id_of(&topic.topic_name).unwrap_or(Uuid::ZERO),
        topic_name: topic.topic_name,
        partitions: topic.partitions.into_iter().map(row).collect(),
        ..Default::default()
    }
}
