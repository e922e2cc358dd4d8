//! A share group's partition as its leader keeps it: which records are acquired, by whom, and which are done with (KIP-932).
//!
//! Invariants:
//! - every offset below `start` is done with, and every offset from `next` on was never acquired
//! - an offset between them that no batch covers was never acquired either, and may be
//! - a record is held by at most one member, until it is acknowledged or its lock runs out
//! - a state that is still being written can be taken back, and until then nobody else gets the record
//!
//! The shell reads the log and writes [`StateChange`]s through the persister; here is only decided. Kafka: `SharePartition`.

mod acknowledge;
mod acquire;
mod dead_letters;
mod fetched;
mod in_flight;
mod locks;
mod merge;
mod run;
#[cfg(test)]
mod tests;

use std::time::Duration;

use machine::Instant;
use model::Offset;

use crate::share::{DeliveryState, StateBatch};

pub use acknowledge::{AcknowledgeError, AcknowledgementBatch, StateChange};
pub use acquire::{AcquireMode, AcquireRequest, AcquiredRange};
pub use dead_letters::{DeadLetter, DeadLetterCause};
pub use fetched::{AbortedTransaction, FetchedBatch, FetchedRecords};
use in_flight::{InFlight, InFlightBatch};
pub use merge::merge;
use run::Run;

/// What a group's configuration says of its share partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareLimits {
    /// `share.delivery.count.limit`: how often a record is delivered before it is given up.
    pub delivery_count_limit: i16,
    /// `share.partition.max.record.locks`: how far the records in flight may reach.
    pub max_record_locks: i64,
    /// `share.record.lock.duration.ms`: how long a member holds what it acquired.
    pub lock_duration: Duration,
    /// `share.renew.acknowledge.enable`: whether a member may hold it for longer.
    pub renew: bool,
    /// Whether records that are given up go to a dead-letter queue first (KIP-1191).
    pub dead_letters: bool,
}

/// Names a change of state that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition(u64);

/// Why a persisted state cannot be that of a share partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidState {
    /// A batch begins before the state does.
    #[error("the base offset {first} is less than the start offset {start}")]
    BeforeStart {
        /// The batch's first offset.
        first: Offset,
        /// The start of the state.
        start: Offset,
    },
    /// A batch ends before it begins.
    #[error("the first offset {first} is greater than the last offset {last} of the batch")]
    Reversed {
        /// The batch's first offset.
        first: Offset,
        /// The batch's last offset.
        last: Offset,
    },
}

/// One partition of a share group, at one leader epoch and one state epoch.
#[derive(Debug)]
pub struct SharePartition {
    start: Offset,
    next: Offset,
    in_flight: InFlight,
    /// Whether there may be records below `next` that can be acquired.
    maybe_available: bool,
    /// When the first lock runs out, or earlier.
    next_timeout: Option<Instant>,
    last_transition: u64,
    /// What is to be written to the dead-letter queue, and nobody was told yet.
    dead_letters: Vec<DeadLetter>,
}

impl SharePartition {
    /// Begins at `start` with the persisted state of the records from there on.
    ///
    /// # Errors
    /// The batches do not lie behind `start`, or not in order.
    pub fn new(start: Offset, batches: &[StateBatch]) -> Result<Self, InvalidState> {
        let mut partition = Self {
            start,
            next: start,
            in_flight: InFlight::default(),
            maybe_available: !batches.is_empty(),
            next_timeout: None,
            last_transition: 0,
            dead_letters: Vec::new(),
        };
        for batch in batches {
            partition.load(batch)?;
        }
        partition.advance_start();
        Ok(partition)
    }

    fn load(&mut self, batch: &StateBatch) -> Result<(), InvalidState> {
        let (first, last) = (batch.first_offset, batch.last_offset);
        if first < self.start {
            return Err(InvalidState::BeforeStart { first, start: self.start });
        }
        if last < first {
            return Err(InvalidState::Reversed { first, last });
        }
        // A state that overlaps an earlier one would be two states of one record.
        let first = first.max(self.next.max(self.start));
        if first <= last {
            self.in_flight.insert(InFlightBatch::of(Run::loaded(first, last, batch)));
            self.next = last.plus(1);
        }
        Ok(())
    }

