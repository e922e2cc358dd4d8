//! What a client measures of itself, under Kafka's names.
//!
//! Rates, averages and maxima are over the client's life, where Kafka's are over its last minute.
//!
//! Not yet: of a consumer, the least lead, polls and its group; of a producer, compression, sizes of records, batches that
//! were split, requests under way and the age of metadata; of connections, authentication; metrics of single nodes, topics and
//! partitions; `kafka-metrics-count`. Never: `select-*`, `io-*` and queues of events, for there is no such thread here; `app-info`.
//!
//! Kafka: `SenderMetricsRegistry`, `FetchMetricsRegistry`, `Selector.SelectorMetrics`.

use std::time::{Duration, Instant};

/// A metric, as it was when it was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClientMetric {
    /// Kafka's group: `producer-metrics`.
    pub group: &'static str,
    /// Kafka's name: `record-send-rate`.
    pub name: &'static str,
    /// Its value; not a number where nothing was measured.
    pub value: f64,
}

/// How often something was measured, and what came out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    count: u64,
    sum: f64,
    max: f64,
}

impl Measured {
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.max = self.max.max(value);
    }

    /// Adds a time, in milliseconds.
    pub(crate) fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1000.0);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    pub(crate) fn average(&self) -> f64 {
        self.sum / self.count as f64
    }

    pub(crate) fn max(&self) -> f64 {
        if self.count > 0 { self.max } else { f64::NAN }
    }
}

/// The metrics of one group, as they are put together.
#[derive(Debug)]
pub(crate) struct Group {
    name: &'static str,
    seconds: f64,
    metrics: Vec<ClientMetric>,
}

impl Group {
    /// Begins with the metrics of a client that was made at `since`.
    pub(crate) fn new(name: &'static str, since: Instant) -> Self {
        Self { name, seconds: since.elapsed().as_secs_f64(), metrics: Vec::new() }
    }

    pub(crate) fn value(&mut self, name: &'static str, value: f64) -> &mut Self {
        self.metrics.push(ClientMetric { group: self.name, name, value });
        self
    }

    /// Adds how many there were, and how many in a second.
    pub(crate) fn total(&mut self, total: &'static str, rate: &'static str, count: u64) -> &mut Self {
        let per_second = count as f64 / self.seconds;
        self.value(total, count as f64).value(rate, per_second)
    }

    pub(crate) fn measured(
        &mut self,
        average: &'static str,
        max: &'static str,
        values: &Measured,
    ) -> &mut Self {
        self.value(average, values.average()).value(max, values.max())
    }

    /// Returns them by name.
    pub(crate) fn finish(mut self) -> Vec<ClientMetric> {
        self.metrics.sort_by_key(|metric| metric.name);
        self.metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_measured_is_no_number() {
        let mut group = Group::new("g", Instant::now());
        let mut latency = Measured::default();
        group.measured("b-avg", "b-max", &latency);
        latency.add_time(Duration::from_millis(10));
        latency.add_time(Duration::from_millis(20));
        group.measured("a-avg", "a-max", &latency).total("c-total", "c-rate", 3);
        let metrics = group.finish();
        let names: Vec<_> = metrics.iter().map(|metric| metric.name).collect();
        assert_eq!(names, ["a-avg", "a-max", "b-avg", "b-max", "c-rate", "c-total"]);
        assert_eq!((metrics[0].value, metrics[1].value, metrics[5].value), (15.0, 20.0, 3.0));
        assert!(metrics[2].value.is_nan() && metrics[3].value.is_nan());
    }
}
