//! The broker role: its parts, in one place that every handler can reach.
//!
//! Kafka: `BrokerServer`.

pub mod address_limits;
mod cleaners;
pub mod client_metrics;
pub mod controller_channel;
mod dead_letter_queue;
pub mod directory_assignments;
pub mod dynamic_config;
pub mod fetch_session;
pub mod leader_log;
pub mod lifecycle;
pub mod loading;
pub mod log_moves;
pub mod loggers;
pub mod metadata_cache;
pub mod partition;
pub mod producer_ids;
pub mod publisher;
pub mod quotas;
pub mod replica_manager;
pub mod share_partition_manager;
pub mod share_persister;
pub mod share_sessions;
pub mod start;
pub mod telemetry_sink;
pub mod topic_creation;
pub mod transaction_admission;
pub mod transaction_markers;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use config::{BrokerConfig, ShareGroupSettings};
use controller::ControllerRequest;
use coordinator::{GroupCoordinator, Persister, RuntimeConfig, ShareCoordinator, TransactionCoordinator};
use coordinators::group::{Assignor, Bounded, MigrationPolicy, ShareGroupsConfig};
use coordinators::share::ShareCoordinatorConfig;
use coordinators::transaction::TransactionVersion;
use metadata::{ConfigResource, MetadataImage, ResourceType};
use model::NodeId;
use network::ConnectionQuotas;
use protocol::ResponseBody;
use quota::QuotaKind;
use security::StandardAuthorizer;
use storage::LogManager;
use telemetry::ShareGroupMetrics;
use tokio::sync::Mutex;
use world::chance::Chance;
use world::clock::Clock;

use crate::essential::Essential;
use crate::metrics::Metrics;
use crate::request::{ConnectionId, RequestContext};
use crate::{listeners, throttle};

use address_limits::AddressLimits;
use client_metrics::ClientMetrics;
use controller_channel::ControllerChannel;
use dynamic_config::DynamicConfig;
use fetch_session::FetchSessions;
use loggers::Loggers;
use metadata_cache::MetadataCache;
use producer_ids::{ProducerIdSupply, ProducerIds};
use quotas::Quotas;
use replica_manager::ReplicaManager;
use share_partition_manager::SharePartitionManager;
use share_persister::SharePersister;
use share_sessions::ShareSessions;
use start::World;
use telemetry_sink::{SinkTarget, TelemetrySink};
use topic_creation::TopicCreation;
use transaction_markers::MarkerWriter;

/// How long an answer waits for this broker to act on what the controller decided.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A broker's parts.
pub struct Broker {
    /// This node.
    pub node_id: NodeId,
    /// The cluster's id.
    pub cluster_id: String,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// What is counted while requests are served.
    pub metrics: Metrics,
    /// The newest metadata.
    pub metadata: MetadataCache,
    /// The configuration in its layers.
    pub dynamic_config: DynamicConfig,
    /// The partitions here.
    pub replicas: ReplicaManager,
    /// Metrics that clients push.
    pub client_metrics: ClientMetrics,
    /// The levels of loggers.
    pub loggers: Loggers,
    /// What clients may use, and did.
    pub quotas: Quotas,
    /// Clients' fetch sessions.
    pub fetch_sessions: FetchSessions,
    /// Groups and their offsets.
    pub groups: GroupCoordinator,
    /// Transactions.
    pub transactions: TransactionCoordinator,
    /// The state of share groups' partitions, as far as it is kept here.
    pub share: ShareCoordinator,
    /// The state of share groups' partitions, wherever it is kept.
    pub share_persister: Arc<dyn Persister>,
    /// The share partitions that this broker leads.
    pub share_partitions: Arc<SharePartitionManager>,
    /// Share groups' members' sessions.
    pub share_sessions: ShareSessions,
    /// Ids for idempotent and transactional producers.
    pub producer_ids: ProducerIds,
    /// Topics that are created because somebody asked for them.
    pub topic_creation: TopicCreation,
    /// Decides who may do what; none if everybody may do everything.
    pub authorizer: Option<StandardAuthorizer>,
    /// The active controller.
    pub controller: Arc<dyn ControllerChannel>,
    /// What must not fail while the node runs.
    pub essential: Essential,
    epoch: AtomicI64,
    publishing: Mutex<()>,
    address_limits: OnceLock<AddressLimits>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

impl Broker {
    /// Makes a broker that has no metadata yet. Must be called within a tokio runtime.
    pub fn new(
        config: Arc<BrokerConfig>,
        cluster_id: String,
        logs: Arc<LogManager>,
        controller: Arc<dyn ControllerChannel>,
        World { files, clock, chance }: World,
        authorizer: Option<StandardAuthorizer>,
        telemetry_sink: Option<SinkTarget>,
    ) -> Arc<Self> {
        let metrics = Metrics::default();
        let share_metrics = metrics.share.clone();
        let essential = Essential::default();
        let sink = telemetry_sink.map(|target| TelemetrySink::start(target, files));
        Arc::new_cyclic(|broker| Self {
            node_id: config.node_id,
            cluster_id,
            metadata: MetadataCache::default(),
            replicas: ReplicaManager::new(config.node_id, logs, metrics.topics.clone()),
            metrics,
            client_metrics: ClientMetrics::new(sink),
            loggers: Loggers::default(),
            quotas: Quotas::new(&config.quotas),
            fetch_sessions: FetchSessions::default(),
            groups: groups(&config, clock.clone(), chance.clone(), share_persister(broker)),
            transactions: transactions(&config, clock.clone(), broker),
            share: share(&config, clock.clone()),
            share_persister: share_persister(broker),
            share_partitions: share_partitions(broker, clock.clone(), share_metrics, &essential),
            share_sessions: ShareSessions::default(),
            producer_ids: ProducerIds::default(),
            topic_creation: TopicCreation::default(),
            authorizer,
            controller,
            dynamic_config: DynamicConfig::new(BrokerConfig::clone(&config)),
            essential,
            epoch: AtomicI64::new(-1),
            publishing: Mutex::default(),
            address_limits: OnceLock::new(),
            clock,
            chance,
        })
    }

