//! Broker keys: the controller quorum, its log, and the roles of a node.

use model::NodeId;

use super::typed::typed_config;
use crate::Importance::{High, Low, Medium};
use crate::Values;
use crate::validator::split_host_port;
use crate::{Key, KeyType, Validator};

typed_config! {
    /// The controller quorum and its log. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    QuorumConfig {
        broker_heartbeat_interval_ms: int "broker.heartbeat.interval.ms",
        broker_session_timeout_ms: int "broker.session.timeout.ms",
        controller_performance_always_log_threshold_ms: long "controller.performance.always.log.threshold.ms",
        controller_performance_sample_period_ms: long "controller.performance.sample.period.ms",
        controller_quorum_append_linger_ms: int "controller.quorum.append.linger.ms",
        controller_quorum_auto_join_enable: boolean "controller.quorum.auto.join.enable",
        controller_quorum_election_backoff_max_ms: int "controller.quorum.election.backoff.max.ms",
        controller_quorum_election_timeout_ms: int "controller.quorum.election.timeout.ms",
        controller_quorum_fetch_max_bytes: int "controller.quorum.fetch.max.bytes",
        controller_quorum_fetch_snapshot_max_bytes: int "controller.quorum.fetch.snapshot.max.bytes",
        controller_quorum_fetch_timeout_ms: int "controller.quorum.fetch.timeout.ms",
        controller_quorum_request_timeout_ms: int "controller.quorum.request.timeout.ms",
        controller_quorum_retry_backoff_ms: int "controller.quorum.retry.backoff.ms",
        initial_broker_registration_timeout_ms: int "initial.broker.registration.timeout.ms",
        internal_metadata_delete_delay_millis: long "internal.metadata.delete.delay.millis",
        internal_metadata_log_segment_bytes: optional_int "internal.metadata.log.segment.bytes",
        internal_metadata_max_batch_size_in_bytes: int "internal.metadata.max.batch.size.in.bytes",
        metadata_log_max_record_bytes_between_snapshots: long "metadata.log.max.record.bytes.between.snapshots",
        metadata_log_max_snapshot_interval_ms: long "metadata.log.max.snapshot.interval.ms",
        metadata_log_segment_bytes: int "metadata.log.segment.bytes",
        metadata_log_segment_ms: long "metadata.log.segment.ms",
        metadata_max_idle_interval_ms: int "metadata.max.idle.interval.ms",
        metadata_max_retention_bytes: long "metadata.max.retention.bytes",
        metadata_max_retention_ms: long "metadata.max.retention.ms",
        unstable_feature_versions_enable: boolean "unstable.feature.versions.enable",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int(
        "broker.heartbeat.interval.ms",
        "2000",
        Medium,
        "How often a broker tells the controller that it lives.",
    ),
    Key::int("broker.id", "-1", High, "The node's id, by its old name."),
    Key::int(
        "broker.session.timeout.ms",
        "9000",
        Medium,
        "How long the controller waits for a broker's heartbeat before it fences it.",
    ),
    Key::long(
        "controller.performance.always.log.threshold.ms",
        "2000",
        Medium,
        "Events of the controller that take longer than this are logged.",
    )
    .at_least(0)
    .hidden(),
    Key::long(
        "controller.performance.sample.period.ms",
        "60000",
        Medium,
        "How often the controller logs how long its events took.",
    )
    .at_least(100)
    .hidden(),
    Key::int(
        "controller.quorum.append.linger.ms",
        "25",
        Medium,
        "How long the leader gathers records before it writes them.",
    )
    .at_least(0),
    Key::boolean(
        "controller.quorum.auto.join.enable",
        "false",
        Low,
        "Whether a controller joins the voters of its cluster by itself.",
    ),
    Key::list(
        "controller.quorum.bootstrap.servers",
        "",
        High,
        "Where the quorum can be found: host:port, several between commas.",
    )
    .valid(Validator::BootstrapServers),
    Key::int(
        "controller.quorum.election.backoff.max.ms",
        "1000",
        High,
        "How long a candidate waits at most before it tries again.",
    )
    .at_least(0),
    Key::int("controller.quorum.election.timeout.ms", "1000", High, "How long a candidate waits for votes.")
        .at_least(0),
    Key::int(
        "controller.quorum.fetch.max.bytes",
        "1048576",
        Low,
        "How many bytes of the metadata log one fetch asks for.",
    )
    .at_least(1),
    Key::int(
        "controller.quorum.fetch.snapshot.max.bytes",
        "1048576",
        Low,
        "How many bytes of a snapshot one request asks for.",
    )
    .at_least(1),
    Key::int(
        "controller.quorum.fetch.timeout.ms",
        "2000",
        High,
        "How long a voter goes without a fetch from the leader before it stands for election, \
         and a leader without fetches from a majority before it resigns.",
    )
    .at_least(0),
    Key::int(
        "controller.quorum.request.timeout.ms",
        "2000",
        Medium,
        "How long a request within the quorum waits for its answer.",
    )
    .at_least(0),
    Key::int(
        "controller.quorum.retry.backoff.ms",
        "20",
        Low,
        "How long a request within the quorum that failed rests before it is sent again.",
    )
    .at_least(0),
    Key::list(
        "controller.quorum.voters",
        "",
        High,
        "The voters of a quorum whose members never change: id@host:port, several between \
         commas.",
    )
    .valid(Validator::QuorumVoters),
    Key::int(
        "initial.broker.registration.timeout.ms",
        "60000",
        Medium,
        "How long a starting broker tries to register before it gives up.",
    ),
    Key::long(
        "internal.metadata.delete.delay.millis",
        "60000",
        Low,
        "How long deleted files of the metadata log stay on disk; for tests.",
    )
    .hidden(),
    Key::nullable(
        "internal.metadata.log.segment.bytes",
        KeyType::Int,
        Low,
        "The segment size of the metadata log without a lower bound; for tests.",
    )
    .hidden(),
    Key::int(
        "internal.metadata.max.batch.size.in.bytes",
        "8388608",
        Low,
        "How large a batch of the metadata log may be; for tests.",
    )
    .hidden(),
    Key::nullable(
        "metadata.log.dir",
        KeyType::String,
        High,
        "Where the metadata log is; unset, the first log dir.",
    ),
    Key::long(
        "metadata.log.max.record.bytes.between.snapshots",
        "20971520",
        High,
        "How many bytes of the metadata log make a new snapshot due.",
    )
    .at_least(1),
    Key::long(
        "metadata.log.max.snapshot.interval.ms",
        "3600000",
        High,
        "How long after the last snapshot a new one is due, if anything changed; 0 for \
         never.",
    )
    .at_least(0),
    Key::int(
        "metadata.log.segment.bytes",
        "1073741824",
        High,
        "The size at which a new segment of the metadata log begins.",
    )
    .at_least(8388608),
    Key::long(
        "metadata.log.segment.ms",
        "604800000",
        High,
        "The age at which a new segment of the metadata log begins.",
    ),
    Key::int(
        "metadata.max.idle.interval.ms",
        "500",
        Low,
        "How often an idle controller writes a record that says nothing; 0 for never.",
    )
    .at_least(0),
    Key::long(
        "metadata.max.retention.bytes",
        "104857600",
        High,
        "How large the metadata log and its snapshots may be together before the oldest are \
         deleted.",
    ),
    Key::long(
        "metadata.max.retention.ms",
        "604800000",
        High,
        "How long segments and snapshots of the metadata log are kept.",
    ),
    Key::required("node.id", KeyType::Int, High, "The node's id, which no other node of the cluster has.")
        .at_least(0),
    Key::required(
        "process.roles",
        KeyType::List,
        High,
        "What this process is: `broker`, `controller` or both.",
    )
    .valid(Validator::List { of: &["broker", "controller"], empty: false, null: false }),
    Key::string(
        "sasl.mechanism.controller.protocol",
        "GSSAPI",
        High,
        "The SASL mechanism towards controllers.",
    ),
    Key::boolean(
        "unstable.feature.versions.enable",
        "false",
        High,
        "Whether feature levels that are not final yet can be used.",
    )
    .hidden(),
];

/// A voter of a quorum whose members never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The voter's node id.
    pub id: NodeId,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Reads `controller.quorum.voters`, whose form the validator has checked; of two with one id the last counts.
pub(super) fn read_voters(values: &Values) -> Vec<Voter> {
    let parse = |entry: &String| {
        let (id, address) = entry.split_once('@')?;
        let (host, port) = split_host_port(address)?;
        Some(Voter { id: NodeId(id.parse().ok()?), host: host.to_owned(), port })
    };
    let mut voters: Vec<Voter> = Vec::new();
    for voter in values.list("controller.quorum.voters").iter().filter_map(parse) {
        voters.retain(|known| known.id != voter.id);
        voters.push(voter);
    }
    voters
}

/// Reads `controller.quorum.bootstrap.servers`, whose form the validator has checked.
pub(super) fn read_bootstrap_servers(values: &Values) -> Vec<(String, u16)> {
    let parse = |entry: &String| split_host_port(entry).map(|(host, port)| (host.to_owned(), port));
    values.list("controller.quorum.bootstrap.servers").iter().filter_map(parse).collect()
}
