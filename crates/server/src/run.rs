//! Runs a node in this process until a signal stops it: what `monedula server` does.
//!
//! Kafka: `kafka.Kafka`, `KafkaRaftServer.initializeLogDirs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use config::{
    BrokerConfig, ConfigError, ConfigMap, LogConfig, PropertiesError, apply_override, parse_properties,
};
use model::Uuid;
use storage::{LogDir, LogManager, StorageError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use world::chance::{Chance, RealChance};
use world::clock::RealClock;
use world::files::RealFiles;

use crate::broker::controller_channel::ControllerChannel;
use crate::broker::loggers::LogFilter;
use crate::broker::start::{ControllerLink, World};
use crate::controller::{ControllerError, ControllerOptions, ControllerService};
use crate::log_dir_owner;
use crate::node::{Node, NodeError, PreparedNode};

/// Where a node without a properties file keeps its data, below the present directory.
pub const DEFAULT_DATA_DIR: &str = "monedula-data";

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The `server.properties`; without one the node configures and formats itself.
    pub properties: Option<PathBuf>,
    /// `--override key=value`, in order.
    pub overrides: Vec<String>,
    /// `--insecure`: others may connect without a login.
    pub insecure: bool,
    /// What writes the log, and the levels that it was started with; none if levels cannot be set.
    pub log: Option<(Arc<dyn LogFilter>, String)>,
}

