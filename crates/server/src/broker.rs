//! The broker role: its parts, in one place that every handler can reach.
//!
//! Kafka: `BrokerServer`.

pub mod metadata_cache;

use std::sync::{Arc, RwLock};

use config::BrokerConfig;
use model::NodeId;
use world::chance::Chance;
use world::clock::Clock;

use metadata_cache::MetadataCache;

/// A broker's parts.
#[derive(Debug)]
pub struct Broker {
    /// This node.
    pub node_id: NodeId,
    /// The cluster's id.
    pub cluster_id: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// The newest metadata.
    pub metadata: MetadataCache,
    config: RwLock<Arc<BrokerConfig>>,
}

impl Broker {
    /// Returns the configuration as it is now: the properties file with what was changed at run time over it.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.config.read().expect("no holder panics").clone()
    }

    /// Changes the configuration.
    pub fn set_config(&self, config: Arc<BrokerConfig>) {
        *self.config.write().expect("no holder panics") = config;
    }
}
