//! AddPartitionsToTxn (key 24): partitions join a producer's transaction.
//!
//! Versions: 0–5. 2 `PRODUCER_FENCED` · 3 flexible · 4 from brokers, in batches, also to verify (KIP-890) · 5 `TRANSACTION_ABORTABLE`.
//! Kafka: `KafkaApis.handleAddPartitionsToTxnRequest`.

use std::collections::{BTreeMap, BTreeSet};

use coordinators::transaction::{Producer, TransactionVersion};
use model::TopicPartition;
use protocol::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use protocol::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use protocol::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ErrorCode};

use crate::authorize::may_act_for_the_cluster;
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
        let results_by_topic_v3_and_below =
            handle_one(broker, context.version, transaction).await.topic_results;
        return AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() };
    }
    if !may_act_for_the_cluster(context) {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
        return AddPartitionsToTxnResponse { error_code, ..Default::default() };
    }
    let mut response = AddPartitionsToTxnResponse::default();
    for transaction in request.transactions {
        response.results_by_transaction.push(handle_one(broker, context.version, transaction).await);
    }
    response
}

async fn handle_one(
    broker: &Broker,
    version: i16,
    transaction: AddPartitionsToTxnTransaction,
) -> AddPartitionsToTxnResult {
    let partitions = named(&transaction.topics);
    let image = broker.metadata.image();
    let exists = |name: &TopicPartition| image.topics().partition(&name.topic, name.partition).is_some();
    let id = transaction.transactional_id;
    if !partitions.iter().all(exists) {
        // One that does not exist keeps the others out, too.
        let verdict = |name: &TopicPartition| match exists(name) {
            true => ErrorCode::OPERATION_NOT_ATTEMPTED,
            false => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
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
