//! Making a log survive: a sync for acknowledgements, a flush that moves the recovery point, and a clean close.
//!
//! Invariants:
//! - a sync covers the batches and the names of their files, and nothing if there are no new batches; that is all
//!   recovery needs
//! - the recovery point moves only after batches, leader epochs, aborted transactions, and the indexes of closed segments
//!   below it are synced; the active segment's index is trusted by recovery only as far as it agrees with the log

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use model::Offset;
use tokio::sync::Notify;

use super::{State, UnifiedLog};
use crate::segment::Segment;
use crate::waiters::Interest;
use crate::{StorageError, checkpoint, partition_metadata};

/// So many unsynced bytes of a log are synced though nobody waits for it: the disk then works all the time rather than
/// all at once, and little is left for a clean stop to write or for the start after a kill to look at. With four times as
/// much, appends wait longer for what is being written; with a fourth, syncs cost more. (`docs/design/0010`)
const WRITE_BACK_BYTES: u64 = 4 << 20;

/// The file of leader epochs in a partition's folder.
pub(crate) const LEADER_EPOCH_FILE: &str = "leader-epoch-checkpoint";

/// How far a sync reached, if the log was not cut since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Synced {
    pub(super) end: Offset,
    pub(super) cuts: u64,
}

/// What a flush does about batches that are not synced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Leaves them: the recovery point comes to where the last sync reached.
    Synced,
    /// Syncs them.
    End,
    /// Syncs everything; nothing is left to be found out by the next start.
    Whole,
}

impl UnifiedLog {
    /// Waits until all below `offset` survives a power cut; asks for a sync, which one thread does for all that wait.
    ///
    /// Fails when the log dir is offline, the log closed, or cut while somebody waits: then nobody knows whose records are
    /// below the offset.
    pub async fn wait_synced(self: &Arc<Self>, offset: Offset) -> Result<(), StorageError> {
        if self.synced_offset() >= offset {
            return Ok(());
        }
        let notify = Arc::new(Notify::new());
        let _subscription = self.subscribe(Interest::SYNCED, &notify);
        let cuts = self.marks().cuts;
        loop {
            let marks = *self.marks();
            if marks.cuts != cuts || marks.end.offset < offset {
                return Err(StorageError::Cut(self.partition.clone()));
            }
            if marks.synced >= offset {
                return Ok(());
            }
            self.dir.check()?;
            self.check_open()?;
            self.environment.group_commit.ask(self);
            notify.notified().await;
        }
    }

    /// Makes all that is appended survive a power cut, in the caller's thread; returns the offset that it reaches to.
    pub fn sync(&self) -> Result<Offset, StorageError> {
        self.sync_all().map(|synced| synced.end)
    }

    fn sync_all(&self) -> Result<Synced, StorageError> {
        let _one = self.sync.lock().expect("no holder panics");
        let result = self.sync_locked();
        self.waiters.wake(Interest::SYNCED);
        result
    }

    pub(super) fn sync_locked(&self) -> Result<Synced, StorageError> {
        loop {
            self.dir.check()?;
            let marks = *self.marks();
            let target = Synced { end: marks.end.offset, cuts: marks.cuts };
            if marks.synced < target.end {
                let began = self.environment.clock.monotonic();
                self.sync_from(marks.synced)?;
                let took = self.environment.clock.monotonic().saturating_sub(began);
                self.environment.flush_times.observe(took);
                self.dir.sync_costs().note_one(took);
            }
            if self.note_synced(target) {
                return Ok(target);
            }
            // The log was cut meanwhile: what is now below the target may have come after the sync.
        }
    }

    fn synced(&self) -> Synced {
        let marks = self.marks();
        Synced { end: marks.synced, cuts: marks.cuts }
    }

    /// Takes note of a sync; false if the log was cut since it began.
    pub(super) fn note_synced(&self, synced: Synced) -> bool {
        let mut marks = self.marks();
        let is_same = marks.cuts == synced.cuts;
        if is_same {
            marks.synced = marks.synced.max(synced.end);
        }
        is_same
    }

