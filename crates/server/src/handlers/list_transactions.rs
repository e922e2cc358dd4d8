//! ListTransactions (key 66): the transactional ids that this broker coordinates.
//!
//! Versions: 0–2. 1 by duration (KIP-994) · 2 by pattern (KIP-1152). Kafka: `KafkaApis.handleListTransactionsRequest`.

use model::AclOperation;
use protocol::{ListTransactionsRequest, ListTransactionsResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Lists the ids that pass the filters and that the asker may describe.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let mut response = broker.transactions.list_transactions(request).await;
    let gate = broker.gate(context);
    let may_describe = |id: &str| gate.check_transactional_id(AclOperation::Describe, id).is_ok();
    response.transaction_states.retain(|state| may_describe(&state.transactional_id));
    response
}
