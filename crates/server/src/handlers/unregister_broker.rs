//! UnregisterBroker (key 64): forgets a broker that will not come back.
//!
//! Versions: 0. Decided by the controller. Kafka: `ControllerApis.handleUnregisterBroker`.

use model::AclOperation;
use protocol::{ResponseBody, UnregisterBrokerRequest, UnregisterBrokerResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Has a broker forgotten.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: UnregisterBrokerRequest,
) -> ResponseBody {
    if let Err((error_code, error_message)) = broker.gate(context).require_cluster(AclOperation::Alter) {
        return UnregisterBrokerResponse { error_code, error_message, ..Default::default() }.into();
    }
    broker.decide(request.into()).await
}
