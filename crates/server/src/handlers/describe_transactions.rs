//! DescribeTransactions (key 65): what the coordinator knows of transactional ids.
//!
//! Versions: 0. Kafka: `KafkaApis.handleDescribeTransactionsRequest`.

use model::AclOperation;
use protocol::describe_transactions_response::TransactionState;
use protocol::{DescribeTransactionsRequest, DescribeTransactionsResponse};

use super::each_once::each_once;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Describes each id.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let gate = broker.gate(context);
    each_once(&mut request.transactional_ids, |id| Some(id.clone()));
    let mut response = DescribeTransactionsResponse::default();
    for id in request.transactional_ids {
        if let Err(error_code) = gate.check_transactional_id(AclOperation::Describe, &id) {
            let transactional_id = id;
            response.transaction_states.push(TransactionState {
                error_code,
                transactional_id,
                ..Default::default()
            });
            continue;
        }
        let mut state = broker.transactions.describe_transaction(id).await;
        state.topics.retain(|topic| gate.check_topic(AclOperation::Describe, &topic.topic).is_ok());
        response.transaction_states.push(state);
    }
    response
}
