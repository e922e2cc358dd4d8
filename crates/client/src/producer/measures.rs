//! What a producer measures of itself. Kafka: `SenderMetricsRegistry`.

use std::time::Instant;

use crate::metrics::{ClientMetric, Group, Measured};

/// Counted since the producer was made.
#[derive(Debug)]
pub(super) struct Measures {
    since: Instant,
    pub sent: u64,
    pub retried: u64,
    pub failed: u64,
    pub batch_sizes: Measured,
    pub queue_times: Measured,
    pub latencies: Measured,
    pub throttles: Measured,
}

impl Measures {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            sent: 0,
            retried: 0,
            failed: 0,
            batch_sizes: Measured::default(),
            queue_times: Measured::default(),
            latencies: Measured::default(),
            throttles: Measured::default(),
        }
    }

    /// Returns them under Kafka's names; `free` and `total` are of `buffer.memory`.
    pub(super) fn metrics(&self, free: usize, total: usize, starving: usize) -> Vec<ClientMetric> {
        let mut group = Group::new("producer-metrics", self.since);
        group
            .total("record-send-total", "record-send-rate", self.sent)
            .total("record-retry-total", "record-retry-rate", self.retried)
            .total("record-error-total", "record-error-rate", self.failed)
            .measured("batch-size-avg", "batch-size-max", &self.batch_sizes)
            .measured("record-queue-time-avg", "record-queue-time-max", &self.queue_times)
            .measured("request-latency-avg", "request-latency-max", &self.latencies)
            .measured("produce-throttle-time-avg", "produce-throttle-time-max", &self.throttles)
            .value("records-per-request-avg", self.sent as f64 / self.latencies.count() as f64)
            .value("buffer-available-bytes", free as f64)
            .value("buffer-total-bytes", total as f64)
            .value("waiting-threads", starving as f64);
        group.finish()
    }
}
