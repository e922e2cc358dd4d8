//! Configuration keys with Kafka's names, defaults and validators, and the reader of .properties files.
//!
//! A key is one row of a table ([`Key`]); parsing, error texts, `DescribeConfigs` and the manual follow from the row.
//! A typed struct beside each table reads the values that the node uses. Texts of errors are Kafka's.

mod broker;
mod error;
mod key;
mod log_config;
mod properties;
mod validator;
mod value;
mod values;

pub use broker::{
    BrokerConfig, EndPoint, GroupCoordinatorConfig, Listeners, MetricsConfig, NetworkConfig, QuorumConfig,
    QuotaConfig, ReplicationConfig, SecurityConfig, SecurityProtocol, SecurityProtocolMap, ServerLogConfig,
    ShareGroupConfig, StreamsGroupConfig, TransactionConfig, Voter, broker_key, broker_keys,
};
pub use error::ConfigError;
pub use key::{Importance, Key, KeyDefault, KeyType, Scope};
pub use log_config::{
    AckDurability, BrokerCompression, CleanupPolicy, LogConfig, TOPIC_KEYS, TimestampType, TopicSynonym,
    Unit, topic_synonyms,
};
pub use properties::{ConfigMap, PropertiesError, apply_override, format_properties, parse_properties};
pub use validator::Validator;
pub use value::{Value, format_double, java_trim};
pub use values::Values;
