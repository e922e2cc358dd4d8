//! Opening the log dirs at start, and finding the logs in them.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex};

use model::Offset;

use super::loading::{ConfigFor, FoundLogs, Job, with_several};
use super::{LastRuns, LogManager, LogManagerOptions, METADATA_TOPIC};
use crate::checkpoint::{
    CLEANER_OFFSET_FILE, HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE, Offsets, PRODUCERLESS_FILE,
    RECOVERY_POINT_FILE, read_offsets,
};
use crate::cleaner::Cleaner;
use crate::log_dirs::LogDir;
use crate::names::{FolderKind, parse_folder};
use crate::unified_log::LogEnvironment;
use crate::{CleanShutdown, StorageError};

impl LogManager {
    /// Opens and locks the log dirs. A dir that cannot be used is put aside; at least one must be usable, and none may
    /// be held by another process.
    pub fn open(
        environment: Arc<LogEnvironment>,
        options: LogManagerOptions,
    ) -> Result<Arc<Self>, StorageError> {
        let offline = Arc::new(tokio::sync::Notify::new());
        let (mut dirs, mut unusable) = (Vec::new(), Vec::new());
        for path in &options.log_dirs {
            match LogDir::open(&environment, path) {
                Ok(mut dir) => {
                    dir.set_listener(offline.clone());
                    dirs.push(Arc::new(dir));
                }
                Err(error @ StorageError::Locked(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(
                        "Failed to create or validate data directory {}: {error}",
                        path.display()
                    );
                    unusable.push((path.clone(), error.to_string()));
                }
            }
        }
        let previous_broker_epoch = AtomicI64::new(previous_epoch(&environment, &dirs));
        let now_ms = environment.clock.wall_ms();
        let manager = Self {
            environment,
            options,
            dirs,
            unusable,
            current: Default::default(),
            future: Default::default(),
            unloaded: Mutex::default(),
            loading_stopped: AtomicBool::new(false),
            changes: Mutex::default(),
            checkpoints: Mutex::default(),
            gone: Mutex::default(),
            preferred: Mutex::default(),
            last: LastRuns::beginning(now_ms),
            cleaner: Cleaner::default(),
            previous_broker_epoch,
            offline,
        };
        manager.check_any_online()?;
        Ok(Arc::new(manager))
    }

    /// Loads all logs. `config_for` is told each partition and the topic id in its folder; where it returns `None` the
    /// log is put aside as stray.
    pub fn load(&self, config_for: &ConfigFor<'_>) -> Result<(), StorageError> {
        self.load_found(self.find_logs(), config_for, &|_| {})
    }

    /// Finds all logs, for [`LogManager::load_found`]. From then on the log dirs count as stopped in the midst of work.
    pub fn find_logs(&self) -> FoundLogs {
        let mut by_dir: Vec<_> = self.online_dirs().map(|dir| self.find(dir)).collect();
        // In a dir that is missing there may be the current ones.
        if self.offline_dirs().is_empty() {
            self.adopt_futures(&mut by_dir);
        }
        let found = FoundLogs::of(by_dir);
        self.unloaded().extend(found.jobs().cloned());
        found
    }

    /// A kill in the midst of an exchange leaves a log that is kept from being the current one by its name alone.
    /// Kafka: `LogManager.recoverAbandonedFutureLogs`.
    fn adopt_futures(&self, by_dir: &mut [VecDeque<Arc<Job>>]) {
        let several = with_several(by_dir.iter().flatten());
        let is_alone = |job: &Arc<Job>| job.is_future && !several.contains(&job.partition);
        for job in by_dir.iter_mut().flatten().filter(|job| is_alone(job)) {
            let folder = job.dir.path().join(job.partition.to_string());
            tracing::info!(partition = %job.partition, "ending a move to another log dir that a kill broke off");
            let files = self.environment.files();
            match files.rename(&job.folder, &folder).and_then(|()| files.sync_dir(job.dir.path())) {
                Ok(()) => *job = Arc::new(job.adopted(folder)),
                Err(error) => drop(job.dir.fail("Error while loading log dir", error)),
            }
        }
    }

    /// Lists the partitions' folders of a dir, and what its checkpoints say of them.
    fn find(&self, dir: &Arc<LogDir>) -> VecDeque<Arc<Job>> {
        self.try_find(dir).unwrap_or_else(|error| {
            dir.fail("Error while loading log dir", io::Error::other(error));
            VecDeque::new()
        })
    }

    fn try_find(&self, dir: &Arc<LogDir>) -> Result<VecDeque<Arc<Job>>, StorageError> {
        let files = &**self.environment.files();
        let clean = CleanShutdown::read(files, dir.path()).is_some();
        CleanShutdown::remove(files, dir.path())
            .map_err(|error| dir.fail("Error while loading log dir", error))?;
        tracing::info!(dir = %dir.path().display(), clean_shutdown = clean, "loading logs");
        let read = |name: &str| {
            read_offsets(files, &dir.path().join(name)).unwrap_or_else(|error| {
                // Kafka goes on too, and looks at everything.
                tracing::warn!(%error, "a checkpoint cannot be read and counts as 0: the logs are looked at whole, which takes longer");
                Offsets::new()
            })
        };
        let (recovery_points, log_starts) = (read(RECOVERY_POINT_FILE), read(LOG_START_OFFSET_FILE));
        let (high_watermarks, cleaned) = (read(HIGH_WATERMARK_FILE), read(CLEANER_OFFSET_FILE));
        let producerless = Arc::new(read(PRODUCERLESS_FILE));
        let listed =
            files.read_dir(dir.path()).map_err(|error| dir.fail("Error while loading log dir", error))?;
        let (mut jobs, mut topics) = (VecDeque::new(), BTreeSet::new());
        for folder in listed.into_iter().filter(|path| files.is_dir(path)) {
            if folder.file_name().is_some_and(|name| name == "remote-log-index-cache") {
                continue;
            }
            let (mut partition, kind) = parse_folder(&folder)?;
            partition.topic = shared(&mut topics, partition.topic);
            if &*partition.topic == METADATA_TOPIC {
                continue;
            }
            match kind {
                FolderKind::Deleted => {
                    self.environment.deletions.plan(self.environment.clock.monotonic(), [folder]);
                }
                FolderKind::Stray => tracing::warn!(
                    folder = %folder.display(),
                    "found a log of a partition that is not here any more; it may be deleted by hand"
                ),
                FolderKind::Current | FolderKind::Future => {
                    let is_future = kind == FolderKind::Future;
                    // What the checkpoints say is of the partition's current log, which may have been here before.
                    let known = |offsets: &Offsets| offsets.get(&partition).copied().filter(|_| !is_future);
                    let at = |offsets: &Offsets| known(offsets).unwrap_or(Offset(0));
                    jobs.push_back(Arc::new(Job {
                        dir: dir.clone(),
                        recovery_point: at(&recovery_points),
                        producerless: producerless.clone(),
                        log_start: at(&log_starts),
                        high_watermark: at(&high_watermarks),
                        cleaned_to: known(&cleaned),
                        is_future,
                        partition,
                        folder,
                        clean,
                    }));
                }
            }
        }
        Ok(jobs)
    }
}

/// Returns a topic's name in the memory of the first that was found, for its partitions may be very many.
fn shared(known: &mut BTreeSet<Arc<str>>, name: Arc<str>) -> Arc<str> {
    if let Some(known) = known.get(&name) {
        return known.clone();
    }
    known.insert(name.clone());
    name
}

fn previous_epoch(environment: &LogEnvironment, dirs: &[Arc<LogDir>]) -> i64 {
    let epoch = |dir: &Arc<LogDir>| CleanShutdown::read(&**environment.files(), dir.path())?.broker_epoch;
    let first = dirs.first().and_then(epoch);
    match first {
        Some(found) if dirs.iter().all(|dir| epoch(dir) == first) => found,
        _ => -1,
    }
}
