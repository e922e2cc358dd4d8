//! UpdateFeatures (key 57): raises or lowers the levels of finalized features.
//!
//! Versions: 0–2. 1 validate only, upgrade types (KIP-584) · 2 no answer for each feature. Decided by the controller.
//! Kafka: `ControllerApis.handleUpdateFeatures`.

use model::AclOperation;
use protocol::{ResponseBody, UpdateFeaturesRequest, UpdateFeaturesResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Has features updated.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: UpdateFeaturesRequest,
) -> ResponseBody {
    if let Err((error_code, error_message)) = broker.gate(context).require_cluster(AclOperation::Alter) {
        return UpdateFeaturesResponse { error_code, error_message, ..Default::default() }.into();
    }
    broker.decide(request.into()).await
}
