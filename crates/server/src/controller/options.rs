//! What the controller role is told at its start.

use std::sync::Arc;
use std::time::Duration;

use ::controller::{ControllerConfig, supported_features};
use config::BrokerConfig;
use model::{NodeId, Uuid};
use raft::{Endpoint, VoterNode, VoterSet};

/// What the controller role is told at its start.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// What the machine is told.
    pub machine: ControllerConfig,
    /// The id of the metadata log dir, in its `meta.properties`.
    pub directory_id: Uuid,
    /// The id of this process.
    pub incarnation_id: Uuid,
    /// Where the controllers' listeners of this node are reached, with the numbers of their security protocols.
    pub endpoints: Vec<(Endpoint, i16)>,
    /// The voters of `controller.quorum.voters`; empty with `controller.quorum.bootstrap.servers`.
    pub static_voters: VoterSet,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: i32,
    /// `metadata.log.segment.ms`.
    pub segment_ms: i64,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub bytes_between_snapshots: u64,
    /// `metadata.log.max.snapshot.interval.ms`; `None` if it is 0.
    pub snapshot_interval: Option<Duration>,
    /// `metadata.max.retention.bytes`; `None` if it is not positive.
    pub retention_bytes: Option<u64>,
    /// `metadata.max.retention.ms`; `None` if it is negative.
    pub retention_ms: Option<i64>,
}

impl ControllerOptions {
    /// Reads the options out of `server.properties`. `directory_id` and `cluster_id` are those of the metadata log dir;
    /// `seed` and `incarnation_id` are random.
    pub fn new(
        config: &BrokerConfig,
        cluster_id: &str,
        directory_id: Uuid,
        incarnation_id: Uuid,
        seed: u128,
    ) -> Self {
        let quorum = &config.quorum;
        let positive = |number: i64| u64::try_from(number).ok().filter(|number| *number > 0);
        Self {
            machine: machine_config(config, cluster_id, seed),
            directory_id,
            incarnation_id,
            endpoints: endpoints(config),
            static_voters: static_voters(config),
            segment_bytes: quorum
                .internal_metadata_log_segment_bytes
                .unwrap_or(quorum.metadata_log_segment_bytes),
            segment_ms: quorum.metadata_log_segment_ms,
            bytes_between_snapshots: positive(quorum.metadata_log_max_record_bytes_between_snapshots)
                .unwrap_or(1),
            snapshot_interval: positive(quorum.metadata_log_max_snapshot_interval_ms)
                .map(Duration::from_millis),
            retention_bytes: positive(quorum.metadata_max_retention_bytes),
            retention_ms: Some(quorum.metadata_max_retention_ms).filter(|ms| *ms >= 0),
        }
    }

    /// This node's id.
    pub(super) fn node_id(&self) -> NodeId {
        self.machine.node_id
    }
}

fn machine_config(config: &BrokerConfig, cluster_id: &str, seed: u128) -> ControllerConfig {
    let millis = |number: i64| Duration::from_millis(u64::try_from(number).unwrap_or(0));
    let idle = i64::from(config.quorum.metadata_max_idle_interval_ms);
    let imbalance = u64::try_from(config.replication.leader_imbalance_check_interval_seconds).unwrap_or(300);
    let rebalance = config.replication.auto_leader_rebalance_enable;
    ControllerConfig {
        node_id: config.node_id,
        cluster_id: cluster_id.to_owned(),
        default_replication_factor: i16::try_from(config.log.default_replication_factor).unwrap_or(i16::MAX),
        num_partitions: config.log.num_partitions,
        delete_topic_enable: config.log.delete_topic_enable,
        broker_session_timeout: millis(config.quorum.broker_session_timeout_ms.into()),
        max_idle_interval: Some(millis(idle)).filter(|interval| !interval.is_zero()),
        leader_imbalance_check_interval: rebalance.then(|| Duration::from_secs(imbalance)),
        unclean_leader_election_interval: millis(config.replication.unclean_leader_election_interval_ms),
        broker: Arc::new(config.clone()),
        topic_defaults: config.topic_defaults(),
        remote_storage: config.values().boolean("remote.log.storage.system.enable"),
        supported_features: supported_features(),
        seed,
    }
}

fn endpoints(config: &BrokerConfig) -> Vec<(Endpoint, i16)> {
    let endpoint = |endpoint: &config::EndPoint| {
        let host = if endpoint.host.is_empty() { "localhost".to_owned() } else { endpoint.host.clone() };
        let port = u16::try_from(endpoint.port).unwrap_or(0);
        (Endpoint { name: endpoint.listener.clone(), host, port }, endpoint.security_protocol.id())
    };
    config.listeners.advertised_controller().into_iter().map(endpoint).collect()
}

/// The voters of `controller.quorum.voters`, reached by the first controller listener.
fn static_voters(config: &BrokerConfig) -> VoterSet {
    let name = config.listeners.controller_names.first().cloned().unwrap_or_default();
    VoterSet::new(config.quorum_voters.iter().map(|voter| VoterNode {
        key: raft::ReplicaKey { id: voter.id, directory_id: None },
        endpoints: vec![Endpoint { name: name.clone(), host: voter.host.clone(), port: voter.port }],
        kraft_versions: (0, 0),
    }))
}
