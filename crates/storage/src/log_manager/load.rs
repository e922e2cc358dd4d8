//! Opening the log dirs at start, and loading the logs in them, many at a time.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use config::LogConfig;
use model::{Offset, TopicPartition, Uuid};

use super::{LastRuns, LogManager, LogManagerOptions, METADATA_TOPIC};
use crate::checkpoint::{
    CLEANER_OFFSET_FILE, HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE, Offsets, PRODUCERLESS_FILE,
    RECOVERY_POINT_FILE, read_offsets,
};
use crate::cleaner::Cleaner;
use crate::group_commit::sync_many;
use crate::log_dirs::{LOCK_FILE, LogDir};
use crate::names::{FolderKind, STRAY_DIR_SUFFIX, parse_folder};
use crate::unified_log::{Extent, LogEnvironment};
use crate::{CleanShutdown, LoadOptions, MetaProperties, StorageError, UnifiedLog};

/// What is decided for each log that is found: its configuration, or that it should not be here.
pub type ConfigFor<'f> = dyn Fn(&TopicPartition, Option<Uuid>) -> Option<Arc<LogConfig>> + Sync + 'f;

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
            match open_dir(&environment, path) {
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
            changes: Mutex::default(),
            checkpoints: Mutex::default(),
            gone: Mutex::default(),
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
    pub fn load(self: &Arc<Self>, config_for: &ConfigFor<'_>) -> Result<(), StorageError> {
        let threads = self.options.recovery_threads_per_data_dir.max(1);
        let found: Vec<_> = self.online_dirs().map(|dir| (dir, Mutex::new(self.find(dir)))).collect();
        let failure = Mutex::new(None);
        std::thread::scope(|scope| {
            for (_, jobs) in &found {
                let count = jobs.lock().expect("no holder panics").len();
                for _ in 0..threads.min(count) {
                    scope.spawn(|| self.work_off(jobs, config_for, &failure));
                }
            }
        });
        self.flush_recovered();
        match failure.into_inner().expect("no holder panics") {
            Some(error) => Err(error),
            None => self.check_any_online(),
        }
    }

    /// Syncs what recovery kept in all logs.
    fn flush_recovered(&self) {
        let is_recovered = |log: &UnifiedLog| log.recovery_point() < log.log_end_offset();
        let mut logs = self.logs_where(is_recovered);
        logs.extend(self.all_future_logs().into_iter().filter(|log| is_recovered(log)));
        sync_many(&logs, Extent::Batches, &self.dirs);
        // A failure takes the dir offline.
        self.at_once(logs.iter(), |log| drop(log.flush_recovered()));
    }

    fn work_off(
        &self,
        jobs: &Mutex<VecDeque<Job>>,
        config_for: &ConfigFor<'_>,
        failure: &Mutex<Option<StorageError>>,
    ) {
        loop {
            let next = jobs.lock().expect("no holder panics").pop_front();
            let Some(job) = next else { return };
            if job.dir.is_offline() {
                continue;
            }
            if let Err(error) = self.load_one(&job, config_for) {
                match error {
                    StorageError::InvalidFolder(_) => {
                        *failure.lock().expect("no holder panics") = Some(error);
                    }
                    // A disk's failure was told of already; a malformed file makes the dir unusable.
                    StorageError::Io { .. } | StorageError::OfflineDir(_) => {}
                    error => drop(job.dir.fail("Error while loading log dir", io::Error::other(error))),
                }
            }
        }
    }

    /// Lists the partitions' folders of a dir, and what its checkpoints say of them.
    fn find(&self, dir: &Arc<LogDir>) -> VecDeque<Job> {
        self.try_find(dir).unwrap_or_else(|error| {
            dir.fail("Error while loading log dir", io::Error::other(error));
            VecDeque::new()
        })
    }

    fn try_find(&self, dir: &Arc<LogDir>) -> Result<VecDeque<Job>, StorageError> {
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
        let producerless = read(PRODUCERLESS_FILE);
        let listed =
            files.read_dir(dir.path()).map_err(|error| dir.fail("Error while loading log dir", error))?;
        let mut jobs = VecDeque::new();
        for folder in listed.into_iter().filter(|path| files.is_dir(path)) {
            if folder.file_name().is_some_and(|name| name == "remote-log-index-cache") {
                continue;
            }
            let (partition, kind) = parse_folder(&folder)?;
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
                    let at = |offsets: &Offsets| offsets.get(&partition).copied().unwrap_or(Offset(0));
                    jobs.push_back(Job {
                        dir: dir.clone(),
                        recovery_point: at(&recovery_points),
                        producerless: producerless.get(&partition) == recovery_points.get(&partition),
                        log_start: at(&log_starts),
                        high_watermark: at(&high_watermarks),
                        cleaned_to: cleaned.get(&partition).copied(),
                        is_future: kind == FolderKind::Future,
                        partition,
                        folder,
                        clean,
                    });
                }
            }
        }
        Ok(jobs)
    }

    fn load_one(&self, job: &Job, config_for: &ConfigFor<'_>) -> Result<(), StorageError> {
        let files = &**self.environment.files();
        let failed = |error| job.dir.fail(&format!("Error while loading log of {}", job.partition), error);
        let topic_id = crate::partition_metadata::read(files, &job.folder).map_err(failed)?;
        let Some(config) = config_for(&job.partition, topic_id) else {
            let name = self.marked_name(&job.partition, STRAY_DIR_SUFFIX);
            tracing::warn!(partition = %job.partition, "this log should not be here; putting it aside as {name}");
            return files.rename(&job.folder, &job.dir.path().join(name)).map_err(failed);
        };
        let log = UnifiedLog::load_unflushed(
            &self.environment,
            LoadOptions {
                partition: job.partition.clone(),
                dir: job.dir.clone(),
                folder: job.folder.clone(),
                config,
                topic_id: None,
                had_clean_shutdown: job.clean,
                recovery_point: job.recovery_point,
                producerless: job.producerless,
                log_start: job.log_start,
            },
        )?;
        log.update_high_watermark(job.high_watermark);
        log.set_cleaned_to(job.cleaned_to);
        log.note_checkpointed(if job.clean { log.recovery_point() } else { job.recovery_point });
        let mut logs = if job.is_future { self.future_mut() } else { self.current_mut() };
        if let Some(other) = logs.get(&job.partition) {
            return Err(StorageError::InvalidFolder(format!(
                "Duplicate log directories for {} are found in both {} and {}. It is likely because log directory \
                 failure happened while broker was replacing current replica with future replica. Recover broker from \
                 this failure by manually deleting one of the two directories for this partition.",
                job.partition,
                other.folder().display(),
                job.folder.display()
            )));
        }
        logs.insert(job.partition.clone(), log);
        Ok(())
    }
}

