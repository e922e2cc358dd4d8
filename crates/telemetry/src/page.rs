//! What a reader of the metrics gets: families of rows, written one after the other.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::Metric;
use crate::histogram::{Buckets, Shown};

/// A row of a family: its labels, and its value.
pub type Row<V> = (Vec<(&'static str, String)>, V);

/// Something that has metrics. Asked once for each reading.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// Writes its families, each once.
    fn write(&self, page: &mut Page<'_>) -> fmt::Result;
}

/// The page that a reader gets.
pub struct Page<'a>(DescriptorEncoder<'a>);

impl fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").finish_non_exhaustive()
    }
}

impl Page<'_> {
    /// Writes one value that may go up and down.
    pub fn gauge(&mut self, metric: Metric, value: f64) -> fmt::Result {
        self.gauges(metric, [(Vec::new(), value)])
    }

    /// Writes values that may go up and down.
    pub fn gauges(&mut self, metric: Metric, rows: impl IntoIterator<Item = Row<f64>>) -> fmt::Result {
        let rows = rows.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(metric, MetricType::Gauge, rows)
    }

    /// Writes one value that only goes up.
    pub fn counter(&mut self, metric: Metric, value: u64) -> fmt::Result {
        self.counters(metric, [(Vec::new(), value)])
    }

    /// Writes values that only go up.
    pub fn counters(&mut self, metric: Metric, rows: impl IntoIterator<Item = Row<u64>>) -> fmt::Result {
        let rows = rows.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(metric, MetricType::Counter, rows)
    }

    /// Writes a value that only goes up and has fractions.
    pub fn counter_of_seconds(&mut self, metric: Metric, value: f64) -> fmt::Result {
        self.family(metric, MetricType::Counter, [(Vec::new(), ConstCounter::new(value))])
    }

    /// Writes how long something took.
    pub fn histogram(&mut self, metric: Metric, histogram: &impl Buckets) -> fmt::Result {
        self.histograms(metric, [(Vec::new(), histogram)])
    }

    /// Writes how long things took, in milliseconds as Kafka's histograms are, or how many they were.
    pub fn histograms<'a, H: Buckets + 'a>(
        &mut self,
        metric: Metric,
        rows: impl IntoIterator<Item = Row<&'a H>>,
    ) -> fmt::Result {
        let rows = rows.into_iter().map(|(labels, histogram)| (labels, Shown(histogram)));
        self.family(metric, MetricType::Histogram, rows)
    }

    fn family<M: EncodeMetric>(
        &mut self,
        metric: Metric,
        kind: MetricType,
        rows: impl IntoIterator<Item = Row<M>>,
    ) -> fmt::Result {
        let (name, help) = (metric.name(kind), metric.help_text());
        let mut family = self.0.encode_descriptor(&name, &help, None, kind)?;
        for (labels, value) in rows {
            if labels.is_empty() {
                return value.encode(family);
            }
            value.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// A source as the registry wants it.
#[derive(Debug)]
pub(crate) struct Registered(pub(crate) Box<dyn Source>);

impl Collector for Registered {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.write(&mut Page(encoder))
    }
}
