//! OffsetCommit (key 8): keeps a group's offsets.
//!
//! Versions: 2–10. 5 no retention time · 6 leader epochs · 7 static members · 8 flexible · 9 consumer groups (KIP-848) ·
//! 10 topic ids. Kafka: `KafkaApis.handleOffsetCommitRequest`.

use std::sync::Arc;

use coordinator::ClientContext;
use metadata::MetadataImage;
use model::AclOperation;
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::{ErrorCode, OffsetCommitRequest, OffsetCommitResponse};

use super::refused_topics::merge;
use crate::authorize::Permitted;
use crate::broker::Broker;
use crate::dispatch::Answer;
use crate::request::RequestContext;

/// The first version that names topics by their ids.
const FIRST_BY_ID: i16 = 10;

/// Commits the offsets of topics and partitions that exist; the others get their own errors.
///
/// Looked at once, the answer has had the offsets appended; commits that follow on the connection need not wait for it.
pub fn handle(broker: &Arc<Broker>, context: &RequestContext, mut request: OffsetCommitRequest) -> Answer {
    let gate = broker.gate(context);
    if let Err(error) = gate.check_group(AclOperation::Read, &request.group_id) {
        let topics = request.topics.iter().map(|topic| refuse(topic, &topic.partitions, error)).collect();
        return OffsetCommitResponse { topics, ..Default::default() }.into();
    }
    if context.version >= FIRST_BY_ID {
        let image = broker.metadata.image();
        request.topics.iter_mut().for_each(|topic| name_by_id(&image, topic));
    }
    let by_id = context.version >= FIRST_BY_ID;
    let names = request.topics.iter().map(|topic| topic.name.as_str());
    // Without a name is a topic whose id is unknown.
    let named = names.filter(|name| !by_id || !name.is_empty());
    let permitted = gate.permitted_topics(AclOperation::Read, named);
    let (broker, client) = (broker.clone(), context.client());
    Answer::Later(Box::pin(async move { commit(&broker, &client, &permitted, request).await.into() }))
}

async fn commit(
    broker: &Broker,
    client: &ClientContext,
    permitted: &Permitted,
    mut request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let image = broker.metadata.image();
    let by_id = client.api_version >= FIRST_BY_ID;
    let mut refused = Vec::new();
    let mut known = Vec::new();
    for mut topic in std::mem::take(&mut request.topics) {
        match resolve(&image, permitted, &topic, by_id) {
            Ok(()) => {
                refused.extend(take_unknown_partitions(&image, &mut topic, by_id));
                if !topic.partitions.is_empty() {
                    known.push(topic);
                }
            }
            Err(error) => {
                let mut row = refuse(&topic, &topic.partitions, error);
                if by_id {
                    row.name.clear();
                }
                refused.push(row);
            }
        }
    }
    if known.is_empty() && !refused.is_empty() {
        return OffsetCommitResponse { topics: refused, ..Default::default() };
    }
    drop(image);
    request.topics = known;
    let mut response = broker.groups.commit_offsets(client, request).await;
    if by_id {
        response.topics.iter_mut().for_each(|topic| topic.name.clear());
    }
    let key = |topic: &OffsetCommitResponseTopic| (topic.name.clone(), topic.topic_id);
    merge(&mut response.topics, refused, key, |topic, row| topic.partitions.extend(row.partitions));
    response
}

/// Gives a topic its name; none to one that is not there.
fn name_by_id(image: &MetadataImage, topic: &mut OffsetCommitRequestTopic) {
    let known = image.topics().by_id(topic.topic_id);
    topic.name = known.map_or_else(String::new, |known| known.name().to_string());
}

/// Checks that a topic is there and that offsets may be committed for it.
fn resolve(
    image: &MetadataImage,
    permitted: &Permitted,
    topic: &OffsetCommitRequestTopic,
    by_id: bool,
) -> Result<(), ErrorCode> {
    if by_id && topic.name.is_empty() {
        return Err(ErrorCode::UNKNOWN_TOPIC_ID);
    }
    if !permitted.contains(&topic.name) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    image.topics().by_name(&topic.name).map(|_| ()).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

fn take_unknown_partitions(
    image: &MetadataImage,
    topic: &mut OffsetCommitRequestTopic,
    by_id: bool,
) -> Option<OffsetCommitResponseTopic> {
    let exists = |row: &OffsetCommitRequestPartition| {
        image.topics().partition(&topic.name, row.partition_index).is_some()
    };
    let (known, unknown): (Vec<_>, Vec<_>) =
        std::mem::take(&mut topic.partitions).into_iter().partition(exists);
    topic.partitions = known;
    let mut row = refuse(topic, &unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    if by_id {
        row.name.clear();
    }
    (!unknown.is_empty()).then_some(row)
}

fn refuse(
    topic: &OffsetCommitRequestTopic,
    partitions: &[OffsetCommitRequestPartition],
    error_code: ErrorCode,
) -> OffsetCommitResponseTopic {
    let row = |partition: &OffsetCommitRequestPartition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code,
        ..Default::default()
    };
    OffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.iter().map(row).collect(),
        ..Default::default()
    }
}