    /// Returns the configuration as it is now: the properties file with what was changed at run time over it.
    pub fn config(&self) -> Arc<BrokerConfig> {
        self.dynamic_config.current()
    }

    /// Returns what now holds for a share group: its own configuration over this broker's.
    pub fn share_group_settings(&self, group: &str) -> ShareGroupSettings {
        let image = self.metadata.image();
        let own = image.configs().resource(&ConfigResource::new(ResourceType::GROUP, group));
        let own = own.map(|set| set.as_ref().clone()).unwrap_or_default();
        self.config().share_group_settings(&own)
    }

    /// Has the connection limits follow the configuration from now on; comes back when they hold.
    pub async fn limit_connections(&self, quotas: Arc<ConnectionQuotas>) {
        // An image that is just being acted on would be seen neither by its publisher nor here.
        let none_is_published = self.publishing.lock().await;
        let (config, image) = (self.config(), self.metadata.image());
        self.cordon(&config);
        quotas.set_limits(listeners::limits(&config));
        // A node starts its broker once, so there are no limits yet.
        let limits = self.address_limits.get_or_init(|| AddressLimits::new(quotas));
        let resolving = limits.set_overrides(image.provenance().last_contained_offset.0, &config);
        limits.set_rates(&image);
        drop(none_is_published);
        if let Some(resolving) = resolving {
            // A name that cannot be resolved was logged.
            _ = resolving.await;
        }
    }

    /// Takes over the quotas of clients and addresses.
    fn on_client_quotas_changed(&self, image: &Arc<MetadataImage>) {
        self.quotas.update(image.client_quotas());
        if let Some(limits) = self.address_limits.get() {
            limits.set_rates(image);
        }
    }

    /// Has the controller decide on a client's change to topics, whose partitions count against the client's quota.
    /// From version `strict_since` on it is refused once the client owes. The answer tells how long the client waits.
    pub async fn decide_within_quota(
        &self,
        context: &RequestContext,
        request: ControllerRequest,
        strict_since: i16,
    ) -> ResponseBody {
        if !self.quotas.is_enabled(QuotaKind::ControllerMutation) {
            return self.decide(request).await;
        }
        let quota = self.quotas.mutation(context, strict_since);
        let mut response = self.decide(request.limited(quota.clone())).await;
        response.set_throttle_time_ms(throttle::millis(quota.throttle_time(self.clock.monotonic())));
        response
    }

    /// Keeps new logs from the log dirs that `cordoned.log.dirs` names.
    fn cordon(&self, config: &BrokerConfig) {
        for dir in self.replicas.logs().dirs() {
            let names = &config.cordoned_log_dirs;
            dir.set_cordoned(names.iter().any(|name| Path::new(name) == dir.path()));
        }
    }