    /// Returns the first offset that is not done with: the share partition's start offset.
    pub fn start_offset(&self) -> Offset {
        self.start
    }

    /// Returns the offset after the last that was acquired: the share partition's end offset.
    pub fn end_offset(&self) -> Offset {
        self.next
    }

    /// Counts the records from the start on that need not be delivered any more.
    pub fn delivery_complete_count(&self) -> i64 {
        self.in_flight.runs().filter(|run| run.is_terminal()).map(Run::len).sum()
    }

    /// Returns from where to read, so that what was given back comes before what is new. Kafka:
    /// `SharePartition.nextFetchOffset`.
    pub fn next_fetch_offset(&mut self) -> Offset {
        if !self.maybe_available {
            return self.next;
        }
        let found = self.first_available();
        self.maybe_available = found.is_some();
        found.unwrap_or(self.next)
    }

    /// Finds the first record below `next` that may be acquired.
    fn first_available(&self) -> Option<Offset> {
        let mut at = self.start;
        for batch in self.in_flight.batches() {
            if batch.first() > at {
                return Some(at);
            }
            if let Some(run) = batch.runs().iter().find(|run| run.is_available()) {
                return Some(run.first);
            }
            at = batch.last().plus(1);
        }
        None
    }

    /// Tells whether a fetch may find something to acquire. Kafka: `SharePartition.canAcquireRecords`.
    pub fn can_acquire(&mut self, limits: &ShareLimits) -> bool {
        self.next_fetch_offset() != self.next || self.in_flight_count() < limits.max_record_locks
    }

    /// Counts the batches in which records in flight were acquired.
    pub fn in_flight_batches(&self) -> usize {
        self.in_flight.batches().count()
    }

    /// Counts how far the records in flight reach. Kafka: `SharePartition.numInFlightRecords`.
    pub fn in_flight_count(&self) -> i64 {
        self.next.0 - self.start.0
    }

    /// Follows the log, whose first offset moved past what the group has yet to read. Kafka:
    /// `SharePartition.updateCacheAndOffsets`.
    pub fn on_log_start_moved(&mut self, log_start: Offset) {
        if log_start <= self.start {
            return;
        }
        self.in_flight.cut_before(log_start);
        self.start = log_start;
        self.next = self.next.max(log_start);
        self.maybe_available = true;
        self.advance_start();
    }

    /// Moves the start past all that is done with. Kafka: `SharePartition.maybeUpdateCachedStateAndOffsets`.
    fn advance_start(&mut self) {
        let mut start = self.start;
        for batch in self.in_flight.batches() {
            if batch.first() > start {
                break;
            }
            let open = batch.runs().iter().find(|run| !run.is_settled());
            start = open.map_or_else(|| batch.last().plus(1), |run| run.first);
            if open.is_some() {
                break;
            }
        }
        if start > self.start {
            self.in_flight.cut_before(start);
            self.start = start;
        }
    }

    fn begin_transition(&mut self) -> Transition {
        self.last_transition += 1;
        Transition(self.last_transition)
    }
}

/// How far the delivery of a record is, as the leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordState {
    Available,
    Acquired,
    Acknowledged,
    /// Given up, but not in the dead-letter queue yet.
    Archiving,
    Archived,
}

impl RecordState {
    /// What a leader that reads the state later may go on from: it knows nobody who holds the record.
    fn persisted(self) -> DeliveryState {
        match self {
            Self::Available | Self::Acquired => DeliveryState::AVAILABLE,
            Self::Acknowledged => DeliveryState::ACKNOWLEDGED,
            Self::Archiving => DeliveryState::ARCHIVING,
            Self::Archived => DeliveryState::ARCHIVED,
        }
    }

    fn of(state: DeliveryState) -> Self {
        match state {
            DeliveryState::ACKNOWLEDGED => Self::Acknowledged,
            DeliveryState::ARCHIVING => Self::Archiving,
            DeliveryState::ARCHIVED => Self::Archived,
            _ => Self::Available,
        }
    }
}
