//! Puts a compacted segment in the place of those that it was made of.
//!
//! Invariants:
//! - at every moment a start after a kill or power cut finds the old segments or the new one, never both and never a part:
//!   the new files are whole and named `.cleaned`, then all `.swap`; only then are the old ones renamed, and only then do
//!   the new ones take their names
//! - who reads the old segments goes on: their files stay until `file.delete.delay.ms` has passed
//! - appends wait for none of this
//!
//! Kafka: `LocalLog.replaceSegments`, `UnifiedLog.replaceSegments`.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use model::Offset;

use super::UnifiedLog;
use crate::StorageError;
use crate::segment::Segment;

/// What compaction builds upon: if it has changed meanwhile, what was built is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    folder: Arc<Path>,
    cuts: u64,
}

impl UnifiedLog {
    pub(crate) fn shape(&self) -> MutexGuard<'_, u64> {
        self.shape.lock().expect("no holder panics")
    }

    /// Returns what compaction builds upon.
    pub(crate) fn present_shape(&self) -> Shape {
        let cuts = self.shape();
        Shape { folder: self.folder(), cuts: *cuts }
    }

    /// Takes note that the log is cut at `target`: what is appended there anew was not compacted.
    pub(super) fn note_cut(&self, cuts: &mut u64, target: Offset) {
        *cuts += 1;
        self.cleaned_to.fetch_min(target.0, Ordering::AcqRel);
        self.checkpointed.fetch_min(target.0, Ordering::AcqRel);
    }

    /// Returns where compaction goes on, if it was ever here.
    pub fn cleaned_to(&self) -> Option<Offset> {
        Some(self.cleaned_to.load(Ordering::Acquire)).filter(|offset| *offset >= 0).map(Offset)
    }

    pub(crate) fn set_cleaned_to(&self, offset: Option<Offset>) {
        self.cleaned_to.store(offset.map_or(-1, |offset| offset.0), Ordering::Release);
    }

    /// Takes note that compaction has come to `offset`, unless the log was cut since `shape`.
    pub(crate) fn advance_cleaned_to(&self, offset: Offset, shape: &Shape) {
        let cuts = self.shape();
        if *cuts == shape.cuts {
            self.set_cleaned_to(Some(offset));
        }
    }

    /// Tells whether the log was closed, deleted or moved away.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_closed()
    }

    /// Takes note of the recovery point that the log dir's checkpoint has.
    pub(crate) fn note_checkpointed(&self, offset: Offset) {
        self.checkpointed.store(offset.0, Ordering::Release);
    }

    /// Returns the offset from which a start after a kill at this very moment would look for damage.
    pub(crate) fn checkpointed_recovery_point(&self) -> Offset {
        Offset(self.checkpointed.load(Ordering::Acquire)).min(self.recovery_point())
    }

    /// Makes an empty segment for compaction to fill.
    pub(crate) fn create_cleaned_segment(&self, base: Offset) -> Result<Segment, StorageError> {
        let now_ms = self.environment.clock.wall_ms();
        let created = Segment::create_cleaned(&self.environment.open_files, &self.folder(), base, now_ms);
        self.guard("Error while creating a cleaned segment", created)
    }

    /// Puts `new`, which is synced, in the place of `old`, which stand in the list one after the other. Returns false,
    /// and does nothing, if they are not there any more as they were in `shape`, or one of them is the active segment.
    pub(crate) fn replace_segments(
        self: &Arc<Self>,
        old: &[Arc<Segment>],
        new: &Arc<Segment>,
        shape: &Shape,
    ) -> Result<bool, StorageError> {
        let cuts = self.shape();
        self.dir.check()?;
        let is_same = *cuts == shape.cuts && self.folder() == shape.folder && !self.is_closed();
        if !is_same || self.find_run(old).is_none() {
            return Ok(false);
        }
        let swapped = self.swap(old, new, &shape.folder);
        self.guard("Error while replacing segments", swapped)?;
        Ok(true)
    }

    /// Returns where `run` stands in the list of segments, before the active one.
    fn find_run(&self, run: &[Arc<Segment>]) -> Option<usize> {
        let segments = self.segments();
        let wanted = run.first()?;
        let first = segments.iter().position(|segment| Arc::ptr_eq(segment, wanted))?;
        let found = segments.get(first..first + run.len())?;
        let same = found.iter().zip(run).all(|(found, wanted)| Arc::ptr_eq(found, wanted));
        (same && first + run.len() < segments.len()).then_some(first)
    }

    fn swap(&self, old: &[Arc<Segment>], new: &Arc<Segment>, folder: &Path) -> io::Result<()> {
        let files = self.files();
        files.sync_dir(folder)?;
        new.ready_to_swap()?;
        files.sync_dir(folder)?;
        self.publish_replacement(old, new)?;
        let id = self.environment.chance.next_u64();
        let mut removed = Vec::new();
        for segment in old {
            removed.extend(segment.mark_replaced(id)?);
        }
        files.sync_dir(folder)?;
        new.swapped_in()?;
        files.sync_dir(folder)?;
        self.plan_removal(removed);
        Ok(())
    }

    fn publish_replacement(&self, old: &[Arc<Segment>], new: &Arc<Segment>) -> io::Result<()> {
        let mut state = self.state();
        let first = self.find_run(old).expect("the shape lock keeps what was found");
        let mut segments = self.segments().to_vec();
        segments.splice(first..first + old.len(), [new.clone()]);
        self.publish_segments(segments);
        let is_vanished =
            |offset| offset != new.base_offset() && old.iter().any(|segment| segment.base_offset() == offset);
        state.snapshots.remove(self.files(), &self.folder(), is_vanished)
    }
}
