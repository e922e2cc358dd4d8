//! Loading the logs that were found, many at a time, while those that are loaded may already be used.
//!
//! Invariants:
//! - others find a log only once what recovery kept of it is synced
//! - until then checkpoints repeat what they said of it when it was found
//! - a log that is not loaded when the node stops takes its dir's clean stop with it
//!
//! Kafka: `LogManager.loadLogs`.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use config::LogConfig;
use model::{Offset, TopicPartition, Uuid};

use super::LogManager;
use crate::checkpoint::{Offsets, producerless_key};
use crate::group_commit::sync_many;
use crate::log_dirs::LogDir;
use crate::names::STRAY_DIR_SUFFIX;
use crate::unified_log::Extent;
use crate::{LoadOptions, StorageError, UnifiedLog};

/// What is decided for each log that is found: its configuration, or that it should not be here.
pub type ConfigFor<'f> = dyn Fn(&TopicPartition, Option<Uuid>) -> Option<Arc<LogConfig>> + Sync + 'f;

/// Logs that were found in the log dirs, and are to be loaded.
#[derive(Debug)]
pub struct FoundLogs {
    by_dir: Vec<VecDeque<Arc<Job>>>,
}

/// A log that is to be loaded, known by its folder.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) partition: TopicPartition,
    pub(super) dir: Arc<LogDir>,
    pub(super) folder: PathBuf,
    pub(super) is_future: bool,
    pub(super) clean: bool,
    pub(super) recovery_point: Offset,
    /// The dir's [`PRODUCERLESS_FILE`](crate::checkpoint::PRODUCERLESS_FILE).
    pub(super) producerless: Arc<Offsets>,
    pub(super) log_start: Offset,
    pub(super) cleaned_to: Option<Offset>,
    pub(super) high_watermark: Offset,
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folder.cmp(&other.folder)
    }
}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.folder == other.folder
    }
}

impl Eq for Job {}

impl Job {
    /// The same as the current log, in its new folder. Checkpoints say nothing of it, so all of it is looked at.
    pub(super) fn adopted(&self, folder: PathBuf) -> Self {
        let (recovery_point, log_start, high_watermark) = (Offset(0), Offset(0), Offset(0));
        let (is_future, clean, cleaned_to) = (false, false, None);
        Self {
            folder,
            is_future,
            clean,
            recovery_point,
            log_start,
            high_watermark,
            cleaned_to,
            ..self.clone()
        }
    }

    /// Tells whether no producer was known at the recovery point.
    fn is_producerless(&self, topic_id: Option<Uuid>) -> bool {
        let known = topic_id.and_then(|id| self.producerless.get(&producerless_key(id, &self.partition)));
        known.copied().unwrap_or(Offset(0)) == self.recovery_point
    }
}

impl FoundLogs {
    pub(super) fn of(by_dir: Vec<VecDeque<Arc<Job>>>) -> Self {
        Self { by_dir }
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.by_dir.iter().flatten()
    }

    /// Returns the partitions.
    pub fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.jobs().map(|job| &job.partition)
    }

    /// Takes out the partitions that `wanted` tells, and those with several logs, of which loading may have to tell before the
    /// node begins to serve.
    pub fn take(&mut self, wanted: impl Fn(&TopicPartition) -> bool) -> Self {
        let several = with_several(self.jobs());
        let is_taken = |job: &Arc<Job>| wanted(&job.partition) || several.contains(&job.partition);
        let take = |jobs: &mut VecDeque<Arc<Job>>| {
            let (taken, left) = std::mem::take(jobs).into_iter().partition(is_taken);
            *jobs = left;
            taken
        };
        Self { by_dir: self.by_dir.iter_mut().map(take).collect() }
    }
}

/// Returns the partitions that have several logs.
pub(super) fn with_several<'j>(jobs: impl Iterator<Item = &'j Arc<Job>>) -> BTreeSet<TopicPartition> {
    let mut partitions: Vec<_> = jobs.map(|job| &job.partition).collect();
    partitions.sort_unstable();
    partitions.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect()
}

/// What the threads that load share.
struct Work<'w> {
    config_for: &'w ConfigFor<'w>,
    loaded: &'w (dyn Fn(&TopicPartition) + Sync),
    recovered: Mutex<Recovered>,
    news: Condvar,
    failure: Mutex<Option<StorageError>>,
}

/// Logs of which recovery kept what may not be synced yet.
#[derive(Default)]
struct Recovered {
    logs: Vec<(Arc<Job>, Arc<UnifiedLog>)>,
    /// How many threads may add to them.
    threads: usize,
}

impl Work<'_> {
    fn recovered(&self) -> MutexGuard<'_, Recovered> {
        self.recovered.lock().expect("no holder panics")
    }

    /// Waits for logs to sync; none once there will be no more.
    fn next_recovered(&self) -> Vec<(Arc<Job>, Arc<UnifiedLog>)> {
        let has_none = |recovered: &mut Recovered| recovered.logs.is_empty() && recovered.threads > 0;
        let mut recovered = self.news.wait_while(self.recovered(), has_none).expect("no holder panics");
        std::mem::take(&mut recovered.logs)
    }
}

/// A thread that loads, until it ends, be it by a panic: then the others do not go on, and nobody waits for what it had taken.
struct AtWork<'w> {
    manager: &'w LogManager,
    work: &'w Work<'w>,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.manager.stop_loading();
        }
        self.work.recovered().threads -= 1;
        self.work.news.notify_one();
    }
}

