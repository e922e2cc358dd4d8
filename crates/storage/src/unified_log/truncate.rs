//! Cutting a log at its end or its start, starting it anew, renaming and deleting it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Offset;

use super::{State, UnifiedLog};
use crate::StorageError;
use crate::waiters::Interest;

impl UnifiedLog {
    /// Moves the log's start on, for `DeleteRecords` or retention; returns whether it moved. Fails with
    /// [`StorageError::OffsetOutOfRange`] past the high watermark. Kafka: `UnifiedLog.maybeIncrementLogStartOffset`.
    pub fn maybe_increment_log_start_offset(
        self: &Arc<Self>,
        start: Offset,
        reason: &str,
    ) -> Result<bool, StorageError> {
        let mut state = self.state();
        self.check_writable(&state)?;
        self.increment_log_start(&mut state, start, reason)
    }

    pub(super) fn increment_log_start(
        self: &Arc<Self>,
        state: &mut State,
        start: Offset,
        reason: &str,
    ) -> Result<bool, StorageError> {
        {
            let mut marks = self.marks();
            if start > marks.high_watermark {
                return Err(StorageError::OffsetOutOfRange {
                    partition: self.partition.clone(),
                    offset: start,
                    start: marks.start,
                    end: marks.high_watermark,
                });
            }
            if start <= marks.start {
                return Ok(false);
            }
            // What is below may not be synced, and may be found again by a start after a power cut: so what is not synced begins
            // where it did, lest what is acknowledged from now on stood behind a gap.
            marks.start = start;
            state.epochs.truncate_from_start(start);
            state.producers.on_high_watermark(marks.high_watermark);
            marks.first_unstable = state.producers.first_unstable_offset().map(|first| first.max(start));
        }
        tracing::info!(partition = %self.partition, start = start.0, reason, "incremented log start offset");
        self.mark_dirty();
        self.waiters.wake(Interest::LOG_START);
        Ok(true)
    }

    /// Cuts off all records at and after `target`; returns whether there were any. The cut is on the disk before anything is
    /// appended, or a start after a power cut would find both what was cut off and what came after it.
    /// Kafka: `UnifiedLog.truncateTo`.
    pub(crate) fn truncate_to(self: &Arc<Self>, target: Offset) -> Result<bool, StorageError> {
        let mut shape = self.shape();
        // A sync that is under way takes what it syncs as clean before it is.
        let _sync = self.sync.lock().expect("no holder panics");
        let mut state = self.state();
        self.check_writable(&state)?;
        if target >= self.log_end_offset() {
            let end = self.log_end_offset();
            state.epochs.truncate_from_end(end);
            return Ok(false);
        }
        self.note_cut(&mut shape, target);
        let segments = self.segments();
        if segments[0].base_offset() > target {
            drop(state);
            self.start_anew_at(target)?;
            return Ok(true);
        }
        tracing::info!(partition = %self.partition, target = target.0, "truncating");
        let doomed: Vec<_> = segments.iter().filter(|s| s.base_offset() > target).cloned().collect();
        self.drop_segments(&mut state, &doomed, "truncation")?;
        if !doomed.is_empty() {
            let synced = self.files().sync_dir(&self.folder());
            self.guard("Error while truncating", synced)?;
        }
        let active = self.active_segment();
        let cut = active.truncate(target, self.environment.clock.wall_ms());
        let synced = cut.and_then(|()| active.sync_log()).and_then(|()| active.sync_indexes());
        self.guard("Error while truncating", synced)?;
        {
            let mut marks = self.marks();
            marks.end.offset = target;
            marks.end.segment_base = active.base_offset();
            marks.end.position = active.size();
            marks.start = marks.start.min(target);
            marks.synced = marks.synced.min(target);
            marks.recovery_point = marks.recovery_point.min(target);
            marks.producerless = None;
            marks.high_watermark = marks.high_watermark.min(target);
            marks.cuts += 1;
        }
        state.epochs.truncate_from_end(target);
        self.rebuild_producers(&mut state, target)?;
        self.mark_dirty();
        drop(state);
        self.waiters.wake(Interest::ALL);
        Ok(true)
    }

