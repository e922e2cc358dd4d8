//! Starts and stops the broker role, in the order that keeps its promises.
//!
//! Invariants:
//! - nobody is answered before the broker is unfenced, its first image was acted on, and the coordinators' logs are loaded; a
//!   partition whose log is still being loaded then answers `NOT_LEADER_OR_FOLLOWER`, upon which clients ask again
//! - what was begun is stopped in the opposite order; a clean stop leaves its mark in every log dir
//!
//! Kafka: `BrokerServer.startup`, `BrokerServer.shutdown`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use config::{BrokerConfig, ConfigError};
use metadata::MetadataImage;
use model::Uuid;
use protocol::ErrorCode;
use protocol::broker_registration_request::Listener;
use storage::{LogEnvironment, LogManager, LogManagerOptions, StorageError};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use world::chance::Chance;
use world::clock::Clock;
use world::files::Files;

use super::cleaners::Cleaners;
use super::controller_channel::ControllerChannel;
use super::lifecycle::{become_unfenced, controlled_shutdown, keep_alive, register};
use super::loading::Loading;
use super::log_moves::LogMoves;
use super::publisher::publish;
use super::telemetry_sink::SinkTarget;
use super::{Broker, cleaners, lifecycle};
use crate::authorize;
use crate::controller::ControllerService;
use crate::descriptors::Descriptors;
use crate::essential::Essential;

/// How often the mover thread looks for what is due.
const MOVER_INTERVAL: Duration = Duration::from_secs(1);
/// Recovery points, and what else a start after a kill needs, are written at least so often.
const CHECKPOINT_INTERVAL_MAX_MS: i64 = 5_000;
/// How many threads sync logs for those who wait.
const SYNC_THREADS: usize = 4;

/// Why the broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No log dir can be used, or a log cannot be loaded.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The controller does not let this broker in.
    #[error("the controller refuses to register this broker: {}", .0.message())]
    Registration(ErrorCode),
    /// The controller did not let this broker in within so many milliseconds.
    #[error(
        "unable to register with the controller quorum within {0} ms (initial.broker.registration.timeout.ms)"
    )]
    NotRegistered(i32),
    /// The broker was not ready within so many milliseconds.
    #[error("the broker is not ready after {0} ms (server.max.startup.time.ms)")]
    NotReady(i64),
    /// The configuration asks for an authorizer that there is not.
    #[error(transparent)]
    Authorizer(ConfigError),
    /// No thread can be started.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// What the broker role stands on.
#[derive(Clone, Debug)]
pub struct World {
    /// Files.
    pub files: Arc<dyn Files>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
}

/// The controller as the broker role needs it.
#[derive(Clone, Debug)]
pub struct ControllerLink {
    /// Where requests go.
    pub channel: Arc<dyn ControllerChannel>,
    /// The newest committed image.
    pub images: watch::Receiver<Arc<MetadataImage>>,
    /// The controller role of this node.
    pub service: Arc<ControllerService>,
}

/// A running broker.
#[derive(Debug)]
pub struct RunningBroker {
    /// Its parts.
    pub broker: Arc<Broker>,
    stop: watch::Sender<bool>,
    loader: JoinHandle<()>,
    mover: Mover,
}

/// Opens and locks the log dirs of a configuration.
///
/// # Errors
/// None of them is usable, or another process holds one.
pub fn open_logs(config: &BrokerConfig, world: &World) -> Result<Arc<LogManager>, StartError> {
    let environment = LogEnvironment::new(
        world.files.clone(),
        world.clock.clone(),
        world.chance.clone(),
        Descriptors::of_process().files,
        config.transactions.producer_id_expiration_ms.into(),
    );
    let checkpoint = i64::from(config.log.log_flush_offset_checkpoint_interval_ms);
    let options = LogManagerOptions {
        log_dirs: config.log_dirs.iter().map(PathBuf::from).collect(),
        recovery_threads_per_data_dir: config.log.num_recovery_threads_per_data_dir.max(1) as usize,
        retention_check_interval_ms: config.log.log_retention_check_interval_ms,
        checkpoint_interval_ms: checkpoint.min(CHECKPOINT_INTERVAL_MAX_MS),
        producer_expiration_check_interval_ms: config
            .transactions
            .producer_id_expiration_check_interval_ms
            .into(),
    };
    let logs = LogManager::open(environment, options)?;
    logs.cleaner().set_options(cleaners::options(config));
    Ok(logs)
}

/// Starts the broker role: loads the logs, follows the metadata, registers, and becomes unfenced.
///
/// # Errors
/// The logs cannot be loaded, or the controller does not let this broker in, or not in time.
pub async fn start(
    config: Arc<BrokerConfig>,
    cluster_id: String,
    logs: Arc<LogManager>,
    link: ControllerLink,
    world: World,
    listeners: Vec<Listener>,
    telemetry_sink: Option<SinkTarget>,
) -> Result<RunningBroker, StartError> {
    let began = Instant::now();
    let incarnation = Uuid::from_random_bytes(world.chance.next_id());
    let authorizer = authorize::authorizer(&config).map_err(StartError::Authorizer)?;
    let channel = link.channel.clone();
    let broker = Broker::new(config, cluster_id, logs.clone(), channel, world, authorizer, telemetry_sink);
    let image = link.images.borrow().clone();
    broker.dynamic_config.apply(&image, broker.node_id);
    broker.on_config_changed(&image);
    let loading = Loading::start(&broker, image)?;
    let mover = Mover::start(&broker).map_err(StartError::Thread)?;
    broker.groups.startup();
    let essential = broker.essential.clone();
    let coordinators = [broker.groups.tasks(), broker.transactions.tasks(), broker.share.tasks()];
    for task in coordinators.into_iter().flatten() {
        essential.watch("a task of a coordinator", task);
    }
    let (stop, stopped) = watch::channel(false);
    let following = tokio::spawn(follow_metadata(broker.clone(), link.images, stopped.clone()));
    essential.watch("the task that acts on metadata", following);
    join_cluster(&broker, began, incarnation, listeners).await?;
    essential
        .watch("the task that sends heartbeats", tokio::spawn(keep_alive(broker.clone(), stopped.clone())));
    let loader = loading.serve(&broker, stopped).await;
    Ok(RunningBroker { broker, stop, loader, mover })
}

