//! OffsetDelete (key 47): forgets a group's offsets of topics that it no longer reads.
//!
//! Versions: 0. Kafka: `KafkaApis.handleOffsetDeleteRequest`.

use model::AclOperation;
use protocol::offset_delete_request::OffsetDeleteRequestTopic;
use protocol::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::{ErrorCode, OffsetDeleteRequest, OffsetDeleteResponse};

use super::refused_topics::merge;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Deletes offsets of partitions that exist; the others get their own errors.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_group(AclOperation::Delete, &request.group_id) {
        return OffsetDeleteResponse { error_code, ..Default::default() };
    }
    let names = request.topics.iter().map(|topic| topic.name.as_str());
    let permitted = gate.permitted_topics(AclOperation::Read, names);
    let image = broker.metadata.image();
    let mut refused = Vec::new();
    for topic in &mut request.topics {
        if !permitted.contains(&topic.name) {
            let indexes = std::mem::take(&mut topic.partitions).into_iter().map(|row| row.partition_index);
            refused.push(refuse(&topic.name, indexes, ErrorCode::TOPIC_AUTHORIZATION_FAILED));
            continue;
        }
        let exists = |index: i32| image.topics().partition(&topic.name, index).is_some();
        let (known, unknown): (Vec<_>, Vec<_>) =
            std::mem::take(&mut topic.partitions).into_iter().partition(|row| exists(row.partition_index));
        topic.partitions = known;
        if !unknown.is_empty() {
            let indexes = unknown.iter().map(|row| row.partition_index);
            refused.push(refuse(&topic.name, indexes, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        }
    }
    request.topics.retain(|topic: &OffsetDeleteRequestTopic| !topic.partitions.is_empty());
    let mut response = broker.groups.delete_offsets(request).await;
    if response.error_code.is_none() {
        let name = |topic: &OffsetDeleteResponseTopic| topic.name.clone();
        merge(&mut response.topics, refused, name, |topic, row| topic.partitions.extend(row.partitions));
    }
    response
}

fn refuse(
    name: &str,
    partitions: impl Iterator<Item = i32>,
    error_code: ErrorCode,
) -> OffsetDeleteResponseTopic {
    let row =
        |partition_index| OffsetDeleteResponsePartition { partition_index, error_code, ..Default::default() };
    OffsetDeleteResponseTopic {
        name: name.to_owned(),
        partitions: partitions.map(row).collect(),
        ..Default::default()
    }
}
