//! DescribeDelegationToken (key 41): answers that there are no delegation tokens.
//!
//! Versions: 1–3. 2 flexible · 3 who asked for a token.
//! Not yet: tokens; `delegation.token.secret.key` has no effect. Kafka: `KafkaApis.handleDescribeTokensRequest`.

use protocol::{DescribeDelegationTokenResponse, ErrorCode};

use crate::authorize::may_ask_for_tokens;
use crate::request::RequestContext;

/// Answers that whoever asks may not, or that there are no tokens.
pub fn handle(context: &RequestContext) -> DescribeDelegationTokenResponse {
    let error_code = match may_ask_for_tokens(context) {
        true => ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED,
        false => ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
    };
    DescribeDelegationTokenResponse { error_code, ..Default::default() }
}
