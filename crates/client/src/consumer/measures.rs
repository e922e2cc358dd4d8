//! What a consumer measures of its fetches. Kafka: `FetchMetricsManager`.

use std::time::{Duration, Instant};

use crate::metrics::{ClientMetric, Group, Measured};

/// Counted since the consumer was made.
#[derive(Debug)]
pub(super) struct Measures {
    since: Instant,
    pub records: u64,
    latencies: Measured,
    sizes: Measured,
    throttles: Measured,
}

impl Measures {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            records: 0,
            latencies: Measured::default(),
            sizes: Measured::default(),
            throttles: Measured::default(),
        }
    }

    /// Counts a fetch that was answered with so many bytes of batches.
    pub(super) fn fetched(&mut self, took: Duration, bytes: usize, throttle_ms: i32) {
        self.latencies.add_time(took);
        self.sizes.add(bytes as f64);
        self.throttles.add(f64::from(throttle_ms));
    }

    /// Returns them under Kafka's names; `lag` is the greatest of all partitions, if one is known.
    pub(super) fn metrics(&self, lag: Option<i64>) -> Vec<ClientMetric> {
        let fetches = self.latencies.count();
        let mut group = Group::new("consumer-fetch-manager-metrics", self.since);
        group
            .total("records-consumed-total", "records-consumed-rate", self.records)
            .total("bytes-consumed-total", "bytes-consumed-rate", self.sizes.sum() as u64)
            .total("fetch-total", "fetch-rate", fetches)
            .measured("fetch-latency-avg", "fetch-latency-max", &self.latencies)
            .measured("fetch-size-avg", "fetch-size-max", &self.sizes)
            .measured("fetch-throttle-time-avg", "fetch-throttle-time-max", &self.throttles)
            .value("records-per-request-avg", self.records as f64 / fetches as f64)
            .value("records-lag-max", lag.map_or(f64::NAN, |lag| lag as f64));
        group.finish()
    }
}
