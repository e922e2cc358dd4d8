//! All logs of a node, over all its log dirs: loading, making, finding, moving and deleting them.
//!
//! Invariants:
//! - a partition has at most one current log and one future log, on different dirs
//! - a dir that fails, at start or later, takes only its own logs with it
//! - background work happens in [`LogManager::step`] alone, which a thread calls every second or so
//!
//! Kafka: `LogManager`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use config::LogConfig;
use model::{TopicPartition, Uuid};
use tokio::sync::Notify;

use crate::cleaner::Cleaner;
use crate::log_dirs::LogDir;
use crate::unified_log::LogEnvironment;
use crate::{StorageError, UnifiedLog};

mod background;
mod create;
mod load;
mod loading;
mod logs;
mod moves;
mod truncation;

use loading::Job;
pub use loading::{ConfigFor, FoundLogs};
use logs::Logs;
pub use moves::MoveProgress;

/// The metadata quorum's topic, whose log the quorum looks after itself.
pub(crate) const METADATA_TOPIC: &str = "__cluster_metadata";

/// How a node's logs are kept.
#[derive(Clone, Debug)]
pub struct LogManagerOptions {
    /// `log.dirs`.
    pub log_dirs: Vec<PathBuf>,
    /// `num.recovery.threads.per.data.dir`.
    pub recovery_threads_per_data_dir: usize,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// How often recovery points, start offsets and high watermarks are written, in milliseconds: at most
    /// `log.flush.offset.checkpoint.interval.ms`, and small, so that a restart has little to look at.
    pub checkpoint_interval_ms: i64,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_expiration_check_interval_ms: i64,
}

impl Default for LogManagerOptions {
    fn default() -> Self {
        Self {
            log_dirs: Vec::new(),
            recovery_threads_per_data_dir: 2,
            retention_check_interval_ms: 300_000,
            checkpoint_interval_ms: 5_000,
            producer_expiration_check_interval_ms: 600_000,
        }
    }
}

/// All logs of a node.
#[derive(Debug)]
pub struct LogManager {
    environment: Arc<LogEnvironment>,
    options: LogManagerOptions,
    dirs: Vec<Arc<LogDir>>,
    /// Configured dirs that could not even be opened, with the reason.
    unusable: Vec<(PathBuf, String)>,
    current: RwLock<Logs>,
    future: RwLock<Logs>,
    /// The logs that were found and are not loaded yet, by folder.
    unloaded: Mutex<BTreeSet<Arc<Job>>>,
    loading_stopped: AtomicBool,
    /// Held while logs are made, deleted or exchanged.
    changes: Mutex<()>,
    /// Held while checkpoints are written.
    checkpoints: Mutex<()>,
    /// Partitions whose logs went since the checkpoints were written last.
    gone: Mutex<BTreeSet<TopicPartition>>,
    /// The log dirs, by id, of partitions that are not here yet.
    preferred: Mutex<BTreeMap<TopicPartition, Uuid>>,
    last: LastRuns,
    cleaner: Cleaner,
    previous_broker_epoch: AtomicI64,
    offline: Arc<Notify>,
}

#[derive(Debug, Default)]
struct LastRuns {
    checkpoint_ms: AtomicI64,
    retention_ms: AtomicI64,
    expiration_ms: AtomicI64,
    idle_ms: AtomicI64,
}

impl LastRuns {
    /// Producers are looked through only when the interval has passed since the start, so that those who were not answered
    /// before a kill can retry.
    fn beginning(now_ms: i64) -> Self {
        Self { expiration_ms: AtomicI64::new(now_ms), ..Self::default() }
    }
}

impl LogManager {
    /// Returns what all logs share.
    pub fn environment(&self) -> &Arc<LogEnvironment> {
        &self.environment
    }

    /// Returns the log dirs that could be opened, in the order of `log.dirs`; some may have failed since.
    pub fn dirs(&self) -> &[Arc<LogDir>] {
        &self.dirs
    }

    /// Returns the log dirs that have not failed.
    pub fn online_dirs(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().filter(|dir| !dir.is_offline())
    }

