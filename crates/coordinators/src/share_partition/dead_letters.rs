//! Records on their way to the group's dead-letter queue (KIP-1191): given up, but not out of delivery before they are there.
//!
//! Invariants:
//! - a record that is archiving is not delivered, and the start does not pass it
//! - somebody is told of it once, after its state was written; who loads the state later is told again
//!
//! Kafka: `SharePartition.initiateDLQAndArchive`, `SharePartition.maybeResumeDlqArchiving`.

use model::Offset;

use super::{RecordState, ShareLimits, SharePartition, StateChange};

/// Why records go to the dead-letter queue. Kafka: `ShareGroupDLQManager`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterCause {
    /// A member rejected them.
    Rejected,
    /// They were delivered as often as `share.delivery.count.limit` says.
    DeliveryLimit,
}

impl DeadLetterCause {
    /// Returns what the records' header `__dlq.errors.message` says.
    pub fn message(self) -> &'static str {
        match self {
            Self::Rejected => "Offset rejected by client.",
            Self::DeliveryLimit => "Offset delivery count exceeded the threshold.",
        }
    }
}

/// Records that are to be written to the dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The first of them.
    pub first_offset: Offset,
    /// The last of them.
    pub last_offset: Offset,
    /// How often they were delivered.
    pub delivery_count: i16,
    /// Why they go there.
    pub cause: DeadLetterCause,
}

impl DeadLetter {
    /// Takes in what follows, if only its offsets are others.
    fn extend(&mut self, next: &Self) -> bool {
        let continues = self.last_offset.plus(1) == next.first_offset
            && (self.delivery_count, self.cause) == (next.delivery_count, next.cause);
        if continues {
            self.last_offset = next.last_offset;
        }
        continues
    }
}

impl SharePartition {
    /// Takes what is to be written to the dead-letter queue by now. Each is then to be ended by
    /// [`SharePartition::archive_dead_letter`].
    pub fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead_letters)
    }

    pub(super) fn add_dead_letter(&mut self, letter: DeadLetter) {
        if !self.dead_letters.last_mut().is_some_and(|last| last.extend(&letter)) {
            self.dead_letters.push(letter);
        }
    }

    /// Takes up the records that a leader before this one was to write to the dead-letter queue. It did not keep why.
    pub fn resume_dead_letters(&mut self, limits: &ShareLimits) {
        let cause = |count| match count >= limits.delivery_count_limit {
            true => DeadLetterCause::DeliveryLimit,
            false => DeadLetterCause::Rejected,
        };
        let archiving = self.in_flight.runs().filter(|run| run.state == RecordState::Archiving);
        let letters: Vec<_> = archiving.map(|run| run.to_dead_letter(cause(run.delivery_count))).collect();
        letters.into_iter().for_each(|letter| self.add_dead_letter(letter));
    }

    /// Takes records out of delivery, for they are in the dead-letter queue or cannot be had there; tells what is to be
    /// written. Nothing depends on whether it is.
    pub fn archive_dead_letter(&mut self, letter: &DeadLetter) -> Option<StateChange> {
        let mut batches = Vec::new();
        for batch in self.in_flight.overlapping_mut(letter.first_offset, letter.last_offset) {
            let runs = batch.carve(letter.first_offset, letter.last_offset).iter_mut();
            for run in runs.filter(|run| run.state == RecordState::Archiving) {
                run.archive();
                batches.push(run.to_batch());
            }
            batch.coalesce();
        }
        let change = StateChange::new(self.begin_transition(), batches);
        Some(change).filter(|change| !change.batches.is_empty())
    }
}
