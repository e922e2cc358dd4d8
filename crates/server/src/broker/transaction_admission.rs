//! Before transactional records are appended: does the transaction coordinator know that the partition takes part?
//!
//! A producer at level 1 has told it by AddPartitionsToTxn, and is only asked after. At level 2 the first records to a
//! partition add it (KIP-890). A partition whose log already holds records of the transaction needs no question.
//!
//! Not yet: a coordinator on another broker.
//! Kafka: `ReplicaManager.maybeSendPartitionsToTransactionCoordinator`, `AddPartitionsToTxnManager`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coordinators::transaction::{Producer, TransactionVersion};
use model::TopicPartition;
use protocol::ErrorCode;

use crate::broker::Broker;

/// What the version of a request lets the coordinator be asked, and the client be told.
/// Kafka: `TransactionSupportedOperation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionOperation {
    /// Asks after partitions; the client does not know `TRANSACTION_ABORTABLE`.
    Verify,
    /// Asks after partitions.
    VerifyAbortable,
    /// Adds partitions.
    Add,
}

impl TransactionOperation {
    /// The operation of a Produce request. Kafka: `produceRequestVersionToTransactionSupportedOperation`.
    pub fn of_produce(version: i16) -> Self {
        match version {
            12.. => Self::Add,
            11 => Self::VerifyAbortable,
            _ => Self::Verify,
        }
    }

    /// The operation of a TxnOffsetCommit request. Kafka: `txnOffsetCommitRequestVersionToTransactionSupportedOperation`.
    pub fn of_txn_offset_commit(version: i16) -> Self {
        match version {
            5.. => Self::Add,
            4 => Self::VerifyAbortable,
            _ => Self::Verify,
        }
    }
}

/// Asks the coordinator, and returns what it refuses, as a producer of the request's version understands it.
pub async fn admit(
    broker: &Broker,
    transactional_id: &str,
    producer: Producer,
    partitions: BTreeSet<TopicPartition>,
    operation: TransactionOperation,
) -> BTreeMap<TopicPartition, ErrorCode> {
    let began = broker.clock.monotonic();
    let refused = ask(broker, transactional_id, producer, partitions, operation).await;
    let metrics = &broker.metrics.transactions;
    metrics.verification_times.observe(broker.clock.monotonic().saturating_sub(began));
    metrics.refused(refused.len());
    refused
}

async fn ask(
    broker: &Broker,
    transactional_id: &str,
    producer: Producer,
    partitions: BTreeSet<TopicPartition>,
    operation: TransactionOperation,
) -> BTreeMap<TopicPartition, ErrorCode> {
    if operation == TransactionOperation::Add {
        return match add(broker, transactional_id, producer, &partitions).await {
            Ok(()) => BTreeMap::new(),
            Err(error) => {
                partitions.into_iter().map(|partition| (partition, translated(error, operation))).collect()
            }
        };
    }
    let verdicts = broker.transactions.verify_partitions(transactional_id, producer, partitions).await;
    let refused = verdicts.into_iter().filter(|(_, error)| error.is_error());
    refused.map(|(partition, error)| (partition, translated(error, operation))).collect()
}

/// The transaction before may still be ending, which takes a moment: the producer need not hear of it.
/// Kafka: `ReplicaManager.handleProduceAppend`, `add.partitions.to.txn.retry.backoff.ms`.
async fn add(
    broker: &Broker,
    transactional_id: &str,
    producer: Producer,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<(), ErrorCode> {
    let config = broker.config();
    let millis = |ms: i32| Duration::from_millis(ms.max(0) as u64);
    let backoff = millis(config.transactions.add_partitions_to_txn_retry_backoff_ms);
    let give_up =
        broker.clock.monotonic() + millis(config.transactions.add_partitions_to_txn_retry_backoff_max_ms);
    loop {
        let level = TransactionVersion(2);
        let added =
            broker.transactions.add_partitions(transactional_id, producer, partitions.clone(), level).await;
        if added != Err(ErrorCode::CONCURRENT_TRANSACTIONS) || broker.clock.monotonic() >= give_up {
            return added;
        }
        tokio::time::sleep(backoff).await;
    }
}

/// Kafka: `AddPartitionsToTxnHandler.onComplete`.
fn translated(error: ErrorCode, operation: TransactionOperation) -> ErrorCode {
    match error {
        ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
        ErrorCode::TRANSACTION_ABORTABLE if operation == TransactionOperation::Verify => {
            ErrorCode::INVALID_TXN_STATE
        }
        other => other,
    }
}

/// What a produce request is told of a coordinator that cannot answer now: something that makes it try again without
/// looking for another leader. Kafka: `ReplicaManager.handleProduceAppend`.
pub fn as_produce_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::CONCURRENT_TRANSACTIONS
        | ErrorCode::NETWORK_EXCEPTION
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR => ErrorCode::NOT_ENOUGH_REPLICAS,
        other => other,
    }
}

/// The text beside [`as_produce_error`], where the code alone would mislead.
pub fn produce_error_text(error: ErrorCode) -> Option<String> {
    if error == ErrorCode::INVALID_TXN_STATE {
        return Some("Partition was not added to the transaction".to_owned());
    }
    (as_produce_error(error) != error).then(|| {
        let name = error.name();
        format!("Unable to verify the partition has been added to the transaction. Underlying error: {name}")
    })
}