/// Why the node could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The properties file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The properties file, or an override, is malformed.
    #[error(transparent)]
    Properties(#[from] PropertiesError),
    /// The configuration is not valid.
    #[error("Invalid config: {0}")]
    Config(#[from] ConfigError),
    /// The roles are not those of a combined node.
    #[error(
        "process.roles must be broker,controller: a node of one role alone needs others, which is not served yet"
    )]
    Roles,
    /// A log dir was never formatted. Kafka: `MetaPropertiesEnsemble.verify`.
    #[error("No `meta.properties` found in {} (have you run `kafka-storage.sh` to format the directory?)", .0.display())]
    NotFormatted(PathBuf),
    /// A log dir belongs to another node or cluster. Kafka: `MetaPropertiesEnsemble.verify`.
    #[error("Stored {name} {found} does not match the configured or other directories' {name} {expected} in {}", path.display())]
    OtherOwner {
        /// The log dir.
        path: PathBuf,
        /// `node id` or `cluster id`.
        name: &'static str,
        /// What the dir says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// Two log dirs have the same id: one may be a copy of the other. Kafka: `MetaPropertiesEnsemble.verify`.
    #[error("Duplicate directory ID {id} found. It was the ID of {}, but also of {}", first.display(), second.display())]
    SameDirectoryId {
        /// The id.
        id: Uuid,
        /// A log dir that has it.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
    /// A metadata log lies where none should be: perhaps `log.dirs` were put in another order. With another metadata log, or an
    /// empty one, no partition would be known any more. Kafka: `KafkaRaftServer.initializeLogDirs`.
    #[error(
        "Found unexpected metadata location in data directory `{}` (the configured metadata directory is {configured}).", found.display()
    )]
    MetadataElsewhere {
        /// The metadata log's folder.
        found: PathBuf,
        /// `metadata.log.dir`, or the first log dir.
        configured: String,
    },
    /// The data directory cannot be written.
    #[error("cannot format {}: {source}", path.display())]
    Format {
        /// The log dir.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A log dir's `meta.properties` cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The controller role cannot start.
    #[error(transparent)]
    Controller(#[from] ControllerError),
    /// The metadata log dir is a log dir that cannot be used.
    #[error("the metadata log dir {0} cannot be used")]
    MetadataDir(String),
    /// The node cannot start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The runtime or a signal handler cannot be made.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    /// The controller, or something else that is essential, failed while the node ran.
    #[error("{0}")]
    Failed(String),
}

/// Runs a node until SIGTERM or SIGINT, and stops it cleanly.
///
/// # Errors
/// It cannot start, or its controller fails.
pub fn run(options: &RunOptions) -> Result<(), RunError> {
    let started = Instant::now();
    let config = Arc::new(configuration(options)?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(RunError::Runtime)?;
    runtime.block_on(async {
        let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        let [terminate, interrupt] = signals;
        let (terminate, interrupt) =
            (terminate.map_err(RunError::Runtime)?, interrupt.map_err(RunError::Runtime)?);
        let (node, controller) = start(config.clone(), options).await?;
        announce(&config, &node, options, started);
        serve_until_stopped(node, &controller, terminate, interrupt).await
    })
}

/// Starts a combined node: the controller role, then the broker role on it.
///
/// # Errors
/// A listener, a log dir or a log cannot be used.
pub async fn start(
    config: Arc<BrokerConfig>,
    options: &RunOptions,
) -> Result<(Node, Arc<ControllerService>), RunError> {
    let world = World {
        files: Arc::new(RealFiles),
        clock: Arc::new(RealClock::default()),
        chance: Arc::new(RealChance),
    };
    start_in(world, config, options).await
}

/// As [`start`], on files, a clock and chance of the caller's.
///
/// # Errors
/// A listener, a log dir or a log cannot be used.
pub async fn start_in(
    world: World,
    config: Arc<BrokerConfig>,
    options: &RunOptions,
) -> Result<(Node, Arc<ControllerService>), RunError> {
    if !(config.is_broker && config.is_controller) {
        return Err(RunError::Roles);
    }
    if options.properties.is_none() {
        log_dir_owner::format_new(&config, &world)?;
    }
    let cluster_id = log_dir_owner::verify(&config, &*world.files)?;
    let prepared =
        PreparedNode::new(config.clone(), world.clone(), options.insecure || options.properties.is_some())?;
    let controller = start_controller(&config, &cluster_id, prepared.logs(), &*world.chance)?;
    let channel: Arc<dyn ControllerChannel> = controller.clone();
    let link = ControllerLink { channel, images: controller.subscribe(), service: controller.clone() };
    let node = tokio::select! {
        node = prepared.start(cluster_id, link) => node?,
        // Without its controller a broker would ask for ever to be let in.
        why = failure(&controller) => return Err(RunError::Failed(why)),
    };
    if let Some((filter, directives)) = &options.log {
        node.broker().loggers.attach(filter.clone(), directives);
    }
    Ok((node, controller))
}

fn start_controller(
    config: &BrokerConfig,
    cluster_id: &str,
    logs: &LogManager,
    chance: &dyn Chance,
) -> Result<Arc<ControllerService>, RunError> {
    let dir = metadata_dir(config, logs)?;
    let incarnation = Uuid::from_random_bytes(chance.next_id());
    let seed = u128::from_be_bytes(chance.next_id());
    let options = ControllerOptions::new(config, cluster_id, dir.id(), incarnation, seed);
    Ok(ControllerService::start(options, logs.environment(), dir)?)
}

/// Returns the dir of the metadata log: a log dir, or one of its own, which is opened here.
/// Kafka: `KafkaRaftManager.hasDifferentLogDir`.
fn metadata_dir(config: &BrokerConfig, logs: &LogManager) -> Result<Arc<LogDir>, RunError> {
    let path = Path::new(&config.metadata_log_dir);
    if !config.log_dirs.iter().any(|dir| Path::new(dir) == path) {
        return Ok(Arc::new(LogDir::open(logs.environment(), path)?));
    }
    let dir = logs.online_dirs().find(|dir| dir.path() == path);
    dir.cloned().ok_or_else(|| RunError::MetadataDir(config.metadata_log_dir.clone()))
}

/// Waits until the controller fails; tells why.
async fn failure(controller: &ControllerService) -> String {
    let mut failure = controller.failure();
    let failed = failure.wait_for(Option::is_some).await;
    let why = failed.map_or_else(|_| "its thread ended".to_owned(), |why| why.clone().unwrap_or_default());
    format!("the controller failed: {why}")
}

async fn serve_until_stopped(
    node: Node,
    controller: &Arc<ControllerService>,
    mut terminate: Signal,
    mut interrupt: Signal,
) -> Result<(), RunError> {
    let mut broker_failure = node.broker().essential.failure();
    let failed = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        why = failure(controller) => Some(why),
        failed = broker_failure.wait_for(Option::is_some) => failed.ok().and_then(|why| why.clone()),
    };
    if failed.is_none() {
        tracing::info!("stopping");
    }
    node.stop().await;
    let controller = controller.clone();
    // The controller's own thread may be in the midst of a sync.
    let stopped = tokio::task::spawn_blocking(move || controller.stop()).await;
    if stopped.is_err() {
        tracing::error!("the controller could not be stopped cleanly");
    }
    failed.map_or(Ok(()), |why| Err(RunError::Failed(why)))
}

/// Reads the properties file, or makes up a configuration for one node on this machine.
///
/// # Errors
/// The file cannot be read, or what it says is not valid.
pub fn configuration(options: &RunOptions) -> Result<BrokerConfig, RunError> {
    let mut props = match &options.properties {
        Some(path) => {
            let bytes = std::fs::read(path);
            let bytes = bytes.map_err(|source| RunError::Read { path: path.clone(), source })?;
            parse_properties(&bytes)?
        }
        None => ConfigMap::new(),
    };
    for text in &options.overrides {
        apply_override(&mut props, text)?;
    }
    if options.properties.is_none() {
        add_defaults(&mut props);
    }
    let config = BrokerConfig::parse(&props)?;
    let tiering = config.values().boolean("remote.log.storage.system.enable");
    LogConfig::validate_broker_defaults(&config.topic_defaults(), tiering)?;
    Ok(config)
}

/// One node that is both broker and controller, on loopback, with every topic's replicas on itself.
fn add_defaults(props: &mut ConfigMap) {
    let defaults = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("controller.listener.names", "CONTROLLER"),
        (
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        ),
        ("offsets.topic.replication.factor", "1"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("share.coordinator.state.topic.replication.factor", "1"),
        ("share.coordinator.state.topic.min.isr", "1"),
    ];
    for (key, value) in defaults {
        props.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    if !props.contains_key("log.dirs") && !props.contains_key("log.dir") {
        props.insert("log.dirs".to_owned(), DEFAULT_DATA_DIR.to_owned());
    }
    if !props.contains_key("controller.quorum.voters")
        && !props.contains_key("controller.quorum.bootstrap.servers")
    {
        let voters = format!("{}@{}", props["node.id"], controller_address(props));
        props.insert("controller.quorum.voters".to_owned(), voters);
    }
}

/// Where the controller's listener is, out of `listeners`.
fn controller_address(props: &ConfigMap) -> String {
    let name = props["controller.listener.names"].split(',').next().unwrap_or_default().trim();
    let mut listeners = props["listeners"].split(',').map(str::trim);
    let own = listeners.find_map(|listener| listener.strip_prefix(name)?.strip_prefix("://"));
    own.unwrap_or("localhost:9093").to_owned()
}

/// Says where the node listens, and what to type next where nobody gave a configuration.
fn announce(config: &BrokerConfig, node: &Node, options: &RunOptions, started: Instant) {
    let mut text = format!("Monedula started in {} ms.\n", started.elapsed().as_millis());
    for (name, address) in node.addresses() {
        let _ = writeln!(text, "  {name:<12} {address}");
    }
    let _ = writeln!(text, "  data         {}", config.log_dirs.join(", "));
    if options.properties.is_none() {
        let address = node.addresses().iter().find(|(name, _)| !config.listeners.is_controller(name));
        let port = address.map_or(9092, |(_, address)| address.port());
        let server = format!("--bootstrap-server localhost:{port}");
        let _ = writeln!(text, "\nTry, in another terminal:");
        let _ = writeln!(text, "  monedula topics {server} --create --topic greetings");
        let _ = writeln!(text, "  echo hello | monedula console-producer {server} --topic greetings");
        let _ = writeln!(text, "  monedula console-consumer {server} --topic greetings --from-beginning");
    }
    eprint!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_the_node_is_a_quorum_of_itself_on_loopback() {
        let config = configuration(&RunOptions::default()).unwrap();
        assert!(config.is_broker && config.is_controller);
        assert_eq!(config.listeners.listeners[0].host, "localhost");
        assert_eq!(config.quorum_voters.len(), 1);
        assert_eq!(config.log_dirs, [DEFAULT_DATA_DIR]);
    }

    #[test]
    fn a_file_whose_defaults_of_topics_contradict_each_other_is_refused() {
        let lags = ["log.cleaner.min.compaction.lag.ms=2000", "log.cleaner.max.compaction.lag.ms=1000"];
        let overrides = lags.map(str::to_owned).to_vec();
        let refused = configuration(&RunOptions { overrides, ..Default::default() }).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Invalid config: conflict topic config setting min.compaction.lag.ms (2000) > max.compaction.lag.ms (1000)"
        );
    }

    #[test]
    fn an_override_of_the_listeners_moves_the_voter_with_them() {
        let overrides = vec!["listeners=PLAINTEXT://localhost:1234,CONTROLLER://localhost:1235".to_owned()];
        let config = configuration(&RunOptions { overrides, ..Default::default() }).unwrap();
        assert_eq!((config.quorum_voters[0].port, config.listeners.listeners[0].port), (1235, 1234));
    }
}