/// Registers, and waits until clients may come; gives up when `initial.broker.registration.timeout.ms`, or
/// `server.max.startup.time.ms` after the start `began`, is over.
async fn join_cluster(
    broker: &Broker,
    began: Instant,
    incarnation: Uuid,
    listeners: Vec<Listener>,
) -> Result<(), StartError> {
    let config = broker.config();
    let to_register = config.quorum.initial_broker_registration_timeout_ms;
    let to_start = config.network.server_max_startup_time_ms;
    let join = async {
        let registering = register(broker, incarnation, listeners);
        let registered = timeout(millis(to_register.into()), registering).await;
        registered.map_err(|_| StartError::NotRegistered(to_register))?.map_err(StartError::Registration)?;
        become_unfenced(broker).await;
        Ok(())
    };
    let left = millis(to_start).saturating_sub(began.elapsed());
    timeout(left, join).await.map_err(|_| StartError::NotReady(to_start))?
}

fn millis(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}

/// Acts on every new image until `stop` says so.
async fn follow_metadata(
    broker: Arc<Broker>,
    mut images: watch::Receiver<Arc<MetadataImage>>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let image = images.borrow_and_update().clone();
        publish(&broker, image).await;
        tokio::select! {
            changed = images.changed() => if changed.is_err() { return },
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl RunningBroker {
    /// Asks the controller to have others lead what this broker leads, unless `controlled.shutdown.enable=false`: then the broker
    /// just goes, and is missed when its session ends.
    pub async fn prepare_to_stop(&self) {
        if self.broker.config().replication.controlled_shutdown_enable {
            controlled_shutdown(&self.broker, lifecycle::STOP_PATIENCE).await;
        }
    }

    /// Stops, and closes the logs cleanly. No connection may be served any more.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.broker.groups.shutdown();
        self.broker.transactions.shutdown();
        self.broker.share.shutdown();
        let logs = self.broker.replicas.logs().clone();
        let epoch = self.broker.epoch();
        let (loader, mover) = (self.loader, self.mover);
        let close = move || {
            logs.stop_loading();
            if loader.join().is_err() {
                tracing::error!("the thread that loads logs had panicked");
            }
            mover.stop();
            logs.shutdown(epoch);
        };
        if tokio::task::spawn_blocking(close).await.is_err() {
            tracing::error!("the logs could not be closed cleanly");
        }
    }
}

/// The thread that does what no request waits for, those that compact, and those that sync for requests.
#[derive(Debug)]
struct Mover {
    logs: Arc<LogManager>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    cleaners: Arc<Cleaners>,
    sync_threads: Vec<JoinHandle<()>>,
}

impl Mover {
    /// Starts the threads. Must be called within a tokio runtime.
    fn start(broker: &Arc<Broker>) -> std::io::Result<Self> {
        let logs = broker.replicas.logs().clone();
        let stop = Arc::new(AtomicBool::new(false));
        let essential = broker.essential.clone();
        let sync_threads = (0..SYNC_THREADS).map(|n| start_to_sync(&essential, &logs, n));
        let sync_threads = sync_threads.collect::<std::io::Result<_>>()?;
        let cleaners = Arc::<Cleaners>::default();
        let (stopped, broker, its_cleaners) = (stop.clone(), broker.clone(), cleaners.clone());
        let runtime = tokio::runtime::Handle::current();
        let mut moves = LogMoves::new(&broker.config().quotas);
        let work = move || {
            let _within = runtime.enter();
            while !stopped.load(Ordering::Acquire) {
                broker.replicas.logs().step();
                its_cleaners.fit(broker.replicas.logs(), &broker.essential);
                if !moves.step(&broker) {
                    std::thread::park_timeout(MOVER_INTERVAL);
                }
            }
        };
        let thread =
            essential.spawn("the thread that looks after logs", "monedula-mover".to_owned(), work)?;
        Ok(Self { logs, stop, thread, cleaners, sync_threads })
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        self.logs.environment().group_commit.stop();
        for thread in std::iter::once(self.thread).chain(self.sync_threads) {
            if thread.join().is_err() {
                tracing::error!("a thread of the log had panicked");
            }
        }
        self.cleaners.stop(&self.logs);
    }
}

fn start_to_sync(essential: &Essential, logs: &LogManager, number: usize) -> std::io::Result<JoinHandle<()>> {
    let commit = logs.environment().group_commit.clone();
    let name = format!("monedula-sync-{number}");
    essential.spawn("a thread that syncs logs", name, move || commit.run())
}
