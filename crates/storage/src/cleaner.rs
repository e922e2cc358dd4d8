//! Compaction: keeps the last value of each key of logs with `cleanup.policy=compact`.
//!
//! Invariants:
//! - a log is compacted by one thread at a time, and not while it moves to another log dir
//! - a log that cannot be compacted is set aside with the reason, until the node restarts; others go on
//! - `cleaner-offset-checkpoint` is written after a pass, so a pass that was broken off is done again
//!
//! Kafka: `LogCleaner`, `LogCleanerManager`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use model::{Timestamp, TopicPartition};

use crate::checkpoint::{CLEANER_OFFSET_FILE, Offsets, write_offsets};
use crate::log_dirs::LogDir;
use crate::{LogManager, UnifiedLog};

mod clean;
mod cleanable;
mod filter;
mod offset_map;
mod throttle;
mod transactions;

pub use clean::CleanerStats;
use clean::{Interruption, Means, Pass};
use cleanable::Cleanable;
use offset_map::BYTES_PER_ENTRY;
use throttle::Throttle;

/// How logs are compacted: the keys `log.cleaner.*`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanerOptions {
    /// `log.cleaner.threads`.
    pub threads: usize,
    /// `log.cleaner.dedupe.buffer.size`: bytes for keys, of all threads together.
    pub dedupe_buffer_size: u64,
    /// `log.cleaner.io.buffer.load.factor`: how full the memory for keys may get, 0 to 1.
    pub io_buffer_load_factor: f64,
    /// `log.cleaner.io.buffer.size`: bytes to read and write at once, of all threads together.
    pub io_buffer_size: usize,
    /// `log.cleaner.io.max.bytes.per.second`.
    pub io_max_bytes_per_second: f64,
    /// `log.cleaner.backoff.ms`: how long a thread rests when there is nothing to do.
    pub backoff_ms: u64,
}

impl Default for CleanerOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            dedupe_buffer_size: 128 << 20,
            io_buffer_load_factor: 0.9,
            io_buffer_size: 512 << 10,
            io_max_bytes_per_second: f64::MAX,
            backoff_ms: 15_000,
        }
    }
}

/// What a thread saw when it last looked for a log to compact.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// When it did, on the monotonic clock.
    pub at: Duration,
    /// The greatest share of a log that was not compacted yet, 0 to 1.
    pub max_dirty_ratio: f64,
    /// By how much a record has waited longer than `max.compaction.lag.ms`, at most.
    pub max_delay: Duration,
}

/// What compacts the logs of a node: what its threads share.
#[derive(Debug, Default)]
pub struct Cleaner {
    options: RwLock<CleanerOptions>,
    in_progress: Mutex<BTreeSet<TopicPartition>>,
    uncleanable: Mutex<BTreeMap<TopicPartition, String>>,
    throttle: Mutex<Throttle>,
    last: Mutex<CleanerStats>,
    looked: Mutex<Look>,
    dead_threads: AtomicUsize,
    /// What the file of each log dir is known to say; held while one is written.
    checkpoints: Mutex<BTreeMap<PathBuf, Offsets>>,
    stopped: Mutex<bool>,
    wake: Condvar,
}

impl Cleaner {
    /// Returns the options as they are now.
    pub fn options(&self) -> CleanerOptions {
        *self.options.read().expect("no holder panics")
    }

    /// Changes the options from the next pass on, and the speed at once.
    pub fn set_options(&self, options: CleanerOptions) {
        *self.options.write().expect("no holder panics") = options;
        self.wake.notify_all();
    }

    /// Ends [`LogManager::run_cleaner`] in all threads; a pass is broken off.
    pub fn stop(&self) {
        *self.stopped() = true;
        self.wake.notify_all();
    }

    /// Returns the logs that were set aside, with the reason.
    pub fn uncleanable(&self) -> BTreeMap<TopicPartition, String> {
        self.set_aside().clone()
    }

    /// Returns what the last pass did that was not broken off.
    pub fn last_stats(&self) -> CleanerStats {
        *self.last.lock().expect("no holder panics")
    }

    /// Returns what was seen when a log to compact was last looked for.
    pub fn last_look(&self) -> Look {
        *self.looked.lock().expect("no holder panics")
    }

