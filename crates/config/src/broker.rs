//! A node's configuration: every documented broker key of Kafka, and ours, parsed, checked and typed.
//!
//! Each file of `broker/` has the keys of one part and the struct with which the node reads them. Keys that are in no
//! table are kept and passed over, as Kafka does.
//!
//! Keys of what this node does not have are checked and described, and change nothing: sizes of pools of threads and of queues
//! between them (`num.io.threads`, `queued.max.requests`, `group.coordinator.threads`), purges of purgatories, lingering of batches
//! (`*.append.linger.ms`), samples of metrics (`metrics.*`), and how often the log's own chores are looked for.
//!
//! Not yet, so that these change nothing either: the keys of followers (`replica.fetch.*`, `replica.lag.time.max.ms`,
//! `num.replica.fetchers`, `replica.selector.class`) and of a quorum of several (`controller.quorum.*` but for voters and bootstrap
//! servers), of tiers (`remote.*`, beyond whether topics may ask for them), of versions that are not stable (`unstable.*`), of slow
//! requests to the controller (`controller.performance.*`), `log.dir.failure.timeout.ms` and `transaction.two.phase.commit.enable`.

mod endpoint;
mod groups;
mod listeners;
mod log;
mod metrics;
mod network;
mod oauth;
mod quorum;
mod quotas;
mod remote;
mod replication;
mod sasl;
mod security;
mod share_groups;
mod ssl;
mod streams_groups;
mod transactions;
mod typed;
mod validation;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::NodeId;

use crate::{ConfigError, ConfigMap, Key, TOPIC_KEYS, Unit, Value, Values, topic_synonyms};

pub use endpoint::{EndPoint, SecurityProtocol, SecurityProtocolMap};
pub use groups::GroupCoordinatorConfig;
pub use listeners::Listeners;
pub use log::ServerLogConfig;
pub use metrics::{MetricsConfig, TelemetrySinkAddress};
pub use network::NetworkConfig;
pub use quorum::{QuorumConfig, Voter};
pub use quotas::QuotaConfig;
pub use replication::ReplicationConfig;
pub use security::SecurityConfig;
pub use share_groups::ShareGroupConfig;
pub use streams_groups::StreamsGroupConfig;
pub use transactions::TransactionConfig;

const TABLES: &[&[Key]] = &[
    groups::KEYS,
    listeners::KEYS,
    log::KEYS,
    metrics::KEYS,
    network::KEYS,
    oauth::KEYS,
    quorum::KEYS,
    quotas::KEYS,
    remote::KEYS,
    replication::KEYS,
    sasl::KEYS,
    security::KEYS,
    share_groups::KEYS,
    ssl::KEYS,
    streams_groups::KEYS,
    transactions::KEYS,
];

/// All broker keys that can stand in a properties file.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    TABLES.iter().copied().flatten()
}

/// The broker key `name`.
pub fn broker_key(name: &str) -> Option<&'static Key> {
    broker_keys().find(|key| key.name == name)
}

/// A node's configuration. Kafka: `KafkaConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    originals: ConfigMap,
    values: Values,
    /// `node.id`.
    pub node_id: NodeId,
    /// Whether `process.roles` has `broker`.
    pub is_broker: bool,
    /// Whether `process.roles` has `controller`.
    pub is_controller: bool,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `log.dirs`, or `log.dir`.
    pub log_dirs: Vec<String>,
    /// `cordoned.log.dirs`, with `*` replaced by all log dirs.
    pub cordoned_log_dirs: Vec<String>,
    /// `metadata.log.dir`, or the first log dir.
    pub metadata_log_dir: String,
    /// `max.connections.per.ip.overrides`: counts by address or host name.
    pub max_connections_per_ip_overrides: BTreeMap<String, i32>,
    /// The listeners.
    pub listeners: Listeners,
    /// Classic and consumer groups.
    pub groups: GroupCoordinatorConfig,
    /// Logs.
    pub log: ServerLogConfig,
    /// Metrics and telemetry.
    pub metrics: MetricsConfig,
    /// Sockets, connections, requests, threads.
    pub network: NetworkConfig,
    /// The controller quorum.
    pub quorum: QuorumConfig,
    /// The voters of `controller.quorum.voters`.
    pub quorum_voters: Vec<Voter>,
    /// `controller.quorum.bootstrap.servers`.
    pub quorum_bootstrap_servers: Vec<(String, u16)>,
    /// Quotas.
    pub quotas: QuotaConfig,
    /// Replication.
    pub replication: ReplicationConfig,
    /// Authorization and tokens.
    pub security: SecurityConfig,
    /// Share groups.
    pub share_groups: ShareGroupConfig,
    /// Streams groups.
    pub streams_groups: StreamsGroupConfig,
    /// Transactions.
    pub transactions: TransactionConfig,
}

