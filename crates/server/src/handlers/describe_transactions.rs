//! DescribeTransactions (key 65): what the coordinator knows of transactional ids.
//!
//! Versions: 0. Kafka: `KafkaApis.handleDescribeTransactionsRequest`.

use protocol::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use crate::broker::Broker;

/// Describes each id.
pub async fn handle(broker: &Broker, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let mut response = DescribeTransactionsResponse::default();
    for id in request.transactional_ids {
        response.transaction_states.push(broker.transactions.describe_transaction(id).await);
    }
    response
}
