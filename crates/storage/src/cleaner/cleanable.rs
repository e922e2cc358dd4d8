//! Which part of a log may be compacted, and whether it is worth it.
//!
//! Invariants:
//! - never the active segment, nor what holds an offset at or above the last stable one
//! - never what a start after a kill would look at: gaps there could be taken for damage
//! - never a segment with a record younger than `min.compaction.lag.ms`
//!
//! Kafka: `LogCleanerManager.cleanableOffsets`, `LogToClean`.

use std::io;
use std::sync::Arc;

use model::{Offset, Timestamp};

use crate::UnifiedLog;
use crate::segment::Segment;

/// The part of a log that may be compacted.
#[derive(Clone, Debug)]
pub(crate) struct Cleanable {
    pub(crate) log: Arc<UnifiedLog>,
    /// Where compaction goes on.
    pub(crate) first_dirty: Offset,
    /// Where it must stop: where a segment begins.
    pub(crate) first_uncleanable: Offset,
    clean_bytes: u64,
    cleanable_bytes: u64,
    /// By how much longer than `max.compaction.lag.ms` a record waits, in milliseconds; 0 if none does.
    pub(crate) overdue_ms: i64,
}

impl Cleanable {
    /// Looks at a log.
    pub(crate) fn find(log: &Arc<UnifiedLog>, now: Timestamp) -> io::Result<Self> {
        let (config, offsets) = (log.config(), log.offsets());
        let segments = log.segments();
        let first_dirty = match log.cleaned_to() {
            Some(offset) if offset >= offsets.log_start && offset <= offsets.log_end => offset,
            _ => offsets.log_start,
        };
        let (active, closed) = segments.split_last().expect("a log has an active segment");
        let dirty = &closed[floor(closed, first_dirty)..];
        let limit = offsets
            .last_stable
            .min(active.base_offset())
            .min(log.checkpointed_recovery_point())
            .min(first_too_young(dirty, now, config.min_compaction_lag_ms)?.unwrap_or(Offset(i64::MAX)));
        let first_uncleanable = segments[floor(&segments, limit)].base_offset();
        let bytes = |segments: &mut dyn Iterator<Item = &Arc<Segment>>| segments.map(|s| s.size()).sum();
        Ok(Self {
            log: log.clone(),
            first_dirty,
            first_uncleanable,
            clean_bytes: bytes(&mut closed.iter().filter(|s| s.base_offset() < first_dirty)),
            cleanable_bytes: bytes(&mut dirty.iter().filter(|s| s.base_offset() < first_uncleanable)),
            overdue_ms: overdue_ms(dirty, now, config.max_compaction_lag_ms)?,
        })
    }

    /// Returns the share of what may be compacted that was not yet, 0 to 1.
    pub(crate) fn ratio(&self) -> f64 {
        match self.clean_bytes + self.cleanable_bytes {
            0 => 0.0,
            total => self.cleanable_bytes as f64 / total as f64,
        }
    }

    /// Returns how many bytes may be compacted that were not yet.
    pub(crate) fn bytes(&self) -> u64 {
        self.cleanable_bytes
    }

    /// Tells whether the log is to be compacted now.
    pub(crate) fn is_due(&self) -> bool {
        self.cleanable_bytes > 0
            && self.first_dirty < self.first_uncleanable
            && (self.overdue_ms > 0 || self.ratio() > self.log.config().min_cleanable_dirty_ratio)
    }
}

/// Returns the number of the segment that holds `offset`, the first for what is before all.
fn floor(segments: &[Arc<Segment>], offset: Offset) -> usize {
    segments.partition_point(|segment| segment.base_offset() <= offset).saturating_sub(1)
}

fn first_too_young(dirty: &[Arc<Segment>], now: Timestamp, lag_ms: i64) -> io::Result<Option<Offset>> {
    if lag_ms <= 0 {
        return Ok(None);
    }
    for segment in dirty {
        if segment.largest_timestamp()?.0 > now.0.saturating_sub(lag_ms) {
            return Ok(Some(segment.base_offset()));
        }
    }
    Ok(None)
}

/// Kafka: `LogCleanerManager.maxCompactionDelay`.
fn overdue_ms(dirty: &[Arc<Segment>], now: Timestamp, lag_ms: i64) -> io::Result<i64> {
    let until = now.0.saturating_sub(lag_ms.max(0));
    if until <= 0 {
        return Ok(0);
    }
    for segment in dirty {
        let first = segment.first_timestamp()?.0;
        if first > 0 && first < until {
            return Ok(until - first);
        }
    }
    Ok(0)
}
