//! OffsetFetch (key 9): the offsets that groups have committed.
//!
//! Versions: 1–10. 2 all topics · 5 leader epochs · 6 flexible · 7 stable offsets · 8 several groups (KIP-709) ·
//! 9 consumer groups (KIP-848) · 10 topic ids. Kafka: `KafkaApis.handleOffsetFetchRequest`.

use coordinator::{offset_fetch_groups, offset_fetch_response};
use metadata::MetadataImage;
use model::{AclOperation, Uuid};
use protocol::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use protocol::{ErrorCode, OffsetFetchRequest, OffsetFetchResponse};

use super::each_once::each_once;
use crate::authorize::Gate;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Looks up each group's offsets.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let require_stable = request.require_stable;
    let mut groups = Vec::new();
    let mut asked = offset_fetch_groups(request, context.version);
    // Who names topics gets no more than it names.
    each_once(&mut asked, |group| group.topics.is_none().then(|| group.group_id.clone()));
    for group in asked {
        groups.push(fetch_group(broker, context, group, require_stable).await);
    }
    offset_fetch_response(groups, context.version)
}

async fn fetch_group(
    broker: &Broker,
    context: &RequestContext,
    mut group: OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_group(AclOperation::Describe, &group.group_id) {
        let topics = match context.version {
            // The versions before have no place for a group's error but its partitions.
            ..2 => group.topics.iter().flatten().map(|topic| refused_topic(topic, error_code)).collect(),
            _ => Vec::new(),
        };
        return OffsetFetchResponseGroup {
            group_id: group.group_id,
            error_code,
            topics,
            ..Default::default()
        };
    }
    let by_id = context.version >= 10;
    let image = broker.metadata.image();
    let mut refused = if by_id { name_topics(&image, &mut group) } else { Vec::new() };
    let all = group.topics.is_none();
    refused.extend(take_refused(&gate, &mut group));
    let mut fetched = broker.groups.fetch_offsets(&context.client(), group, require_stable).await;
    if fetched.error_code.is_none() {
        if all {
            let names = fetched.topics.iter().map(|topic| topic.name.as_str());
            let permitted = gate.permitted_topics(AclOperation::Describe, names);
            fetched.topics.retain(|topic| permitted.contains(&topic.name));
        }
        if by_id {
            name_by_id(&image, &mut fetched.topics);
        }
        fetched.topics.extend(refused);
    }
    fetched
}

/// Takes out the topics whose offsets the asker may not know.
fn take_refused(gate: &Gate<'_>, group: &mut OffsetFetchRequestGroup) -> Vec<OffsetFetchResponseTopics> {
    let Some(topics) = &mut group.topics else { return Vec::new() };
    let names = topics.iter().map(|topic| topic.name.as_str());
    let permitted = gate.permitted_topics(AclOperation::Describe, names);
    let (kept, refused): (Vec<_>, Vec<_>) =
        std::mem::take(topics).into_iter().partition(|topic| permitted.contains(&topic.name));
    *topics = kept;
    refused.iter().map(|topic| refused_topic(topic, ErrorCode::TOPIC_AUTHORIZATION_FAILED)).collect()
}

/// Gives the topics their names; those without one are answered here.
fn name_topics(image: &MetadataImage, group: &mut OffsetFetchRequestGroup) -> Vec<OffsetFetchResponseTopics> {
    let Some(topics) = &mut group.topics else { return Vec::new() };
    let (known, unknown): (Vec<_>, Vec<_>) =
        std::mem::take(topics).into_iter().partition(|topic| image.topics().by_id(topic.topic_id).is_some());
    *topics = known;
    for topic in topics {
        topic.name =
            image.topics().by_id(topic.topic_id).map_or_else(String::new, |known| known.name().to_string());
    }
    unknown.iter().map(|topic| refused_topic(topic, ErrorCode::UNKNOWN_TOPIC_ID)).collect()
}

/// Answers by id alone; topics that have gone since their offsets were committed are left out.
fn name_by_id(image: &MetadataImage, topics: &mut Vec<OffsetFetchResponseTopics>) {
    for topic in topics.iter_mut() {
        if topic.topic_id == Uuid::ZERO {
            topic.topic_id = image.topics().id_of(&topic.name).unwrap_or(Uuid::ZERO);
        }
        topic.name.clear();
    }
    topics.retain(|topic| topic.topic_id != Uuid::ZERO);
}

fn refused_topic(topic: &OffsetFetchRequestTopics, error_code: ErrorCode) -> OffsetFetchResponseTopics {
    let row = |partition_index: &i32| OffsetFetchResponsePartitions {
        partition_index: *partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code,
        ..Default::default()
    };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(row).collect(),
        ..Default::default()
    }
}
