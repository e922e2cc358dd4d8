//! Acquiring: which of the records that were read a member gets.
//!
//! Invariants:
//! - only records that nobody holds and whose state is not being written are acquired
//! - a record on its last delivery goes out alone, and records that failed often go out in small numbers, so that one bad
//!   record does not use up the deliveries of its neighbours
//!
//! Kafka: `SharePartition.acquire`.

use std::sync::Arc;

use machine::Instant;
use model::Offset;

use super::fetched::{FetchedRecords, without};
use super::in_flight::InFlightBatch;
use super::run::Run;
use super::{RecordState, ShareLimits, SharePartition};

/// Records are delivered alone or in small numbers only where they are delivered more often than this.
const MINIMUM_THROTTLED_LIMIT: i16 = 2;

/// How strictly `max_records` is meant (KIP-1206).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AcquireMode {
    /// A batch of the log is acquired whole, even if that is more.
    #[default]
    BatchOptimized,
    /// Never more.
    RecordLimit,
}

/// What a member asks for.
#[derive(Clone, Copy, Debug)]
pub struct AcquireRequest<'a> {
    /// The member.
    pub member: &'a Arc<str>,
    /// How strictly `max_records` is meant.
    pub mode: AcquireMode,
    /// How many records at least are told of together, where there are as many.
    pub batch_size: i64,
    /// How many records.
    pub max_records: i64,
    /// From where the log was read.
    pub fetch_offset: Offset,
}

/// Records that a member got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquiredRange {
    /// The first of them.
    pub first_offset: Offset,
    /// The last of them.
    pub last_offset: Offset,
    /// How often they were delivered, this time included.
    pub delivery_count: i16,
}

impl AcquiredRange {
    /// Counts the offsets, some of which may have no record.
    pub fn count(&self) -> i64 {
        self.last_offset.0 - self.first_offset.0 + 1
    }
}

/// One call of [`SharePartition::acquire`] on its way.
struct Acquisition<'a> {
    request: AcquireRequest<'a>,
    limits: &'a ShareLimits,
    fetched: FetchedRecords<'a>,
    until: Instant,
    /// The first and last offsets that may be acquired.
    first: Offset,
    last: Offset,
    /// How many records may still be acquired; may fall below zero.
    room: i64,
    acquired: Vec<AcquiredRange>,
}

impl SharePartition {
    /// Gives a member records out of those that were read from `request.fetch_offset` on.
    pub fn acquire(
        &mut self,
        now: Instant,
        limits: &ShareLimits,
        request: AcquireRequest<'_>,
        fetched: FetchedRecords<'_>,
    ) -> Vec<AcquiredRange> {
        let (Some(head), Some(tail)) = (fetched.batches.first(), fetched.batches.last()) else {
            return Vec::new();
        };
        let Some((last, room)) = self.room(limits, &request, tail.last_offset) else { return Vec::new() };
        self.archive_missing(request.fetch_offset, head.base_offset);
        let first = head.base_offset.max(self.start);
        let until = now + limits.lock_duration;
        let acquired = Vec::new();
        let mut acquisition = Acquisition { request, limits, fetched, until, first, last, room, acquired };
        self.walk(&mut acquisition);
        if !acquisition.acquired.is_empty() {
            self.next_timeout = Some(self.next_timeout.map_or(until, |earlier| earlier.min(until)));
        }
        let aborted = fetched.aborted_ranges();
        aborted.iter().for_each(|(first, last)| self.archive(*first, *last, RecordState::Acquired));
        self.advance_start();
        without(acquisition.acquired, &aborted)
    }

    /// Returns up to which offset, and how many records, may be acquired. At the limit of records in flight only those
    /// among them are that were given back. Kafka: `SharePartition.lastOffsetAndMaxRecordsToAcquire`.
    fn room(
        &self,
        limits: &ShareLimits,
        request: &AcquireRequest<'_>,
        last: Offset,
    ) -> Option<(Offset, i64)> {
        if request.max_records <= 0 || last < self.start {
            return None;
        }
        let room = request.max_records.min(limits.max_record_locks - self.in_flight_count());
        if room > 0 {
            return Some((last, room));
        }
        let in_between = self.next.0 - request.fetch_offset.0;
        (in_between > 0).then(|| (last.min(self.next.plus(-1)), request.max_records.min(in_between)))
    }

