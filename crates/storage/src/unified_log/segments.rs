//! The list of a log's segments: which holds an offset, the active one, rolling to a new one, dropping old ones.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{Offset, Timestamp};

use super::{State, UnifiedLog};
use crate::StorageError;
use crate::segment::Segment;

impl UnifiedLog {
    /// Returns the segments; before the first record, one that is planned and kept by nobody.
    pub(crate) fn segments(&self) -> Arc<[Arc<Segment>]> {
        self.kept_segments().unwrap_or_else(|| Arc::new([self.planned_segment()]))
    }

    /// Returns the segments; none before the first record.
    pub(crate) fn kept_segments(&self) -> Option<Arc<[Arc<Segment>]>> {
        self.segments.read().expect("no holder panics").clone()
    }

    fn planned_segment(&self) -> Arc<Segment> {
        let now_ms = self.environment.clock.wall_ms();
        Arc::new(Segment::planned(&self.environment.open_files, &self.folder(), now_ms))
    }

    pub(super) fn publish_segments(&self, segments: Vec<Arc<Segment>>) {
        assert!(!segments.is_empty(), "a log has an active segment");
        *self.segments.write().expect("no holder panics") = Some(segments.into());
    }

    pub(super) fn active_segment(&self) -> Arc<Segment> {
        self.segments().last().expect("a log has an active segment").clone()
    }

    /// Returns the active segment, which is kept from now on, for who holds the state's lock and is about to write to it.
    fn kept_active_segment(&self) -> Arc<Segment> {
        if let Some(kept) = self.kept_segments() {
            return kept.last().expect("a log has an active segment").clone();
        }
        let planned = self.planned_segment();
        self.publish_segments(vec![planned.clone()]);
        planned
    }

    /// Ends the active segment and begins another at the log's end; returns its base offset. An empty active segment
    /// stays. Kafka: `UnifiedLog.roll`.
    pub fn roll(self: &Arc<Self>) -> Result<Offset, StorageError> {
        let mut state = self.state();
        self.check_writable(&state)?;
        let end = self.log_end_offset();
        self.roll_locked(&mut state, end).map(|segment| segment.base_offset())
    }

    /// Rolls if the batches to come do not fit into the active segment. Kafka: `UnifiedLog.maybeRoll`.
    pub(super) fn maybe_roll(
        self: &Arc<Self>,
        state: &mut State,
        bytes: u64,
        first: Offset,
        last: Offset,
        max_timestamp: Timestamp,
    ) -> Result<Arc<Segment>, StorageError> {
        let active = self.kept_active_segment();
        let now_ms = self.environment.clock.wall_ms();
        let rolls = active.should_roll(self.limits(), bytes, last, max_timestamp, now_ms);
        if self.guard("Error while rolling log segment", rolls)? {
            return self.roll_locked(state, first);
        }
        Ok(active)
    }

    pub(super) fn roll_locked(
        self: &Arc<Self>,
        state: &mut State,
        at: Offset,
    ) -> Result<Arc<Segment>, StorageError> {
        let base = at.max(self.log_end_offset());
        let active = self.active_segment();
        if active.base_offset() >= base {
            return Ok(active);
        }
        self.guard("Error while rolling log segment", active.finish())?;
        let segment = self.create_segment(base)?;
        let mut segments = self.segments().to_vec();
        segments.push(segment.clone());
        self.publish_segments(segments);
        {
            let mut marks = self.marks();
            marks.end.segment_base = base;
            marks.end.position = 0;
        }
        state.producers.set_end(base);
        let taken = state.snapshots.take(
            self.files(),
            &self.folder(),
            &state.producers,
            self.log_start_offset(),
            false,
        );
        self.guard("Error while writing producer snapshot", taken)?;
        self.mark_dirty();
        tracing::debug!(partition = %self.partition, base = base.0, "rolled a new log segment");
        Ok(segment)
    }

    pub(super) fn create_segment(&self, base: Offset) -> Result<Arc<Segment>, StorageError> {
        let jitter = self.config().max_segment_jitter_ms();
        let jitter = if jitter > 0 { (self.environment.chance.next_u64() % jitter as u64) as i64 } else { 0 };
        let now_ms = self.environment.clock.wall_ms();
        let created = Segment::create(&self.environment.open_files, &self.folder(), base, now_ms, jitter);
        let segment = Arc::new(self.guard("Error while creating log segment", created)?);
        if self.config().preallocate {
            let reserved =
                segment.log().get().and_then(|file| file.preallocate(self.config().segment_bytes as u64));
            self.guard("Error while preallocating log segment", reserved)?;
        }
        self.names_dirty.store(true, Ordering::Release);
        Ok(segment)
    }

    /// Takes segments out of the list and removes their files after `file.delete.delay.ms`, their snapshots at once.
    pub(super) fn drop_segments(
        &self,
        state: &mut State,
        doomed: &[Arc<Segment>],
        reason: &str,
    ) -> Result<(), StorageError> {
        if doomed.is_empty() {
            return Ok(());
        }
        let is_doomed = |segment: &Arc<Segment>| doomed.iter().any(|other| Arc::ptr_eq(other, segment));
        let kept = self.segments().iter().filter(|segment| !is_doomed(segment)).cloned().collect();
        self.publish_segments(kept);
        let mut paths: Vec<PathBuf> = Vec::new();
        for segment in doomed {
            tracing::info!(partition = %self.partition, base = segment.base_offset().0, reason, "deleting a segment");
            paths.extend(self.guard("Error while deleting segments", segment.mark_deleted())?);
        }
        self.plan_removal(paths);
        let bases: Vec<_> = doomed.iter().map(|segment| segment.base_offset()).collect();
        let removed = state.snapshots.remove(self.files(), &self.folder(), |offset| bases.contains(&offset));
        self.guard("Error while deleting producer snapshots", removed)
    }
}

impl UnifiedLog {
    /// Drops the oldest segments, which were looked at when they ended at `until`: the log's start moves to the first that is
    /// left. The last of them stays if it was appended to since. Returns how many went. For holders of the shape lock.
    pub(crate) fn delete_segments(
        self: &Arc<Self>,
        doomed: &[Arc<Segment>],
        until: Offset,
        reason: &str,
    ) -> Result<usize, StorageError> {
        if doomed.is_empty() {
            return Ok(0);
        }
        let mut state = self.state();
        self.check_writable(&state)?;
        let (segments, end) = (self.segments(), self.log_end_offset());
        let ends_at = segments.get(doomed.len()).map_or(end, |next| next.base_offset());
        let doomed = if ends_at > until { &doomed[..doomed.len() - 1] } else { doomed };
        let Some(last) = doomed.last() else { return Ok(0) };
        if segments.len() == doomed.len() {
            self.roll_locked(&mut state, end)?;
        }
        let next = self
            .segments()
            .iter()
            .map(|segment| segment.base_offset())
            .find(|base| *base > last.base_offset());
        let Some(next) = next else { return Ok(0) };
        self.increment_log_start(&mut state, next, reason)?;
        self.drop_segments(&mut state, doomed, reason)?;
        Ok(doomed.len())
    }

    /// Takes the log dir offline.
    pub(crate) fn disk_failed(&self, context: &str, error: std::io::Error) -> StorageError {
        match self.guard::<()>(context, Err(error)) {
            Err(failure) => failure,
            Ok(()) => unreachable!("an error stays one"),
        }
    }
}
