//! Records that follow each other and share one fate: state, delivery count, holder and lock.
//!
//! Invariants:
//! - whoever holds a run also has a lock on it that runs out
//! - a change that is being written keeps what is needed to take it back. Kafka: `InFlightState`

use std::sync::Arc;

use machine::Instant;
use model::Offset;

use super::dead_letters::{DeadLetter, DeadLetterCause};
use super::{RecordState, ShareLimits, Transition};
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
    /// Why it goes to the dead-letter queue, until somebody is told to write it there.
    pub(super) dead_letter: Option<Doomed>,
}

/// Why records go to the dead-letter queue, and the change after whose end they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doomed {
    pub(super) transition: Transition,
    cause: DeadLetterCause,
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
            dead_letter: None,
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
        Self {
            first,
            last,
            state,
            delivery_count: 0,
            holder: None,
            locked_until: None,
            undo: None,
            dead_letter: None,
        }
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
    pub(super) fn begin(&mut self, to: RecordState, transition: Transition, limits: &ShareLimits) {
        self.turn(to, transition, limits);
        self.undo = Some(Undo { transition, holder: self.holder.take() });
    }

    /// Takes up a state. A record that was delivered often enough is given up rather than back. Kafka:
    /// `InFlightState.tryUpdateState`.
    fn turn(&mut self, to: RecordState, transition: Transition, limits: &ShareLimits) {
        let is_used_up = to == RecordState::Available && self.delivery_count >= limits.delivery_count_limit;
        self.state = match to {
            RecordState::Available if is_used_up && limits.dead_letters => RecordState::Archiving,
            RecordState::Available if is_used_up => RecordState::Archived,
            to => to,
        };
        let cause = if is_used_up { DeadLetterCause::DeliveryLimit } else { DeadLetterCause::Rejected };
        let is_doomed = self.state == RecordState::Archiving;
        self.dead_letter = is_doomed.then_some(Doomed { transition, cause });
    }

    /// Ends a change: it is written, or it is taken back. A lock that ran out meanwhile gives the records back.
    pub(super) fn settle(&mut self, written: bool, now: Instant, limits: &ShareLimits) {
        let Some(undo) = self.undo.take() else { return };
        if written {
            self.locked_until = None;
        } else if self.locked_until.is_none_or(|until| until <= now) {
            self.give_back(undo.transition, limits);
        } else {
            (self.state, self.holder, self.dead_letter) = (RecordState::Acquired, undo.holder, None);
        }
    }

    /// Takes the records from their holder.
    pub(super) fn give_back(&mut self, transition: Transition, limits: &ShareLimits) {
        self.turn(RecordState::Available, transition, limits);
        (self.holder, self.locked_until) = (None, None);
    }

    /// Tells that the records are to be written to the dead-letter queue, once, when the change has ended after which they
    /// are.
    pub(super) fn take_dead_letter(&mut self, ended: Transition) -> Option<DeadLetter> {
        let doomed = self.dead_letter.take_if(|doomed| doomed.transition == ended)?;
        Some(self.to_dead_letter(doomed.cause))
    }

    pub(super) fn to_dead_letter(&self, cause: DeadLetterCause) -> DeadLetter {
        let (first_offset, last_offset) = (self.first, self.last);
        DeadLetter { first_offset, last_offset, delivery_count: self.delivery_count, cause }
    }

    /// Takes the records out of delivery for good, whatever is being written.
    pub(super) fn archive(&mut self) {
        self.state = RecordState::Archived;
        (self.holder, self.locked_until, self.undo, self.dead_letter) = (None, None, None, None);
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
            && self.dead_letter == next.dead_letter
    }
}
