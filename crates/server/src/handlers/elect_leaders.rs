//! ElectLeaders (key 43): makes preferred, or any, replicas the leaders.
//!
//! Versions: 0–2. 1 unclean elections (KIP-460) · 2 flexible. Decided by the controller.
//! Kafka: `ControllerApis.handleElectLeaders`.

use protocol::{ElectLeadersRequest, ResponseBody};

use crate::broker::Broker;

/// Has leaders elected.
pub async fn handle(broker: &Broker, request: ElectLeadersRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
