//! The broker's configuration as it is now: the properties file with what was set at run time over it.
//!
//! Invariant: all partitions of a topic share one configuration, and so do all topics without one of their own.
//!
//! Kafka: `DynamicBrokerConfig`, `BrokerConfigHandler`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak};

use config::{BrokerConfig, ConfigError, ConfigMap, DynamicBrokerConfig, LogConfig};
use metadata::{ConfigResource, MetadataImage};
use model::NodeId;

/// Holds the configuration; readers take what they need and let go.
#[derive(Debug)]
pub struct DynamicConfig {
    layers: RwLock<Layers>,
}

#[derive(Debug)]
struct Layers {
    config: DynamicBrokerConfig,
    /// What [`DynamicBrokerConfig::current`] says, ready to be shared.
    current: Arc<BrokerConfig>,
    topics: Topics,
}

/// The configurations of topics that were asked for since the broker's own changed.
#[derive(Debug, Default)]
struct Topics {
    /// That of topics without overrides.
    plain: OnceLock<Arc<LogConfig>>,
    /// Those of topics with overrides.
    own: Mutex<BTreeMap<Arc<str>, Own>>,
}

/// A topic's overrides, and what came of them as long as somebody has it.
type Own = (Arc<ConfigMap>, Weak<LogConfig>);

impl DynamicConfig {
    /// Starts with what the properties file says.
    pub fn new(fixed: BrokerConfig) -> Self {
        let current = Arc::new(fixed.clone());
        let config = DynamicBrokerConfig::new(fixed);
        Self { layers: RwLock::new(Layers { config, current, topics: Topics::default() }) }
    }

    /// Returns the configuration as it is now.
    pub fn current(&self) -> Arc<BrokerConfig> {
        self.read().current.clone()
    }

    /// Looks into the layers.
    pub fn with<T>(&self, look: impl FnOnce(&DynamicBrokerConfig) -> T) -> T {
        look(&self.read().config)
    }

    /// Returns a topic's configuration. Overrides that the present defaults do not allow are logged and left out whole, so
    /// that the topic stays served.
    pub fn topic(&self, image: &MetadataImage, name: &str) -> Arc<LogConfig> {
        let layers = self.read();
        match image.configs().topic(name) {
            Some(overrides) => layers.own(name, overrides),
            None => layers.plain(),
        }
    }

    /// Takes in what the metadata log says of all brokers and of this one; true if something changed. What is not valid is
    /// logged and left out.
    pub fn apply(&self, image: &MetadataImage, node: NodeId) -> bool {
        let props = |resource| {
            image.configs().resource(&resource).map(|set| set.as_ref().clone()).unwrap_or_default()
        };
        let (for_all, for_this) =
            (props(ConfigResource::default_broker()), props(ConfigResource::broker(node)));
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        if *layers.config.default_overrides() != for_all {
            report("all brokers", layers.config.update_default(&for_all));
            changed = true;
        }
        if *layers.config.broker_overrides() != for_this {
            report("this broker", layers.config.update_broker(&for_this));
            changed = true;
        }
        if changed {
            layers.current = Arc::new(layers.config.current().clone());
            layers.topics = Topics::default();
        }
        changed
    }

    fn read(&self) -> RwLockReadGuard<'_, Layers> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Layers {
    fn plain(&self) -> Arc<LogConfig> {
        let defaults =
            || self.config.topic(&ConfigMap::new()).expect("the defaults of a valid broker are valid");
        self.topics.plain.get_or_init(|| Arc::new(defaults())).clone()
    }

    fn own(&self, name: &str, overrides: &Arc<ConfigMap>) -> Arc<LogConfig> {
        let mut own = self.topics.own.lock().unwrap_or_else(PoisonError::into_inner);
        let known = own.get(name).filter(|(made_of, _)| Arc::ptr_eq(made_of, overrides));
        if let Some(config) = known.and_then(|(_, config)| config.upgrade()) {
            return config;
        }
        let config = self.config.topic(overrides).map(Arc::new).unwrap_or_else(|error| {
            tracing::error!(topic = name, %error, "a topic's configuration is not valid: the broker's defaults hold");
            self.plain()
        });
        if own.len().is_power_of_two() {
            // Topics that are gone, seldom enough not to matter.
            own.retain(|_, (_, config)| config.strong_count() > 0);
        }
        own.insert(name.into(), (overrides.clone(), Arc::downgrade(&config)));
        config
    }
}

fn report(whose: &str, updated: Result<Vec<String>, ConfigError>) {
    match updated {
        Ok(left_out) if left_out.is_empty() => tracing::info!("the configuration of {whose} changed"),
        Ok(left_out) => {
            tracing::error!(keys = ?left_out, "the configuration of {whose} changed; not valid and left out")
        }
        Err(error) => {
            tracing::error!(%error, "the configuration of {whose} is not valid: it stays as it was")
        }
    }
}

#[cfg(test)]
mod tests {
    use metadata::ConfigResource;
    use protocol::{ConfigRecord, MetadataRecord};

    use super::*;

    fn broker() -> DynamicConfig {
        let lines = [("process.roles", "broker,controller"), ("node.id", "1"), ("log.retention.ms", "5000")];
        let more = [
            ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.voters", "1@127.0.0.1:9093"),
        ];
        let pairs = lines.into_iter().chain(more);
        let map: ConfigMap = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        DynamicConfig::new(BrokerConfig::parse(&map).expect("a valid configuration"))
    }

    fn set(image: &mut MetadataImage, resource: &ConfigResource, key: &str, value: Option<&str>) {
        let record = ConfigRecord {
            resource_type: resource.resource_type.0,
            resource_name: resource.name.to_string(),
            name: key.to_owned(),
            value: value.map(str::to_owned),
            ..Default::default()
        };
        image.replay(&MetadataRecord::ConfigRecord(record)).expect("configurations contradict nothing");
    }

    #[test]
    fn topics_without_a_configuration_of_their_own_share_one() {
        let (broker, image) = (broker(), MetadataImage::default());
        let (one, other) = (broker.topic(&image, "one"), broker.topic(&image, "other"));
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(one.retention_ms, 5000);
    }

    #[test]
    fn partitions_of_a_topic_share_its_configuration_until_it_changes() {
        let (broker, mut image) = (broker(), MetadataImage::default());
        set(&mut image, &ConfigResource::topic("own"), "retention.ms", Some("7"));
        let first = broker.topic(&image, "own");
        assert!(Arc::ptr_eq(&first, &broker.topic(&image, "own")));
        set(&mut image, &ConfigResource::topic("own"), "retention.ms", Some("8"));
        assert_eq!((first.retention_ms, broker.topic(&image, "own").retention_ms), (7, 8));
        set(&mut image, &ConfigResource::topic("own"), "retention.ms", None);
        assert_eq!(broker.topic(&image, "own").retention_ms, 5000);
    }

    #[test]
    fn a_change_of_the_brokers_defaults_reaches_all_topics() {
        let (broker, mut image) = (broker(), MetadataImage::default());
        set(&mut image, &ConfigResource::topic("own"), "retention.bytes", Some("7"));
        let before = [broker.topic(&image, "own"), broker.topic(&image, "plain")];
        set(&mut image, &ConfigResource::default_broker(), "log.retention.ms", Some("9"));
        assert!(broker.apply(&image, NodeId(1)));
        let after = [broker.topic(&image, "own"), broker.topic(&image, "plain")];
        assert_eq!(before.map(|config| config.retention_ms), [5000, 5000]);
        assert_eq!(after.map(|config| config.retention_ms), [9, 9]);
    }
}