    /// The log has no records from `from` up to the first batch that was read: they were compacted away. Kafka:
    /// `SharePartition.maybeArchiveStaleBatches`.
    fn archive_missing(&mut self, from: Offset, first_read: Offset) {
        let mut at = from.max(self.start);
        while at < first_read {
            let batch = self.in_flight.at_or_after(at).map(|batch| (batch.first(), batch.last()));
            let end = match batch {
                Some((first, last)) if first <= at => {
                    self.archive(at, last.min(first_read.plus(-1)), RecordState::Available);
                    last.plus(1)
                }
                next => {
                    let end = next.map_or(first_read, |(first, _)| first.min(first_read));
                    self.in_flight.insert(InFlightBatch::of(Run::absent(at, end.plus(-1))));
                    self.next = self.next.max(end);
                    end
                }
            };
            at = end;
        }
        self.advance_start();
    }

    /// Takes records in one state out of delivery.
    fn archive(&mut self, first: Offset, last: Offset, state: RecordState) {
        for batch in self.in_flight.overlapping_mut(first, last) {
            let runs = batch.carve(first, last).iter_mut();
            runs.filter(|run| run.state == state).for_each(Run::archive);
            batch.coalesce();
        }
    }

    /// Goes through what was read: batches in flight, and between and after them what was never acquired.
    fn walk(&mut self, acquisition: &mut Acquisition<'_>) {
        let mut at = acquisition.first;
        while at <= acquisition.last && acquisition.room > 0 {
            let batch = self.in_flight.at_or_after(at).map(|batch| (batch.first(), batch.last()));
            at = match batch {
                Some((first, last)) if first <= at => {
                    let batch = self.in_flight.get_mut(first).expect("it was just found");
                    acquisition.take_from(batch);
                    last.plus(1)
                }
                next => {
                    let last =
                        next.map_or(acquisition.last, |(first, _)| first.plus(-1).min(acquisition.last));
                    self.acquire_new(acquisition, at, last);
                    last.plus(1)
                }
            };
        }
    }

    /// Acquires records for the first time. Kafka: `SharePartition.acquireNewBatchRecords`.
    fn acquire_new(&mut self, acquisition: &mut Acquisition<'_>, first: Offset, last: Offset) {
        let last = acquisition.end_of_new(first, last);
        for (first, last) in acquisition.divide(first, last) {
            let run = Run::acquired(first, last, acquisition.request.member, acquisition.until);
            self.in_flight.insert(InFlightBatch::of(run));
            acquisition.push(first, last, 1);
        }
        self.next = self.next.max(last.plus(1));
    }
}

