//! How many requests wait for something to happen.
//!
//! Kafka: `DelayedOperationPurgatory`'s `PurgatorySize`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Metric, Page, Source};

const SIZE: Metric = Metric::new(
    "kafka.server:type=DelayedOperationPurgatory,name=PurgatorySize",
    "Requests that wait: fetches for records, produces for their acknowledgement",
);

/// Counts of requests that wait.
#[derive(Debug, Default)]
pub struct Purgatory {
    fetches: AtomicUsize,
    produces: AtomicUsize,
}

/// A request that waits, until this is dropped.
#[derive(Debug)]
pub struct Waiting<'a>(&'a AtomicUsize);

impl Purgatory {
    /// Counts a fetch that waits for records.
    pub fn fetch_waits(&self) -> Waiting<'_> {
        Waiting::on(&self.fetches)
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
        page.gauges(SIZE, [row("Fetch", &self.fetches), row("Produce", &self.produces)])
    }
}
