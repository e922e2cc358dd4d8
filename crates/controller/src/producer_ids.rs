//! AllocateProducerIds: hands out blocks of producer ids to brokers.
//!
//! Kafka: `ProducerIdControlManager`.

use model::{NodeId, ProducerId};
use protocol::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, ErrorCode, MetadataRecord, ProducerIdsRecord,
};

use crate::Controller;
use crate::requests::Decision;

/// How many producer ids a broker gets at once. Kafka: `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`.
pub const PRODUCER_ID_BLOCK_SIZE: i32 = 1000;

impl Controller {
    pub(crate) fn allocate_producer_ids(&mut self, request: &AllocateProducerIdsRequest) -> Decision {
        let refuse =
            |error_code| Decision::answer(AllocateProducerIdsResponse { error_code, ..Default::default() });
        if let Err(error) = self.check_broker_epoch(NodeId(request.broker_id), request.broker_epoch) {
            return refuse(error.code);
        }
        let first = self.image.producer_ids().next_producer_id().unwrap_or(ProducerId(0)).0;
        let Some(next_producer_id) = first.checked_add(PRODUCER_ID_BLOCK_SIZE.into()) else {
            return refuse(ErrorCode::UNKNOWN_SERVER_ERROR);
        };
        let record = MetadataRecord::ProducerIdsRecord(ProducerIdsRecord {
            broker_id: request.broker_id,
            broker_epoch: request.broker_epoch,
            next_producer_id,
            ..Default::default()
        });
        let response = AllocateProducerIdsResponse {
            producer_id_start: first,
            producer_id_len: PRODUCER_ID_BLOCK_SIZE,
            ..Default::default()
        };
        Decision::new(vec![record], response)
    }
}