    /// Takes over what the configuration says at `image`, where it is not asked for each time.
    fn on_config_changed(&self, image: &MetadataImage) {
        let config = self.config();
        if let Some(limits) = self.address_limits.get() {
            limits.quotas().set_limits(listeners::limits(&config));
            limits.set_overrides(image.provenance().last_contained_offset.0, &config);
        }
        let environment = self.replicas.logs().environment();
        let expiration = config.transactions.producer_id_expiration_ms.into();
        environment.producer_id_expiration_ms.store(expiration, Ordering::Relaxed);
        self.replicas.logs().cleaner().set_options(cleaners::options(&config));
        self.cordon(&config);
    }

    /// Has the controller decide on a client's request, and gives this broker a moment to act on it, so that the client's
    /// next question here finds what it changed.
    pub async fn decide(&self, request: ControllerRequest) -> ResponseBody {
        let response = self.controller.submit(request).await;
        let committed = self.controller.committed_offset();
        // Late metadata is no reason to keep the answer back for long.
        _ = tokio::time::timeout(CATCH_UP, self.metadata.wait_for(committed.0)).await;
        response
    }

    /// Ends what ends with a connection.
    pub fn on_disconnect(&self, connection: ConnectionId) {
        self.client_metrics.disconnected(connection);
        for ended in self.share_sessions.on_disconnect(connection) {
            self.share_partitions.on_session_ended(ended);
        }
    }

    /// Returns the epoch of this broker's registration; -1 before it registered.
    pub fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Acquire)
    }

    fn set_epoch(&self, epoch: i64) {
        self.epoch.store(epoch, Ordering::Release);
    }
}

fn share_partitions(
    broker: &Weak<Broker>,
    clock: Arc<dyn Clock>,
    metrics: Arc<ShareGroupMetrics>,
    essential: &Essential,
) -> Arc<SharePartitionManager> {
    SharePartitionManager::start(broker.clone(), share_persister(broker), clock, metrics, essential)
}

fn share_persister(broker: &Weak<Broker>) -> Arc<dyn Persister> {
    Arc::new(SharePersister::new(broker.clone()))
}

fn groups(
    config: &BrokerConfig,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    persister: Arc<dyn Persister>,
) -> GroupCoordinator {
    let keys = &config.groups;
    let streams = &config.streams_groups;
    let ms = |value: i64| Duration::from_millis(value.max(0) as u64);
    let minutes = |value: i32| Duration::from_secs(60 * value.max(0) as u64);
    let machine = coordinators::group::GroupCoordinatorConfig {
        min_session_timeout: ms(keys.group_min_session_timeout_ms.into()),
        max_session_timeout: ms(keys.group_max_session_timeout_ms.into()),
        initial_rebalance_delay: ms(keys.group_initial_rebalance_delay_ms.into()),
        max_size: keys.group_max_size.max(1) as usize,
        offset_metadata_max_size: keys.offset_metadata_max_bytes.max(0) as usize,
        offsets_retention: minutes(keys.offsets_retention_minutes),
        offsets_retention_check_interval: ms(keys.offsets_retention_check_interval_ms),
        consumer_session_timeout: ms(keys.group_consumer_session_timeout_ms.into()),
        consumer_heartbeat_interval: ms(keys.group_consumer_heartbeat_interval_ms.into()),
        consumer_assignment_interval: ms(keys.group_consumer_assignment_interval_ms.into()),
        consumer_max_size: keys.group_consumer_max_size.max(1) as usize,
        consumer_assignors: assignors(&keys.group_consumer_assignors),
        consumer_migration_policy: MigrationPolicy::by_name(&keys.group_consumer_migration_policy),
        consumer_regex_refresh_interval: ms(keys.group_consumer_regex_refresh_interval_ms.into()),
        share: share_groups(config),
        streams_session_timeout: ms(streams.group_streams_session_timeout_ms.into()),
        streams_heartbeat_interval: ms(streams.group_streams_heartbeat_interval_ms.into()),
        streams_assignment_interval: ms(streams.group_streams_assignment_interval_ms.into()),
        streams_initial_rebalance_delay: ms(streams.group_streams_initial_rebalance_delay_ms.into()),
        streams_max_size: streams.group_streams_max_size.max(1) as usize,
        streams_num_standby_replicas: streams.group_streams_num_standby_replicas,
    };
    let runtime = RuntimeConfig {
        compression: records::Compression::new(offsets_codec(keys.offsets_topic_compression_codec)),
        load_buffer_size: keys.offsets_load_buffer_size.max(1) as usize,
        commit_timeout: ms(keys.offsets_commit_timeout_ms.into()),
    };
    GroupCoordinator::new(machine, runtime, keys.offsets_topic_num_partitions, clock, chance, persister)
}

