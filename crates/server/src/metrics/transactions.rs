//! Transactions: how the coordinator's partitions load, markers that wait, and what producers are asked for.
//!
//! Kafka: `TransactionStateManager`, `TransactionMarkerChannelManager`, `AddPartitionsToTxnManager`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use model::Histogram;
use telemetry::{Metric, Page, Source};

use crate::broker::Broker;

const LOADS: Metric = Metric::new(
    "kafka.server:type=transaction-coordinator-metrics,name=partition-load-time-avg",
    "Milliseconds that it took to load partitions of __transaction_state",
);
const UNKNOWN_DESTINATIONS: Metric = Metric::new(
    "kafka.coordinator.transaction:type=TransactionMarkerChannelManager,name=UnknownDestinationQueueSize",
    "Markers of transactions that are tried again, since their partitions could not take them",
);
const VERIFICATIONS: Metric = Metric::new(
    "kafka.server:type=AddPartitionsToTxnManager,name=VerificationTimeMs",
    "Milliseconds that the transaction coordinator took to let a partition into a transaction",
);
const FAILURES: Metric = Metric::new(
    "kafka.server:type=AddPartitionsToTxnManager,name=VerificationFailureRate",
    "Partitions that the transaction coordinator did not let into a transaction",
);

/// What is counted of transactions.
#[derive(Debug, Default)]
pub struct TransactionMetrics {
    /// How long the coordinator took to let partitions in.
    pub verification_times: Histogram,
    failures: AtomicU64,
    retried_markers: AtomicUsize,
}

/// Markers that are tried again, until this is dropped.
#[derive(Debug)]
pub(crate) struct Retried<'a>(&'a AtomicUsize, usize);

impl Drop for Retried<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl TransactionMetrics {
    /// Counts partitions that were not let in.
    pub(crate) fn refused(&self, partitions: usize) {
        self.failures.fetch_add(partitions as u64, Ordering::Relaxed);
    }

    /// Counts markers that wait to be tried again.
    pub(crate) fn retried(&self, markers: usize) -> Retried<'_> {
        self.retried_markers.fetch_add(markers, Ordering::Relaxed);
        Retried(&self.retried_markers, markers)
    }
}

#[derive(Debug)]
pub(super) struct Transactions(pub(super) Arc<Broker>);

impl Source for Transactions {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.0.metrics.transactions;
        page.histogram(LOADS, &self.0.transactions.metrics().load_times)?;
        page.gauge(UNKNOWN_DESTINATIONS, metrics.retried_markers.load(Ordering::Relaxed) as f64)?;
        page.histogram(VERIFICATIONS, &metrics.verification_times)?;
        page.counter(FAILURES, metrics.failures.load(Ordering::Relaxed))
    }
}
