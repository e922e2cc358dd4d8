//! UnregisterBroker (key 64): forgets a broker that will not come back.
//!
//! Versions: 0. Decided by the controller. Kafka: `ControllerApis.handleUnregisterBroker`.

use protocol::{ResponseBody, UnregisterBrokerRequest};

use crate::broker::Broker;

/// Has a broker forgotten.
pub async fn handle(broker: &Broker, request: UnregisterBrokerRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
