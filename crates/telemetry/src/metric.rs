//! A metric's two names: Kafka's MBean and what Prometheus calls it.

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
    /// counter's `PerSec` or `-total` is left out and `_total` added where it is written, as the usual rules of the JMX exporter
    /// do.
    pub fn name(&self) -> String {
        let parts =
            self.mbean.split([':', ',']).map(|part| part.split_once('=').map_or(part, |(_, value)| value));
        let joined = parts.collect::<Vec<_>>().join("_");
        joined.trim_end_matches("PerSec").trim_end_matches("-total").to_lowercase().replace(['.', '-'], "_")
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
        for (mbean, expected) in [
            (
                "kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec",
                "kafka_server_brokertopicmetrics_messagesin",
            ),
            (
                "kafka.network:type=RequestMetrics,name=TotalTimeMs",
                "kafka_network_requestmetrics_totaltimems",
            ),
            (
                "kafka.server:type=share-coordinator-metrics,name=write-total",
                "kafka_server_share_coordinator_metrics_write",
            ),
            ("kafka.server:type=raft-metrics,name=current-epoch", "kafka_server_raft_metrics_current_epoch"),
        ] {
            assert_eq!(Metric::new(mbean, "").name(), expected);
        }
    }
}
