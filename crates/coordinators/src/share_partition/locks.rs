//! Locks that run out: the records go to somebody else.
//!
//! Invariants:
//! - a record whose new state is being written is nobody's to take; should that fail, its lock is looked at then
//!
//! Kafka: `SharePartition.releaseAcquisitionLockOnTimeout`.

use machine::Instant;

use super::{RecordState, ShareLimits, SharePartition, StateChange};

impl SharePartition {
    /// Returns when [`SharePartition::handle_timeout`] is next to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_timeout
    }

    /// Takes back the records whose locks have run out; tells what is to be written. Nothing depends on whether it is.
    pub fn handle_timeout(&mut self, now: Instant, limits: &ShareLimits) -> Option<StateChange> {
        if self.next_timeout.is_none_or(|at| at > now) {
            return None;
        }
        let (transition, mut batches) = (self.begin_transition(), Vec::new());
        for batch in self.in_flight.batches_mut() {
            let expired = batch.runs_mut().iter_mut().filter(|run| {
                run.state == RecordState::Acquired && run.locked_until.is_some_and(|until| until <= now)
            });
            for run in expired {
                run.give_back(transition, limits);
                self.maybe_available |= run.state == RecordState::Available;
                batches.push(run.to_batch());
            }
            batch.coalesce();
        }
        self.next_timeout =
            self.in_flight.runs().filter_map(|run| run.locked_until).filter(|at| *at > now).min();
        self.advance_start();
        let change = StateChange::new(transition, batches);
        Some(change).filter(|change| !change.batches.is_empty())
    }
}
