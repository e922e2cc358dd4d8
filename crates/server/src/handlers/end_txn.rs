//! EndTxn (key 26): a producer commits or aborts its transaction.
//!
//! Versions: 0–5. 2 `PRODUCER_FENCED` · 3 flexible · 4 `TRANSACTION_ABORTABLE` · 5 the epoch rises (KIP-890).
//! Kafka: `KafkaApis.handleEndTxnRequest`.

use protocol::{EndTxnRequest, EndTxnResponse, ErrorCode};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Ends a transaction; its markers follow.
pub async fn handle(broker: &Broker, context: &RequestContext, request: EndTxnRequest) -> EndTxnResponse {
    let mut response = broker.transactions.end_txn(context.version, request).await;
    if context.version < 2 && response.error_code == ErrorCode::PRODUCER_FENCED {
        // Older clients do not know the newer error.
        response.error_code = ErrorCode::INVALID_PRODUCER_EPOCH;
    }
    response
}
