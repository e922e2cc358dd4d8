//! What a transactional producer may do now, and what it must ask the coordinator next.
//! Kafka: `TransactionManager`, for a producer with a transactional id.
//!
//! Invariants: one request is under way at a time; a transaction is ended only after each of its batches has its
//! fate; a record goes out only to a partition that the transaction contains; after a fatal error nothing is asked.
//!
//! As in Kafka 4.3, a producer cannot leave a transaction prepared for somebody else to end (KIP-939).

mod answers;
mod failures;
mod outcome;
mod requests;
mod state;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::TopicPartition;

use super::sequences::Identity;
use crate::consumer::{GroupMetadata, Offsets};
use crate::error::{Error, Result};

pub(super) use outcome::Outcome;
pub(super) use requests::{Answer, Coordinators, perform};

use state::State;

/// How soon a partition is added again while the transaction before is being ended.
const ADD_PARTITIONS_RETRY_BACKOFF: Duration = Duration::from_millis(20);
/// The level of `transaction.version` from which on partitions are added by the records themselves, and each
/// transaction has its epoch (KIP-890).
const IMPLICIT_LEVEL: i16 = 2;

/// What the coordinator is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// For an identity; with `bump`, for a newer epoch of that one.
    Initialize {
        bump: Option<Identity>,
    },
    AddPartitions {
        identity: Identity,
        partitions: Vec<TopicPartition>,
    },
    AddOffsets {
        identity: Identity,
        offsets: Offsets,
        group: GroupMetadata,
    },
    CommitOffsets {
        identity: Identity,
        offsets: Offsets,
        group: GroupMetadata,
        implicit: bool,
    },
    End {
        identity: Identity,
        commit: bool,
        implicit: bool,
    },
}

impl Step {
    /// What goes first. Kafka: `TransactionManager.Priority`.
    fn priority(&self) -> u8 {
        match self {
            Self::Initialize { bump: None } => 1,
            Self::AddPartitions { .. } | Self::AddOffsets { .. } | Self::CommitOffsets { .. } => 2,
            Self::End { .. } => 3,
            Self::Initialize { bump: Some(_) } => 4,
        }
    }
}

/// A step, and who waits for it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub step: Step,
    outcome: Arc<Outcome>,
    not_before: Option<Instant>,
}

/// A call whose outcome its caller has not seen: it can only be repeated.
#[derive(Debug)]
struct Pending {
    operation: &'static str,
    to: State,
    outcome: Arc<Outcome>,
}

#[derive(Debug)]
pub(super) struct Transactions {
    pub id: Arc<str>,
    state: State,
    error: Option<Error>,
    identity: Option<Identity>,
    /// Whether records add their partitions themselves (`transaction.version` 2).
    implicit: bool,
    features_epoch: i64,
    /// The coordinator knows how to raise the epoch of a producer that asks for it.
    coordinator_bumps: bool,
    /// A newer epoch must be asked for when the transaction has ended.
    bump_needed: bool,
    /// The coordinator knows of the transaction, or soon will.
    started: bool,
    new_partitions: BTreeSet<TopicPartition>,
    adding_partitions: BTreeSet<TopicPartition>,
    partitions: BTreeSet<TopicPartition>,
    queue: Vec<Request>,
    under_way: bool,
    pending: Option<Pending>,
    retry_backoff: Duration,
}

impl Transactions {
    pub(super) fn new(id: &str, retry_backoff: Duration) -> Self {
        Self {
            id: id.into(),
            state: State::Uninitialized,
            error: None,
            identity: None,
            implicit: false,
            features_epoch: -1,
            coordinator_bumps: false,
            bump_needed: false,
            started: false,
            new_partitions: BTreeSet::new(),
            adding_partitions: BTreeSet::new(),
            partitions: BTreeSet::new(),
            queue: Vec::new(),
            under_way: false,
            pending: None,
            retry_backoff,
        }
    }

    /// Asks for an identity, which fences every other producer of our name.
    pub(super) fn initialize(&mut self) -> Result<Arc<Outcome>> {
        self.check_error()?;
        self.call("initTransactions", State::Initializing, |this| {
            this.transition(State::Initializing)?;
            Ok(this.enqueue(Step::Initialize { bump: None }))
        })
    }

