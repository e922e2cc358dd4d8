//! Dynamic configs by resource: what AlterConfigs set, not what `server.properties` says.
//!
//! Kafka: `ConfigurationsImage`, `ConfigResource`.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use protocol::{ConfigRecord, MetadataRecord};

/// What kind of thing has configs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(pub i8);

impl ResourceType {
    /// A number without a meaning.
    pub const UNKNOWN: Self = Self(0);
    /// A topic.
    pub const TOPIC: Self = Self(2);
    /// A broker by id, or all brokers if the name is empty.
    pub const BROKER: Self = Self(4);
    /// A broker's loggers.
    pub const BROKER_LOGGER: Self = Self(8);
    /// A client metrics subscription.
    pub const CLIENT_METRICS: Self = Self(16);
    /// A group.
    pub const GROUP: Self = Self(32);

    /// The type's name as error messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TOPIC => "TOPIC",
            Self::BROKER => "BROKER",
            Self::BROKER_LOGGER => "BROKER_LOGGER",
            Self::CLIENT_METRICS => "CLIENT_METRICS",
            Self::GROUP => "GROUP",
            _ => "UNKNOWN",
        }
    }
}

/// A thing that has configs. Kafka: `ConfigResource`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Its kind.
    pub resource_type: ResourceType,
    /// Its name; empty for the defaults of all brokers.
    pub name: Arc<str>,
}

impl ConfigResource {
    /// Names a resource.
    pub fn new(resource_type: ResourceType, name: impl Into<Arc<str>>) -> Self {
        Self { resource_type, name: name.into() }
    }

    /// The topic called `name`.
    pub fn topic(name: impl Into<Arc<str>>) -> Self {
        Self::new(ResourceType::TOPIC, name)
    }

    /// The broker with `id`.
    pub fn broker(id: model::NodeId) -> Self {
        Self::new(ResourceType::BROKER, id.to_string())
    }

    /// The defaults of all brokers.
    pub fn default_broker() -> Self {
        Self::new(ResourceType::BROKER, "")
    }
}

impl std::fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigResource(type={}, name='{}')", self.resource_type.name(), self.name)
    }
}

/// Configs by resource, then by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigsImage {
    pub(crate) resources: OrdMap<ConfigResource, Arc<BTreeMap<String, String>>>,
}

impl ConfigsImage {
    /// The configs set on `resource`; `None` if none is set.
    pub fn resource(&self, resource: &ConfigResource) -> Option<&Arc<BTreeMap<String, String>>> {
        self.resources.get(resource)
    }

    /// The value of `key` set on `resource` itself.
    pub fn value(&self, resource: &ConfigResource, key: &str) -> Option<&str> {
        self.resources.get(resource)?.get(key).map(String::as_str)
    }

    /// The configs set on topic `name`.
    pub fn topic(&self, name: &str) -> Option<&Arc<BTreeMap<String, String>>> {
        self.resource(&ConfigResource::topic(name))
    }

    /// Every resource that has configs.
    pub fn resources(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<BTreeMap<String, String>>)> {
        self.resources.iter()
    }

    pub(crate) fn set(&mut self, record: &ConfigRecord) {
        let resource = ConfigResource::new(ResourceType(record.resource_type), record.resource_name.as_str());
        let mut configs = self.resources.remove(&resource).unwrap_or_default();
        match &record.value {
            Some(value) => Arc::make_mut(&mut configs).insert(record.name.clone(), value.clone()),
            None => Arc::make_mut(&mut configs).remove(&record.name),
        };
        if !configs.is_empty() {
            self.resources.insert(resource, configs);
        }
    }

    pub(crate) fn remove_topic(&mut self, name: &str) {
        self.resources.remove(&ConfigResource::topic(name));
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        for (resource, configs) in &self.resources {
            records.extend(configs.iter().map(|(name, value)| {
                MetadataRecord::ConfigRecord(ConfigRecord {
                    resource_type: resource.resource_type.0,
                    resource_name: resource.name.to_string(),
                    name: name.clone(),
                    value: Some(value.clone()),
                    ..Default::default()
                })
            }));
        }
    }
}
