//! AddOffsetsToTxn (key 25): a group's offsets join a producer's transaction.
//!
//! Versions: 0–4. 2 `PRODUCER_FENCED` · 3 flexible · 4 `TRANSACTION_ABORTABLE`.
//! Kafka: `KafkaApis.handleAddOffsetsToTxnRequest`.

use std::collections::BTreeSet;

use coordinators::transaction::{Producer, TransactionVersion};
use model::{AclOperation, TopicPartition, topic_name};
use protocol::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, ErrorCode};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Adds the partition of `__consumer_offsets` that holds the group's offsets.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let gate = broker.gate(context);
    let checked = gate
        .check_transactional_id(AclOperation::Write, &request.transactional_id)
        .and_then(|()| gate.check_group(AclOperation::Read, &request.group_id));
    if let Err(error_code) = checked {
        return AddOffsetsToTxnResponse { error_code, ..Default::default() };
    }
    let partition =
        TopicPartition::new(topic_name::CONSUMER_OFFSETS, broker.groups.partition_for(&request.group_id));
    let producer = Producer { id: request.producer_id.into(), epoch: request.producer_epoch.into() };
    let partitions = BTreeSet::from([partition]);
    let level = TransactionVersion(0);
    let added =
        broker.transactions.add_partitions(&request.transactional_id, producer, partitions, level).await;
    let error_code = match added {
        Ok(()) => ErrorCode::NONE,
        // Older clients do not know the newer error.
        Err(ErrorCode::PRODUCER_FENCED) if context.version < 2 => ErrorCode::INVALID_PRODUCER_EPOCH,
        Err(error) => error,
    };
    AddOffsetsToTxnResponse { error_code, ..Default::default() }
}
