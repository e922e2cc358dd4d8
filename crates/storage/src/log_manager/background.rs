//! What happens beside requests: flushes, checkpoints, retention, expiry, removal of deleted files; and the clean stop.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use model::{Offset, Timestamp};

use super::LogManager;
use crate::checkpoint::{
    HIGH_WATERMARK_FILE, LOG_START_OFFSET_FILE, Offsets, RECOVERY_POINT_FILE, write_offsets,
};
use crate::log_dirs::LogDir;
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
        let mut later = Vec::new();
        for log in dirty {
            if all || log.is_flush_due(now_ms) {
                // Cleared first: an append during the flush queues the log again.
                log.take_dirty();
                log.dir().note_changed();
                // A failure was told of when the dir went offline.
                let _ = log.flush_if_open();
            } else {
                later.push(log);
            }
        }
        self.environment.dirty.lock().expect("no holder panics").extend(later);
    }

    /// Writes the checkpoints of the log dirs in which logs have changed.
    pub fn checkpoint(&self) {
        let logs = self.all_logs();
        for dir in self.online_dirs().filter(|dir| dir.take_changed()) {
            self.checkpoint_dir(dir, &logs);
        }
    }

    fn checkpoint_dir(&self, dir: &Arc<LogDir>, logs: &[Arc<UnifiedLog>]) {
        let here = || logs.iter().filter(|log| Arc::ptr_eq(log.dir(), dir));
        let collect = |offset: &dyn Fn(&UnifiedLog) -> Option<Offset>| -> Offsets {
            here().filter_map(|log| Some((log.topic_partition().clone(), offset(log)?))).collect()
        };
        let first_base =
            |log: &UnifiedLog| log.segment_infos().first().map_or(Offset(0), |first| first.base_offset);
        let files = &**self.environment.files();
        let recovery_points = collect(&|log| Some(log.recovery_point()));
        let written = [
            (RECOVERY_POINT_FILE, recovery_points.clone()),
            (
                LOG_START_OFFSET_FILE,
                collect(&|log| Some(log.log_start_offset()).filter(|s| *s > first_base(log))),
            ),
            (HIGH_WATERMARK_FILE, collect(&|log| Some(log.high_watermark()))),
        ]
        .into_iter()
        .try_for_each(|(name, offsets)| write_offsets(files, &dir.path().join(name), &offsets));
        if let Err(error) = written {
            dir.fail("Error while writing checkpoints", error);
            return;
        }
        for log in here() {
            if let Some(offset) = recovery_points.get(log.topic_partition()) {
                log.note_checkpointed(*offset);
            }
        }
        self.write_cleaner_checkpoint(dir);
    }

    fn delete_old_segments(&self, now_ms: i64) {
        for log in self.all_logs() {
            if !log.dir().is_offline()
                && let Err(error) = log.delete_old_segments(Timestamp(now_ms))
            {
                tracing::warn!(partition = %log.topic_partition(), %error, "retention failed");
            }
        }
    }

    /// Closes logs, as many at once as are loaded at once.
    fn close_all(&self, logs: impl Iterator<Item = Arc<UnifiedLog>> + Send) {
        let threads = self.options.recovery_threads_per_data_dir.max(1) * self.dirs.len();
        let logs = Mutex::new(logs);
        let close = || {
            loop {
                let next = logs.lock().expect("no holder panics").next();
                let Some(log) = next else { return };
                log.dir().note_changed();
                // A failure takes the dir offline, and then no mark is written.
                let _ = log.close();
            }
        };
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(close))));
    }

    /// Stops cleanly: closes all logs, writes the checkpoints, and a mark in each log dir that lets the next start trust
    /// what it finds; then gives up the locks.
    pub fn shutdown(&self, broker_epoch: i64) {
        let logs = self.all_logs();
        self.close_all(logs.iter().cloned().chain(self.all_future_logs()));
        self.environment.dirty.lock().expect("no holder panics").clear();
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

/// Tells whether `interval_ms` has passed since the last time this said so.
fn is_due(last_ms: &AtomicI64, now_ms: i64, interval_ms: i64) -> bool {
    let last = last_ms.load(Ordering::Relaxed);
    let due = now_ms.saturating_sub(last) >= interval_ms;
    if due {
        last_ms.store(now_ms, Ordering::Relaxed);
    }
    due
}
