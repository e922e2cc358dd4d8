//! An error code with the text that the client is shown.
//!
//! Kafka: `ApiError`.

use protocol::ErrorCode;

/// The most records that one request may make. Kafka: `QuorumController.MAX_RECORDS_PER_USER_OP`.
pub(crate) const MAX_RECORDS_PER_REQUEST: usize = 10_000;

/// Why one item of a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {message:?}")]
pub struct ApiError {
    /// The error code.
    pub code: ErrorCode,
    /// The text beside it.
    pub message: Option<String>,
}

impl ApiError {
    /// Makes an error with its own text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// Refuses what would make more than [`MAX_RECORDS_PER_REQUEST`]. Kafka: `BoundedListTooLongException`.
    pub(crate) fn too_many_records() -> Self {
        Self::new(ErrorCode::POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
    }
}

/// The error with Kafka's text for its code.
impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

impl From<config::ConfigError> for ApiError {
    fn from(error: config::ConfigError) -> Self {
        match error {
            config::ConfigError::Invalid(message) => Self::new(ErrorCode::INVALID_CONFIG, message),
            config::ConfigError::Request(message) => Self::new(ErrorCode::INVALID_REQUEST, message),
        }
    }
}

/// Splits a result into the code and text of a response.
pub(crate) fn code_and_message<T>(result: &Result<T, ApiError>) -> (ErrorCode, Option<String>) {
    match result {
        Ok(_) => (ErrorCode::NONE, None),
        Err(error) => (error.code, error.message.clone()),
    }
}
