//! What happens beside requests: flushes, checkpoints, retention, expiry, removal of deleted files; and the clean stop.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use model::{Offset, Timestamp, TopicPartition};
use world::files::Files;

use super::LogManager;
use super::loading::Job;
use crate::checkpoint::{
    HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE, Offsets, PRODUCERLESS_FILE, RECOVERY_POINT_FILE,
    producerless_key, write_offsets,
};
use crate::group_commit::sync_many;
use crate::log_dirs::LogDir;
use crate::unified_log::{Extent, flush_together};
use crate::{CleanShutdown, UnifiedLog};

/// How long a file stays open that nobody uses: between once and twice this.
const IDLE_INTERVAL_MS: i64 = 30_000;
/// So many bytes appended bring a checkpoint before its time: about what a start after a kill looks at in a fraction of a
/// second.
const CHECKPOINT_BYTES: u64 = 256 << 20;

impl LogManager {
    /// Does what is due. It may wait for the disk, so it belongs on a thread of its own; call it every second or so.
    pub fn step(&self) {
        let now_ms = self.environment.clock.wall_ms();
        let files = self.environment.files();
        self.environment.deletions.step(&**files, self.environment.clock.monotonic());
        let is_much = self.environment.appended() >= CHECKPOINT_BYTES;
        let checkpoint =
            is_due(&self.last.checkpoint_ms, now_ms, self.options.checkpoint_interval_ms) || is_much;
        if checkpoint {
            self.environment.begin_checkpoint();
        }
        self.flush_dirty_logs(now_ms, checkpoint);
        if checkpoint {
            self.checkpoint();
        }
        if is_due(&self.last.idle_ms, now_ms, IDLE_INTERVAL_MS) {
            self.environment.open_files.close_idle();
        }
        if is_due(&self.last.retention_ms, now_ms, self.options.retention_check_interval_ms) {
            self.delete_old_segments(now_ms);
        }
        if is_due(&self.last.expiration_ms, now_ms, self.options.producer_expiration_check_interval_ms) {
            self.all_logs().iter().for_each(|log| log.remove_expired_producers(Timestamp(now_ms)));
        }
    }

    /// Flushes logs that have changed: all of them before a checkpoint, else those whose `flush.ms` has passed.
    fn flush_dirty_logs(&self, now_ms: i64, all: bool) {
        let dirty = std::mem::take(&mut *self.environment.dirty.lock().expect("no holder panics"));
        let (due, later): (Vec<_>, Vec<_>) =
            dirty.into_iter().partition(|log| all || log.is_flush_due(now_ms));
        for log in &due {
            // Cleared first: an append during the flush queues the log again.
            log.take_dirty();
            log.dir().note_changed();
        }
        for dir in &self.dirs {
            let here: Vec<_> = due.iter().filter(|log| Arc::ptr_eq(log.dir(), dir)).cloned().collect();
            if dir.prefers_whole_sync(here.iter().filter(|log| log.is_unflushed()).count(), 1) {
                flush_together(&here, dir);
            } else {
                // A failure was told of when the dir went offline.
                here.iter().for_each(|log| drop(log.flush_if_open()));
            }
        }
        self.environment.dirty.lock().expect("no holder panics").extend(later);
    }

    /// Writes the checkpoints of the log dirs in which logs have changed.
    pub fn checkpoint(&self) {
        // Held from before the logs are looked at: else an older look could be written over a newer one.
        let _one_at_a_time = self.checkpoints.lock().expect("no holder panics");
        let changed: Vec<_> = self.online_dirs().filter(|dir| dir.take_changed()).collect();
        if changed.is_empty() {
            return;
        }
        // What goes from now on may still be in what is written.
        let gone = self.gone().clone();
        let (unloaded, logs) = self.unloaded_and_loaded();
        changed.into_iter().for_each(|dir| self.checkpoint_dir(dir, &unloaded, &logs));
        self.gone().retain(|partition| !gone.contains(partition));
    }

    /// Returns the logs that are not loaded yet, and after that all that are: none is missing.
    fn unloaded_and_loaded(&self) -> (Vec<Arc<Job>>, Vec<Arc<UnifiedLog>>) {
        let unloaded = self.unloaded().iter().cloned().collect();
        (unloaded, self.all_logs())
    }

    fn checkpoint_dir(&self, dir: &Arc<LogDir>, unloaded: &[Arc<Job>], logs: &[Arc<UnifiedLog>]) {
        let here: Vec<_> = logs.iter().filter(|log| Arc::ptr_eq(log.dir(), dir)).collect();
        let mut seen = Seen::default();
        // Of these the files go on to say what they said.
        unloaded.iter().filter(|job| Arc::ptr_eq(&job.dir, dir)).for_each(|job| seen.repeat(job));
        here.iter().for_each(|log| seen.look_at(log));
        if let Err(error) = seen.write(&**self.environment.files(), dir) {
            dir.fail("Error while writing checkpoints", error);
            return;
        }
        for log in here {
            log.note_checkpointed(
                seen.recovery_points.get(log.topic_partition()).copied().unwrap_or(Offset(0)),
            );
        }
        self.write_cleaner_checkpoint(dir);
    }

