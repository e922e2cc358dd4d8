//! Records that follow each other and share one fate: state, delivery count, holder and lock.
//!
//! Invariants:
//! - whoever holds a run also has a lock on it that runs out
//! - a change that is being written keeps what is needed to take it back. Kafka: `InFlightState`

use std::sync::Arc;

use machine::Instant;
use model::Offset;

use super::{RecordState, Transition};
use crate::share::StateBatch;

/// Records that follow each other and share one fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: Offset,
    pub(super) last: Offset,
    pub(super) state: RecordState,
    pub(super) delivery_count: i16,
    pub(super) holder: Option<Arc<str>>,
    pub(super) locked_until: Option<Instant>,
    pub(super) undo: Option<Undo>,
}

/// Takes back a change that could not be written: the records are their holder's again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Undo {
    pub(super) transition: Transition,
    holder: Option<Arc<str>>,
}

impl Run {
    /// Takes up what a leader before this one wrote.
    pub(super) fn loaded(first: Offset, last: Offset, batch: &StateBatch) -> Self {
        Self {
            first,
            last,
            state: RecordState::of(batch.state),
            delivery_count: batch.delivery_count,
            holder: None,
            locked_until: None,
            undo: None,
        }
    }

    /// Records that are acquired for the first time.
    pub(super) fn acquired(first: Offset, last: Offset, holder: &Arc<str>, until: Instant) -> Self {
        let mut run = Self::absent(first, last);
        (run.state, run.delivery_count) = (RecordState::Acquired, 1);
        (run.holder, run.locked_until) = (Some(holder.clone()), Some(until));
        run
    }

    /// Offsets at which the log has no records.
    pub(super) fn absent(first: Offset, last: Offset) -> Self {
        let state = RecordState::Archived;
        Self { first, last, state, delivery_count: 0, holder: None, locked_until: None, undo: None }
    }

    pub(super) fn len(&self) -> i64 {
        self.last.0 - self.first.0 + 1
    }

    /// Whether it will not be delivered again, if what is being written gets written.
    pub(super) fn is_terminal(&self) -> bool {
        matches!(self.state, RecordState::Acknowledged | RecordState::Archived)
    }

    /// Whether it will certainly not be delivered again.
    pub(super) fn is_settled(&self) -> bool {
        self.is_terminal() && self.undo.is_none()
    }

    pub(super) fn is_available(&self) -> bool {
        self.state == RecordState::Available && self.undo.is_none()
    }

    pub(super) fn is_held_by(&self, member: &str) -> bool {
        self.state == RecordState::Acquired && self.holder.as_deref() == Some(member)
    }

    pub(super) fn acquire(&mut self, holder: &Arc<str>, until: Instant) {
        self.state = RecordState::Acquired;
        self.delivery_count = self.delivery_count.saturating_add(1);
        (self.holder, self.locked_until) = (Some(holder.clone()), Some(until));
    }

    /// Begins a change, which ends with [`Run::settle`].
    pub(super) fn begin(&mut self, to: RecordState, transition: Transition, delivery_count_limit: i16) {
        self.state = self.or_archived(to, delivery_count_limit);
        self.undo = Some(Undo { transition, holder: self.holder.take() });
    }

    /// A record that was delivered often enough is given up rather than back.
    fn or_archived(&self, to: RecordState, delivery_count_limit: i16) -> RecordState {
        match to {
            RecordState::Available if self.delivery_count >= delivery_count_limit => RecordState::Archived,
            to => to,
        }
    }

    /// Ends a change: it is written, or it is taken back. A lock that ran out meanwhile gives the records back.
    pub(super) fn settle(&mut self, written: bool, now: Instant, delivery_count_limit: i16) {
        let Some(undo) = self.undo.take() else { return };
        if written {
            self.locked_until = None;
        } else if self.locked_until.is_none_or(|until| until <= now) {
            self.give_back(delivery_count_limit);
        } else {
            (self.state, self.holder) = (RecordState::Acquired, undo.holder);
        }
    }

    /// Takes the records from their holder.
    pub(super) fn give_back(&mut self, delivery_count_limit: i16) {
        self.state = self.or_archived(RecordState::Available, delivery_count_limit);
        (self.holder, self.locked_until) = (None, None);
    }

    /// Takes the records out of delivery for good, whatever is being written.
    pub(super) fn archive(&mut self) {
        self.state = RecordState::Archived;
        (self.holder, self.locked_until, self.undo) = (None, None, None);
    }

    pub(super) fn to_batch(&self) -> StateBatch {
        StateBatch {
            first_offset: self.first,
            last_offset: self.last,
            state: self.state.persisted(),
            delivery_count: self.delivery_count,
        }
    }

    /// Whether the two have one fate, so that they can be one.
    pub(super) fn continues_as(&self, next: &Self) -> bool {
        self.last.plus(1) == next.first
            && self.state == next.state
            && self.delivery_count == next.delivery_count
            && self.holder == next.holder
            && self.locked_until == next.locked_until
            && self.undo == next.undo
    }
}