impl LogManager {
    /// Loads logs that were found, and tells `loaded` of each partition that can be used from now on, or never: its dir
    /// failed, or it should not be here.
    ///
    /// # Errors
    /// A partition has several logs, or no log dir is left.
    ///
    /// # Panics
    /// A thread that loads panicked.
    pub fn load_found(
        &self,
        found: FoundLogs,
        config_for: &ConfigFor<'_>,
        loaded: &(dyn Fn(&TopicPartition) + Sync),
    ) -> Result<(), StorageError> {
        let threads = self.options.recovery_threads_per_data_dir.max(1);
        let of = |jobs: &VecDeque<_>| threads.min(jobs.len());
        let recovered = Recovered { threads: found.by_dir.iter().map(of).sum(), ..Recovered::default() };
        let work = Work {
            config_for,
            loaded,
            recovered: Mutex::new(recovered),
            news: Condvar::new(),
            failure: Mutex::default(),
        };
        let by_dir: Vec<_> = found.by_dir.into_iter().map(|jobs| (of(&jobs), Mutex::new(jobs))).collect();
        std::thread::scope(|scope| {
            for (threads, jobs) in &by_dir {
                (0..*threads).for_each(|_| drop(scope.spawn(|| self.work_off(jobs, &work))));
            }
            self.sync_recovered(&work);
        });
        match work.failure.into_inner().expect("no holder panics") {
            Some(error) => Err(error),
            None => self.check_any_online(),
        }
    }

    /// Has the threads that load end after the log that each is at.
    pub fn stop_loading(&self) {
        self.loading_stopped.store(true, atomic::Ordering::Release);
    }

    fn work_off(&self, jobs: &Mutex<VecDeque<Arc<Job>>>, work: &Work<'_>) {
        let _at_work = AtWork { manager: self, work };
        while !self.loading_stopped.load(atomic::Ordering::Acquire) {
            let next = jobs.lock().expect("no holder panics").pop_front();
            let Some(job) = next else { break };
            match self.load_one(&job, work.config_for) {
                Ok(Some(log)) if log.recovery_point() < log.log_end_offset() => {
                    work.recovered().logs.push((job, log));
                    work.news.notify_one();
                }
                Ok(Some(log)) => self.use_log(&job, log, work),
                Ok(None) => self.settle(&job, work),
                Err(error) => {
                    fail_dir(&job, error);
                    self.settle(&job, work);
                }
            }
        }
    }

    /// Syncs what recovery kept, of as many logs at once as there are by then.
    fn sync_recovered(&self, work: &Work<'_>) {
        loop {
            let recovered = work.next_recovered();
            if recovered.is_empty() {
                return;
            }
            let logs: Vec<_> = recovered.iter().map(|(_, log)| log.clone()).collect();
            sync_many(&logs, Extent::Batches, &self.dirs);
            self.at_once(recovered.into_iter(), |(job, log)| match log.flush_recovered() {
                Ok(()) => self.use_log(&job, log, work),
                // A failure takes the dir offline.
                Err(_) => self.settle(&job, work),
            });
        }
    }

    /// Loads a log; none if it should not be here.
    fn load_one(
        &self,
        job: &Job,
        config_for: &ConfigFor<'_>,
    ) -> Result<Option<Arc<UnifiedLog>>, StorageError> {
        job.dir.check()?;
        let files = &**self.environment.files();
        let failed = |error| job.dir.fail(&format!("Error while loading log of {}", job.partition), error);
        let topic_id = crate::partition_metadata::read(files, &job.folder).map_err(failed)?;
        let Some(config) = config_for(&job.partition, topic_id) else {
            let name = self.marked_name(&job.partition, STRAY_DIR_SUFFIX);
            tracing::warn!(partition = %job.partition, "this log should not be here; putting it aside as {name}");
            files.rename(&job.folder, &job.dir.path().join(name)).map_err(failed)?;
            return Ok(None);
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
                producerless: job.is_producerless(topic_id),
                log_start: job.log_start,
            },
        )?;
        log.update_high_watermark(job.high_watermark);
        log.set_cleaned_to(job.cleaned_to);
        log.note_checkpointed(if job.clean { log.recovery_point() } else { job.recovery_point });
        Ok(Some(log))
    }

    /// Lets others find a log.
    fn use_log(&self, job: &Job, log: Arc<UnifiedLog>, work: &Work<'_>) {
        let mut logs = if job.is_future { self.future_mut() } else { self.current_mut() };
        match logs.get(&job.partition) {
            Some(other) => {
                let text = format!(
                    "Duplicate log directories for {} are found in both {} and {}. It is likely because log directory \
                     failure happened while broker was replacing current replica with future replica. Recover broker from \
                     this failure by manually deleting one of the two directories for this partition.",
                    job.partition,
                    other.folder().display(),
                    job.folder.display()
                );
                *work.failure.lock().expect("no holder panics") = Some(StorageError::InvalidFolder(text));
            }
            None => logs.insert(log),
        }
        drop(logs);
        self.settle(job, work);
    }

    /// Nothing more is to be done for a log.
    fn settle(&self, job: &Job, work: &Work<'_>) {
        self.unloaded().remove(job);
        (work.loaded)(&job.partition);
    }

    /// Returns how far logs of `dir` were compacted that are not loaded yet.
    pub(crate) fn cleaned_before(&self, dir: &Arc<LogDir>) -> Vec<(TopicPartition, Offset)> {
        let unloaded = self.unloaded();
        let here = unloaded.iter().filter(|job| Arc::ptr_eq(&job.dir, dir) && !job.is_future);
        here.filter_map(|job| Some((job.partition.clone(), job.cleaned_to?))).collect()
    }
}

/// A disk's failure was told of already; a malformed file makes the dir unusable.
fn fail_dir(job: &Job, error: StorageError) {
    match error {
        StorageError::Io { .. } | StorageError::OfflineDir(_) => {}
        error => drop(job.dir.fail("Error while loading log dir", io::Error::other(error))),
    }
}
