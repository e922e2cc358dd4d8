//! Moving a partition's log from one log dir to another while it is in use.
//!
//! Invariants:
//! - records are copied batch for batch, so offsets and epochs stay; the current log answers until the very exchange
//! - a move that is broken off leaves a `-future` folder, which the next start takes up again
//!
//! Kafka: `ReplicaAlterLogDirsThread`, `LogManager.replaceCurrentWithFutureLog`.

use std::sync::Arc;

use model::{TopicPartition, Uuid};
use protocol::Records;

use super::LogManager;
use crate::{FetchIsolation, StorageError, UnifiedLog};

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveProgress {
    /// There is no move of this partition.
    None,
    /// So many offsets are still to be copied.
    Behind(i64),
    /// The partition's log is now on the other dir.
    Done,
}

impl LogManager {
    /// Begins to move a partition's log to another log dir; nothing if it is there. A move elsewhere is broken off.
    pub fn start_move(&self, partition: &TopicPartition, target_dir: Uuid) -> Result<(), StorageError> {
        let Some(current) = self.get_log(partition) else { return Ok(()) };
        if let Some(dir) = self.dir(target_dir) {
            dir.check()?;
        }
        if self.get_future_log(partition).is_some_and(|future| future.dir().id() != target_dir) {
            self.abort_future_log(partition)?;
        }
        if current.dir().id() == target_dir {
            return Ok(());
        }
        let Some(future) = self.create_future_log(&current, target_dir)? else { return Ok(()) };
        if future.log_end_offset() < current.log_start_offset() {
            future.truncate_fully_and_start_at(current.log_start_offset())?;
        }
        Ok(())
    }

    /// Copies up to `max_bytes` of a move, and exchanges the logs when nothing is left to copy.
    pub fn step_move(
        &self,
        partition: &TopicPartition,
        max_bytes: usize,
    ) -> Result<MoveProgress, StorageError> {
        let (Some(current), Some(future)) = (self.get_log(partition), self.get_future_log(partition)) else {
            return Ok(MoveProgress::None);
        };
        if future.log_end_offset() < current.log_start_offset() {
            future.truncate_fully_and_start_at(current.log_start_offset())?;
        }
        if future.log_end_offset() < current.log_end_offset() {
            copy(&current, &future, max_bytes)?;
        }
        future.update_high_watermark(current.high_watermark());
        let start = current.log_start_offset().min(future.high_watermark());
        future.maybe_increment_log_start_offset(start, "the log that moves")?;
        match current.log_end_offset().0 - future.log_end_offset().0 {
            0 => self.exchange(partition, &current, &future),
            behind => Ok(MoveProgress::Behind(behind)),
        }
    }

    /// Lets the future log take the current one's place, unless that has gone on meanwhile.
    fn exchange(
        &self,
        partition: &TopicPartition,
        current: &Arc<UnifiedLog>,
        future: &Arc<UnifiedLog>,
    ) -> Result<MoveProgress, StorageError> {
        let _change = self.changes.lock().expect("no holder panics");
        let is = |found: Option<Arc<UnifiedLog>>, log| found.is_some_and(|found| Arc::ptr_eq(&found, log));
        if !is(self.get_log(partition), current) || !is(self.get_future_log(partition), future) {
            // Deleted, or exchanged, meanwhile.
            return Ok(MoveProgress::None);
        }
        future.flush()?;
        if !current.freeze_at(future.log_end_offset()) {
            return Ok(MoveProgress::Behind(current.log_end_offset().0 - future.log_end_offset().0));
        }
        // The old folder makes way first; a start in between finds the future one.
        self.put_away(current)?;
        // Were the old name to come back after a power cut, the partition would have two logs.
        let synced = self.environment.files().sync_dir(current.dir().path());
        synced.map_err(|error| current.dir().fail("Error while flushing names", error))?;
        future.rename_folder(&partition.to_string(), true)?;
        future.update_high_watermark(current.high_watermark());
        future.set_cleaned_to(current.cleaned_to());
        self.current_mut().insert(future.clone());
        self.future_mut().remove(partition);
        Ok(MoveProgress::Done)
    }

    /// Breaks off a move and removes what was copied.
    pub fn abort_future_log(&self, partition: &TopicPartition) -> Result<(), StorageError> {
        let _change = self.changes.lock().expect("no holder panics");
        let removed = self.future_mut().remove(partition);
        removed.map_or(Ok(()), |log| self.put_away(&log))
    }
}

fn copy(current: &Arc<UnifiedLog>, future: &Arc<UnifiedLog>, max_bytes: usize) -> Result<(), StorageError> {
    let read = current.read(future.log_end_offset(), max_bytes, FetchIsolation::LogEnd, true)?;
    let bytes = match read.records {
        Records::Bytes(bytes) => bytes,
        Records::Region(region) => {
            region.read().map_err(|error| current.disk_failed("Error while copying log", error))?
        }
    };
    // The log's start may lie inside of a batch, with which the copy then begins.
    let first =
        records::batches(bytes.clone()).next().and_then(Result::ok).map(|batch| batch.header().base_offset);
    if let Some(first) = first.filter(|first| *first < future.log_end_offset() && future.size() == 0) {
        future.truncate_fully_and_start_at(first)?;
    }
    future.append_as_follower(bytes).map(drop)
}
