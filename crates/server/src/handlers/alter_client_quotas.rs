//! AlterClientQuotas (key 49): sets and removes what users, client ids and addresses may use.
//!
//! Versions: 0–1. 1 flexible. Decided by the controller. Kafka: `ClientQuotaControlManager.alterClientQuotas`.

use protocol::{AlterClientQuotasRequest, ResponseBody};

use crate::broker::Broker;

/// Has quotas set and removed.
pub async fn handle(broker: &Broker, request: AlterClientQuotasRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
