//! What all connections of a client carry. Kafka: `Selector.SelectorMetrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::metrics::{ClientMetric, Group};

/// Counted since the client was made.
#[derive(Debug)]
pub(crate) struct Traffic {
    since: Instant,
    created: AtomicU64,
    closed: AtomicU64,
    /// Reads and writes.
    operations: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    requests: AtomicU64,
    /// Of whole requests, in bytes.
    request_sizes: AtomicU64,
    largest_request: AtomicU64,
    responses: AtomicU64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            created: AtomicU64::default(),
            closed: AtomicU64::default(),
            operations: AtomicU64::default(),
            sent_bytes: AtomicU64::default(),
            received_bytes: AtomicU64::default(),
            requests: AtomicU64::default(),
            request_sizes: AtomicU64::default(),
            largest_request: AtomicU64::default(),
            responses: AtomicU64::default(),
        }
    }

    pub(super) fn connection_created(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connection_closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a write of so many bytes.
    pub(super) fn wrote(&self, bytes: usize) {
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a read of so many bytes.
    pub(super) fn read(&self, bytes: usize) {
        self.operations.fetch_add(1, Ordering::Relaxed);
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a request that was written as a whole.
    pub(super) fn requested(&self, bytes: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.request_sizes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.largest_request.fetch_max(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a response that was read as a whole.
    pub(super) fn responded(&self) {
        self.responses.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns them as metrics of `group`, by name.
    pub(crate) fn metrics(&self, group: &'static str) -> Vec<ClientMetric> {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // Closed ones first, lest one be counted as closed and not yet as created.
        let closed = of(&self.closed);
        let (created, requests) = (of(&self.created), of(&self.requests));
        let largest = if requests > 0 { of(&self.largest_request) as f64 } else { f64::NAN };
        let mut group = Group::new(group, self.since);
        group
            .total("connection-creation-total", "connection-creation-rate", created)
            .total("connection-close-total", "connection-close-rate", closed)
            .value("connection-count", created.saturating_sub(closed) as f64)
            .total("network-io-total", "network-io-rate", of(&self.operations))
            .total("outgoing-byte-total", "outgoing-byte-rate", of(&self.sent_bytes))
            .total("incoming-byte-total", "incoming-byte-rate", of(&self.received_bytes))
            .total("request-total", "request-rate", requests)
            .value("request-size-avg", of(&self.request_sizes) as f64 / requests as f64)
            .value("request-size-max", largest)
            .total("response-total", "response-rate", of(&self.responses));
        group.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_what_was_made_and_not_closed_and_sizes_are_of_whole_requests() {
        let traffic = Traffic::new();
        let value = |name: &str| {
            let metrics = traffic.metrics("consumer-metrics");
            metrics
                .iter()
                .find(|metric| metric.name == name)
                .map(|metric| metric.value)
                .expect("it is counted")
        };
        assert!(value("request-size-avg").is_nan() && value("request-size-max").is_nan());
        (0..3).for_each(|_| traffic.connection_created());
        traffic.connection_closed();
        for bytes in [10, 20, 30] {
            traffic.wrote(bytes);
        }
        traffic.requested(45);
        traffic.requested(15);
        traffic.read(7);
        traffic.responded();
        for (name, expected) in [
            ("connection-count", 2.0),
            ("network-io-total", 4.0),
            ("outgoing-byte-total", 60.0),
            ("incoming-byte-total", 7.0),
            ("request-total", 2.0),
            ("request-size-avg", 30.0),
            ("request-size-max", 45.0),
            ("response-total", 1.0),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
    }
}