impl BrokerConfig {
    /// Parses and checks a node's properties. Kafka: `KafkaConfig.fromProps`.
    pub fn parse(props: &ConfigMap) -> Result<Self, ConfigError> {
        let originals = with_node_id_synonyms(props);
        let values = Values::parse(broker_keys(), &originals)?;
        let config = Self::read(originals, values)?;
        config.validate()?;
        Ok(config)
    }

    fn read(originals: ConfigMap, values: Values) -> Result<Self, ConfigError> {
        let has_role = |role: &str| values.list("process.roles").iter().any(|r| r == role);
        let log_dirs = match values.list("log.dirs") {
            dirs if dirs.is_empty() => values.list("log.dir"),
            dirs => dirs,
        };
        let cordoned = values.list("cordoned.log.dirs");
        let overrides = "max.connections.per.ip.overrides";
        Ok(Self {
            node_id: NodeId(values.int("node.id")),
            is_broker: has_role("broker"),
            is_controller: has_role("controller"),
            rack: values.string("broker.rack"),
            cordoned_log_dirs: if cordoned == ["*"] { log_dirs.clone() } else { cordoned },
            metadata_log_dir: values.string("metadata.log.dir").unwrap_or_else(|| log_dirs[0].clone()),
            log_dirs,
            max_connections_per_ip_overrides: listeners::parse_map(overrides, &values.text(overrides))?
                .into_iter()
                .map(|(host, count)| parse_count(&count).map(|count| (host, count)))
                .collect::<Result<_, _>>()?,
            listeners: Listeners::read(&values, &originals)?,
            groups: GroupCoordinatorConfig::read(&values),
            log: ServerLogConfig::read(&values),
            metrics: MetricsConfig::read(&values),
            network: NetworkConfig::read(&values),
            quorum: QuorumConfig::read(&values),
            quorum_voters: quorum::read_voters(&values),
            quorum_bootstrap_servers: quorum::read_bootstrap_servers(&values),
            quotas: QuotaConfig::read(&values),
            replication: ReplicationConfig::read(&values),
            security: SecurityConfig::read(&values),
            share_groups: ShareGroupConfig::read(&values),
            streams_groups: StreamsGroupConfig::read(&values),
            transactions: TransactionConfig::read(&values),
            originals,
            values,
        })
    }

    /// What was set, with keys that Kafka does not know.
    pub fn originals(&self) -> &ConfigMap {
        &self.originals
    }

    /// The values of all keys.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The value of `key` for one listener: with the prefix `listener.name.NAME.` if that is set, else without.
    /// Kafka: `valuesWithPrefixOverride`.
    pub fn listener_value(&self, listener: &str, key: &str) -> Result<Value, ConfigError> {
        let name = format!("listener.name.{}.{key}", listener.to_lowercase());
        match (self.originals.get(&name), broker_key(key)) {
            (Some(text), Some(row)) => row.parse(text),
            (Some(text), None) => Ok(Value::String(text.clone())),
            (None, _) => Ok(self.values.get(key).clone()),
        }
    }

    /// What topics get that set nothing, by topic key. Kafka: `KafkaConfig.extractLogConfigMap`.
    pub fn topic_defaults(&self) -> ConfigMap {
        let default = |key: &Key| Some((key.name.to_owned(), self.topic_default(key.name)?));
        TOPIC_KEYS.iter().filter_map(default).collect()
    }

    fn topic_default(&self, topic_key: &str) -> Option<String> {
        topic_synonyms(topic_key).iter().find_map(|synonym| {
            let value = self.values.get(synonym.name);
            match (synonym.unit, value) {
                (_, Value::Null) => None,
                _ if topic_key == "retention.ms" => Some(self.log_retention_ms().to_string()),
                (Unit::Hours, Value::Int(hours)) => Some((hours * 3_600_000).to_string()),
                (Unit::Minutes, Value::Int(minutes)) => Some((minutes * 60_000).to_string()),
                _ => value.to_config_text(),
            }
        })
    }

    /// How long records are kept in topics that set nothing, in milliseconds; -1 for ever.
    /// Kafka: `KafkaConfig.logRetentionTimeMillis`.
    pub fn log_retention_ms(&self) -> i64 {
        let minutes = || self.values.optional_long("log.retention.minutes").map(|minutes| minutes * 60_000);
        let ms = self.values.optional_long("log.retention.ms").or_else(minutes);
        ms.unwrap_or_else(|| self.values.long("log.retention.hours") * 3_600_000).max(-1)
    }
}

/// `node.id` and `broker.id` stand for each other. Kafka: `KafkaConfig.populateSynonyms`.
fn with_node_id_synonyms(props: &ConfigMap) -> ConfigMap {
    let mut props = props.clone();
    for (name, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let (None, Some(id)) = (props.get(name), props.get(other)) {
            let id = id.clone();
            props.insert(name.to_owned(), id);
        }
    }
    props
}

fn parse_count(text: &str) -> Result<i32, ConfigError> {
    text.parse().map_err(|_| ConfigError::Invalid(format!("For input string: \"{text}\"")))
}
