//! Broker keys: metrics and telemetry.

use super::typed::typed_config;
use crate::Importance::Low;
use crate::{ConfigError, Key, KeyType, Validator};

typed_config! {
    /// Metrics and telemetry. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    MetricsConfig {
        metrics_num_samples: int "metrics.num.samples",
        metrics_recording_level: text "metrics.recording.level",
        metrics_sample_window_ms: long "metrics.sample.window.ms",
        monedula_telemetry_sink: text "monedula.telemetry.sink",
        monedula_metrics_listener: text "monedula.metrics.listener",
        telemetry_max_bytes: int "telemetry.max.bytes",
    }
}

/// Where the metrics go that clients push: `monedula.telemetry.sink`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TelemetrySinkAddress {
    /// Nowhere.
    None,
    /// Into a file.
    File(String),
    /// To a collector that takes OTLP over HTTP.
    Http {
        /// Whether it is spoken to by TLS.
        tls: bool,
        /// Its host.
        host: String,
        /// Its port; 4318 unless the address says otherwise.
        port: u16,
        /// The path; `/v1/metrics` unless the address says otherwise.
        path: String,
    },
}

/// The port that OTLP over HTTP has by convention.
const OTLP_PORT: u16 = 4318;
/// The path that OTLP over HTTP has for metrics.
const OTLP_PATH: &str = "/v1/metrics";

impl TelemetrySinkAddress {
    /// Reads the value of `monedula.telemetry.sink`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let refuse = || {
            let rule = "it is none, file:PATH, http://HOST:PORT/PATH or https://HOST:PORT/PATH";
            ConfigError::Invalid(format!(
                "Invalid value {text} for configuration monedula.telemetry.sink: {rule}"
            ))
        };
        if let "" | "none" = text {
            return Ok(Self::None);
        }
        if let Some(path) = text.strip_prefix("file:") {
            return if path.is_empty() { Err(refuse()) } else { Ok(Self::File(path.to_owned())) };
        }
        let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(refuse()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, OTLP_PATH),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| refuse())?),
            None => (authority, OTLP_PORT),
        };
        if host.is_empty() || path.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(refuse());
        }
        Ok(Self::Http { tls, host: host.to_owned(), port, path: path.to_owned() })
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
    Key::string(
        "monedula.telemetry.sink",
        "none",
        Low,
        "Where the metrics go that clients push (KIP-714): none; file:PATH, a line of JSON for each push; or \
         http://HOST:PORT/PATH or https://HOST:PORT/PATH, a collector that takes OTLP. With none, clients are told that there is no such thing.",
    ),
    Key::nullable(
        "monedula.telemetry.sink.ssl.truststore.location",
        KeyType::String,
        Low,
        "The file of the certificates that vouch for a collector behind https; without it, those of the system. The other \
         settings of clients' TLS go by the same prefix: monedula.telemetry.sink.ssl.keystore.location and so on.",
    ),
    Key::string(
        "monedula.telemetry.sink.ssl.truststore.type",
        "PEM",
        Low,
        "The kind of that file: PEM, PKCS12 or JKS.",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_a_file_or_a_collector() {
        let address = |tls, host: &str, port, path: &str| {
            Ok(TelemetrySinkAddress::Http { tls, host: host.to_owned(), port, path: path.to_owned() })
        };
        let http = |host, port, path| address(false, host, port, path);
        assert_eq!(TelemetrySinkAddress::parse("none"), Ok(TelemetrySinkAddress::None));
        assert_eq!(
            TelemetrySinkAddress::parse("file:/a b"),
            Ok(TelemetrySinkAddress::File("/a b".to_owned()))
        );
        assert_eq!(TelemetrySinkAddress::parse("http://h"), http("h", 4318, "/v1/metrics"));
        assert_eq!(TelemetrySinkAddress::parse("http://h:80/x"), http("h", 80, "/x"));
        assert_eq!(TelemetrySinkAddress::parse("https://h"), address(true, "h", 4318, "/v1/metrics"));
        for text in ["log", "file:", "http://", "http://h:x", "ftp://h"] {
            assert!(TelemetrySinkAddress::parse(text).is_err(), "{text}");
        }
    }
}