    /// Returns how much of the memory for keys the last pass took, in per cent.
    pub fn buffer_utilization_percent(&self) -> f64 {
        let options = self.options();
        let memory = options.dedupe_buffer_size / options.threads.max(1) as u64;
        100.0 * (self.last_stats().keys * BYTES_PER_ENTRY) as f64 / memory.max(1) as f64
    }

    /// Returns how many threads ended by a panic.
    pub fn dead_threads(&self) -> usize {
        self.dead_threads.load(Ordering::Relaxed)
    }

    fn stopped(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().expect("no holder panics")
    }

    fn set_aside(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, String>> {
        self.uncleanable.lock().expect("no holder panics")
    }

    fn in_progress(&self) -> MutexGuard<'_, BTreeSet<TopicPartition>> {
        self.in_progress.lock().expect("no holder panics")
    }

    /// Waits until `pause` has passed or the node stops.
    fn rest(&self, pause: Duration) {
        let stopped = self.stopped();
        if !*stopped && !pause.is_zero() {
            drop(self.wake.wait_timeout(stopped, pause));
        }
    }

    /// Counts bytes, rests if they were too many, and tells whether to go on.
    fn go_on(&self, bytes: u64, now: Duration) -> bool {
        let per_second = self.options().io_max_bytes_per_second;
        let pause = self.throttle.lock().expect("no holder panics").count(bytes, now, per_second);
        self.rest(pause);
        !*self.stopped()
    }
}

/// Counts a thread that panics.
struct Alive<'c>(&'c Cleaner);

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.dead_threads.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A log that a thread has taken, until it is done.
struct Claim<'c> {
    cleaner: &'c Cleaner,
    cleanable: Cleanable,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.cleaner.in_progress().remove(self.cleanable.log.topic_partition());
    }
}

impl LogManager {
    /// Compacts logs until [`Cleaner::stop`]: the life of thread `number` (from 0), which ends also when
    /// `log.cleaner.threads` is lowered to that.
    pub fn run_cleaner(&self, number: usize) {
        let _alive = Alive(self.cleaner());
        while !*self.cleaner().stopped() && number < self.cleaner().options().threads {
            if !self.clean_next() {
                self.cleaner().rest(Duration::from_millis(self.cleaner().options().backoff_ms));
            }
        }
    }

    /// Compacts the log that needs it most; false if none does, or it could not be done.
    /// Kafka: `LogCleaner.CleanerThread.cleanFilthiestLog`.
    pub fn clean_next(&self) -> bool {
        self.forget_deleted();
        let Some(claim) = self.claim_filthiest() else { return false };
        let log = claim.cleanable.log.clone();
        match self.clean(&claim.cleanable) {
            Ok(()) => true,
            Err(Interruption::Stopped | Interruption::Disk) => false,
            Err(Interruption::Uncleanable(reason)) => {
                self.set_aside(&log, reason);
                false
            }
        }
    }

    fn set_aside(&self, log: &UnifiedLog, reason: String) {
        let partition = log.topic_partition();
        tracing::warn!(
            %partition, reason,
            "cannot compact a log, which is set aside until the next start and keeps growing"
        );
        self.cleaner().set_aside().insert(partition.clone(), reason);
    }

    /// Kafka: `LogCleanerManager.maintainUncleanablePartitions`.
    fn forget_deleted(&self) {
        self.cleaner().set_aside().retain(|partition, _| self.get_log(partition).is_some());
    }