    /// Begins a transaction; nothing is sent.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.check_pending("beginTransaction")?;
        self.check_error()?;
        self.transition(State::InTransaction)
    }

    /// Commits or aborts; `feature` is what is known of `transaction.version`.
    pub(super) fn end(&mut self, commit: bool, feature: Option<(i64, i16)>) -> Result<Arc<Outcome>> {
        let (operation, to) = match commit {
            true => ("commitTransaction", State::Committing),
            false => ("abortTransaction", State::Aborting),
        };
        self.call(operation, to, |this| {
            if commit || this.state != State::AbortableError {
                this.check_error()?;
            }
            this.transition(to)?;
            if !commit {
                this.new_partitions.clear();
            }
            this.begin_completing(commit, feature)
        })
    }

    fn begin_completing(&mut self, commit: bool, feature: Option<(i64, i16)>) -> Result<Arc<Outcome>> {
        self.add_new_partitions();
        let identity = self.identity()?;
        let ended = self.enqueue(Step::End { identity, commit, implicit: self.implicit });
        self.learn_level(feature, false);
        Ok(match self.bump_needed {
            true => self.enqueue(Step::Initialize { bump: Some(identity) }),
            false => ended,
        })
    }

    /// Takes the level of `transaction.version`, if it is news. Where it was raised, the producer needs a newer epoch.
    /// Kafka: `TransactionManager.maybeUpdateTransactionV2Enabled`.
    pub(super) fn learn_level(&mut self, feature: Option<(i64, i16)>, at_start: bool) {
        let Some((epoch, level)) = feature.filter(|(epoch, _)| *epoch > self.features_epoch) else { return };
        let before = std::mem::replace(&mut self.implicit, level >= IMPLICIT_LEVEL);
        self.features_epoch = epoch;
        self.bump_needed |= !at_start && !before && self.implicit;
    }

    /// Makes a group's offsets part of the transaction.
    pub(super) fn send_offsets(&mut self, offsets: Offsets, group: GroupMetadata) -> Result<Arc<Outcome>> {
        self.check_pending("sendOffsetsToTransaction")?;
        self.check_error()?;
        if self.state != State::InTransaction {
            return Err(Error::IllegalState(format!(
                "Cannot send offsets if a transaction is not in progress (currentState= {})",
                self.state.name()
            )));
        }
        let identity = self.identity()?;
        Ok(if self.implicit {
            self.started = true;
            self.enqueue(Step::CommitOffsets { identity, offsets, group, implicit: true })
        } else {
            self.enqueue(Step::AddOffsets { identity, offsets, group })
        })
    }

    /// Fails where no record can be sent now.
    pub(super) fn check_send(&mut self, topic: &str) -> Result<()> {
        self.check_error()?;
        self.check_pending("send")?;
        if self.identity.is_none() {
            return Err(Error::IllegalState(format!(
                "Cannot add partition of {topic} to transaction before completing a call to initTransactions"
            )));
        }
        if self.state != State::InTransaction {
            return Err(Error::IllegalState(format!(
                "Cannot add partition of {topic} to transaction while in state  {}",
                self.state.name()
            )));
        }
        Ok(())
    }

    /// A record for `partition` was taken in. Kafka: `TransactionManager.maybeAddPartition`.
    pub(super) fn add_partition(&mut self, partition: &TopicPartition) {
        if self.implicit {
            self.partitions.insert(partition.clone());
            self.started = true;
        } else if !self.partitions.contains(partition) && !self.adding_partitions.contains(partition) {
            self.new_partitions.insert(partition.clone());
        }
    }

    /// Whether records may go out to `partition`.
    pub(super) fn may_send_to(&self, partition: &TopicPartition) -> bool {
        self.state != State::FatalError && self.partitions.contains(partition)
    }

    /// The highest version of Produce: from 12 on a broker adds partitions to the transaction by itself.
    pub(super) fn produce_cap(&self) -> i16 {
        if self.implicit { i16::MAX } else { 11 }
    }

    /// Whether a transaction takes records.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::InTransaction
    }

    pub(super) fn is_completing(&self) -> bool {
        matches!(self.state, State::Committing | State::Aborting)
    }

    pub(super) fn is_ongoing(&self) -> bool {
        matches!(self.state, State::InTransaction | State::AbortableError) || self.is_completing()
    }

    /// Why records that have not gone out never will.
    pub(super) fn why_not_sent(&self) -> Option<Error> {
        match self.state {
            State::AbortableError => self.error.clone(),
            State::Aborting => Some(Error::TransactionAborted),
            _ => None,
        }
    }

    pub(super) fn fatal_error(&self) -> Option<Error> {
        self.error.clone().filter(|_| self.state == State::FatalError)
    }

    /// What to ask next, if something can be asked now; `unsettled`: there are batches without their fates.
    /// Kafka: `TransactionManager.nextRequest`.
    pub(super) fn next_request(&mut self, now: Instant, unsettled: bool) -> Option<Request> {
        loop {
            if self.under_way {
                return None;
            }
            self.add_new_partitions();
            let at = self.first()?;
            let first = &self.queue[at];
            let failed = matches!(self.state, State::AbortableError | State::FatalError);
            if !failed && first.not_before.is_some_and(|at| now < at) {
                return None;
            }
            let ends = matches!(first.step, Step::End { .. });
            if ends && unsettled {
                return None;
            }
            let request = self.queue.remove(at);
            if failed {
                let error = self.error.clone().unwrap_or(Error::TransactionAborted);
                request.outcome.complete(Err(error));
            } else if ends && !self.started {
                // The coordinator never heard of it.
                self.reset();
                request.outcome.complete(Ok(()));
            } else {
                self.under_way = true;
                return Some(request);
            }
        }
    }

    /// When the next request may go.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.queue[self.first()?].not_before
    }

    fn first(&self) -> Option<usize> {
        (0..self.queue.len()).min_by_key(|at| self.queue[*at].step.priority())
    }

    /// Fails everything that waits, for good.
    pub(super) fn close(&mut self) {
        let error = Error::Closed("The producer closed forcefully".into());
        for request in self.queue.drain(..) {
            request.outcome.complete(Err(error.clone()));
        }
        if let Some(pending) = self.pending.take() {
            pending.outcome.complete(Err(error.clone()));
        }
        self.state = State::FatalError;
        self.error = Some(error);
    }

    /// The caller has seen what came of its call.
    pub(super) fn observed(&mut self, outcome: &Arc<Outcome>) {
        self.pending.take_if(|pending| Arc::ptr_eq(&pending.outcome, outcome));
    }

    /// The transaction has ended. Kafka: `TransactionManager.resetTransactionState`.
    fn reset(&mut self) {
        self.state = if self.bump_needed { State::Initializing } else { State::Ready };
        self.error = None;
        self.bump_needed = false;
        self.started = false;
        self.new_partitions.clear();
        self.adding_partitions.clear();
        self.partitions.clear();
    }

    fn add_new_partitions(&mut self) {
        let Some(identity) = self.identity.filter(|_| !self.new_partitions.is_empty()) else { return };
        self.adding_partitions.append(&mut self.new_partitions);
        let partitions = self.adding_partitions.iter().cloned().collect();
        self.enqueue(Step::AddPartitions { identity, partitions });
    }

    fn enqueue(&mut self, step: Step) -> Arc<Outcome> {
        let outcome = Arc::new(Outcome::default());
        self.queue.push(Request { step, outcome: Arc::clone(&outcome), not_before: None });
        outcome
    }

    fn identity(&self) -> Result<Identity> {
        let missing = || Error::IllegalState("the producer has no identity yet".into());
        self.identity.ok_or_else(missing)
    }

    fn transition(&mut self, to: State) -> Result<()> {
        if !self.state.may_become(to) {
            return Err(Error::IllegalState(format!(
                "TransactionalId {}: Invalid transition attempted from state {} to state {}",
                self.id,
                self.state.name(),
                to.name()
            )));
        }
        self.state = to;
        self.error = None;
        Ok(())
    }

    /// Makes a call that its caller may have to repeat. Kafka: `handleCachedTransactionRequestResult`.
    fn call(
        &mut self,
        operation: &'static str,
        to: State,
        make: impl FnOnce(&mut Self) -> Result<Arc<Outcome>>,
    ) -> Result<Arc<Outcome>> {
        if let Some(pending) = self.pending.as_ref().filter(|pending| pending.to == to) {
            return Ok(Arc::clone(&pending.outcome));
        }
        self.check_pending(operation)?;
        let outcome = make(self)?;
        self.pending = Some(Pending { operation, to, outcome: Arc::clone(&outcome) });
        Ok(outcome)
    }

    fn check_pending(&self, operation: &str) -> Result<()> {
        match &self.pending {
            None => Ok(()),
            Some(pending) => Err(Error::IllegalState(format!(
                "Cannot attempt operation `{operation}` because the previous call to `{}` timed out and must be retried",
                pending.operation
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
