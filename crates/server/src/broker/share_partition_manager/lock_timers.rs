//! When the locks of which share partition run out; one task sleeps for all of them.
//!
//! Invariants:
//! - a share partition is woken when its first lock runs out or earlier, never later
//! - a share partition without locks has no timer
//!
//! Kafka: `AcquisitionLockTimerTask`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use coordinators::share::StateBatch;
use machine::Instant;
use tokio::sync::Notify;
use world::clock::Clock;

use super::SharePartitionManager;
use super::cached::CachedSharePartition;

/// How long the task sleeps at most, so that it notices that its manager is gone.
const NAP_MAX: Duration = Duration::from_secs(60);

/// Share partitions by when they are to be woken.
#[derive(Default)]
pub(super) struct LockTimers {
    deadlines: Mutex<Deadlines>,
    earlier: Notify,
}

#[derive(Default)]
struct Deadlines {
    in_order: BTreeMap<(Instant, u64), Weak<CachedSharePartition>>,
    last: u64,
}

impl LockTimers {
    /// Has a share partition woken at `deadline`, unless it will be earlier anyway.
    pub(super) fn ask(&self, cached: &Arc<CachedSharePartition>, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        let mut state = cached.state();
        if state.wakeup.is_some_and(|wakeup| wakeup <= deadline) {
            return;
        }
        state.wakeup = Some(deadline);
        drop(state);
        let mut deadlines = self.lock();
        deadlines.last += 1;
        let key = (deadline, deadlines.last);
        deadlines.in_order.insert(key, Arc::downgrade(cached));
        let is_first = deadlines.in_order.keys().next() == Some(&key);
        drop(deadlines);
        if is_first {
            self.earlier.notify_one();
        }
    }

    fn next(&self) -> Option<Instant> {
        self.lock().in_order.keys().next().map(|(deadline, _)| *deadline)
    }

    fn take_due(&self, now: Instant) -> Vec<Weak<CachedSharePartition>> {
        let mut deadlines = self.lock();
        let later = deadlines.in_order.split_off(&(now, u64::MAX));
        std::mem::replace(&mut deadlines.in_order, later).into_values().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines.lock().expect("no holder panics")
    }
}

/// Wakes share partitions while their manager lives.
pub(super) async fn run(
    manager: Weak<SharePartitionManager>,
    timers: Arc<LockTimers>,
    clock: Arc<dyn Clock>,
) {
    while manager.strong_count() > 0 {
        let nap = timers.next().map_or(NAP_MAX, |next| next.saturating_sub(clock.monotonic()).min(NAP_MAX));
        // Whichever it is, the next look tells what is due.
        _ = tokio::time::timeout(nap, timers.earlier.notified()).await;
        let due = timers.take_due(clock.monotonic());
        let Some(manager) = manager.upgrade().filter(|_| !due.is_empty()) else { continue };
        due.iter().filter_map(Weak::upgrade).for_each(|cached| manager.on_timeout(&cached));
    }
}

impl SharePartitionManager {
    /// Takes back what was locked for too long. Nobody waits until that is written.
    fn on_timeout(self: &Arc<Self>, cached: &Arc<CachedSharePartition>) {
        let (now, limits) = (self.now(), self.limits(&cached.key().group));
        cached.state().wakeup = None;
        let timed_out = self.decide(cached, |share| {
            let change = share.handle_timeout(now, &limits);
            let records = |batch: &StateBatch| (batch.last_offset.0 - batch.first_offset.0 + 1).max(0) as u64;
            let timed_out = change.iter().flat_map(|change| &change.batches).map(records).sum();
            cached.metrics().timed_out(timed_out);
            (change.is_some(), change)
        });
        if timed_out.is_some_and(|(changed, _)| changed) {
            cached.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::share_persister::SharePersister;
    use crate::essential::Essential;

    #[derive(Debug)]
    struct BrokenClock;

    impl Clock for BrokenClock {
        fn wall_ms(&self) -> i64 {
            0
        }

        fn monotonic(&self) -> Duration {
            panic!("as it is to")
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_task_is_told_of() {
        let (essential, persister) = (Essential::default(), Arc::new(SharePersister::new(Weak::new())));
        let (clock, metrics) = (Arc::new(BrokenClock), Arc::default());
        let manager = SharePartitionManager::start(Weak::new(), persister, clock, metrics, &essential);
        manager.timers.earlier.notify_one();
        let mut failure = essential.failure();
        let told = tokio::time::timeout(NAP_MAX / 2, failure.wait_for(Option::is_some)).await;
        let told = told.expect("nobody is told").unwrap().clone().unwrap();
        assert!(told.starts_with("the task that ends the locks of share groups"), "{told}");
    }
}
