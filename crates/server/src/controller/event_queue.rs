//! What is measured of the controller's thread: how long requests wait for it, work, and commits.
//!
//! Kafka: `QuorumControllerMetrics`, `KafkaRaftMetrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Histogram;

/// What is measured of the controller's thread.
#[derive(Debug, Default)]
pub struct EventQueueMetrics {
    /// How long requests waited until they were decided on.
    pub queue_times: Histogram,
    /// How long it took to decide on a request and to append what was decided.
    pub processing_times: Histogram,
    /// How long what was appended waited to be committed.
    pub commit_times: Histogram,
    /// How long it took to become the leader.
    pub election_times: Histogram,
    appended_records: AtomicU64,
    idle_ns: AtomicU64,
}

impl EventQueueMetrics {
    pub(super) fn appended(&self, records: usize) {
        self.appended_records.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn idled(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.idle_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Returns how many records were appended.
    pub fn appended_records(&self) -> u64 {
        self.appended_records.load(Ordering::Relaxed)
    }

    /// Returns for how long the thread had nothing to do.
    pub fn idle_time(&self) -> Duration {
        Duration::from_nanos(self.idle_ns.load(Ordering::Relaxed))
    }
}
