//! ListTransactions (key 66): the transactional ids that this broker coordinates.
//!
//! Versions: 0–2. 1 by duration (KIP-994) · 2 by pattern (KIP-1152). Kafka: `KafkaApis.handleListTransactionsRequest`.

use protocol::{ListTransactionsRequest, ListTransactionsResponse};

use crate::broker::Broker;

/// Lists the ids that pass the filters.
pub async fn handle(broker: &Broker, request: ListTransactionsRequest) -> ListTransactionsResponse {
    broker.transactions.list_transactions(request).await
}
