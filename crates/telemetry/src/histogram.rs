//! How histograms are shown: how long things took, and how many they were.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use model::Histogram;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;

/// What can be shown as a histogram.
pub trait Buckets {
    /// Returns the upper bounds of the buckets and how many are in each; the last one has no bound.
    fn buckets(&self) -> Vec<(f64, u64)>;

    /// Returns the sum of all.
    fn sum(&self) -> f64;
}

/// Durations are told in milliseconds, as Kafka's are.
impl Buckets for Histogram {
    fn buckets(&self) -> Vec<(f64, u64)> {
        Self::buckets(self).map(|(bound, count)| (bound.unwrap_or(f64::MAX), count)).collect()
    }

    fn sum(&self) -> f64 {
        Self::sum(self).as_secs_f64() * 1e3
    }
}

/// The buckets' upper bounds of plain numbers; the last bucket has none.
const NUMBER_BOUNDS: [u64; 13] = [0, 1, 2, 5, 10, 20, 50, 75, 100, 250, 500, 1_000, 5_000];

/// Plain numbers: records, or parts of a hundred.
#[derive(Debug, Default)]
pub(crate) struct CountHistogram {
    counts: [AtomicU64; NUMBER_BOUNDS.len() + 1],
    sum: AtomicU64,
}

impl CountHistogram {
    pub(crate) fn observe(&self, number: u64) {
        let bucket = NUMBER_BOUNDS.partition_point(|bound| *bound < number);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(number, Ordering::Relaxed);
    }
}

impl Buckets for CountHistogram {
    fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = NUMBER_BOUNDS.iter().map(|bound| *bound as f64).chain([f64::MAX]);
        bounds.zip(self.counts.iter().map(|count| count.load(Ordering::Relaxed))).collect()
    }

    fn sum(&self) -> f64 {
        self.sum.load(Ordering::Relaxed) as f64
    }
}

/// A histogram as it is written.
pub(crate) struct Shown<'a, B>(pub(crate) &'a B);

impl<B: Buckets> EncodeMetric for Shown<'_, B> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let buckets = self.0.buckets();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<[(&str, &str); 0]>(self.0.sum(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
