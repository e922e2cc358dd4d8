//! What is measured of clients that have quotas: by user, client id or both, as the quotas are set.
//!
//! Where no quota of a kind is set nothing is measured, as in Kafka. Kafka: the sensors of `ClientQuotaManager`.

use std::fmt;
use std::sync::Arc;

use quota::{QuotaKind, QuotaSensor};
use telemetry::{Metric, Page, Row, Source};

use crate::broker::Broker;

/// The metrics of a kind: what is measured in a second, and for how long clients were held back.
const KINDS: [(QuotaKind, Metric, Metric); 4] = [
    (
        QuotaKind::Produce,
        Metric::new(
            "kafka.server:type=Produce,name=byte-rate",
            "Bytes a second of produce requests, over the windows of the quotas",
        ),
        Metric::new(
            "kafka.server:type=Produce,name=throttle-time",
            "Milliseconds for which a producer over its rate is held back, on average",
        ),
    ),
    (
        QuotaKind::Fetch,
        Metric::new(
            "kafka.server:type=Fetch,name=byte-rate",
            "Bytes a second of fetch responses, over the windows of the quotas",
        ),
        Metric::new(
            "kafka.server:type=Fetch,name=throttle-time",
            "Milliseconds for which a consumer over its rate is held back, on average",
        ),
    ),
    (
        QuotaKind::Request,
        Metric::new(
            "kafka.server:type=Request,name=request-time",
            "Per cent of one thread that requests took, over the windows of the quotas",
        ),
        Metric::new(
            "kafka.server:type=Request,name=throttle-time",
            "Milliseconds for which a client that takes too much of the threads is held back, on average",
        ),
    ),
    (
        QuotaKind::ControllerMutation,
        Metric::new(
            "kafka.server:type=ControllerMutation,name=mutation-rate",
            "Partitions a second that were created or deleted, over the windows of the quotas",
        ),
        Metric::new(
            "kafka.server:type=ControllerMutation,name=throttle-time",
            "Milliseconds for which a client that changes too much is held back, on average",
        ),
    ),
];
const TOKENS: Metric = Metric::new(
    "kafka.server:type=ControllerMutation,name=tokens",
    "Partitions that may still be created or deleted at once; below 0 the client owes",
);

#[derive(Debug)]
pub(super) struct Quotas(pub(super) Arc<Broker>);

impl Source for Quotas {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        for (kind, rate, throttle) in KINDS {
            let sensors = self.0.quotas.sensors(kind, self.0.clock.monotonic());
            page.gauges(rate, sensors.iter().map(|sensor| (labels(sensor), sensor.rate)))?;
            page.gauges(throttle, sensors.iter().map(|sensor| (labels(sensor), sensor.throttle_time_avg)))?;
            if kind == QuotaKind::ControllerMutation {
                let row =
                    |sensor: &QuotaSensor| -> Option<Row<f64>> { Some((labels(sensor), sensor.tokens?)) };
                page.gauges(TOKENS, sensors.iter().filter_map(row))?;
            }
        }
        Ok(())
    }
}

/// A part that does not matter for the quota is left out.
fn labels(sensor: &QuotaSensor) -> Vec<(&'static str, String)> {
    let parts = [("user", &sensor.tags.user), ("client_id", &sensor.tags.client_id)];
    let named = parts.into_iter().filter(|(_, value)| !value.is_empty());
    let labels: Vec<_> = named.map(|(name, value)| (name, value.clone())).collect();
    // A row without labels would stand for the whole family.
    if labels.is_empty() { vec![("client_id", String::new())] } else { labels }
}