    /// Returns the segments that may hold unsynced batches. With the one before, which may have been cut or trimmed just where
    /// the next begins.
    pub(super) fn segments_from(&self, synced: Offset) -> impl Iterator<Item = Arc<Segment>> {
        let segments = self.segments();
        let first = segments.partition_point(|segment| segment.base_offset() < synced).saturating_sub(1);
        (first..segments.len()).map(move |n| segments[n].clone())
    }

    fn sync_from(&self, synced: Offset) -> Result<(), StorageError> {
        self.unsynced.store(0, Ordering::Relaxed);
        if self.names_dirty.swap(false, Ordering::AcqRel) {
            self.guard("Error while flushing names", self.sync_names())?;
        }
        self.segments_from(synced)
            .try_for_each(|segment| self.guard("Error while flushing log", segment.sync_log()))
    }

    fn sync_names(&self) -> std::io::Result<()> {
        let folder = self.folder();
        partition_metadata::sync(self.files(), &folder)?;
        self.files().sync_dir(&folder)?;
        self.files().sync_dir(self.dir.path())
    }

    /// Syncs everything and moves the recovery point to where the log ended. Kafka: `UnifiedLog.flush`.
    pub fn flush(&self) -> Result<Offset, StorageError> {
        let _one = self.flush_lock();
        self.flush_locked(Reach::End)
    }

