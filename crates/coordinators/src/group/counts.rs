//! How many groups and offsets there are.

use std::collections::BTreeMap;

use super::machine::GroupMachine;

/// What a coordinator has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Groups by type and state, as ListGroups names them.
    pub groups: BTreeMap<(&'static str, &'static str), usize>,
    /// Committed offsets.
    pub offsets: usize,
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
        counts.offsets += self.offsets.count();
        counts.active_partitions += 1;
    }
}
