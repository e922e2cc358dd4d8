//! DescribeShareGroupOffsets (key 90): where share groups begin to read, and how far they lag behind (KIP-932).
//!
//! Versions: 0–1. 1 lag (KIP-1226). Without topics, all partitions are described whose state has begun.
//! Not yet: the lag of partitions that another broker leads. Kafka: `KafkaApis.handleDescribeShareGroupOffsetsRequest`.

use coordinators::share::{SharePartitionKey, ShareStateSummary};
use metadata::MetadataImage;
use model::{AclOperation, Timestamp, Uuid};
use protocol::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use protocol::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponseGroup, DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
};
use protocol::{DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse, ErrorCode};
use storage::FetchIsolation;

use super::each_once::each_once;
use super::share_group_heartbeat::is_enabled;
use crate::authorize::Gate;
use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::request::RequestContext;

/// What stands for a number that is not known. Kafka: `PartitionFactory.UNINITIALIZED_LAG`.
const UNKNOWN: i64 = -1;
/// The timestamp that asks for the end. Kafka: `ListOffsetsRequest.LATEST_TIMESTAMP`.
const LATEST: Timestamp = Timestamp(-1);

/// A topic to describe: its name, its id if it exists, and its partitions.
struct Asked {
    name: String,
    id: Option<Uuid>,
    partitions: Vec<i32>,
}

/// Describes the groups' offsets.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: DescribeShareGroupOffsetsRequest,
) -> DescribeShareGroupOffsetsResponse {
    let mut response = DescribeShareGroupOffsetsResponse::default();
    let gate = broker.gate(context);
    // Who names topics gets no more than it names.
    each_once(&mut request.groups, |group| group.topics.is_none().then(|| group.group_id.clone()));
    for group in request.groups {
        response.groups.push(describe(broker, &gate, group).await);
    }
    response
}

async fn describe(
    broker: &Broker,
    gate: &Gate<'_>,
    mut request: DescribeShareGroupOffsetsRequestGroup,
) -> DescribeShareGroupOffsetsResponseGroup {
    let group_id = request.group_id.clone();
    if !is_enabled(broker) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        return DescribeShareGroupOffsetsResponseGroup { group_id, error_code, ..Default::default() };
    }
    if let Err(error_code) = gate.check_group(AclOperation::Describe, &group_id) {
        return DescribeShareGroupOffsetsResponseGroup { group_id, error_code, ..Default::default() };
    }
    let image = broker.metadata.image();
    let (all, refused) = (request.topics.is_none(), take_refused(gate, &mut request));
    let asked = match asked(broker, &image, request).await {
        Ok(asked) => asked,
        Err(error_code) => {
            let error_message = Some(error_code.message().to_owned());
            return DescribeShareGroupOffsetsResponseGroup {
                group_id,
                error_code,
                error_message,
                ..Default::default()
            };
        }
    };
    let mut topics = Vec::with_capacity(asked.len());
    let names = asked.iter().filter(|_| all).map(|topic| topic.name.as_str());
    let permitted = gate.permitted_topics(AclOperation::Describe, names);
    for topic in asked.into_iter().filter(|topic| !all || permitted.contains(&topic.name)) {
        topics.push(describe_topic(broker, &image, &group_id, topic).await);
    }
    topics.extend(refused);
    DescribeShareGroupOffsetsResponseGroup { group_id, topics, ..Default::default() }
}

/// Takes out the topics that the asker may not know of.
fn take_refused(
    gate: &Gate<'_>,
    request: &mut DescribeShareGroupOffsetsRequestGroup,
) -> Vec<DescribeShareGroupOffsetsResponseTopic> {
    let Some(topics) = &mut request.topics else { return Vec::new() };
    let permitted =
        gate.permitted_topics(AclOperation::Describe, topics.iter().map(|topic| topic.topic_name.as_str()));
    let (kept, refused): (Vec<_>, Vec<_>) =
        std::mem::take(topics).into_iter().partition(|topic| permitted.contains(&topic.topic_name));
    *topics = kept;
    let error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    let row = |partition_index| DescribeShareGroupOffsetsResponsePartition {
        partition_index,
        start_offset: UNKNOWN,
        lag: UNKNOWN,
        error_code,
        error_message: Some(error_code.message().to_owned()),
        ..Default::default()
    };
    let topic = |topic: DescribeShareGroupOffsetsRequestTopic| DescribeShareGroupOffsetsResponseTopic {
        topic_name: topic.topic_name,
        partitions: topic.partitions.into_iter().map(row).collect(),
        ..Default::default()
    };
    refused.into_iter().map(topic).collect()
}

