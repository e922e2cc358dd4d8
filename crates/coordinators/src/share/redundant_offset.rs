//! Up to where the log of a partition of `__share_group_state` is not needed any more.
//!
//! Invariants:
//! - nothing at or after the last snapshot of any partition of a share group is redundant
//!
//! Kafka: `ShareCoordinatorOffsetsManager`.

use std::collections::{BTreeMap, BTreeSet};

use model::Offset;

use super::key::SharePartitionKey;

/// Where the last snapshot of each key is in the log.
#[derive(Debug, Default)]
pub(super) struct RedundantOffset {
    by_key: BTreeMap<SharePartitionKey, Offset>,
    sorted: BTreeSet<Offset>,
    redundant: Option<Offset>,
}

impl RedundantOffset {
    /// Takes in the snapshot of a key, or its tombstone.
    pub(super) fn update(&mut self, key: &SharePartitionKey, offset: Offset, is_tombstone: bool) {
        if let Some(old) = self.by_key.insert(key.clone(), offset) {
            self.sorted.remove(&old);
        }
        self.sorted.insert(offset);
        self.redundant = self.sorted.first().copied();
        if is_tombstone {
            self.by_key.remove(key);
            self.sorted.remove(&offset);
        }
    }

    /// Returns the offset before which nothing is needed, if something is there.
    pub(super) fn get(&self) -> Option<Offset> {
        self.redundant.filter(|offset| offset.0 > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> SharePartitionKey {
        SharePartitionKey::new("g", model::Uuid::from_u128(1), partition)
    }

    #[test]
    fn the_oldest_of_the_last_snapshots_is_the_bound() {
        let mut offsets = RedundantOffset::default();
        offsets.update(&key(0), Offset(0), false);
        assert_eq!(offsets.get(), None);
        offsets.update(&key(1), Offset(5), false);
        offsets.update(&key(0), Offset(9), false);
        assert_eq!(offsets.get(), Some(Offset(5)));
        offsets.update(&key(1), Offset(12), false);
        assert_eq!(offsets.get(), Some(Offset(9)));
    }

    #[test]
    fn what_is_forgotten_holds_nothing_back() {
        let mut offsets = RedundantOffset::default();
        offsets.update(&key(0), Offset(1), false);
        offsets.update(&key(1), Offset(5), false);
        offsets.update(&key(0), Offset(8), true);
        assert_eq!(offsets.get(), Some(Offset(5)));
        offsets.update(&key(1), Offset(9), true);
        assert_eq!(offsets.get(), Some(Offset(9)));
        offsets.update(&key(2), Offset(20), false);
        assert_eq!(offsets.get(), Some(Offset(20)));
    }
}
