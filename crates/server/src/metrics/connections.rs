//! Connections of each listener: how many, what comes and goes over them, and how they log in.
//!
//! Kafka has these for each of a listener's network threads; here no thread owns a connection, so they are the listener's.
//! Kafka: `SelectorMetrics`, `ConnectionQuotas`; both under `socket-server-metrics`.

use std::fmt;
use std::sync::Arc;

use model::Histogram;
use network::{ConnectionQuotas, ListenerMetrics};
use telemetry::{Metric, Page, Row, Source};

const COUNT: Metric = Metric::new(
    "kafka.server:type=socket-server-metrics,name=connection-count",
    "Connections that are open on a listener",
);

/// A counter, and where its value stands.
type Counter = (Metric, fn(&ListenerMetrics) -> u64);

const COUNTERS: [Counter; 13] = [
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=connection-accept-rate",
            "Connections that came, those among them that were refused",
        ),
        |listener| listener.accepted.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=connection-creation-total",
            "Connections that were taken up",
        ),
        |listener| listener.created.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=connection-close-total",
            "Connections that ended",
        ),
        |listener| listener.closed.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=expired-connections-killed-count",
            "Connections that were closed since nothing came for connections.max.idle.ms",
        ),
        |listener| listener.expired.get(),
    ),
    (
        Metric::new(
            "monedula.server:type=socket-server-metrics,name=connection-eviction-total",
            "Connections that were closed to make room for those of other brokers",
        ),
        |listener| listener.made_room.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=successful-authentication-total",
            "Connections that logged in, or shook hands where TLS is all that is asked for",
        ),
        |listener| listener.successful_authentications.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=failed-authentication-total",
            "Connections whose login or handshake failed",
        ),
        |listener| listener.failed_authentications.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=successful-reauthentication-total",
            "Logins that were renewed",
        ),
        |listener| listener.successful_reauthentications.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=failed-reauthentication-total",
            "Renewals of logins that failed",
        ),
        |listener| listener.failed_reauthentications.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=request-total",
            "Requests that came, those of logins among them",
        ),
        |listener| listener.requests.get(),
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=response-total",
            "Responses that were sent",
        ),
        |listener| listener.responses.get(),
    ),
    (
        Metric::new("kafka.server:type=socket-server-metrics,name=incoming-byte-total", "Bytes of requests"),
        |listener| listener.incoming_bytes.get(),
    ),
    (
        Metric::new("kafka.server:type=socket-server-metrics,name=outgoing-byte-total", "Bytes of responses"),
        |listener| listener.outgoing_bytes.get(),
    ),
];
/// A histogram, and where it stands.
type Times = (Metric, for<'a> fn(&'a ListenerMetrics) -> &'a Histogram);

const HISTOGRAMS: [Times; 3] = [
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=connection-accept-throttle-time",
            "Milliseconds that connections had to wait since there were too many in a second",
        ),
        |listener| &listener.accept_throttles,
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=ip-connection-accept-throttle-time",
            "Milliseconds after which connections were closed since their address made too many in a second",
        ),
        |listener| &listener.ip_accept_throttles,
    ),
    (
        Metric::new(
            "kafka.server:type=socket-server-metrics,name=reauthentication-latency-avg",
            "Milliseconds from the first to the last request of the renewal of a login",
        ),
        |listener| &listener.reauthentication_times,
    ),
];

#[derive(Debug)]
pub(super) struct Connections(pub(super) Arc<ConnectionQuotas>);

impl Source for Connections {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = self.0.by_listener().into_iter();
        page.gauges(COUNT, counts.map(|(listener, count)| (vec![("listener", listener)], count as f64)))?;
        let listeners = self.0.all_metrics();
        for (metric, value) in COUNTERS {
            let row = |(listener, metrics): (&String, &Arc<ListenerMetrics>)| -> Row<u64> {
                (vec![("listener", listener.clone())], value(metrics))
            };
            page.counters(metric, listeners.iter().map(row))?;
        }
        for (metric, histogram) in HISTOGRAMS {
            let rows = listeners.iter().map(|(name, metrics)| {
                let labels = vec![("listener", name.clone())];
                (labels, histogram(metrics))
            });
            page.histograms(metric, rows)?;
        }
        Ok(())
    }
}
