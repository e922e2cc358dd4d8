//! Many logs of one log dir synced at once, by a sync of the whole filesystem.
//!
//! Invariants:
//! - what a log holds is marked as being synced before the filesystem's sync begins, and told as synced only after it succeeded
//! - each log is locked against other syncs meanwhile; nobody else waits for a log's lock while it holds another's, and here
//!   all are taken in one order, whatever order they were asked for in

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use super::UnifiedLog;
use super::flush::Synced;
use crate::log_dirs::LogDir;
use crate::waiters::Interest;

/// What of a log is to be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The batches, and the names of their files: what recovery needs.
    Batches,
    /// All files.
    Everything,
}

impl Extent {
    /// Tells whether a log has anything to sync.
    pub(crate) fn is_unsynced(self, log: &UnifiedLog) -> bool {
        match self {
            Self::Batches => log.synced_offset() < log.log_end_offset(),
            Self::Everything => {
                log.kept_segments().is_some_and(|kept| kept.iter().any(|segment| segment.is_dirty()))
            }
        }
    }
}

/// A log whose sync has begun.
struct Begun<'l> {
    log: &'l Arc<UnifiedLog>,
    target: Synced,
    _one_at_a_time: MutexGuard<'l, ()>,
}

/// Syncs `logs`, which are of `dir`, with the filesystem that it lies on; does nothing where that cannot be synced as a whole.
/// A failure takes the dir offline, of which who waits finds out there. Tells whether it was synced: it is not if there is nothing
/// to sync.
pub(crate) fn sync_together(logs: &[Arc<UnifiedLog>], extent: Extent, dir: &LogDir) -> bool {
    let Some(filesystem) = dir.filesystem() else { return false };
    let mut is_synced = false;
    let begun = begin_all(logs, extent);
    // A sync that failed may have forgotten what it could not write, so that another would seem to succeed.
    if let Some(first) = begun.first()
        && !dir.is_offline()
    {
        let clock = &first.log.environment.clock;
        let began = clock.monotonic();
        match filesystem.sync() {
            Ok(()) => {
                is_synced = true;
                let took = clock.monotonic().saturating_sub(began);
                dir.sync_costs().note_whole(took);
                for one in &begun {
                    one.log.environment.flush_times.observe(took);
                    one.end();
                }
            }
            Err(error) => drop(dir.fail("Error while flushing logs", error)),
        }
    }
    drop(begun);
    logs.iter().for_each(|log| log.waiters.wake(Interest::SYNCED));
    is_synced
}

/// Locks the logs, in the order of where they lie in memory, and marks what they hold as being synced.
fn begin_all(logs: &[Arc<UnifiedLog>], extent: Extent) -> Vec<Begun<'_>> {
    let mut ordered: Vec<_> = logs.iter().collect();
    ordered.sort_unstable_by_key(|log| Arc::as_ptr(log));
    ordered.dedup_by(|a, b| Arc::ptr_eq(a, b));
    ordered.into_iter().filter_map(|log| begin(log, extent)).collect()
}

/// Marks what a log holds as being synced; none if there is nothing to sync.
fn begin(log: &Arc<UnifiedLog>, extent: Extent) -> Option<Begun<'_>> {
    let one_at_a_time = log.sync.lock().expect("no holder panics");
    if !extent.is_unsynced(log) {
        return None;
    }
    let marks = *log.marks();
    let target = Synced { end: marks.end.offset, cuts: marks.cuts };
    log.unsynced.store(0, Ordering::Relaxed);
    log.names_dirty.store(false, Ordering::Release);
    match extent {
        Extent::Batches => log.segments_from(marks.synced).for_each(|segment| segment.mark_batches_clean()),
        Extent::Everything => log.segments().iter().for_each(|segment| segment.mark_clean()),
    }
    Some(Begun { log, target, _one_at_a_time: one_at_a_time })
}

impl Begun<'_> {
    fn end(&self) {
        if !self.log.note_synced(self.target) {
            // The log was cut meanwhile. A failure was told of when the dir went offline.
            let _ = self.log.sync_locked();
        }
    }
}