    fn delete_old_segments(&self, now_ms: i64) {
        for log in self.all_logs() {
            if !log.dir().is_offline()
                && let Err(error) = log.delete_old_segments(Timestamp(now_ms))
            {
                tracing::warn!(
                    partition = %log.topic_partition(), %error, "old records cannot be deleted; it is tried again at the next check"
                );
            }
        }
    }

    /// Closes logs, as many at once as are loaded at once; what all of them wrote last is synced together.
    fn close_all(&self, logs: Vec<Arc<UnifiedLog>>) {
        let mut finished: Vec<_> = logs.iter().map(|_| Ok(())).collect();
        self.at_once(logs.iter().zip(&mut finished), |(log, finished)| *finished = log.finish());
        sync_many(&logs, Extent::Everything, &self.dirs);
        self.at_once(logs.iter().zip(finished), |(log, finished)| {
            log.dir().note_changed();
            // A failure takes the dir offline, and then no mark is written.
            let _ = log.close_finished(finished);
        });
    }

    /// Does `work` on as many threads as logs are loaded by.
    pub(super) fn at_once<T: Send>(&self, items: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
        let threads = self.options.recovery_threads_per_data_dir.max(1) * self.dirs.len();
        let items = Mutex::new(items);
        let work_off = || {
            loop {
                let next = items.lock().expect("no holder panics").next();
                let Some(item) = next else { return };
                work(item);
            }
        };
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work_off))));
    }

    /// Stops cleanly: closes all logs, writes the checkpoints, and a mark in each log dir that lets the next start trust
    /// what it finds; then gives up the locks. Loading must have ended, be it by [`LogManager::stop_loading`].
    pub fn shutdown(&self, broker_epoch: i64) {
        let (unloaded, logs) = self.unloaded_and_loaded();
        self.close_all(logs.iter().cloned().chain(self.all_future_logs()).collect());
        self.environment.dirty.lock().expect("no holder panics").clear();
        let _one_at_a_time = self.checkpoints.lock().expect("no holder panics");
        for dir in self.online_dirs() {
            self.checkpoint_dir(dir, &unloaded, &logs);
            // What was not loaded may have ended with a kill.
            if dir.is_offline() || unloaded.iter().any(|job| Arc::ptr_eq(&job.dir, dir)) {
                continue;
            }
            if let Err(error) = CleanShutdown::write(&**self.environment.files(), dir.path(), broker_epoch) {
                dir.fail("Error while writing the clean shutdown file", error);
            }
        }
        self.environment.group_commit.stop();
        self.dirs.iter().for_each(|dir| dir.unlock());
    }
}

/// What the checkpoints of a log dir are to say; what is 0 is left out, which means the same.
#[derive(Default)]
struct Seen {
    recovery_points: Offsets,
    producerless: Offsets,
    log_starts: Offsets,
    high_watermarks: Offsets,
}

impl Seen {
    fn look_at(&mut self, log: &UnifiedLog) {
        let name = log.topic_partition();
        let (recovery_point, producerless) = log.recovery_point_and_producerless();
        set(&mut self.recovery_points, name, recovery_point);
        if let Some(id) = log.topic_id() {
            let at = if producerless { recovery_point } else { Offset(0) };
            set(&mut self.producerless, &producerless_key(id, name), at);
        }
        let offsets = log.offsets();
        set(&mut self.high_watermarks, name, offsets.high_watermark);
        let said_by_name = offsets.log_start <= log.first_base_offset();
        set(&mut self.log_starts, name, if said_by_name { Offset(0) } else { offsets.log_start });
    }

    fn repeat(&mut self, job: &Job) {
        if job.is_future {
            return;
        }
        if self.producerless.is_empty() {
            // Those of the whole dir: whose log is loaded says so anew.
            self.producerless.clone_from(&job.producerless);
        }
        set(&mut self.recovery_points, &job.partition, job.recovery_point);
        set(&mut self.high_watermarks, &job.partition, job.high_watermark);
        set(&mut self.log_starts, &job.partition, job.log_start);
    }

    fn write(&self, files: &dyn Files, dir: &LogDir) -> io::Result<()> {
        let write = |name: &str, offsets| write_offsets(files, &dir.path().join(name), offsets);
        write(PRODUCERLESS_FILE, &self.producerless)?;
        write(RECOVERY_POINT_FILE, &self.recovery_points)?;
        write(LOG_START_OFFSET_FILE, &self.log_starts)?;
        write(HIGH_WATERMARK_FILE, &self.high_watermarks)
    }
}

/// What is 0 is left out.
fn set(offsets: &mut Offsets, name: &TopicPartition, offset: Offset) {
    match offset {
        Offset(0) => drop(offsets.remove(name)),
        offset => drop(offsets.insert(name.clone(), offset)),
    }
}

/// Tells whether `interval_ms` has passed since the last time this said so.
fn is_due(last_ms: &AtomicI64, now_ms: i64, interval_ms: i64) -> bool {
    let last = last_ms.load(Ordering::Relaxed);
    let due = now_ms.saturating_sub(last) >= interval_ms;
    if due {
        last_ms.store(now_ms, Ordering::Relaxed);
    }
    due
}