    /// Kafka: `LogCleanerManager.grabFilthiestCompactedLog`.
    fn claim_filthiest(&self) -> Option<Claim<'_>> {
        let now = self.environment().now();
        let mut taken = self.cleaner().in_progress();
        let mut filthiest: Option<Cleanable> = None;
        let mut look = Look { at: self.environment().clock.monotonic(), ..Look::default() };
        for log in self.logs_where(|log| log.config().cleanup_policy.compact) {
            let partition = log.topic_partition();
            if log.dir().is_offline()
                || taken.contains(partition)
                || self.get_future_log(partition).is_some()
                || self.cleaner().set_aside().contains_key(partition)
            {
                continue;
            }
            let Some(found) = self.look_at(&log, now) else { continue };
            look.max_dirty_ratio = look.max_dirty_ratio.max(found.ratio());
            let delay = Duration::from_millis(u64::try_from(found.overdue_ms).unwrap_or(0));
            look.max_delay = look.max_delay.max(delay);
            if found.is_due() && filthiest.as_ref().is_none_or(|other| found.ratio() > other.ratio()) {
                filthiest = Some(found);
            }
        }
        *self.cleaner().looked.lock().expect("no holder panics") = look;
        let cleanable = filthiest?;
        taken.insert(cleanable.log.topic_partition().clone());
        Some(Claim { cleaner: self.cleaner(), cleanable })
    }

    /// Returns how many bytes of a log may be compacted that were not yet.
    /// Kafka: `LogCleanerManager.calculateCleanableBytes`.
    pub fn cleanable_bytes(&self, log: &Arc<UnifiedLog>) -> u64 {
        Cleanable::find(log, self.environment().now()).map_or(0, |found| found.bytes())
    }

    fn look_at(&self, log: &Arc<UnifiedLog>, now: Timestamp) -> Option<Cleanable> {
        match Cleanable::find(log, now) {
            Ok(found) => Some(found),
            // It was deleted, or retention was faster.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let error = log.disk_failed("Failed to calculate log cleaning stats", error);
                if !log.dir().is_offline() {
                    self.set_aside(log, error.to_string());
                }
                None
            }
        }
    }

    fn clean(&self, cleanable: &Cleanable) -> Result<(), Interruption> {
        let (log, options, environment) = (&cleanable.log, self.cleaner().options(), self.environment());
        let threads = options.threads.max(1);
        let means = Means {
            map_bytes: options.dedupe_buffer_size / threads as u64,
            load_factor: options.io_buffer_load_factor,
            buffer: options.io_buffer_size / threads / 2,
            now: environment.now(),
            seed: environment.chance.next_u64(),
        };
        let partition = log.topic_partition();
        let go_on = |bytes| {
            self.cleaner().go_on(bytes, environment.clock.monotonic())
                && self.get_future_log(partition).is_none()
        };
        let began = environment.clock.monotonic();
        let (end, mut stats) = Pass::new(cleanable, means, &go_on).run()?;
        stats.took = environment.clock.monotonic().saturating_sub(began);
        let seconds = stats.took.as_secs_f64();
        tracing::info!(
            %partition, from = cleanable.first_dirty.0, to = end.0, ratio = cleanable.ratio(), seconds,
            keys = stats.keys, bytes_read = stats.bytes_read, bytes_written = stats.bytes_written,
            segments_read = stats.segments_read, segments_written = stats.segments_written, "compacted a log"
        );
        *self.cleaner().last.lock().expect("no holder panics") = stats;
        self.write_cleaner_checkpoint(log.dir());
        Ok(())
    }

    /// Writes how far compaction has come in a log dir's logs, if that is news.
    /// Kafka: `LogCleanerManager.updateCheckpoints`.
    pub(crate) fn write_cleaner_checkpoint(&self, dir: &Arc<LogDir>) {
        let mut written = self.cleaner().checkpoints.lock().expect("no holder panics");
        let unloaded = self.cleaned_before(dir);
        let cleaned = self.logs_where(|log| log.cleaned_to().is_some() && Arc::ptr_eq(log.dir(), dir));
        let cleaned =
            cleaned.iter().filter_map(|log| Some((log.topic_partition().clone(), log.cleaned_to()?)));
        let offsets: Offsets = unloaded.into_iter().chain(cleaned).collect();
        let path = dir.path().join(CLEANER_OFFSET_FILE);
        let files = self.environment().files();
        let known = written.get(dir.path());
        // A log dir in which nothing was ever compacted has no such file.
        if known == Some(&offsets) || known.is_none() && offsets.is_empty() && !files.exists(&path) {
            return;
        }
        match write_offsets(&**files, &path, &offsets) {
            Ok(()) => drop(written.insert(dir.path().to_owned(), offsets)),
            Err(error) => drop(dir.fail("Error while writing the cleaner's checkpoint", error)),
        }
    }
}
