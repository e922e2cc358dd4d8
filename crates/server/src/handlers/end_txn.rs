//! EndTxn (key 26): a producer commits or aborts its transaction.
//!
//! Versions: 0–5. 2 `PRODUCER_FENCED` · 3 flexible · 4 `TRANSACTION_ABORTABLE` · 5 the epoch rises (KIP-890).
//! Kafka: `KafkaApis.handleEndTxnRequest`.

use model::AclOperation;
use protocol::{EndTxnRequest, EndTxnResponse, ErrorCode};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Ends a transaction; its markers follow.
pub async fn handle(broker: &Broker, context: &RequestContext, request: EndTxnRequest) -> EndTxnResponse {
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_transactional_id(AclOperation::Write, &request.transactional_id) {
        return EndTxnResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() };
    }
    let mut response = broker.transactions.end_txn(context.version, request).await;
    if context.version < 2 && response.error_code == ErrorCode::PRODUCER_FENCED {
        // Older clients do not know the newer error.
        response.error_code = ErrorCode::INVALID_PRODUCER_EPOCH;
    }
    response
}