fn transactions(
    config: &BrokerConfig,
    clock: Arc<dyn Clock>,
    broker: &Weak<Broker>,
) -> TransactionCoordinator {
    let keys = &config.transactions;
    let ms = |value: i32| Duration::from_millis(value.max(0) as u64);
    let machine = coordinators::transaction::TransactionConfig {
        max_timeout_ms: keys.transaction_max_timeout_ms,
        id_expiration_ms: keys.transactional_id_expiration_ms.into(),
        abort_interval: ms(keys.transaction_abort_timed_out_transaction_cleanup_interval_ms),
        expiry_interval: ms(keys.transaction_remove_expired_transaction_cleanup_interval_ms),
    };
    let runtime = RuntimeConfig {
        // Kafka: `TransactionLog.ENFORCED_COMPRESSION`.
        compression: records::Compression::new(records::Codec::None),
        load_buffer_size: keys.transaction_state_log_load_buffer_size.max(1) as usize,
        commit_timeout: ms(config.network.request_timeout_ms),
    };
    let producer_ids = Arc::new(ProducerIdSupply::new(broker.clone()));
    let writer = Arc::new(MarkerWriter::new(broker.clone()));
    // The first image tells the level of the cluster.
    let level = TransactionVersion::default();
    let partitions = keys.transaction_state_log_num_partitions;
    TransactionCoordinator::start(machine, runtime, partitions, level, clock, producer_ids, writer)
}

fn share_groups(config: &BrokerConfig) -> ShareGroupsConfig {
    let keys = &config.share_groups;
    let ms = |value: i32| Duration::from_millis(value.max(0) as u64);
    let bounded = |default, min, max| Bounded { default: ms(default), min: ms(min), max: ms(max) };
    // Kafka: `shareGroupInitializeRetryIntervalMs`, which is never below what an answer may wait.
    let retry = keys.group_share_initialize_retry_interval_ms.max(config.groups.offsets_commit_timeout_ms);
    ShareGroupsConfig {
        session_timeout: bounded(
            keys.group_share_session_timeout_ms,
            keys.group_share_min_session_timeout_ms,
            keys.group_share_max_session_timeout_ms,
        ),
        heartbeat_interval: bounded(
            keys.group_share_heartbeat_interval_ms,
            keys.group_share_min_heartbeat_interval_ms,
            keys.group_share_max_heartbeat_interval_ms,
        ),
        assignment_interval: bounded(
            keys.group_share_assignment_interval_ms,
            keys.group_share_min_assignment_interval_ms,
            keys.group_share_max_assignment_interval_ms,
        ),
        max_size: keys.group_share_max_size.max(1) as usize,
        initialize_retry_interval: ms(retry),
    }
}

fn share(config: &BrokerConfig, clock: Arc<dyn Clock>) -> ShareCoordinator {
    let keys = &config.share_groups;
    let ms = |value: i32| Duration::from_millis(value.max(0) as u64);
    let updates = keys.share_coordinator_snapshot_update_records_per_snapshot;
    let machine = ShareCoordinatorConfig {
        updates_per_snapshot: updates.max(0) as u32,
        cold_snapshot_interval: ms(keys.share_coordinator_cold_partition_snapshot_interval_ms),
        prune_interval: ms(keys.share_coordinator_state_topic_prune_interval_ms),
    };
    let codec = offsets_codec(keys.share_coordinator_state_topic_compression_codec);
    let runtime = RuntimeConfig {
        compression: records::Compression::new(codec),
        load_buffer_size: keys.share_coordinator_load_buffer_size.max(1) as usize,
        commit_timeout: ms(keys.share_coordinator_write_timeout_ms),
    };
    ShareCoordinator::start(machine, runtime, keys.share_coordinator_state_topic_num_partitions, clock)
}

/// Assignors of one's own cannot be loaded here; they are left out.
fn assignors(names: &[String]) -> Vec<Assignor> {
    names.iter().filter_map(|name| Assignor::by_name(name)).collect()
}

/// `offsets.topic.compression.codec`, like that of share groups, is a codec's number in batch attributes.
fn offsets_codec(number: i32) -> records::Codec {
    u8::try_from(number).ok().and_then(|id| records::Codec::from_id(id).ok()).unwrap_or_default()
}
