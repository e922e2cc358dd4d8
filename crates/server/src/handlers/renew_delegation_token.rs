//! RenewDelegationToken (key 39): lets a token be used for longer.
//!
//! Versions: 1–2. 2 flexible. Decided by the controller. Kafka: `KafkaApis.handleRenewTokenRequest`.

use controller::{ControllerRequest, TokenRequest};
use protocol::{ErrorCode, RenewDelegationTokenRequest, RenewDelegationTokenResponse, ResponseBody};

use crate::authorize::may_ask_for_tokens;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Has the token's end moved.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: RenewDelegationTokenRequest,
) -> ResponseBody {
    if !may_ask_for_tokens(context) {
        return RenewDelegationTokenResponse {
            error_code: ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
            expiry_timestamp_ms: -1,
            ..Default::default()
        }
        .into();
    }
    let request = ControllerRequest::Token(TokenRequest::Renew(request), context.to_principal());
    broker.decide(request).await
}
