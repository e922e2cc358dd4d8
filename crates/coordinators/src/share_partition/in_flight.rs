//! The batches in flight, in order of their offsets, each divided into runs.
//!
//! Invariants:
//! - batches do not overlap; between them may be offsets that were never acquired
//! - the runs of a batch follow each other without a gap, and there is at least one
//!
//! Kafka: `InFlightBatch`, which keeps a state for each offset where this has a run.

use std::collections::BTreeMap;

use model::Offset;

use super::run::Run;

/// Records that were acquired together.
#[derive(Clone, Debug)]
pub(super) struct InFlightBatch {
    runs: Vec<Run>,
}

impl InFlightBatch {
    pub(super) fn of(run: Run) -> Self {
        Self { runs: vec![run] }
    }

    pub(super) fn first(&self) -> Offset {
        self.runs.first().expect("a batch has a run").first
    }

    pub(super) fn last(&self) -> Offset {
        self.runs.last().expect("a batch has a run").last
    }

    pub(super) fn len(&self) -> i64 {
        self.last().0 - self.first().0 + 1
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    pub(super) fn runs_mut(&mut self) -> &mut [Run] {
        &mut self.runs
    }

    /// Returns the one run of a batch whose records all share one fate.
    pub(super) fn whole(&self) -> Option<&Run> {
        match self.runs.as_slice() {
            [run] => Some(run),
            _ => None,
        }
    }

    pub(super) fn is_within(&self, first: Offset, last: Offset) -> bool {
        self.first() >= first && self.last() <= last
    }

    /// Returns the runs from `first` to `last`, cut at both ends so that none reaches beyond.
    pub(super) fn carve(&mut self, first: Offset, last: Offset) -> &mut [Run] {
        self.cut_at(first);
        self.cut_at(last.plus(1));
        let from = self.runs.partition_point(|run| run.last < first);
        let to = self.runs.partition_point(|run| run.first <= last);
        &mut self.runs[from..to.max(from)]
    }

    /// Has a run begin at `offset`, if one reaches over it.
    fn cut_at(&mut self, offset: Offset) {
        let index = self.runs.partition_point(|run| run.last < offset);
        let Some(run) = self.runs.get_mut(index).filter(|run| run.first < offset) else { return };
        let tail = Run { first: offset, ..run.clone() };
        run.last = offset.plus(-1);
        self.runs.insert(index + 1, tail);
    }

    /// Makes one of neighbours that came to share one fate.
    pub(super) fn coalesce(&mut self) {
        self.runs.dedup_by(|next, run| {
            let continues = run.continues_as(next);
            if continues {
                run.last = next.last;
            }
            continues
        });
    }

    /// Drops what lies before `offset`, which is in the batch.
    fn cut_before(&mut self, offset: Offset) {
        self.cut_at(offset);
        self.runs.retain(|run| run.first >= offset);
    }
}

/// The batches in flight.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    by_first: BTreeMap<Offset, InFlightBatch>,
}

impl InFlight {
    /// Adds a batch where there is none.
    pub(super) fn insert(&mut self, batch: InFlightBatch) {
        self.by_first.insert(batch.first(), batch);
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &InFlightBatch> {
        self.by_first.values()
    }

    pub(super) fn batches_mut(&mut self) -> impl Iterator<Item = &mut InFlightBatch> {
        self.by_first.values_mut()
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.batches().flat_map(InFlightBatch::runs)
    }

    /// Returns the last batch that begins at `offset` or before.
    pub(super) fn floor(&self, offset: Offset) -> Option<&InFlightBatch> {
        self.by_first.range(..=offset).next_back().map(|(_, batch)| batch)
    }

    /// Returns the batch that `offset` is in, or else the first one after it.
    pub(super) fn at_or_after(&self, offset: Offset) -> Option<&InFlightBatch> {
        self.by_first.range(self.from(offset)..).next().map(|(_, batch)| batch)
    }

    /// Returns the batch that begins at `first`.
    pub(super) fn get_mut(&mut self, first: Offset) -> Option<&mut InFlightBatch> {
        self.by_first.get_mut(&first)
    }

    /// Returns the batches that have offsets from `first` to `last`.
    pub(super) fn overlapping_mut(
        &mut self,
        first: Offset,
        last: Offset,
    ) -> impl Iterator<Item = &mut InFlightBatch> {
        let from = self.from(first);
        self.by_first.range_mut(from..=last.max(from)).map(|(_, batch)| batch)
    }

    /// Where to look for batches that reach to `offset`.
    fn from(&self, offset: Offset) -> Offset {
        let floor = self.floor(offset).filter(|batch| batch.last() >= offset);
        floor.map_or(offset, InFlightBatch::first)
    }

    /// Forgets everything before `offset`.
    pub(super) fn cut_before(&mut self, offset: Offset) {
        let mut rest = self.by_first.split_off(&offset);
        if let Some((_, mut batch)) = self.by_first.pop_last().filter(|(_, batch)| batch.last() >= offset) {
            batch.cut_before(offset);
            rest.insert(offset, batch);
        }
        self.by_first = rest;
    }
}