/// A log that is to be loaded.
struct Job {
    partition: TopicPartition,
    dir: Arc<LogDir>,
    folder: PathBuf,
    is_future: bool,
    clean: bool,
    recovery_point: Offset,
    producerless: bool,
    log_start: Offset,
    cleaned_to: Option<Offset>,
    high_watermark: Offset,
}

fn open_dir(environment: &LogEnvironment, path: &Path) -> Result<LogDir, StorageError> {
    let files = &**environment.files();
    let failed = |source| StorageError::Io {
        context: "Failed to create or validate data directory".to_owned(),
        dir: path.to_owned(),
        source,
    };
    if !files.exists(path) {
        files.create_dir_all(path).map_err(failed)?;
        path.parent().map_or(Ok(()), |parent| files.sync_dir(parent)).map_err(failed)?;
    }
    files.read_dir(path).map_err(failed)?;
    let lock = files.lock(&path.join(LOCK_FILE)).map_err(failed)?;
    let lock = lock.ok_or_else(|| StorageError::Locked(path.to_owned()))?;
    let meta = MetaProperties::read(files, path)?;
    let id = match meta {
        Some(MetaProperties { directory_id: Some(id), .. }) => id,
        other => {
            let id = fresh_id(environment);
            if let Some(meta) = other {
                // A dir of before directory ids gets one, as in Kafka.
                let meta = MetaProperties { directory_id: Some(id), ..meta };
                meta.write(files, path, environment.clock.wall_ms()).map_err(failed)?;
            }
            id
        }
    };
    let mut dir = LogDir::new(path.to_owned(), id, Some(lock));
    dir.set_filesystem(files.filesystem(path).map_err(failed)?);
    Ok(dir)
}

fn fresh_id(environment: &LogEnvironment) -> Uuid {
    loop {
        let id = Uuid::from_random_bytes(environment.chance.next_id());
        // Kafka's command line takes a leading dash for an option.
        if !id.is_reserved() && !id.to_string().starts_with('-') {
            return id;
        }
    }
}

fn previous_epoch(environment: &LogEnvironment, dirs: &[Arc<LogDir>]) -> i64 {
    let epoch = |dir: &Arc<LogDir>| CleanShutdown::read(&**environment.files(), dir.path())?.broker_epoch;
    let first = dirs.first().and_then(epoch);
    match first {
        Some(found) if dirs.iter().all(|dir| epoch(dir) == first) => found,
        _ => -1,
    }
}
