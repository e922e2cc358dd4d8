//! How old a segment is and how full, which tells when the next begins: by the timestamps of its batches, or by its file's
//! where they have none.

use std::io;
use std::sync::atomic::Ordering;

use model::{Offset, Timestamp};

use super::{Segment, Tail};
use crate::scan::Scanner;
use crate::time_index::TimestampOffset;

/// Limits of a segment, from the topic's config.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentLimits {
    pub(crate) bytes: i32,
    pub(crate) index_bytes: i32,
    pub(crate) age_ms: i64,
}

impl Segment {
    pub(super) fn max_timestamp_in(&self, tail: &mut Tail) -> io::Result<TimestampOffset> {
        match tail.max_timestamp {
            Some(known) => Ok(known),
            None => {
                let last = self.time_index().last()?;
                tail.max_timestamp = Some(last);
                Ok(last)
            }
        }
    }

    /// Returns the greatest timestamp and the offset of the batch that has it.
    pub(crate) fn max_timestamp(&self) -> io::Result<TimestampOffset> {
        self.max_timestamp_in(&mut self.tail())
    }

    /// Returns the greatest timestamp, or when the file last changed if no batch has one.
    pub(crate) fn largest_timestamp(&self) -> io::Result<Timestamp> {
        if !self.made.load(Ordering::Acquire) {
            return Ok(Timestamp(self.created_ms()));
        }
        let known = self.max_timestamp()?.timestamp;
        if known.0 >= 0 {
            return Ok(known);
        }
        Ok(Timestamp(self.log().modified_ms()?))
    }

    /// Tells whether the batches that end at `last` have to go to a new segment. Kafka: `LogSegment.shouldRoll`.
    pub(crate) fn should_roll(
        &self,
        limits: SegmentLimits,
        bytes: u64,
        last: Offset,
        timestamp: Timestamp,
        now_ms: i64,
    ) -> io::Result<bool> {
        let size = self.size();
        if size + bytes > limits.bytes.max(0) as u64 || last.0 - self.base_offset.0 > i64::from(i32::MAX) {
            return Ok(true);
        }
        let old = size > 0 && self.waited_ms(timestamp, now_ms)? > limits.age_ms - self.tail().jitter_ms;
        Ok(old
            || self.offset_index().is_full(limits.index_bytes)?
            || self.time_index().is_full(limits.index_bytes)?)
    }

    /// Returns how old the segment is, by its first batch's timestamp if that has one.
    fn waited_ms(&self, timestamp: Timestamp, now_ms: i64) -> io::Result<i64> {
        let first = self.first_timestamp()?;
        Ok(if first.0 >= 0 { timestamp.0 - first.0 } else { now_ms - self.created_ms() })
    }

    /// Returns the first batch's greatest timestamp; none if there is no batch.
    pub(crate) fn first_timestamp(&self) -> io::Result<Timestamp> {
        if let Some(known) = self.tail().first_timestamp {
            return Ok(known);
        }
        let first = Scanner::near(self.log().get()?, 0, self.size()).next().map_err(io::Error::from)?;
        let first = first.map_or(Timestamp::NONE, |entry| entry.max_timestamp);
        self.tail().first_timestamp = Some(first);
        Ok(first)
    }
}