/// Finds out what is to be described.
async fn asked(
    broker: &Broker,
    image: &MetadataImage,
    request: DescribeShareGroupOffsetsRequestGroup,
) -> Result<Vec<Asked>, ErrorCode> {
    if let Some(topics) = request.topics {
        let (known, unknown): (Vec<_>, Vec<_>) = topics
            .into_iter()
            .map(|topic| {
                let id = image.topics().id_of(&topic.topic_name);
                Asked { name: topic.topic_name, id, partitions: topic.partitions }
            })
            .partition(|topic| topic.id.is_some());
        return Ok(known.into_iter().chain(unknown).collect());
    }
    let begun = broker.groups.share_partitions(&request.group_id).await?;
    let one = |(id, partitions): (Uuid, std::collections::BTreeSet<i32>)| {
        let name = image.topics().by_id(id)?.name().to_string();
        Some(Asked { name, id: Some(id), partitions: partitions.into_iter().collect() })
    };
    Ok(begun.into_iter().filter_map(one).collect())
}

async fn describe_topic(
    broker: &Broker,
    image: &MetadataImage,
    group: &str,
    topic: Asked,
) -> DescribeShareGroupOffsetsResponseTopic {
    let mut partitions = Vec::with_capacity(topic.partitions.len());
    for partition_index in topic.partitions {
        let mut row = DescribeShareGroupOffsetsResponsePartition {
            partition_index,
            start_offset: UNKNOWN,
            lag: UNKNOWN,
            ..Default::default()
        };
        if let Some(id) = topic.id {
            let key = SharePartitionKey::new(group, id, partition_index);
            // A state that cannot be read is as if it had not begun.
            if let Ok(summary) = broker.share_persister.read_summary(key).await {
                describe_partition(broker, image, &topic.name, &summary, &mut row);
            }
        }
        partitions.push(row);
    }
    let topic_id = topic.id.unwrap_or(Uuid::ZERO);
    DescribeShareGroupOffsetsResponseTopic {
        topic_name: topic.name,
        topic_id,
        partitions,
        ..Default::default()
    }
}

/// Kafka: `GroupCoordinatorService.computeShareGroupLagAndBuildResponse`.
fn describe_partition(
    broker: &Broker,
    image: &MetadataImage,
    topic: &str,
    summary: &ShareStateSummary,
    row: &mut DescribeShareGroupOffsetsResponsePartition,
) {
    let start = summary.start_offset.0;
    if start == UNKNOWN || summary.delivery_complete_count == -1 {
        row.start_offset = start;
        row.leader_epoch = summary.leader_epoch;
        return;
    }
    match latest_offset(broker, image, topic, row.partition_index) {
        Ok(end) => {
            row.start_offset = start;
            row.leader_epoch = summary.leader_epoch;
            row.lag = end.saturating_sub(start).saturating_sub(summary.delivery_complete_count.into());
        }
        Err(error) => {
            *row = DescribeShareGroupOffsetsResponsePartition {
                partition_index: row.partition_index,
                error_code: error,
                error_message: Some(error.message().to_owned()),
                ..Default::default()
            };
        }
    }
}

fn latest_offset(broker: &Broker, image: &MetadataImage, topic: &str, index: i32) -> Result<i64, ErrorCode> {
    let partition = broker.replicas.find(image, &TopicKey::Name(topic.into()), index)?;
    let found = partition.offset_for_timestamp(None, LATEST, FetchIsolation::HighWatermark);
    Ok(found.map_err(|error| error.code())?.map_or(UNKNOWN, |found| found.offset.0))
}
