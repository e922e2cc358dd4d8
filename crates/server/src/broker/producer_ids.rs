//! Producer ids: taken from the controller a block at a time, given out one by one.
//!
//! Kafka: `RPCProducerIdManager`.

use std::ops::Range;
use std::sync::Weak;

use coordinator::Later;
use model::ProducerId;
use protocol::{AllocateProducerIdsRequest, ErrorCode, ResponseBody};
use tokio::sync::Mutex;

use super::Broker;

/// The ids that are left of the present block.
#[derive(Debug, Default)]
pub struct ProducerIds {
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// Returns an id that was never given out.
    ///
    /// # Errors
    /// The controller gives no new block: `COORDINATOR_LOAD_IN_PROGRESS`, so that producers come again.
    pub async fn next(&self, broker: &Broker) -> Result<i64, ErrorCode> {
        let mut block = self.block.lock().await;
        if block.is_empty() {
            *block = allocate(broker).await?;
        }
        let id = block.start;
        block.start += 1;
        Ok(id)
    }
}

async fn allocate(broker: &Broker) -> Result<Range<i64>, ErrorCode> {
    let broker_epoch = broker.epoch();
    let request =
        AllocateProducerIdsRequest { broker_id: broker.node_id.0, broker_epoch, ..Default::default() };
    match broker.controller.submit(request.into()).await {
        ResponseBody::AllocateProducerIds(answer) if answer.error_code.is_none() => {
            Ok(answer.producer_id_start..answer.producer_id_start + i64::from(answer.producer_id_len))
        }
        ResponseBody::AllocateProducerIds(answer) => {
            tracing::warn!(
                error = answer.error_code.name(),
                "the controller gives no producer ids; idempotent producers try again until it does"
            );
            Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
        }
        _ => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

/// Gives the transaction coordinator the ids of its broker.
#[derive(Clone, Debug)]
pub struct ProducerIdSupply {
    broker: Weak<Broker>,
}

impl ProducerIdSupply {
    /// Takes ids from `broker`.
    pub fn new(broker: Weak<Broker>) -> Self {
        Self { broker }
    }
}

impl coordinator::ProducerIds for ProducerIdSupply {
    fn next(&self) -> Later<'_, Result<ProducerId, ErrorCode>> {
        Box::pin(async {
            let broker = self.broker.upgrade().ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
            broker.producer_ids.next(&broker).await.map(ProducerId)
        })
    }
}
