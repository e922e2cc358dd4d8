//! The broker role: its parts, in one place that every handler can reach.
//!
//! Kafka: `BrokerServer`.

pub mod dynamic_config;
pub mod metadata_cache;

use std::sync::Arc;

use config::BrokerConfig;
use model::NodeId;
use world::chance::Chance;
use world::clock::Clock;

use dynamic_config::DynamicConfig;
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
    /// The configuration in its layers.
    pub dynamic_config: DynamicConfig,
}

impl Broker {
    /// Returns the configuration as it is now: the properties file with what was changed at run time over it.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.dynamic_config.current()
    }
}
