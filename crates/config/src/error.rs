//! Why a configuration was refused, in Kafka's words.

/// A configuration that Kafka refuses; the text is Kafka's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A name, value or combination that is not allowed: `INVALID_CONFIG`.
    /// Kafka: `ConfigException`, `InvalidConfigurationException`.
    #[error("{0}")]
    Invalid(String),
    /// A request that cannot be meant: `INVALID_REQUEST`. Kafka: `InvalidRequestException`.
    #[error("{0}")]
    Request(String),
}

impl ConfigError {
    /// Refuses `value` of the key `name` because of `reason`. Kafka: `ConfigException(name, value, message)`.
    pub fn value(name: &str, value: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self::Invalid(format!("Invalid value {value} for configuration {name}: {reason}"))
    }

    /// Refuses a configuration for a reason that names its keys itself.
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}
