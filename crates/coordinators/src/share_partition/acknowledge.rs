//! Acknowledging: a member says what became of its records, or gives back all it holds.
//!
//! Invariants:
//! - all batches of a call are acknowledged, or none is
//! - what a change did is certain only once it is written; whoever wrote it says so with [`SharePartition::settle`]
//!
//! Kafka: `SharePartition.acknowledge`, `SharePartition.releaseAcquiredRecords`.

use machine::Instant;
use model::Offset;

use super::in_flight::InFlightBatch;
use super::run::Run;
use super::{RecordState, ShareLimits, SharePartition, Transition};
use crate::share::StateBatch;

/// What a member says of some of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcknowledgementBatch {
    /// The first of them.
    pub first_offset: Offset,
    /// The last of them.
    pub last_offset: Offset,
    /// What became of them: one for all, or one for each. 0 no record is there, 1 accept, 2 release, 3 reject, 4 renew.
    pub types: Vec<i8>,
}

/// Why an acknowledgement is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgeError {
    /// It makes no sense: `INVALID_REQUEST`.
    #[error("{0}")]
    InvalidRequest(String),
    /// The member does not hold the records: `INVALID_RECORD_STATE`.
    #[error("{0}")]
    InvalidRecordState(&'static str),
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    transition: Transition,
    /// The records that changed, in order.
    pub batches: Vec<StateBatch>,
}

impl StateChange {
    pub(super) fn new(transition: Transition, batches: Vec<StateBatch>) -> Self {
        Self { transition, batches }
    }
}

const NOT_ACQUIRED_BATCH: &str = "The batch cannot be acknowledged. The batch is not in the acquired state.";
const NOT_ACQUIRED_SUBSET: &str =
    "The batch cannot be acknowledged. The subset batch is not in the acquired state.";
const NOT_ACQUIRED_OFFSET: &str = "The offset cannot be acknowledged. The offset is not acquired.";
const NOT_FOUND: &str = "Batch record not found. The request batch offsets are not found in the cache.";

/// What becomes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Change(RecordState),
    Renew,
}

impl Fate {
    fn of(acknowledge_type: i8, limits: &ShareLimits) -> Option<Self> {
        match acknowledge_type {
            0 => Some(Self::Change(RecordState::Archived)),
            1 => Some(Self::Change(RecordState::Acknowledged)),
            2 => Some(Self::Change(RecordState::Available)),
            3 if limits.dead_letters => Some(Self::Change(RecordState::Archiving)),
            3 => Some(Self::Change(RecordState::Archived)),
            4 => Some(Self::Renew),
            _ => None,
        }
    }
}

/// One call of [`SharePartition::acknowledge`] on its way.
struct Acknowledging<'a> {
    now: Instant,
    limits: &'a ShareLimits,
    member: &'a str,
    change: StateChange,
}

impl SharePartition {
    /// Takes a member's word for what became of its records. None is to be written where it only holds them for longer.
    ///
    /// # Errors
    /// The member does not hold the records, or makes no sense; then nothing has changed.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        limits: &ShareLimits,
        member: &str,
        batches: &[AcknowledgementBatch],
    ) -> Result<Option<StateChange>, AcknowledgeError> {
        let change = StateChange::new(self.begin_transition(), Vec::new());
        let mut call = Acknowledging { now, limits, member, change };
        let outcome = batches.iter().try_for_each(|batch| self.acknowledge_batch(&mut call, batch));
        self.note_renewals(now, limits);
        match outcome {
            Ok(()) => Ok(Some(call.change).filter(|change| !change.batches.is_empty())),
            Err(error) => {
                self.settle(now, limits, &call.change, false);
                Err(error)
            }
        }
    }

    /// Gives back all that a member holds, for its session has ended.
    pub fn release(&mut self, limits: &ShareLimits, member: &str) -> Option<StateChange> {
        let mut change = StateChange::new(self.begin_transition(), Vec::new());
        for batch in self.in_flight.batches_mut() {
            for run in batch.runs_mut().iter_mut().filter(|run| run.is_held_by(member)) {
                run.begin(RecordState::Available, change.transition, limits);
                change.batches.push(run.to_batch());
            }
        }
        Some(change).filter(|change| !change.batches.is_empty())
    }

    /// Ends a change: it is written, or it could not be and is taken back. There may be dead letters then.
    pub fn settle(&mut self, now: Instant, limits: &ShareLimits, change: &StateChange, written: bool) {
        let (Some(first), Some(last)) = (change.batches.first(), change.batches.last()) else { return };
        let mut letters = Vec::new();
        for batch in self.in_flight.overlapping_mut(first.first_offset, last.last_offset) {
            let of_change =
                |run: &&mut Run| run.undo.as_ref().is_some_and(|undo| undo.transition == change.transition);
            for run in batch.runs_mut().iter_mut().filter(of_change) {
                run.settle(written, now, limits);
                self.maybe_available |= run.state == RecordState::Available;
                if run.state == RecordState::Acquired {
                    self.next_timeout = self.next_timeout.into_iter().chain(run.locked_until).min();
                }
            }
            letters.extend(
                batch.runs_mut().iter_mut().filter_map(|run| run.take_dead_letter(change.transition)),
            );
            batch.coalesce();
        }
        letters.into_iter().for_each(|letter| self.add_dead_letter(letter));
        self.advance_start();
    }

    fn acknowledge_batch(
        &mut self,
        call: &mut Acknowledging<'_>,
        batch: &AcknowledgementBatch,
    ) -> Result<(), AcknowledgeError> {
        let segments = segments(batch, call.limits)?;
        if batch.last_offset < self.start {
            return Ok(());
        }
        self.check_covered(batch)?;
        let start = self.start;
        for (first, last, fate) in segments {
            let (first, is_for_each) = (first.max(start), batch.types.len() > 1);
            if last < first {
                continue;
            }
            for in_flight in self.in_flight.overlapping_mut(first, last) {
                call.acknowledge(in_flight, first, last, fate, is_for_each)?;
            }
        }
        Ok(())
    }

    /// Kafka: `SharePartition.fetchSubMapForAcknowledgementBatch`.
    fn check_covered(&self, batch: &AcknowledgementBatch) -> Result<(), AcknowledgeError> {
        let first = batch.first_offset.max(self.start);
        if self.in_flight.floor(first).is_none() {
            return Err(AcknowledgeError::InvalidRecordState(NOT_FOUND));
        }
        let reached = self.in_flight.floor(batch.last_offset).map(InFlightBatch::last);
        let past = |which: &str| {
            let text =
                format!("Batch record not found. The {which} offset in request is past acquired records.");
            Err(AcknowledgeError::InvalidRequest(text))
        };
        match reached {
            Some(last) if last < first => past("first"),
            Some(last) if last < batch.last_offset => past("last"),
            _ => Ok(()),
        }
    }

    /// A lock that was renewed still has its timeout.
    fn note_renewals(&mut self, now: Instant, limits: &ShareLimits) {
        let until = now + limits.lock_duration;
        self.next_timeout = self.next_timeout.map(|earlier| earlier.min(until));
    }
}

