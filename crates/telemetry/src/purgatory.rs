//! How many requests wait for something to happen.
//!
//! A request is watched by what it waits for as long as it waits and no longer, so both of Kafka's sizes are the same here.
//!
//! Kafka: `DelayedOperationPurgatory`, `DelayedFetchMetrics`, `DelayedProduceMetrics`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::{Metric, Page, Source};

const SIZE: Metric = Metric::new(
    "kafka.server:type=DelayedOperationPurgatory,name=PurgatorySize",
    "Requests that wait: fetches for records, produces for their acknowledgement",
);

const OPERATIONS: Metric = Metric::new(
    "kafka.server:type=DelayedOperationPurgatory,name=NumDelayedOperations",
    "Requests that wait; the same, since none is watched longer than it waits",
);
const FETCHES_EXPIRED: Metric = Metric::new(
    "kafka.server:type=DelayedFetchMetrics,name=ExpiresPerSec",
    "Fetches whose time was over before there were as many bytes as they wanted",
);
const PRODUCES_EXPIRED: Metric = Metric::new(
    "kafka.server:type=DelayedProduceMetrics,name=ExpiresPerSec",
    "Appends whose time was over before they were acknowledged",
);

/// Counts of requests that wait.
#[derive(Debug, Default)]
pub struct Purgatory {
    fetches: AtomicUsize,
    produces: AtomicUsize,
    expired_fetches: AtomicU64,
    expired_produces: AtomicU64,
}

/// A request that waits, until this is dropped.
#[derive(Debug)]
pub struct Waiting<'a>(&'a AtomicUsize);

impl Purgatory {
    /// Counts a fetch that waits for records.
    pub fn fetch_waits(&self) -> Waiting<'_> {
        Waiting::on(&self.fetches)
    }

    /// Counts a fetch that waited for as long as it might.
    pub fn fetch_expired(&self) {
        self.expired_fetches.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an append of one partition that was not acknowledged in time.
    pub fn produce_expired(&self) {
        self.expired_produces.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a produce that waits until it is committed.
    pub fn produce_waits(&self) -> Waiting<'_> {
        Waiting::on(&self.produces)
    }
}

impl<'a> Waiting<'a> {
    fn on(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Source for Arc<Purgatory> {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let row = |name: &str, count: &AtomicUsize| {
            (vec![("delayedOperation", name.to_owned())], count.load(Ordering::Relaxed) as f64)
        };
        let rows = || [row("Fetch", &self.fetches), row("Produce", &self.produces)];
        page.gauges(SIZE, rows())?;
        page.gauges(OPERATIONS, rows())?;
        let of_consumers = vec![("fetcherType", "consumer".to_owned())];
        page.counters(FETCHES_EXPIRED, [(of_consumers, self.expired_fetches.load(Ordering::Relaxed))])?;
        page.counter(PRODUCES_EXPIRED, self.expired_produces.load(Ordering::Relaxed))
    }
}