    /// Drops everything and goes on at `start`. Kafka: `UnifiedLog.truncateFullyAndStartAt`.
    pub fn truncate_fully_and_start_at(self: &Arc<Self>, start: Offset) -> Result<(), StorageError> {
        let mut shape = self.shape();
        self.note_cut(&mut shape, start);
        self.start_anew_at(start)
    }

    fn start_anew_at(self: &Arc<Self>, start: Offset) -> Result<(), StorageError> {
        let mut state = self.state();
        self.check_writable(&state)?;
        let doomed = self.segments();
        // The files of a segment at the very same offset are renamed before new ones take their names.
        let mut paths: Vec<PathBuf> = Vec::new();
        for segment in doomed.iter() {
            paths.extend(self.guard("Error while truncating the entire log", segment.mark_deleted())?);
        }
        self.plan_removal(paths);
        let segment = self.create_segment(start)?;
        self.publish_segments(vec![segment]);
        let removed = state.snapshots.remove(self.files(), &self.folder(), |_| true);
        self.guard("Error while truncating the entire log", removed)?;
        state.epochs.clear();
        state.producers = crate::ProducerState::empty(start);
        {
            let mut marks = self.marks();
            marks.start = start;
            marks.end = super::LogOffsetMetadata { offset: start, segment_base: start, position: 0 };
            marks.high_watermark = start;
            marks.first_unstable = None;
            marks.synced = start;
            marks.recovery_point = start;
            marks.producerless = None;
            marks.cuts += 1;
        }
        self.mark_dirty();
        drop(state);
        self.waiters.wake(Interest::ALL);
        Ok(())
    }

    fn rebuild_producers(self: &Arc<Self>, state: &mut State, end: Offset) -> Result<(), StorageError> {
        let (folder, start) = (self.folder(), self.log_start_offset());
        let removed = state.snapshots.remove(self.files(), &folder, |offset| offset > end || offset <= start);
        self.guard("Error while truncating", removed)?;
        let rebuilt = crate::recovery::rebuild_producers(
            &self.environment,
            &folder,
            &mut state.snapshots,
            &self.segments(),
            start..end,
            None,
        );
        state.producers = self.guard("Error while truncating", rebuilt)?;
        let mut marks = self.marks();
        state.producers.on_high_watermark(marks.high_watermark);
        marks.first_unstable = state.producers.first_unstable_offset().map(|first| first.max(marks.start));
        Ok(())
    }

    /// Gives the folder another name in the same log dir; open reads go on.
    /// Only if `sync` does the new name surely survive a power cut.
    pub(crate) fn rename_folder(&self, name: &str, sync: bool) -> Result<(), StorageError> {
        let _shape = self.shape();
        // A flush that has begun ends first: it goes by the old name.
        let _flush = self.flush.lock().expect("no holder panics");
        let _sync = self.sync.lock().expect("no holder panics");
        let _state = self.state();
        let (from, to) = (self.folder(), Arc::<Path>::from(self.dir.path().join(name)));
        let mut folder = self.folder.lock().expect("no holder panics");
        let renamed = self.files().rename(&from, &to).and_then(|()| match sync {
            true => self.files().sync_dir(self.dir.path()),
            false => Ok(()),
        });
        renamed.map_err(|error| {
            let context = format!("Error while renaming dir for {} to {}", self.partition, to.display());
            self.dir.fail(&context, error)
        })?;
        self.kept_segments().iter().flat_map(|kept| kept.iter()).for_each(|segment| segment.moved_to(&to));
        *folder = Some(to);
        Ok(())
    }

    /// Refuses appends from now on if the log ends at `end`; tells whether it does.
    pub(crate) fn freeze_at(&self, end: Offset) -> bool {
        let _state = self.state();
        let ends_there = self.log_end_offset() == end;
        self.closed.fetch_or(ends_there, Ordering::AcqRel);
        ends_there
    }

    /// Refuses appends from now on.
    pub(crate) fn refuse_appends(&self) {
        let _state = self.state();
        self.closed.store(true, Ordering::Release);
    }

    /// Refuses everything from now on and closes the files. Waiters are woken and find the log closed.
    pub(crate) fn close_files(&self) {
        self.refuse_appends();
        self.segments().iter().for_each(|segment| segment.close_files());
        self.waiters.wake(Interest::ALL);
    }
}