    pub(super) fn flush_lock(&self) -> MutexGuard<'_, ()> {
        self.flush.lock().expect("no holder panics")
    }

    pub(super) fn flush_locked(&self, reach: Reach) -> Result<Offset, StorageError> {
        self.dir.check()?;
        let whole = reach == Reach::Whole;
        let target = if reach == Reach::Synced { self.synced() } else { self.sync_all()? };
        let recovery_point = self.recovery_point();
        let segments = self.segments();
        // With the one that ends just at the recovery point: it may have been closed since.
        let first =
            segments.partition_point(|segment| segment.base_offset() < recovery_point).saturating_sub(1);
        if whole {
            // A segment may have been cut since it was synced.
            for segment in segments.iter() {
                self.guard("Error while flushing log", segment.sync_log())?;
            }
        }
        // Else a start after a kill would look for the entries below the recovery point too.
        for segment in &segments[first..] {
            self.guard("Error while writing indexes", segment.write_out_indexes())?;
        }
        let last = if whole { segments.len() } else { segments.len() - 1 };
        for segment in &segments[first..last.max(first)] {
            self.guard("Error while flushing indexes", segment.sync_indexes())?;
        }
        self.write_epochs()?;
        self.sync_aborted(&segments[first..])?;
        self.take_snapshot_for_restart(target.end, whole)?;
        // Who is not known now was not known at the target either, or is forgotten since.
        let producerless = self.state().producers.producers().len() == 0;
        let mut marks = self.marks();
        if marks.cuts == target.cuts {
            marks.recovery_point = marks.recovery_point.max(target.end);
            marks.producerless = producerless.then_some(marks.recovery_point);
        }
        drop(marks);
        self.last_flush_ms.store(self.environment.clock.wall_ms(), Ordering::Relaxed);
        Ok(target.end)
    }

    /// Syncs what tells which transactions were aborted: recovery looks for them past the recovery point only.
    fn sync_aborted(&self, segments: &[Arc<Segment>]) -> Result<(), StorageError> {
        // Who appended a marker put its transaction into the index before it let go of this lock.
        drop(self.state());
        let unsynced: Vec<_> = segments.iter().filter(|segment| segment.has_unsynced_aborted()).collect();
        for segment in &unsynced {
            let synced = segment.transaction_index().file.file().sync();
            self.guard("Error while flushing indexes", synced)?;
        }
        if !unsynced.is_empty() && self.names_dirty.swap(false, Ordering::AcqRel) {
            self.guard("Error while flushing names", self.sync_names())?;
        }
        Ok(())
    }

    /// Flushes unless the log was closed.
    pub(crate) fn flush_if_open(&self) -> Result<(), StorageError> {
        if self.is_closed() { Ok(()) } else { self.flush().map(drop) }
    }

    fn write_epochs(&self) -> Result<(), StorageError> {
        let Some(text) = self.changed_epochs() else { return Ok(()) };
        let path = self.folder().join(LEADER_EPOCH_FILE);
        let written = self.files().write_atomically(&path, text.as_bytes());
        self.guard("Error while writing leader epochs", written)
    }

    /// Returns what the file of leader epochs has to say, once, if it does not.
    pub(super) fn changed_epochs(&self) -> Option<String> {
        let mut state = self.state();
        let changed = state.epochs.take_changed(self.log_end_offset());
        changed.then(|| checkpoint::epochs_text(state.epochs.entries()))
    }

    /// Writes what a restart would otherwise read from the log, if there are producers at all.
    /// It need not be synced: after a power cut its checksum tells, and an earlier one and the log take its place.
    pub(super) fn take_snapshot(&self, state: &mut State, sync: bool) -> Result<(), StorageError> {
        if state.producers.producers().len() == 0 {
            return Ok(());
        }
        let (folder, start) = (self.folder(), self.log_start_offset());
        let taken = state.snapshots.take(self.files(), &folder, &state.producers, start, sync);
        self.guard("Error while writing producer snapshot", taken).map(drop)
    }

    /// Takes a snapshot if it would hold nothing that is not synced, and drops those before that no segment begins with.
    fn take_snapshot_for_restart(&self, target: Offset, sync: bool) -> Result<(), StorageError> {
        let mut state = self.state();
        if state.producers.end() == target {
            self.take_snapshot(&mut state, sync)?;
        }
        let bases = self.segments().iter().map(|segment| segment.base_offset()).collect();
        let removed = state.snapshots.remove_strays(self.files(), &self.folder(), &bases);
        self.guard("Error while removing producer snapshots", removed)
    }

    pub(super) fn write_back_if_much_is_unsynced(self: &Arc<Self>, appended: u64) {
        if self.unsynced.fetch_add(appended, Ordering::Relaxed) + appended >= WRITE_BACK_BYTES {
            self.environment.group_commit.ask(self);
        }
    }

    pub(super) fn flush_if_many_are_unflushed(&self) -> Result<(), StorageError> {
        let limit = self.config().flush_messages;
        let marks = *self.marks();
        if marks.end.offset.0 - marks.recovery_point.0 >= limit { self.flush().map(drop) } else { Ok(()) }
    }

    /// Tells whether `flush.ms` has passed since the last flush.
    pub(crate) fn is_flush_due(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.last_flush_ms.load(Ordering::Relaxed)) >= self.config().flush_ms
    }

    /// Flushes all, ends the active segment's indexes and takes a snapshot, so that the next start finds everything in
    /// order. Kafka: `UnifiedLog.close`.
    pub fn close(&self) -> Result<(), StorageError> {
        let finished = self.finish();
        self.close_finished(finished)
    }

    /// Ends a close that [`UnifiedLog::finish`] began, if it came to that.
    pub(crate) fn close_finished(&self, finished: Result<(), StorageError>) -> Result<(), StorageError> {
        let closed = finished.and_then(|()| {
            let _one = self.flush_lock();
            self.flush_locked(Reach::Whole).map(drop)
        });
        self.close_files();
        closed
    }

    /// Refuses appends from now on, and writes what a clean stop leaves; it is not synced yet.
    pub(crate) fn finish(&self) -> Result<(), StorageError> {
        self.dir.check()?;
        let mut state = self.state();
        let state = &mut *state;
        // What is appended from now on would not be flushed.
        self.closed.store(true, Ordering::Release);
        self.guard("Error while closing log", self.active_segment().finish())?;
        // A clean stop with no snapshot at all is taken to mean that there are no producers.
        if state.producers.producers().len() == 0 && state.snapshots.latest().is_none() {
            return Ok(());
        }
        let (folder, start) = (self.folder(), self.log_start_offset());
        let taken = state.snapshots.take(self.files(), &folder, &state.producers, start, true);
        if self.guard("Error while writing producer snapshot", taken)? {
            self.guard("Error while flushing names", self.files().sync_dir(&folder))?;
        }
        Ok(())
    }
}
