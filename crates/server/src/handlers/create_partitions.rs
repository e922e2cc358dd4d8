//! CreatePartitions (key 37): adds partitions to topics.
//!
//! Versions: 0–3. 2 flexible · 3 throttling error. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.createPartitions`.

use protocol::{CreatePartitionsRequest, ResponseBody};

use crate::broker::Broker;

/// Has partitions added.
pub async fn handle(broker: &Broker, request: CreatePartitionsRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
