//! ExpireDelegationToken (key 40): answers that there are no delegation tokens.
//!
//! Versions: 1–2. 2 flexible.
//! Not yet: tokens; `delegation.token.secret.key` has no effect. Kafka: `KafkaApis.handleExpireTokenRequest`.

use protocol::{ErrorCode, ExpireDelegationTokenResponse};

use crate::authorize::may_ask_for_tokens;
use crate::request::RequestContext;

/// Answers that whoever asks may not, or that there are no tokens.
pub fn handle(context: &RequestContext) -> ExpireDelegationTokenResponse {
    let (error_code, expiry_timestamp_ms) = match may_ask_for_tokens(context) {
        true => (ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED, 0),
        false => (ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, -1),
    };
    ExpireDelegationTokenResponse { error_code, expiry_timestamp_ms, ..Default::default() }
}
