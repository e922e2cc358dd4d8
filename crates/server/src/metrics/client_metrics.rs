//! Metrics that clients push: how many clients, and what became of their pushes.
//!
//! Kafka: `ClientMetricsManager.ClientMetricsStats`.

use std::fmt;
use std::sync::Arc;

use telemetry::{Metric, Page, Source};

use crate::broker::Broker;

const INSTANCES: Metric = Metric::new(
    "kafka.server:type=client-metrics,name=instance-count",
    "Clients that are known for the metrics that they push",
);
const COUNTERS: [Metric; 4] = [
    Metric::new(
        "kafka.server:type=client-metrics,name=unknown-subscription-request-count",
        "Pushes that went by a subscription that is out of date",
    ),
    Metric::new(
        "kafka.server:type=client-metrics,name=throttle-count",
        "Requests that were refused since they came before a push interval had passed",
    ),
    Metric::new(
        "kafka.server:type=client-metrics,name=plugin-export-count",
        "Pushes that were handed to the sink",
    ),
    Metric::new(
        "kafka.server:type=client-metrics,name=plugin-error-count",
        "Pushes that the sink could not take",
    ),
];

#[derive(Debug)]
pub(super) struct ClientMetrics(pub(super) Arc<Broker>);

impl Source for ClientMetrics {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.0.client_metrics;
        page.gauge(INSTANCES, metrics.clients() as f64)?;
        let counts = metrics.counts();
        let counts = [counts.unknown_subscriptions, counts.throttles, counts.exports, counts.export_errors];
        COUNTERS.into_iter().zip(counts).try_for_each(|(metric, count)| page.counter(metric, count))
    }
}
