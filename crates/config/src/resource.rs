//! What can be configured, and where a value comes from.

/// A kind of thing that has configurations. Kafka: `ConfigResource.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// A topic, by name.
    Topic,
    /// A broker by id, or by the empty name the default of all brokers.
    Broker,
    /// The loggers of a broker, by id.
    BrokerLogger,
    /// A subscription to clients' metrics, by name.
    ClientMetrics,
    /// A group, by id.
    Group,
}

impl ResourceType {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Topic, Self::Broker, Self::BrokerLogger, Self::ClientMetrics, Self::Group];

    /// The number in requests and records.
    pub fn id(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }

    /// Finds a kind by its number.
    pub fn from_id(id: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// The name that error texts use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Topic => "TOPIC",
            Self::Broker => "BROKER",
            Self::BrokerLogger => "BROKER_LOGGER",
            Self::ClientMetrics => "CLIENT_METRICS",
            Self::Group => "GROUP",
        }
    }
}

/// Where a value comes from. Kafka: `DescribeConfigsResponse.ConfigSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// The topic's own.
    Topic,
    /// Set at run time for this broker.
    DynamicBroker,
    /// Set at run time for all brokers.
    DynamicDefaultBroker,
    /// The broker's properties file.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// A logger's level.
    DynamicBrokerLogger,
    /// A subscription's own.
    ClientMetrics,
    /// The group's own.
    Group,
}

impl ConfigSource {
    /// The number in responses.
    pub fn id(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
            Self::DynamicBrokerLogger => 6,
            Self::ClientMetrics => 7,
            Self::Group => 8,
        }
    }
}

/// A value under the name and from the place where it would be taken if no stronger one were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The key.
    pub name: String,
    /// The value; none if it must not be shown.
    pub value: Option<String>,
    /// Where it was set.
    pub source: ConfigSource,
}

/// One line of `DescribeConfigs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The value; none if there is none or it must not be shown.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value must not be shown.
    pub is_sensitive: bool,
    /// Whether it can be changed at run time.
    pub read_only: bool,
    /// The value and those that it hides, the strongest first.
    pub synonyms: Vec<ConfigSynonym>,
    /// The value's type as a number ([`crate::KeyType::id`]); 0 for a key that is not known.
    pub config_type: i8,
    /// What the key is for.
    pub documentation: Option<&'static str>,
}
