//! Which segments are too old, too many, or before the log's start, and go.
//!
//! Invariants:
//! - no segment goes that holds an offset at or above the high watermark, nor one that was appended to since it was looked at
//! - with an empty `cleanup.policy` time and size do not count; what is before the log's start goes always
//!
//! Kafka: `UnifiedLog.deleteOldSegments`.

use std::sync::Arc;

use model::{Offset, Timestamp};

use crate::segment::Segment;
use crate::{StorageError, UnifiedLog};

impl UnifiedLog {
    /// Drops the segments that retention no longer covers; returns how many.
    pub fn delete_old_segments(self: &Arc<Self>, now: Timestamp) -> Result<usize, StorageError> {
        let config = self.config();
        let mut deleted = self.delete_before_log_start()?;
        if config.cleanup_policy.delete {
            deleted += self.delete_beyond_size(config.retention_bytes)?;
            deleted += self.delete_beyond_age(now, config.retention_ms)?;
        }
        Ok(deleted)
    }

    fn delete_before_log_start(self: &Arc<Self>) -> Result<usize, StorageError> {
        let start = self.log_start_offset();
        self.delete_oldest("log start offset breach", |_, next| {
            Ok(next.is_some_and(|next| next.base_offset() <= start))
        })
    }

    fn delete_beyond_size(self: &Arc<Self>, retention_bytes: i64) -> Result<usize, StorageError> {
        if retention_bytes < 0 {
            return Ok(0);
        }
        let mut excess = None;
        self.delete_oldest("retention size breach", |segment, _| {
            // Asked only now that nobody replaces segments: compaction may just have made the log smaller.
            let excess = excess.get_or_insert_with(|| self.size() as i64 - retention_bytes);
            let fits = *excess >= segment.size() as i64;
            if fits {
                *excess -= segment.size() as i64;
            }
            Ok(fits)
        })
    }

    fn delete_beyond_age(self: &Arc<Self>, now: Timestamp, retention_ms: i64) -> Result<usize, StorageError> {
        if retention_ms < 0 {
            return Ok(0);
        }
        self.delete_oldest("retention time breach", |segment, _| {
            Ok(now.0.saturating_sub(segment.largest_timestamp()?.0) > retention_ms)
        })
    }

    /// Drops segments from the oldest on while `goes` says so. If all go, a new active segment begins first; an empty
    /// active segment stays.
    pub(crate) fn delete_oldest(
        self: &Arc<Self>,
        reason: &str,
        mut goes: impl FnMut(&Segment, Option<&Arc<Segment>>) -> std::io::Result<bool>,
    ) -> Result<usize, StorageError> {
        let _shape = self.shape();
        let Some(segments) = self.kept_segments() else { return Ok(0) };
        let (high_watermark, end) = (self.high_watermark(), self.log_end_offset());
        let (mut count, mut until) = (0, self.log_start_offset());
        for (n, segment) in segments.iter().enumerate() {
            let next = segments.get(n + 1);
            let upper: Offset = next.map_or(end, |next| next.base_offset());
            let empty_active = next.is_none() && segment.size() == 0;
            if high_watermark < upper || empty_active {
                break;
            }
            if !goes(segment, next)
                .map_err(|error| self.disk_failed("Error while deleting segments", error))?
            {
                break;
            }
            (count, until) = (n + 1, upper);
        }
        self.delete_segments(&segments[..count], until, reason)
    }
}
