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
    /// Partitions of `__consumer_offsets` that are led.
    pub partitions: usize,
    /// Those of them that are loaded.
    pub active_partitions: usize,
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
        counts.active_partitions += 1;
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
