//! Configuration entries, as brokers tell them. Kafka: `ConfigEntry`, `ConfigResource`.

use std::fmt;

/// What has a configuration. Kafka: `ConfigResource.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// Of a kind that we do not know.
    Unknown = 0,
    /// A topic.
    Topic = 2,
    /// A broker, or the default of all where the name is empty.
    Broker = 4,
    /// The log levels of a broker.
    BrokerLogger = 8,
    /// A subscription to clients' metrics.
    ClientMetrics = 16,
    /// A group.
    Group = 32,
}

impl ResourceType {
    /// The type with this number on the wire.
    pub fn from_id(id: i8) -> Self {
        match id {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            _ => Self::Unknown,
        }
    }

    /// Kafka's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Topic => "TOPIC",
            Self::Broker => "BROKER",
            Self::BrokerLogger => "BROKER_LOGGER",
            Self::ClientMetrics => "CLIENT_METRICS",
            Self::Group => "GROUP",
        }
    }
}

/// Something that has a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// What it is.
    pub resource_type: ResourceType,
    /// Its name; empty for the default of all brokers.
    pub name: String,
}

impl ConfigResource {
    /// Names a resource.
    pub fn new(resource_type: ResourceType, name: impl Into<String>) -> Self {
        Self { resource_type, name: name.into() }
    }

    /// The broker that must answer for the resource, if one must.
    pub(super) fn node(&self) -> Option<model::NodeId> {
        match self.resource_type {
            ResourceType::Broker | ResourceType::BrokerLogger => self.name.parse().ok().map(model::NodeId),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigResource(type={}, name='{}')", self.resource_type.name(), self.name)
    }
}

/// Where a value comes from. Kafka: `ConfigEntry.ConfigSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigSource {
    /// Set on the topic.
    DynamicTopicConfig,
    /// Set on the broker at run time.
    DynamicBrokerConfig,
    /// Set for all brokers at run time.
    DynamicDefaultBrokerConfig,
    /// From the broker's properties file.
    StaticBrokerConfig,
    /// Nobody set it.
    DefaultConfig,
    /// A log level set at run time.
    DynamicBrokerLoggerConfig,
    /// Set on a metrics subscription.
    ClientMetricsConfig,
    /// Set on a group.
    GroupConfig,
    /// Of a kind that we do not know.
    Unknown,
}

impl ConfigSource {
    /// The source with this number on the wire.
    pub fn from_id(id: i8) -> Self {
        match id {
            1 => Self::DynamicTopicConfig,
            2 => Self::DynamicBrokerConfig,
            3 => Self::DynamicDefaultBrokerConfig,
            4 => Self::StaticBrokerConfig,
            5 => Self::DefaultConfig,
            6 => Self::DynamicBrokerLoggerConfig,
            7 => Self::ClientMetricsConfig,
            8 => Self::GroupConfig,
            _ => Self::Unknown,
        }
    }

    /// Kafka's name of the source.
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamicTopicConfig => "DYNAMIC_TOPIC_CONFIG",
            Self::DynamicBrokerConfig => "DYNAMIC_BROKER_CONFIG",
            Self::DynamicDefaultBrokerConfig => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            Self::StaticBrokerConfig => "STATIC_BROKER_CONFIG",
            Self::DefaultConfig => "DEFAULT_CONFIG",
            Self::DynamicBrokerLoggerConfig => "DYNAMIC_BROKER_LOGGER_CONFIG",
            Self::ClientMetricsConfig => "DYNAMIC_CLIENT_METRICS_CONFIG",
            Self::GroupConfig => "DYNAMIC_GROUP_CONFIG",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The type of a value, by its number. Kafka: `ConfigEntry.ConfigType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfigType(pub i8);

impl ConfigType {
    /// Kafka's name of the type.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 10] =
            ["UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"];
        usize::try_from(self.0).ok().and_then(|id| NAMES.get(id)).copied().unwrap_or("UNKNOWN")
    }
}

/// A place where a value is set, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key's name there.
    pub name: String,
    /// The value; `None` where it is a secret.
    pub value: Option<String>,
    /// Which place it is.
    pub source: ConfigSource,
}

/// A key's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The value; `None` where it is a secret or unset.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
    /// Whether it is a secret.
    pub is_sensitive: bool,
    /// Whether it cannot be changed at run time.
    pub is_read_only: bool,
    /// The places where it is set, if they were asked for.
    pub synonyms: Vec<ConfigSynonym>,
    /// Its type.
    pub config_type: ConfigType,
    /// What it is for, if that was asked for.
    pub documentation: Option<String>,
}

/// What to do with a key. Kafka: `AlterConfigOp.OpType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpType {
    /// Set it.
    Set = 0,
    /// Unset it.
    Delete = 1,
    /// Add elements to a list.
    Append = 2,
    /// Take elements off a list.
    Subtract = 3,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterConfigOp {
    /// The key.
    pub name: String,
    /// The value, or the elements; `None` to unset.
    pub value: Option<String>,
    /// What to do.
    pub op: OpType,
}

impl AlterConfigOp {
    /// Sets `name` to `value`.
    pub fn set(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Some(value.into()), op: OpType::Set }
    }

    /// Unsets `name`.
    pub fn delete(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: None, op: OpType::Delete }
    }
}
