//! TxnOffsetCommit (key 28): a group's offsets, which count when the producer's transaction commits.
//!
//! Versions: 0–5. 2 leader epochs · 3 group metadata, flexible (KIP-447) · 4 `TRANSACTION_ABORTABLE` ·
//! 5 without AddOffsetsToTxn (KIP-890).
//! Not yet: 6, topic ids (KIP-1319), which 4.3 does not have.
//! Kafka: `KafkaApis.handleTxnOffsetCommitRequest`, `GroupCoordinatorService.commitTransactionalOffsets`.

use std::collections::BTreeSet;

use coordinators::transaction::Producer;
use metadata::MetadataImage;
use model::{AclOperation, TopicPartition, topic_name};
use protocol::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic};
use protocol::{ErrorCode, TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::refused_topics::merge;
use crate::broker::Broker;
use crate::broker::transaction_admission::{TransactionOperation, admit};
use crate::request::RequestContext;

/// Commits the offsets of partitions that exist, once the group's partition takes part in the transaction.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let image = broker.metadata.image();
    let gate = broker.gate(context);
    let checked = gate
        .check_transactional_id(AclOperation::Write, &request.transactional_id)
        .and_then(|()| gate.check_group(AclOperation::Read, &request.group_id));
    if let Err(error) = checked {
        let topics = request.topics.iter().map(|topic| refuse(topic, &topic.partitions, error)).collect();
        return TxnOffsetCommitResponse { topics, ..Default::default() };
    }
    let names = request.topics.iter().map(|topic| topic.name.as_str());
    let permitted = gate.permitted_topics(AclOperation::Read, names);
    let take = |topic: &mut TxnOffsetCommitRequestTopic| match permitted.contains(&topic.name) {
        true => take_unknown(&image, topic),
        false => {
            let row = refuse(topic, &topic.partitions, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
            topic.partitions.clear();
            Some(row)
        }
    };
    let refused: Vec<_> = request.topics.iter_mut().filter_map(take).collect();
    request.topics.retain(|topic| !topic.partitions.is_empty());
    let mut response = match request.topics.is_empty() {
        true => TxnOffsetCommitResponse::default(),
        false => commit(broker, context.version, request).await,
    };
    let name = |topic: &TxnOffsetCommitResponseTopic| topic.name.clone();
    merge(&mut response.topics, refused, name, |topic, row| topic.partitions.extend(row.partitions));
    response
}

async fn commit(broker: &Broker, version: i16, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let group =
        TopicPartition::new(topic_name::CONSUMER_OFFSETS, broker.groups.partition_for(&request.group_id));
    let producer = Producer { id: request.producer_id.into(), epoch: request.producer_epoch.into() };
    let operation = TransactionOperation::of_txn_offset_commit(version);
    let partitions = BTreeSet::from([group]);
    let refused = admit(broker, &request.transactional_id, producer, partitions, operation).await;
    match refused.into_values().next() {
        None => broker.groups.commit_transactional_offsets(request).await,
        Some(error) => {
            let error = as_commit_error(error);
            let topics = request.topics.iter().map(|topic| refuse(topic, &topic.partitions, error)).collect();
            TxnOffsetCommitResponse { topics, ..Default::default() }
        }
    }
}

/// What the client is told of a transaction coordinator that cannot answer now.
/// Kafka: `CoordinatorOperationExceptionHelper.handleOperationException`.
fn as_commit_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::NETWORK_EXCEPTION | ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        }
        other => other,
    }
}

fn take_unknown(
    image: &MetadataImage,
    topic: &mut TxnOffsetCommitRequestTopic,
) -> Option<TxnOffsetCommitResponseTopic> {
    let exists = |row: &TxnOffsetCommitRequestPartition| {
        image.topics().partition(&topic.name, row.partition_index).is_some()
    };
    let (known, unknown): (Vec<_>, Vec<_>) =
        std::mem::take(&mut topic.partitions).into_iter().partition(exists);
    topic.partitions = known;
    let row = refuse(topic, &unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    (!unknown.is_empty()).then_some(row)
}

fn refuse(
    topic: &TxnOffsetCommitRequestTopic,
    partitions: &[TxnOffsetCommitRequestPartition],
    error_code: ErrorCode,
) -> TxnOffsetCommitResponseTopic {
    let row = |partition: &TxnOffsetCommitRequestPartition| TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code,
        ..Default::default()
    };
    TxnOffsetCommitResponseTopic {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.iter().map(row).collect(),
        ..Default::default()
    }
}
