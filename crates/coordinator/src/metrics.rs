//! How long requests wait in a coordinator and are worked on, and how its partitions load.
//!
//! A machine is worked by whoever asks it, one after the other, so the wait for its lock stands for Kafka's event queue, and
//! what comes between the work and the answer (other members, a commit) for its purgatory.
//!
//! Kafka: `CoordinatorRuntimeMetrics`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Histogram;

/// What is measured of one coordinator.
#[derive(Debug, Default)]
pub struct RuntimeMetrics {
    /// How long requests waited for their turn at a machine.
    pub queue_times: Histogram,
    /// How long machines worked on requests, with the append of what they decided.
    pub processing_times: Histogram,
    /// How long requests waited after that: for others, and until all was committed.
    pub purgatory_times: Histogram,
    /// How long appends took.
    pub flush_times: Histogram,
    /// How long it took to load partitions.
    pub load_times: Histogram,
    queued: AtomicUsize,
    failed: Mutex<BTreeSet<i32>>,
}

/// How many partitions of its topic a coordinator has, by how far they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionCounts {
    /// In service.
    pub active: usize,
    /// Being replayed.
    pub loading: usize,
    /// That could not be replayed, and are not served.
    pub failed: usize,
}

/// A request that waits for its turn, until this is dropped.
#[derive(Debug)]
pub(crate) struct Queued<'a>(&'a AtomicUsize);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RuntimeMetrics {
    /// Returns how many requests wait for their turn at a machine.
    pub fn queue_size(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    pub(crate) fn queued(&self) -> Queued<'_> {
        self.queued.fetch_add(1, Ordering::Relaxed);
        Queued(&self.queued)
    }

    pub(crate) fn failed(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