    /// Returns the configured log dirs that cannot be used, with the reason.
    pub fn offline_dirs(&self) -> Vec<(PathBuf, String)> {
        let failed = self.dirs.iter().filter_map(|dir| Some((dir.path().to_owned(), dir.offline_reason()?)));
        self.unusable.iter().cloned().chain(failed).collect()
    }

    /// Finds a log dir by its `directory.id`.
    pub fn dir(&self, id: Uuid) -> Option<&Arc<LogDir>> {
        self.dirs.iter().find(|dir| dir.id() == id)
    }

    /// Is notified when a log dir fails; look at [`LogManager::offline_dirs`] then.
    pub fn dir_failed(&self) -> &Arc<Notify> {
        &self.offline
    }

    /// Returns the broker epoch that the last clean stop wrote to every log dir; -1 if it was not clean.
    pub fn previous_broker_epoch(&self) -> i64 {
        self.previous_broker_epoch.load(Ordering::Relaxed)
    }

    /// Returns what compacts the logs.
    pub fn cleaner(&self) -> &Cleaner {
        &self.cleaner
    }

    fn current(&self) -> RwLockReadGuard<'_, Logs> {
        self.current.read().expect("no holder panics")
    }

    fn current_mut(&self) -> RwLockWriteGuard<'_, Logs> {
        self.current.write().expect("no holder panics")
    }

    fn future(&self) -> RwLockReadGuard<'_, Logs> {
        self.future.read().expect("no holder panics")
    }

    fn future_mut(&self) -> RwLockWriteGuard<'_, Logs> {
        self.future.write().expect("no holder panics")
    }

    fn unloaded(&self) -> MutexGuard<'_, BTreeSet<Arc<Job>>> {
        self.unloaded.lock().expect("no holder panics")
    }

    fn gone(&self) -> MutexGuard<'_, BTreeSet<TopicPartition>> {
        self.gone.lock().expect("no holder panics")
    }

    /// Returns a partition's log.
    pub fn get_log(&self, partition: &TopicPartition) -> Option<Arc<UnifiedLog>> {
        self.current().get(partition).cloned()
    }

    /// Returns the log of a partition on its way to another log dir.
    pub fn get_future_log(&self, partition: &TopicPartition) -> Option<Arc<UnifiedLog>> {
        self.future().get(partition).cloned()
    }

    /// Returns all logs, in the order of their partitions.
    pub fn all_logs(&self) -> Vec<Arc<UnifiedLog>> {
        self.current().values().cloned().collect()
    }

    /// Returns the logs that `wanted` says, in the order of their partitions.
    pub(crate) fn logs_where(&self, wanted: impl Fn(&UnifiedLog) -> bool) -> Vec<Arc<UnifiedLog>> {
        self.current().values().filter(|log| wanted(log)).cloned().collect()
    }

    /// Returns all future logs, in the order of their partitions.
    pub fn all_future_logs(&self) -> Vec<Arc<UnifiedLog>> {
        self.future().values().cloned().collect()
    }

    /// Changes the configuration of all logs of a topic.
    pub fn update_topic_config(&self, topic: &str, config: &Arc<LogConfig>) {
        for logs in [self.current(), self.future()] {
            logs.of_topic(topic).for_each(|log| log.update_config(config.clone()));
        }
    }

    /// Returns the first free name for a folder of `partition` that is marked by `suffix`.
    fn marked_name(&self, partition: &TopicPartition, suffix: &str) -> String {
        crate::names::marked_folder(partition, self.environment.chance.next_id(), suffix)
    }

    /// Fails if no log dir is usable.
    fn check_any_online(&self) -> Result<(), StorageError> {
        if self.online_dirs().next().is_some() {
            return Ok(());
        }
        let dirs: Vec<_> = self.options.log_dirs.iter().map(|dir| dir.display().to_string()).collect();
        Err(StorageError::NoLogDir(dirs.join(", ")))
    }
}

impl Drop for LogManager {
    fn drop(&mut self) {
        // The queue of changed logs and the logs hold each other.
        self.environment.dirty.lock().expect("no holder panics").clear();
    }
}
