//! AddPartitionsToTxn (key 24): partitions join a producer's transaction.
//!
//! Versions: 0–5. 2 `PRODUCER_FENCED` · 3 flexible · 4 from brokers, in batches, also to verify (KIP-890) · 5 `TRANSACTION_ABORTABLE`.
//! Kafka: `KafkaApis.handleAddPartitionsToTxnRequest`.

use std::collections::{BTreeMap, BTreeSet};

use coordinators::transaction::{Producer, TransactionVersion};
use model::{AclOperation, TopicPartition, topic_name};
use protocol::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use protocol::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use protocol::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ErrorCode};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Adds or verifies the partitions of each transaction.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if context.version < 4 {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id,
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            topics: request.v3_and_below_topics,
            ..Default::default()
        };
        let results_by_topic_v3_and_below = handle_one(broker, context, transaction).await.topic_results;
        return AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() };
    }
    if !broker.gate(context).may_act_for_the_cluster() {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
        return AddPartitionsToTxnResponse { error_code, ..Default::default() };
    }
    let mut response = AddPartitionsToTxnResponse::default();
    for transaction in request.transactions {
        response.results_by_transaction.push(handle_one(broker, context, transaction).await);
    }
    response
}

async fn handle_one(
    broker: &Broker,
    context: &RequestContext,
    transaction: AddPartitionsToTxnTransaction,
) -> AddPartitionsToTxnResult {
    let partitions = named(&transaction.topics);
    let image = broker.metadata.image();
    let exists = |name: &TopicPartition| image.topics().partition(&name.topic, name.partition).is_some();
    let id = transaction.transactional_id;
    let version = context.version;
    let permitted = match permitted(broker, context, &id, &partitions) {
        Ok(permitted) => permitted,
        Err(error) => return result(id, partitions.into_iter().map(|name| (name, error))),
    };
    let may_write = |name: &TopicPartition| permitted.as_ref().is_none_or(|topics| topics(&name.topic));
    if !partitions.iter().all(|name| may_write(name) && exists(name)) {
        // One that does not exist, or may not be written, keeps the others out, too.
        let verdict = |name: &TopicPartition| match (may_write(name), exists(name)) {
            (false, _) => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            (true, false) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            (true, true) => ErrorCode::OPERATION_NOT_ATTEMPTED,
        };
        return result(id, partitions.into_iter().map(|name| (name.clone(), verdict(&name))));
    }
    let producer = Producer { id: transaction.producer_id.into(), epoch: transaction.producer_epoch.into() };
    if transaction.verify_only {
        let verdicts = broker.transactions.verify_partitions(&id, producer, partitions).await;
        return result(id, verdicts.into_iter());
    }
    // Kafka: `TransactionVersion.transactionVersionForAddPartitionsToTxn`.
    let level = TransactionVersion(if version > 3 { 2 } else { 0 });
    let added = broker.transactions.add_partitions(&id, producer, partitions.clone(), level).await;
    let error = match added {
        Ok(()) => ErrorCode::NONE,
        // Older clients do not know the newer error.
        Err(ErrorCode::PRODUCER_FENCED) if version < 2 => ErrorCode::INVALID_PRODUCER_EPOCH,
        Err(error) => error,
    };
    result(id, partitions.into_iter().map(|name| (name, error)))
}

/// Tells which topics a client may add; other brokers have asked already, for which there is none.
fn permitted(
    broker: &Broker,
    context: &RequestContext,
    transactional_id: &str,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<Option<impl Fn(&str) -> bool + use<>>, ErrorCode> {
    if context.version >= 4 {
        return Ok(None);
    }
    let gate = broker.gate(context);
    gate.check_transactional_id(AclOperation::Write, transactional_id)?;
    let names = partitions.iter().map(|name| &*name.topic).filter(|name| !topic_name::is_internal(name));
    let permitted = gate.permitted_topics(AclOperation::Write, names);
    Ok(Some(move |name: &str| !topic_name::is_internal(name) && permitted.contains(name)))
}

fn named(topics: &[AddPartitionsToTxnTopic]) -> BTreeSet<TopicPartition> {
    let of_topic = |topic: &AddPartitionsToTxnTopic| {
        let name: std::sync::Arc<str> = topic.name.as_str().into();
        topic.partitions.clone().into_iter().map(move |index| TopicPartition::new(name.clone(), index))
    };
    topics.iter().flat_map(of_topic).collect()
}

fn result(
    transactional_id: String,
    verdicts: impl Iterator<Item = (TopicPartition, ErrorCode)>,
) -> AddPartitionsToTxnResult {
    let mut topics: BTreeMap<String, Vec<AddPartitionsToTxnPartitionResult>> = BTreeMap::new();
    for (name, partition_error_code) in verdicts {
        topics.entry(name.topic.to_string()).or_default().push(AddPartitionsToTxnPartitionResult {
            partition_index: name.partition,
            partition_error_code,
            ..Default::default()
        });
    }
    let topic = |(name, results_by_partition)| AddPartitionsToTxnTopicResult {
        name,
        results_by_partition,
        ..Default::default()
    };
    let topic_results = topics.into_iter().map(topic).collect();
    AddPartitionsToTxnResult { transactional_id, topic_results, ..Default::default() }
}
