//! The broker's configuration as it is now: the properties file with what was set at run time over it.
//!
//! Kafka: `DynamicBrokerConfig`, `BrokerConfigHandler`.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

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
}

impl DynamicConfig {
    /// Starts with what the properties file says.
    pub fn new(fixed: BrokerConfig) -> Self {
        let current = Arc::new(fixed.clone());
        Self { layers: RwLock::new(Layers { config: DynamicBrokerConfig::new(fixed), current }) }
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
        let overrides =
            image.configs().topic(name).map(|overrides| overrides.as_ref().clone()).unwrap_or_default();
        Arc::new(layers.config.topic(&overrides).unwrap_or_else(|error| {
            tracing::error!(topic = name, %error, "a topic's configuration is not valid: the broker's defaults hold");
            layers.config.topic(&ConfigMap::new()).expect("the defaults of a valid broker are valid")
        }))
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
        }
        changed
    }

    fn read(&self) -> RwLockReadGuard<'_, Layers> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner)
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
