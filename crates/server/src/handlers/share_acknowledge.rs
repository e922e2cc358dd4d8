//! ShareAcknowledge (key 79): a member of a share group says what became of the records that it acquired.
//!
//! Versions: 1–2. 1 the first · 2 renewals of locks (KIP-1222).
//! Kafka: `KafkaApis.handleShareAcknowledgeRequest`.

use protocol::share_acknowledge_response::{PartitionData, ShareAcknowledgeTopicResponse};
use protocol::{ErrorCode, ShareAcknowledgeRequest, ShareAcknowledgeResponse};

use super::current_leaders::{add_endpoint, current_leader};
use super::share_acknowledgements::{
    AcknowledgedPartition, Acknowledgements, by_topic, is_moved, lock_timeout_ms, readable, session_key,
};
use super::share_fetch::close;
use crate::broker::Broker;
use crate::broker::share_sessions::{FINAL_EPOCH, ShareTarget};
use crate::request::RequestContext;

/// Acknowledges.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ShareAcknowledgeRequest,
) -> ShareAcknowledgeResponse {
    let answer = answer(broker, context, &request).await;
    answer.unwrap_or_else(|error_code| ShareAcknowledgeResponse { error_code, ..Default::default() })
}

async fn answer(
    broker: &Broker,
    context: &RequestContext,
    request: &ShareAcknowledgeRequest,
) -> Result<ShareAcknowledgeResponse, ErrorCode> {
    let image = broker.metadata.image();
    let gate = broker.gate(context);
    let key = session_key(&image, &gate, request.group_id.as_deref(), request.member_id.as_deref())?;
    broker.share_sessions.begin_acknowledge(&key, request.share_session_epoch)?;
    let renews = context.version >= 2 && request.is_renew_ack;
    let readable = readable(&gate, &image, partitions(request).map(|(target, _)| target));
    let acknowledgements =
        Acknowledgements::check(&image, &readable, partitions(request), context.version >= 2, renews);
    let rows = acknowledgements.apply(broker, &key).await;
    let acquisition_lock_timeout_ms = lock_timeout_ms(broker, &key);
    if request.share_session_epoch == FINAL_EPOCH {
        close(broker, &key);
    }
    let mut response = ShareAcknowledgeResponse { acquisition_lock_timeout_ms, ..Default::default() };
    let image = broker.metadata.image();
    let mut partitions = Vec::with_capacity(rows.len());
    for (target, error_code, error_message) in rows {
        let mut row = PartitionData {
            partition_index: target.partition,
            error_code,
            error_message,
            ..Default::default()
        };
        if is_moved(error_code) {
            let topic = image.topics().by_id(target.topic_id);
            row.current_leader = current_leader(topic, target.partition);
            let leader = row.current_leader.leader_id;
            add_endpoint(&mut response.node_endpoints, &image, leader, &context.listener.name);
        }
        partitions.push((target, row));
    }
    let topic =
        |(topic_id, partitions)| ShareAcknowledgeTopicResponse { topic_id, partitions, ..Default::default() };
    response.responses = by_topic(partitions).into_iter().map(topic).collect();
    Ok(response)
}

fn partitions(request: &ShareAcknowledgeRequest) -> impl Iterator<Item = AcknowledgedPartition> {
    request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let target = ShareTarget { topic_id: topic.topic_id, partition: partition.partition_index };
            let batches = partition.acknowledgement_batches.iter();
            let batches =
                batches.map(|batch| (batch.first_offset, batch.last_offset, batch.acknowledge_types.clone()));
            (target, batches.collect())
        })
    })
}
