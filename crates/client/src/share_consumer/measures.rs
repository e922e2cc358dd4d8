//! What a share consumer measures of its fetches and acknowledgements. Kafka: `ShareFetchMetricsManager`.

use std::time::{Duration, Instant};

use protocol::ShareFetchResponse;

use crate::metrics::{ClientMetric, Group, Measured};

/// Counted since the consumer was made.
#[derive(Debug)]
pub(super) struct Measures {
    since: Instant,
    latencies: Measured,
    sizes: Measured,
    throttles: Measured,
    /// Records of each fetch.
    records: Measured,
    acknowledgements: u64,
    failed_acknowledgements: u64,
}

impl Measures {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            latencies: Measured::default(),
            sizes: Measured::default(),
            throttles: Measured::default(),
            records: Measured::default(),
            acknowledgements: 0,
            failed_acknowledgements: 0,
        }
    }

    /// Counts a fetch, and how many records it brought.
    pub(super) fn fetched(&mut self, took: Duration, response: &ShareFetchResponse, records: usize) {
        let rows = response.responses.iter().flat_map(|topic| &topic.partitions);
        let bytes: usize = rows.filter_map(|row| Some(row.records.as_ref()?.len())).sum();
        self.latencies.add_time(took);
        self.sizes.add(bytes as f64);
        self.throttles.add(f64::from(response.throttle_time_ms));
        self.records.add(records as f64);
    }

    /// Counts acknowledgements that were sent.
    pub(super) fn acknowledged(&mut self, records: usize) {
        self.acknowledgements += records as u64;
    }

    /// Counts acknowledgements that were in vain.
    pub(super) fn failed(&mut self, records: usize) {
        self.failed_acknowledgements += records as u64;
    }

    /// Returns them under Kafka's names.
    pub(super) fn metrics(&self) -> Vec<ClientMetric> {
        let mut group = Group::new("consumer-share-fetch-manager-metrics", self.since);
        group
            .total("records-consumed-total", "records-consumed-rate", self.records.sum() as u64)
            .total("fetch-total", "fetch-rate", self.latencies.count())
            .total("acknowledgements-send-total", "acknowledgements-send-rate", self.acknowledgements)
            .total(
                "acknowledgements-error-total",
                "acknowledgements-error-rate",
                self.failed_acknowledgements,
            )
            .measured("fetch-latency-avg", "fetch-latency-max", &self.latencies)
            .measured("fetch-size-avg", "fetch-size-max", &self.sizes)
            .measured("fetch-throttle-time-avg", "fetch-throttle-time-max", &self.throttles)
            .measured("records-per-request-avg", "records-per-request-max", &self.records);
        group.finish()
    }
}
