//! What happens beside requests: flushes, checkpoints, retention, expiry, removal of deleted files; and the clean stop.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use model::{Offset, Timestamp};
use world::files::Files;

use super::LogManager;
use crate::checkpoint::{
    HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE, Offsets, PRODUCERLESS_FILE, RECOVERY_POINT_FILE,
    write_offsets,
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
        let logs = self.all_logs();
        changed.into_iter().for_each(|dir| self.checkpoint_dir(dir, &logs));
        self.gone().retain(|partition| !gone.contains(partition));
    }

    fn checkpoint_dir(&self, dir: &Arc<LogDir>, logs: &[Arc<UnifiedLog>]) {
        let here: Vec<_> = logs.iter().filter(|log| Arc::ptr_eq(log.dir(), dir)).collect();
        let mut seen = Seen::default();
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
    /// what it finds; then gives up the locks.
    pub fn shutdown(&self, broker_epoch: i64) {
        let logs = self.all_logs();
        self.close_all(logs.iter().cloned().chain(self.all_future_logs()).collect());
        self.environment.dirty.lock().expect("no holder panics").clear();
        let _one_at_a_time = self.checkpoints.lock().expect("no holder panics");
        for dir in self.online_dirs() {
            self.checkpoint_dir(dir, &logs);
            if dir.is_offline() {
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
        let name = || log.topic_partition().clone();
        let (recovery_point, producerless) = log.recovery_point_and_producerless();
        if recovery_point > Offset(0) {
            self.recovery_points.insert(name(), recovery_point);
            if producerless {
                self.producerless.insert(name(), recovery_point);
            }
        }
        let offsets = log.offsets();
        if offsets.high_watermark > Offset(0) {
            self.high_watermarks.insert(name(), offsets.high_watermark);
        }
        if offsets.log_start > Offset(0) && offsets.log_start > log.first_base_offset() {
            self.log_starts.insert(name(), offsets.log_start);
        }
    }

    fn write(&self, files: &dyn Files, dir: &LogDir) -> io::Result<()> {
        let write = |name: &str, offsets| write_offsets(files, &dir.path().join(name), offsets);
        write(PRODUCERLESS_FILE, &self.producerless)?;
        write(RECOVERY_POINT_FILE, &self.recovery_points)?;
        write(LOG_START_OFFSET_FILE, &self.log_starts)?;
        write(HIGH_WATERMARK_FILE, &self.high_watermarks)
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
