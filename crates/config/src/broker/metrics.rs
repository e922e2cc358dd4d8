//! Broker keys: metrics and telemetry.

use super::typed::typed_config;
use crate::Importance::Low;
use crate::{Key, Validator};

typed_config! {
    /// Metrics and telemetry. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    MetricsConfig {
        metrics_num_samples: int "metrics.num.samples",
        metrics_recording_level: text "metrics.recording.level",
        metrics_sample_window_ms: long "metrics.sample.window.ms",
        monedula_metrics_listener: text "monedula.metrics.listener",
        telemetry_max_bytes: int "telemetry.max.bytes",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int(
        "kafka.metrics.polling.interval.secs",
        "10",
        Low,
        "How often the reporters of `kafka.metrics.reporters` are to look.",
    )
    .at_least(1),
    Key::list(
        "kafka.metrics.reporters",
        "",
        Low,
        "Classes that report the metrics of Apache Kafka's older kind. No class can be loaded \
         here.",
    )
    .valid(Validator::List { of: &[], empty: true, null: false }),
    Key::list(
        "metric.reporters",
        "org.apache.kafka.common.metrics.JmxReporter",
        Low,
        "Classes that report metrics; the one for JMX has no meaning here.",
    )
    .valid(Validator::List { of: &[], empty: true, null: false })
    .cluster_wide(),
    Key::int("metrics.num.samples", "2", Low, "How many samples a measured rate keeps.").at_least(1),
    Key::string("metrics.recording.level", "INFO", Low, "How fine the metrics are: INFO, DEBUG or TRACE."),
    Key::string(
        "monedula.metrics.listener",
        "",
        Low,
        "Where Prometheus reads the metrics, as host:port: `GET /metrics`. Empty for nowhere.",
    ),
    Key::long("metrics.sample.window.ms", "30000", Low, "How long each of those samples is.").at_least(1),
    Key::int(
        "telemetry.max.bytes",
        "1048576",
        Low,
        "How large the metrics may be that a client pushes, compressed if it compresses \
         them.",
    )
    .at_least(1),
];
