//! What leaders write of the state of share groups' partitions.
//!
//! Kafka: `ShareCoordinatorMetrics`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::Histogram;

use crate::{Metric, Page, Source};

const WRITES: Metric = Metric::new(
    "kafka.server:type=share-coordinator-metrics,name=write-total",
    "Writes of the state of a share group's partition",
);
const LATENCY: Metric = Metric::new(
    "kafka.server:type=share-coordinator-metrics,name=write-latency",
    "Milliseconds until such a write was in the log (write-latency-avg and write-latency-max)",
);

/// Writes of share groups' state.
#[derive(Debug, Default)]
pub struct ShareCoordinatorMetrics {
    latency: Histogram,
}

impl ShareCoordinatorMetrics {
    /// Counts a write that is done, and how long it took.
    pub fn written(&self, took: Duration) {
        self.latency.observe(took);
    }
}

impl Source for Arc<ShareCoordinatorMetrics> {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counter(WRITES, self.latency.count())?;
        page.histograms(LATENCY, [(Vec::new(), &self.latency)])
    }
}
