//! Connections of each listener.
//!
//! Not yet: rates of connections, authentications and expiries. Kafka: `socket-server-metrics`.

use std::fmt;
use std::sync::Arc;

use network::ConnectionQuotas;
use telemetry::{Metric, Page, Source};

const COUNT: Metric = Metric::new(
    "kafka.server:type=socket-server-metrics,name=connection-count",
    "Connections that are open on a listener",
);

#[derive(Debug)]
pub(super) struct Connections(pub(super) Arc<ConnectionQuotas>);

impl Source for Connections {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = self.0.by_listener().into_iter();
        page.gauges(COUNT, counts.map(|(listener, count)| (vec![("listener", listener)], count as f64)))
    }
}
