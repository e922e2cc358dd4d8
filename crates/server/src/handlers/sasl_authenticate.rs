//! SaslAuthenticate (key 36) outside a login: on a listener without SASL, or after the login.
//!
//! Versions: 0–2. 1 session lifetime (KIP-368) · 2 flexible. Kafka: `KafkaApis.handleSaslAuthenticateRequest`.

use protocol::{ErrorCode, SaslAuthenticateResponse};

/// Refuses: there is no login to go on with.
pub fn handle() -> SaslAuthenticateResponse {
    SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        error_message: Some("SaslAuthenticate request received after successful authentication".to_owned()),
        ..Default::default()
    }
}
