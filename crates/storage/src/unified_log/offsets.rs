//! A log's offsets, and how the high watermark moves among them.

use model::Offset;

use super::{State, UnifiedLog};
use crate::waiters::Interest;

/// An offset and where its batch is, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOffsetMetadata {
    /// The offset.
    pub offset: Offset,
    /// The base offset of the segment that it is in.
    pub segment_base: Offset,
    /// Bytes from the beginning of the segment's file.
    pub position: u64,
}

/// A log's offsets at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffsets {
    /// The first offset that may be read.
    pub log_start: Offset,
    /// The offset that the next record gets.
    pub log_end: Offset,
    /// The offset below which all is replicated.
    pub high_watermark: Offset,
    /// The offset below which all transactions have ended, and all is replicated.
    pub last_stable: Offset,
    /// The offset below which all survives a power cut.
    pub synced: Offset,
    /// The offset from which a start after a kill looks for damage.
    pub recovery_point: Offset,
}

/// What readers see of the log at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    pub(super) start: Offset,
    pub(super) end: LogOffsetMetadata,
    pub(super) high_watermark: Offset,
    pub(super) first_unstable: Option<Offset>,
    pub(super) synced: Offset,
    pub(super) recovery_point: Offset,
    /// The recovery point at which no producer was known, if that is so of the last.
    pub(super) producerless: Option<Offset>,
    /// How often the log's end went back: after that, an offset may stand for another record.
    pub(super) cuts: u64,
}

impl Marks {
    pub(super) fn last_stable(&self) -> Offset {
        self.first_unstable.map_or(self.high_watermark, |first| first.min(self.high_watermark))
    }
}

impl UnifiedLog {
    /// Returns all offsets at one moment.
    pub fn offsets(&self) -> LogOffsets {
        let marks = *self.marks();
        LogOffsets {
            log_start: marks.start,
            log_end: marks.end.offset,
            high_watermark: marks.high_watermark,
            last_stable: marks.last_stable(),
            synced: marks.synced,
            recovery_point: marks.recovery_point,
        }
    }

    /// Returns the first offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.marks().start
    }

    /// Returns the offset that the next record gets.
    pub fn log_end_offset(&self) -> Offset {
        self.marks().end.offset
    }

    /// Returns the offset below which all is replicated.
    pub fn high_watermark(&self) -> Offset {
        self.marks().high_watermark
    }

    /// Returns the offset below which all transactions have ended, and all is replicated.
    pub fn last_stable_offset(&self) -> Offset {
        self.marks().last_stable()
    }

    /// Returns the offset below which all survives a power cut.
    pub fn synced_offset(&self) -> Offset {
        self.marks().synced
    }

    /// Returns the offset from which a start after a kill looks for damage.
    pub fn recovery_point(&self) -> Offset {
        self.marks().recovery_point
    }

    /// Returns the recovery point, and whether no producer was known there.
    pub(crate) fn recovery_point_and_producerless(&self) -> (Offset, bool) {
        let marks = self.marks();
        (marks.recovery_point, marks.producerless == Some(marks.recovery_point))
    }

    /// Sets the high watermark, kept between the log's start and end, and returns it; it may go back.
    /// Kafka: `UnifiedLog.updateHighWatermark`.
    pub fn update_high_watermark(&self, high_watermark: Offset) -> Offset {
        let mut state = self.state();
        self.set_high_watermark(&mut state, high_watermark)
    }

    /// Moves the high watermark on, never back; returns the one before if it moved. An offset past the log's end counts
    /// as the end. Kafka: `UnifiedLog.maybeIncrementHighWatermark`.
    pub fn maybe_increment_high_watermark(&self, high_watermark: Offset) -> Option<Offset> {
        let mut state = self.state();
        let before = self.marks().high_watermark;
        (self.set_high_watermark_if(&mut state, high_watermark, |now, new| new > now)).then_some(before)
    }

    fn set_high_watermark(&self, state: &mut State, wanted: Offset) -> Offset {
        self.set_high_watermark_if(state, wanted, |now, new| new != now);
        self.marks().high_watermark
    }

    fn set_high_watermark_if(
        &self,
        state: &mut State,
        wanted: Offset,
        moves: impl Fn(Offset, Offset) -> bool,
    ) -> bool {
        {
            let mut marks = self.marks();
            let wanted = wanted.max(marks.start).min(marks.end.offset);
            if !moves(marks.high_watermark, wanted) {
                return false;
            }
            marks.high_watermark = wanted;
            state.producers.on_high_watermark(wanted);
            marks.first_unstable =
                state.producers.first_unstable_offset().map(|first| first.max(marks.start));
        }
        self.dir.note_changed();
        self.waiters.wake(Interest::HIGH_WATERMARK);
        true
    }
}