impl Acquisition<'_> {
    fn push(&mut self, first_offset: Offset, last_offset: Offset, delivery_count: i16) {
        let range = AcquiredRange { first_offset, last_offset, delivery_count };
        self.room -= range.count();
        self.acquired.push(range);
    }

    /// Where new records from `first` on end, if not all up to `last` may be had.
    fn end_of_new(&self, first: Offset, last: Offset) -> Offset {
        let wanted = first.plus(self.room - 1);
        match self.request.mode {
            _ if wanted >= last => last,
            AcquireMode::RecordLimit => wanted,
            AcquireMode::BatchOptimized => self.fetched.end_of_batch_with(wanted).min(last),
        }
    }

    /// Divides new records at the log's batches into pieces of `batch_size` or more. Kafka:
    /// `SharePartition.createBatches`.
    fn divide(&self, first: Offset, last: Offset) -> Vec<(Offset, Offset)> {
        let mut pieces = Vec::new();
        let mut from = first;
        if self.request.mode == AcquireMode::BatchOptimized && last.0 - first.0 >= self.request.batch_size {
            let bases = self.fetched.batches.iter().map(|batch| batch.base_offset);
            for base in bases.filter(|base| *base <= last) {
                if base > from && base.0 - from.0 >= self.request.batch_size {
                    pieces.push((from, base.plus(-1)));
                    from = base;
                }
            }
        }
        pieces.push((from, last));
        pieces
    }

    /// Acquires what may be had of a batch in flight.
    fn take_from(&mut self, batch: &mut InFlightBatch) {
        let throttled = self.is_throttled(batch);
        if throttled && !self.acquired.is_empty() {
            self.room = 0;
            return;
        }
        let cut = self.request.mode == AcquireMode::RecordLimit && batch.len() > self.room;
        if batch.whole().is_none() || !batch.is_within(self.first, self.last) || cut || throttled {
            let before = self.acquired.len();
            self.take_some(batch);
            if throttled && self.acquired.len() > before {
                self.room = 0;
            }
            return;
        }
        let run = &mut batch.runs_mut()[0];
        if run.is_available() {
            run.acquire(self.request.member, self.until);
            let (first, last, count) = (run.first, run.last, run.delivery_count);
            self.push(first, last, count);
        }
    }

    /// Whether some of it failed so often that it should go out in small numbers. Kafka:
    /// `SharePartition.shouldThrottleRecordsDelivery`.
    fn is_throttled(&self, batch: &InFlightBatch) -> bool {
        let asked = batch.runs().iter().filter(|run| run.first <= self.last && run.last >= self.first);
        let most = asked.filter(|run| run.is_available()).map(|run| run.delivery_count).max();
        most.is_some_and(|most| most >= self.throttled_from())
    }

    fn throttled_from(&self) -> i16 {
        let limit = self.limits.delivery_count_limit;
        (limit / 2 + limit % 2).max(MINIMUM_THROTTLED_LIMIT)
    }

    fn is_last_delivery(&self, delivery_count: i16) -> bool {
        let limit = self.limits.delivery_count_limit;
        limit > MINIMUM_THROTTLED_LIMIT && delivery_count == limit - 1
    }

    /// Acquires records of a batch one run after another, until there are enough. Kafka:
    /// `SharePartition.acquireSubsetBatchRecords`.
    fn take_some(&mut self, batch: &mut InFlightBatch) {
        let size = batch.len();
        let (first, last) = (self.first.max(batch.first()), self.last.min(batch.last()));
        let mut allowed = match self.request.mode {
            AcquireMode::RecordLimit => self.room,
            AcquireMode::BatchOptimized => i64::MAX,
        };
        let (mut is_capped, told) = (false, self.acquired.len());
        let (mut taken, mut at) = (0, first);
        while at <= last && allowed > taken {
            let index = batch.runs().partition_point(|run| run.last < at);
            let run = &batch.runs()[index];
            let (run_last, count) = (run.last.min(last), run.delivery_count);
            if !run.is_available() {
                at = run.last.plus(1);
                continue;
            }
            let alone = self.is_last_delivery(count);
            if alone && taken > 0 {
                break;
            }
            if count >= self.throttled_from() && !is_capped {
                is_capped = true;
                allowed = allowed.min((size >> (count - self.throttled_from() + 1).min(62)).max(1));
            }
            if taken >= allowed {
                break;
            }
            let most = if alone { 1 } else { allowed - taken };
            let end = Offset(run_last.0.min(at.0.saturating_add(most - 1)));
            self.take_run(batch, at, end, told);
            taken += end.0 - at.0 + 1;
            at = end.plus(1);
            if alone {
                break;
            }
        }
        batch.coalesce();
    }

    /// Acquires a run, and tells of it together with the one before it if that is the same but for its lock; the first
    /// `told` ranges are those of other batches.
    fn take_run(&mut self, batch: &mut InFlightBatch, first: Offset, last: Offset, told: usize) {
        let runs = batch.carve(first, last);
        let run = runs.first_mut().expect("the run has these offsets");
        run.acquire(self.request.member, self.until);
        let count = run.delivery_count;
        match self.acquired[told..].last_mut() {
            Some(range) if range.last_offset.plus(1) == first && range.delivery_count == count => {
                self.room -= last.0 - first.0 + 1;
                range.last_offset = last;
            }
            _ => self.push(first, last, count),
        }
    }
}
