//! ExpireDelegationToken (key 40): ends a token, now or later.
//!
//! Versions: 1–2. 2 flexible. Decided by the controller. Kafka: `KafkaApis.handleExpireTokenRequest`.

use controller::{ControllerRequest, TokenRequest};
use protocol::{ErrorCode, ExpireDelegationTokenRequest, ExpireDelegationTokenResponse, ResponseBody};

use crate::authorize::may_ask_for_tokens;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Has the token's end moved.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ExpireDelegationTokenRequest,
) -> ResponseBody {
    if !may_ask_for_tokens(context) {
        return ExpireDelegationTokenResponse {
            error_code: ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
            expiry_timestamp_ms: -1,
            ..Default::default()
        }
        .into();
    }
    let request = ControllerRequest::Token(TokenRequest::Expire(request), context.to_principal());
    broker.decide(request).await
}
