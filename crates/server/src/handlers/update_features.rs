//! UpdateFeatures (key 57): raises or lowers the levels of finalized features.
//!
//! Versions: 0–2. 1 validate only, upgrade types (KIP-584) · 2 no answer for each feature. Decided by the controller.
//! Kafka: `ControllerApis.handleUpdateFeatures`.

use protocol::{ResponseBody, UpdateFeaturesRequest};

use crate::broker::Broker;

/// Has features updated.
pub async fn handle(broker: &Broker, request: UpdateFeaturesRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
