//! How many groups and offsets there are, and how often groups were rebalanced.

use std::collections::BTreeMap;

use super::consumer::ConsumerEntry;
use super::machine::GroupMachine;
use super::record::GroupRecord;
use super::share::ShareEntry;
use super::streams::StreamsEntry;

/// What a coordinator has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Groups by type and state, as ListGroups names them.
    pub groups: BTreeMap<(&'static str, &'static str), usize>,
    /// Committed offsets.
    pub offsets: usize,
    /// New group epochs since the partitions of `__consumer_offsets` are led here, by type.
    pub rebalances: BTreeMap<&'static str, u64>,
    /// What was decided since the partitions were loaded.
    pub events: GroupEvents,
}

/// What was decided since a partition was loaded. Kafka: the sensors of `GroupCoordinatorMetrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupEvents {
    /// Offsets committed, those in transactions among them.
    pub offset_commits: u64,
    /// Offsets removed since they were kept for long enough.
    pub offset_expirations: u64,
    /// Offsets removed since somebody wanted it.
    pub offset_deletions: u64,
    /// Rebalances of classic groups that were completed.
    pub completed_rebalances: u64,
}

impl GroupEvents {
    fn add(&mut self, other: &Self) {
        self.offset_commits += other.offset_commits;
        self.offset_expirations += other.offset_expirations;
        self.offset_deletions += other.offset_deletions;
        self.completed_rebalances += other.completed_rebalances;
    }
}

impl GroupMachine {
    /// Adds what this machine has.
    pub fn add_counts(&self, counts: &mut GroupCounts) {
        for group in self.groups.values() {
            *counts.groups.entry((group.type_name(), group.state())).or_default() += 1;
        }
        for (kind, count) in &self.rebalances {
            *counts.rebalances.entry(kind).or_default() += count;
        }
        counts.offsets += self.offsets.count();
        counts.events.add(&self.events);
    }

    /// Counts a group epoch that was decided here.
    pub(super) fn count_rebalance(&mut self, record: &GroupRecord) {
        let kind = match record {
            GroupRecord::Consumer { entry: ConsumerEntry::Epoch(Some(_)), .. } => "consumer",
            GroupRecord::Share { entry: ShareEntry::Epoch(Some(_)), .. } => "share",
            GroupRecord::Streams { entry: StreamsEntry::Epoch(Some(_)), .. } => "streams",
            _ => return,
        };
        *self.rebalances.entry(kind).or_default() += 1;
    }
}
