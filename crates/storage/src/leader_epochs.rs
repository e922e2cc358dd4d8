//! `leader-epoch-checkpoint`: at which offset each leader's term began in a partition.
//!
//! Invariants:
//! - epochs and start offsets ascend strictly
//! - once the log is flushed, the file lacks no entry that memory has of offsets below the log's end; it may have entries too
//!   many, which loading cuts off
//!
//! Kafka: `LeaderEpochFileCache`.

use model::{LeaderEpoch, Offset};
use smallvec::SmallVec;

/// An epoch and the offset of its first record.
pub type EpochStart = (LeaderEpoch, Offset);

/// The terms of a partition's leaders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    /// Most partitions know one term, and there may be very many of them.
    entries: SmallVec<[EpochStart; 1]>,
    /// From which offset on the file may say something else; none if it says the same.
    changed_from: Option<Offset>,
}

impl LeaderEpochs {
    /// Takes the entries of a file, in any order; those that do not ascend are dropped as [`LeaderEpochs::assign`] does.
    pub fn from_entries(entries: impl IntoIterator<Item = EpochStart>) -> Self {
        let mut epochs = Self::default();
        for (epoch, start) in entries {
            epochs.assign(epoch, start);
        }
        epochs.changed_from = None;
        epochs
    }

    /// Returns all entries, ascending.
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    /// Tells whether the file of a log that ends at `end` has to be written, and takes it as written. What begins only at the
    /// log's end need not be: loading cuts it off.
    pub fn take_changed(&mut self, end: Offset) -> bool {
        self.changed_from.take_if(|from| *from < end).is_some()
    }

    /// Tells whether [`LeaderEpochs::take_changed`] would.
    pub(crate) fn has_changed(&self, end: Offset) -> bool {
        self.changed_from.is_some_and(|from| from < end)
    }

    fn note_changed(&mut self, from: Offset) {
        self.changed_from = Some(self.changed_from.map_or(from, |other| other.min(from)));
    }

    /// Returns the latest epoch.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|(epoch, _)| *epoch)
    }

    /// Returns the earliest entry.
    pub fn earliest(&self) -> Option<EpochStart> {
        self.entries.first().copied()
    }

    /// Records that `epoch` begins at `start`, and drops entries that contradict it. Negative ones are ignored.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) {
        let news = self.entries.last().is_none_or(|last| epoch != last.0 || start < last.1);
        if !news || epoch.0 < 0 || start.0 < 0 {
            return;
        }
        let mut from = start;
        while let Some(last) = self.entries.last().filter(|last| last.0 >= epoch || last.1 >= start) {
            from = from.min(last.1);
            self.entries.pop();
        }
        self.entries.push((epoch, start));
        self.note_changed(from);
    }

    /// Returns the greatest epoch that is at most `requested`, and where it ends; `None` if nothing is known of it.
    /// Kafka: `LeaderEpochFileCache.endOffsetFor`.
    pub fn end_offset_for(&self, requested: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if requested.0 < 0 {
            return None;
        }
        if self.latest() == Some(requested) {
            return Some((requested, log_end));
        }
        let higher = self.entries.partition_point(|(epoch, _)| *epoch <= requested);
        let end = self.entries.get(higher)?.1;
        let floor = higher.checked_sub(1).map_or(requested, |n| self.entries[n].0);
        Some((floor, end))
    }

    /// Drops epochs that begin at or after `end`.
    pub fn truncate_from_end(&mut self, end: Offset) {
        let kept = self.entries.partition_point(|(_, start)| *start < end);
        if let Some((_, start)) = self.entries.get(kept).copied() {
            self.note_changed(start);
        }
        self.entries.truncate(kept);
    }

    /// Drops epochs that end before `start`; the one that spans it begins there from now on.
    pub fn truncate_from_start(&mut self, start: Offset) {
        let after = self.entries.partition_point(|(_, begin)| *begin <= start);
        let Some(spanning) = after.checked_sub(1) else { return };
        if spanning == 0 && self.entries[0].1 == start {
            return;
        }
        self.note_changed(self.entries[0].1);
        self.entries[spanning].1 = start;
        self.entries.drain(..spanning);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if let Some((_, start)) = self.earliest() {
            self.note_changed(start);
        }
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs::from_entries(entries.iter().map(|(epoch, start)| (LeaderEpoch(*epoch), Offset(*start))))
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins_and_the_latest_at_the_logs_end() {
        let epochs = epochs(&[(2, 10), (4, 20), (7, 30)]);
        let end_of = |epoch| epochs.end_offset_for(LeaderEpoch(epoch), Offset(99)).map(|(e, o)| (e.0, o.0));
        assert_eq!(end_of(1), Some((1, 10)), "before the first known");
        assert_eq!(end_of(2), Some((2, 20)));
        assert_eq!(end_of(5), Some((4, 30)), "a gap belongs to the epoch before");
        assert_eq!(end_of(7), Some((7, 99)));
        assert_eq!(end_of(8), None);
        assert_eq!(end_of(-1), None);
    }

    #[test]
    fn a_contradicting_epoch_replaces_those_after_it() {
        let mut epochs = epochs(&[(1, 0), (2, 10), (3, 20)]);
        epochs.assign(LeaderEpoch(2), Offset(5));
        assert_eq!(epochs.entries(), [(LeaderEpoch(1), Offset(0)), (LeaderEpoch(2), Offset(5))]);
        assert!(epochs.take_changed(Offset(6)));
        epochs.assign(LeaderEpoch(2), Offset(50));
        assert!(!epochs.take_changed(Offset(99)), "a later batch of the same epoch is no news");
    }

    #[test]
    fn a_term_without_records_need_not_be_written_until_it_has_some() {
        let mut epochs = epochs(&[(1, 0)]);
        epochs.assign(LeaderEpoch(2), Offset(10));
        epochs.assign(LeaderEpoch(3), Offset(10));
        assert!(!epochs.take_changed(Offset(10)), "loading would cut it off");
        assert!(epochs.take_changed(Offset(11)));
        epochs.assign(LeaderEpoch(1), Offset(20));
        assert!(epochs.take_changed(Offset(20)), "an entry below the end went");
    }

    #[test]
    fn truncation_keeps_the_epoch_that_spans_the_new_start() {
        let mut epochs = epochs(&[(1, 0), (2, 10), (3, 20)]);
        epochs.truncate_from_start(Offset(15));
        assert_eq!(epochs.entries(), [(LeaderEpoch(2), Offset(15)), (LeaderEpoch(3), Offset(20))]);
        epochs.truncate_from_end(Offset(20));
        assert_eq!(epochs.entries(), [(LeaderEpoch(2), Offset(15))]);
    }
}
