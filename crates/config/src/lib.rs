//! Configuration keys with Kafka's names, defaults and validators, and the reader of .properties files.
//!
//! A key is one row of a table ([`Key`]); parsing, error texts, `DescribeConfigs` and the manual follow from the row.
//! A typed struct beside each table reads the values that the node uses. Texts of errors are Kafka's.

mod broker;
mod client_metrics;
mod dynamic;
mod error;
mod group_config;
mod key;
mod log_config;
mod properties;
mod resource;
mod share_group_settings;
mod validator;
mod value;
mod values;

pub use broker::{
    BrokerConfig, EndPoint, GroupCoordinatorConfig, Listeners, MetricsConfig, NetworkConfig, QuorumConfig,
    QuotaConfig, ReplicationConfig, SecurityConfig, SecurityProtocol, SecurityProtocolMap, ServerLogConfig,
    ShareGroupConfig, StreamsGroupConfig, TelemetrySinkAddress, TransactionConfig, Voter, broker_key,
    broker_keys,
};
pub use client_metrics::{
    CLIENT_METRICS_KEYS, describe_client_metrics, parse_client_match, validate_client_metrics,
};
pub use dynamic::{DYNAMIC_ONLY_KEYS, DynamicBrokerConfig, broker_synonyms};
pub use error::ConfigError;
pub use group_config::{GROUP_KEYS, group_synonym};
pub use key::{Importance, Key, KeyDefault, KeyType, Scope};
pub use log_config::{
    AckDurability, BrokerCompression, CleanupPolicy, LogConfig, TOPIC_KEYS, TimestampType, TopicSynonym,
    Unit, topic_synonyms,
};
pub use properties::{ConfigMap, PropertiesError, apply_override, parse_properties};
pub use resource::{ConfigEntry, ConfigSource, ConfigSynonym, ResourceType};
pub use share_group_settings::{ShareGroupSettings, ShareOffsetReset};
pub use validator::Validator;
pub use value::{Password, Value, format_double, java_trim};
pub use values::Values;
