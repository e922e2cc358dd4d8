//! What the controller is told by `server.properties`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::{BrokerConfig, ConfigMap};
use metadata::{Feature, MetadataVersion, VersionRange};
use model::NodeId;

/// What the controller is told by `server.properties`.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// `node.id`.
    pub node_id: NodeId,
    /// The id in `meta.properties`.
    pub cluster_id: String,
    /// `default.replication.factor`.
    pub default_replication_factor: i16,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `delete.topic.enable`.
    pub delete_topic_enable: bool,
    /// `broker.session.timeout.ms`: how long a broker may be silent before it is fenced.
    pub broker_session_timeout: Duration,
    /// `metadata.max.idle.interval.ms`: how often a record without content is written; `None` for never.
    pub max_idle_interval: Option<Duration>,
    /// `leader.imbalance.check.interval.seconds`, or `None` if `auto.leader.rebalance.enable` is off.
    pub leader_imbalance_check_interval: Option<Duration>,
    /// `unclean.leader.election.interval.ms`.
    pub unclean_leader_election_interval: Duration,
    /// The whole of `server.properties`.
    pub broker: Arc<BrokerConfig>,
    /// The broker's defaults by topic key, as `config::LogConfig` takes them.
    pub topic_defaults: ConfigMap,
    /// `remote.log.storage.system.enable`.
    pub remote_storage: bool,
    /// Feature levels this node supports, by name.
    pub supported_features: BTreeMap<String, VersionRange>,
    /// Where topic ids and the placement of replicas get their randomness from.
    pub seed: u128,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            node_id: NodeId(1),
            cluster_id: String::new(),
            default_replication_factor: 1,
            num_partitions: 1,
            delete_topic_enable: true,
            broker_session_timeout: Duration::from_millis(9000),
            max_idle_interval: Some(Duration::from_millis(500)),
            leader_imbalance_check_interval: Some(Duration::from_secs(300)),
            unclean_leader_election_interval: Duration::from_secs(300),
            broker: Arc::new(combined_node()),
            topic_defaults: ConfigMap::new(),
            remote_storage: false,
            supported_features: supported_features(),
            seed: 0,
        }
    }
}

/// The least that a combined node must set.
fn combined_node() -> BrokerConfig {
    let lines: &[u8] = b"process.roles=broker,controller\nnode.id=1\ncontroller.listener.names=CONTROLLER\n\
        listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
        controller.quorum.bootstrap.servers=localhost:9093\n";
    let props = config::parse_properties(lines).expect("the lines are well-formed");
    BrokerConfig::parse(&props).expect("the lines are a valid configuration")
}

/// The feature levels this release supports, by name, for registrations and `ApiVersions`.
pub fn supported_features() -> BTreeMap<String, VersionRange> {
    let features = Feature::ALL.into_iter();
    let metadata_version = VersionRange { min: MetadataVersion::MINIMUM.0, max: MetadataVersion::LATEST.0 };
    features
        .map(|feature| (feature.name().to_owned(), VersionRange { min: 0, max: feature.latest_level() }))
        .chain([(Feature::METADATA_VERSION.to_owned(), metadata_version)])
        .collect()
}