impl Acknowledging<'_> {
    fn acknowledge(
        &mut self,
        batch: &mut InFlightBatch,
        first: Offset,
        last: Offset,
        fate: Fate,
        is_for_each: bool,
    ) -> Result<(), AcknowledgeError> {
        if let Some(run) = batch.whole() {
            let is_whole = batch.is_within(first, last) && !is_for_each;
            self.check_whole(run, is_whole)?;
        }
        for run in batch.carve(first, last) {
            if run.state != RecordState::Acquired {
                return Err(AcknowledgeError::InvalidRecordState(NOT_ACQUIRED_OFFSET));
            }
            if !run.is_held_by(self.member) {
                return Err(AcknowledgeError::InvalidRecordState("Member is not the owner of offset"));
            }
            self.apply(run, fate)?;
        }
        batch.coalesce();
        Ok(())
    }

    /// A batch whose records all share one fate is refused in other words.
    fn check_whole(&self, run: &Run, is_whole: bool) -> Result<(), AcknowledgeError> {
        let text = match run.holder.as_deref() {
            None => NOT_ACQUIRED_BATCH,
            Some(holder) if holder != self.member => "Member is not the owner of batch record",
            Some(_) if run.state == RecordState::Acquired => return Ok(()),
            Some(_) if is_whole => NOT_ACQUIRED_BATCH,
            Some(_) => NOT_ACQUIRED_SUBSET,
        };
        Err(AcknowledgeError::InvalidRecordState(text))
    }

    fn apply(&mut self, run: &mut Run, fate: Fate) -> Result<(), AcknowledgeError> {
        match fate {
            Fate::Renew if !self.limits.renew => Err(AcknowledgeError::InvalidRecordState(
                "Renewing acquisition locks is not enabled for the group.",
            )),
            Fate::Renew => {
                run.locked_until = Some(self.now + self.limits.lock_duration);
                Ok(())
            }
            Fate::Change(state) => {
                run.begin(state, self.change.transition, self.limits);
                self.change.batches.push(run.to_batch());
                Ok(())
            }
        }
    }
}

/// Divides a batch where its types change. Kafka: `SharePartition.fetchAckTypeMapForBatch`.
fn segments(
    batch: &AcknowledgementBatch,
    limits: &ShareLimits,
) -> Result<Vec<(Offset, Offset, Fate)>, AcknowledgeError> {
    let fates: Option<Vec<Fate>> = batch.types.iter().map(|id| Fate::of(*id, limits)).collect();
    let fates = fates.filter(|fates| !fates.is_empty()).ok_or_else(|| {
        AcknowledgeError::InvalidRequest(format!("Invalid acknowledge type: {:?}", batch.types))
    })?;
    if let [fate] = fates.as_slice() {
        return Ok(vec![(batch.first_offset, batch.last_offset, *fate)]);
    }
    let mut segments: Vec<(Offset, Offset, Fate)> = Vec::new();
    for (index, fate) in fates.into_iter().enumerate() {
        let offset = batch.first_offset.plus(index as i64);
        match segments.last_mut() {
            Some((_, last, same)) if *same == fate => *last = offset,
            _ => segments.push((offset, offset, fate)),
        }
    }
    Ok(segments)
}
