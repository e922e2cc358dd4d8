//! When which partition wants to be woken; one task sleeps for all of them.
//!
//! Invariants:
//! - a partition is woken at the time it asked for or earlier, never later; whoever wakes it asks it anew

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use machine::Instant;
use tokio::sync::Notify;

/// Deadlines by partition.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    deadlines: Mutex<Deadlines>,
    earlier: Notify,
}

#[derive(Debug, Default)]
struct Deadlines {
    by_partition: BTreeMap<i32, Instant>,
    in_order: BTreeSet<(Instant, i32)>,
}

impl Wakeups {
    /// Asks for `partition` to be woken at `deadline`, unless it will be earlier anyway.
    pub(crate) fn ask(&self, partition: i32, deadline: Instant) {
        let mut deadlines = self.lock();
        if deadlines.by_partition.get(&partition).is_some_and(|set| *set <= deadline) {
            return;
        }
        deadlines.forget(partition);
        deadlines.by_partition.insert(partition, deadline);
        deadlines.in_order.insert((deadline, partition));
        let is_first = deadlines.in_order.first() == Some(&(deadline, partition));
        drop(deadlines);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Forgets a partition.
    pub(crate) fn forget(&self, partition: i32) {
        self.lock().forget(partition);
    }

    /// Returns the earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.lock().in_order.first().map(|(deadline, _)| *deadline)
    }

    /// Takes out the partitions whose deadlines are not after `now`.
    pub(crate) fn take_due(&self, now: Instant) -> Vec<i32> {
        let mut deadlines = self.lock();
        let due: Vec<i32> = deadlines
            .in_order
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, partition)| *partition)
            .collect();
        due.iter().for_each(|partition| deadlines.forget(*partition));
        due
    }

    /// Waits until an earlier deadline is set.
    pub(crate) async fn changed(&self) {
        self.earlier.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deadlines {
    fn forget(&mut self, partition: i32) {
        if let Some(deadline) = self.by_partition.remove(&partition) {
            self.in_order.remove(&(deadline, partition));
        }
    }
}
