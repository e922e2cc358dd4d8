//! InitProducerId (key 22): gives an idempotent producer its id.
//!
//! Versions: 0–5. 2 flexible · 3 a producer may bring its id and epoch (KIP-360) · 4 `PRODUCER_FENCED` · 5 transactions v2.
//! Not yet: transactional ids, which get `COORDINATOR_NOT_AVAILABLE`. Kafka: `KafkaApis.handleInitProducerIdRequest`,
//! `TransactionCoordinator.handleInitProducerId`.

use protocol::{ErrorCode, InitProducerIdRequest, InitProducerIdResponse};

use crate::broker::Broker;

/// Gives out an id that no producer ever had.
pub async fn handle(broker: &Broker, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    match new_producer_id(broker, request).await {
        Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() },
        Err(error_code) => {
            InitProducerIdResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
        }
    }
}

/// An id without an epoch, or an epoch without an id, is nobody's.
async fn new_producer_id(broker: &Broker, request: &InitProducerIdRequest) -> Result<i64, ErrorCode> {
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    match request.transactional_id.as_deref() {
        None => broker.producer_ids.next(broker).await,
        Some("") => Err(ErrorCode::INVALID_REQUEST),
        Some(_) => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
    }
}
