//! SaslHandshake (key 17) outside a login: on a listener without SASL, or after the login.
//!
//! Versions: 0–1. Kafka: `KafkaApis.handleSaslHandshakeRequest`.

use protocol::{ErrorCode, SaslHandshakeResponse};

/// Refuses: there is no login to begin.
pub fn handle() -> SaslHandshakeResponse {
    SaslHandshakeResponse { error_code: ErrorCode::ILLEGAL_SASL_STATE, ..Default::default() }
}
