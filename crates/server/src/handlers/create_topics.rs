//! CreateTopics (key 19): creates topics, or says whether it could.
//!
//! Versions: 2–7. 4 defaults of the broker · 5 configs in the answer, flexible · 6 throttling error · 7 topic ids. Decided by the controller; answered when it is committed. Kafka: `ControllerApis.createTopics`.

use protocol::{CreateTopicsRequest, ResponseBody};

use crate::broker::Broker;

/// Has topics created.
pub async fn handle(broker: &Broker, request: CreateTopicsRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
