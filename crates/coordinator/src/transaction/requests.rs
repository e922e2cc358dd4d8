//! The APIs of the transaction coordinator.

use std::collections::BTreeSet;

use coordinators::transaction::{
    ListFilter, Producer, TransactionRequest, TransactionResponse, TransactionVersion,
};
use model::TopicPartition;
use protocol::describe_transactions_response::TransactionState as Described;
use protocol::{
    EndTxnRequest, EndTxnResponse, ErrorCode, InitProducerIdRequest, InitProducerIdResponse,
    ListTransactionsRequest, ListTransactionsResponse,
};

use super::TransactionCoordinator;

/// Takes the variant that a request is answered with; the machine answers each request with its own.
macro_rules! expect_response {
    ($variant:ident, $result:expr) => {
        match $result {
            Ok(TransactionResponse::$variant(response)) => response,
            Ok(_) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error) => Err(error),
        }
    };
}

impl TransactionCoordinator {
    /// InitProducerId 0-5, with a transactional id or, for a producer that is only idempotent, without.
    pub async fn init_producer_id(&self, request: InitProducerIdRequest) -> InitProducerIdResponse {
        let given = match request.transactional_id {
            None => self.producer_ids.next().await.map(|id| Producer { id, epoch: model::ProducerEpoch(0) }),
            Some(id) if id.is_empty() => Err(ErrorCode::INVALID_REQUEST),
            Some(id) => {
                let expected = Producer::from_request(request.producer_id, request.producer_epoch);
                self.init_transactional(id, request.transaction_timeout_ms, expected).await
            }
        };
        let (producer, error_code) = or_none(given);
        InitProducerIdResponse {
            error_code,
            producer_id: producer.id.0,
            producer_epoch: producer.epoch.0,
            ..Default::default()
        }
    }

    async fn init_transactional(
        &self,
        transactional_id: String,
        timeout_ms: i32,
        expected: Option<Producer>,
    ) -> Result<Producer, ErrorCode> {
        let spare = self.producer_ids.next().await?;
        let id = transactional_id.clone();
        let request = TransactionRequest::InitProducerId { transactional_id, timeout_ms, expected, spare };
        expect_response!(InitProducerId, self.ask(&id, request).await)
    }

    /// Adds partitions to a producer's transaction: AddPartitionsToTxn, AddOffsetsToTxn, and what a produce request of a
    /// client at level 2 implies.
    pub async fn add_partitions(
        &self,
        transactional_id: &str,
        producer: Producer,
        partitions: BTreeSet<TopicPartition>,
        client_version: TransactionVersion,
    ) -> Result<(), ErrorCode> {
        let request = TransactionRequest::AddPartitions {
            transactional_id: transactional_id.to_owned(),
            producer,
            partitions,
            client_version,
        };
        expect_response!(AddPartitions, self.ask(transactional_id, request).await)
    }

    /// Tells for each partition whether it is in the producer's transaction: AddPartitionsToTxn with `VerifyOnly`.
    pub async fn verify_partitions(
        &self,
        transactional_id: &str,
        producer: Producer,
        partitions: BTreeSet<TopicPartition>,
    ) -> Vec<(TopicPartition, ErrorCode)> {
        let transactional_id = transactional_id.to_owned();
        let asked = partitions.clone();
        let request = TransactionRequest::VerifyPartitions {
            transactional_id: transactional_id.clone(),
            producer,
            partitions,
        };
        match self.ask(&transactional_id, request).await {
            Ok(TransactionResponse::VerifyPartitions(verdicts)) => verdicts,
            Ok(_) => all(asked, ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error) => all(asked, error),
        }
    }

    /// EndTxn 0-5.
    pub async fn end_txn(&self, version: i16, request: EndTxnRequest) -> EndTxnResponse {
        let (producer, error_code) = or_none(self.try_end_txn(version, request).await);
        EndTxnResponse {
            error_code,
            producer_id: producer.id.0,
            producer_epoch: producer.epoch.0,
            ..Default::default()
        }
    }

    async fn try_end_txn(&self, version: i16, request: EndTxnRequest) -> Result<Producer, ErrorCode> {
        // Kafka: `TransactionVersion.transactionVersionForEndTxn`.
        let client_version = TransactionVersion(if version >= 5 { 2 } else { 0 });
        let spare = self.producer_ids.next().await?;
        let id = request.transactional_id.clone();
        let producer = Producer { id: request.producer_id.into(), epoch: request.producer_epoch.into() };
        let (transactional_id, commit) = (request.transactional_id, request.committed);
        let request =
            TransactionRequest::EndTxn { transactional_id, producer, commit, client_version, spare };
        expect_response!(EndTxn, self.ask(&id, request).await)
    }

    /// ListTransactions 0-2, over all partitions that this broker leads. Fails as a whole while one of them is loaded.
    pub async fn list_transactions(&self, request: ListTransactionsRequest) -> ListTransactionsResponse {
        let filter = ListFilter {
            producer_ids: request.producer_id_filters.into_iter().collect(),
            states: request.state_filters.into_iter().collect(),
            duration_ms: request.duration_filter,
            id_pattern: request.transactional_id_pattern.filter(|pattern| !pattern.is_empty()),
        };
        if filter.id_pattern.as_deref().is_some_and(|pattern| !ListFilter::is_pattern(pattern)) {
            return ListTransactionsResponse {
                error_code: ErrorCode::INVALID_REGULAR_EXPRESSION,
                ..Default::default()
            };
        }
        let mut response =
            ListTransactionsResponse { unknown_state_filters: filter.unknown_states(), ..Default::default() };
        for partition in self.runtime.partitions() {
            match self.runtime.submit(partition, TransactionRequest::List(filter.clone())).await {
                Ok(TransactionResponse::List(listed)) => response.transaction_states.extend(listed),
                // It was resigned meanwhile: another broker lists it.
                Ok(_) | Err(ErrorCode::NOT_COORDINATOR) => {}
                Err(error_code) => return ListTransactionsResponse { error_code, ..Default::default() },
            }
        }
        response
    }

    /// Describes one transactional id, for DescribeTransactions 0.
    pub async fn describe_transaction(&self, transactional_id: String) -> Described {
        let request = TransactionRequest::Describe(transactional_id.clone());
        match self.ask(&transactional_id, request).await {
            Ok(TransactionResponse::Describe(described)) => described,
            Ok(_) => refused(transactional_id, ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(error_code) => refused(transactional_id, error_code),
        }
    }
}

fn refused(transactional_id: String, error_code: ErrorCode) -> Described {
    Described { transactional_id, error_code, ..Default::default() }
}

fn or_none(given: Result<Producer, ErrorCode>) -> (Producer, ErrorCode) {
    match given {
        Ok(producer) => (producer, ErrorCode::NONE),
        Err(error) => (Producer::NONE, error),
    }
}

fn all(partitions: BTreeSet<TopicPartition>, error: ErrorCode) -> Vec<(TopicPartition, ErrorCode)> {
    partitions.into_iter().map(|partition| (partition, error)).collect()
}
