//! A metric's two names: Kafka's MBean and what Prometheus calls it.

use prometheus_client::metrics::MetricType;

/// A metric as Kafka documents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The MBean without the keys that become labels: `kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec`. Of
    /// Kafka's newer metrics, which are attributes of one MBean, the attribute stands as the name.
    pub mbean: &'static str,
    /// What it says, with its unit; ends without a full stop.
    pub help: &'static str,
}

impl Metric {
    /// Makes a metric.
    pub const fn new(mbean: &'static str, help: &'static str) -> Self {
        Self { mbean, help }
    }

    /// Returns the name for Prometheus: domain, type and name in lower case, joined by `_`; a dash or a dot is a `_`. A
    /// counter's `PerSec`, `-rate` or `-total` is left out and `_total` added where it is written, as the usual rules of the
    /// JMX exporter do; a histogram takes the place of what Kafka has with `-avg`, and is called so without it.
    pub fn name(&self, kind: MetricType) -> String {
        let parts =
            self.mbean.split([':', ',']).map(|part| part.split_once('=').map_or(part, |(_, value)| value));
        let joined = parts.collect::<Vec<_>>().join("_");
        let ends: &[&str] = match kind {
            MetricType::Counter => &["PerSec", "-rate", "-total"],
            MetricType::Histogram => &["-avg"],
            _ => &[],
        };
        let joined = ends.iter().find_map(|end| joined.strip_suffix(end)).unwrap_or(&joined);
        joined.to_lowercase().replace(['.', '-'], "_")
    }

    /// Returns the line that explains the metric and says where Kafka has it.
    pub(crate) fn help_text(&self) -> String {
        format!("{} [{}]", self.help, self.mbean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_usual_exporter() {
        use MetricType::{Counter, Gauge, Histogram};
        for (kind, mbean, expected) in [
            (
                Counter,
                "kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec",
                "kafka_server_brokertopicmetrics_messagesin",
            ),
            (
                Histogram,
                "kafka.network:type=RequestMetrics,name=TotalTimeMs",
                "kafka_network_requestmetrics_totaltimems",
            ),
            (
                Gauge,
                "kafka.server:type=raft-metrics,name=current-epoch",
                "kafka_server_raft_metrics_current_epoch",
            ),
            (
                Histogram,
                "kafka.server:type=raft-metrics,name=commit-latency-avg",
                "kafka_server_raft_metrics_commit_latency",
            ),
            (
                Counter,
                "kafka.server:type=socket-server-metrics,name=connection-close-total",
                "kafka_server_socket_server_metrics_connection_close",
            ),
            (Gauge, "kafka.server:type=Produce,name=byte-rate", "kafka_server_produce_byte_rate"),
        ] {
            assert_eq!(Metric::new(mbean, "").name(kind), expected);
        }
    }
}
