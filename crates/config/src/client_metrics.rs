//! Subscriptions to clients' metrics. Kafka: `ClientMetricsConfigs`.

use regex::Regex;

use crate::Importance::Medium;
use crate::{ConfigEntry, ConfigSynonym};
use crate::{ConfigError, ConfigMap, ConfigSource, Key, Values};

/// The keys of a subscription, by name.
pub const CLIENT_METRICS_KEYS: &[Key] = &[
    Key::int("interval.ms", "300000", Medium, "How often the clients push their metrics, 100 to 3600000."),
    Key::list(
        "match",
        "",
        Medium,
        "Which clients are meant: NAME=REGEX, several between commas, of which all must match.",
    ),
    Key::list("metrics", "", Medium, "The prefixes of the metrics to push; `*` for all."),
];

const MATCH_NAMES: &[&str] = &[
    "client_id",
    "client_instance_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Checks what the subscription `name` would be.
pub fn validate_client_metrics(name: &str, props: &ConfigMap) -> Result<(), ConfigError> {
    if name.is_empty() {
        return Err(ConfigError::Request("Subscription name can't be empty".into()));
    }
    if let Some(key) = props.keys().find(|name| !CLIENT_METRICS_KEYS.iter().any(|key| key.name == *name)) {
        return Err(ConfigError::Request(format!("Unknown client metrics configuration: {key}")));
    }
    let values = Values::parse(CLIENT_METRICS_KEYS, props)?;
    let interval = values.int("interval.ms");
    if !(100..=3_600_000).contains(&interval) {
        return Err(ConfigError::Request(format!(
            "Invalid value {interval} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        )));
    }
    parse_client_match(&values.list("match")).map(|_| ())
}

/// Parses the patterns of `match`: the names of what a client tells of itself, and what each must match wholly.
pub fn parse_client_match(patterns: &[String]) -> Result<Vec<(String, Regex)>, ConfigError> {
    let parse = |pattern: &String| {
        let (name, value) = pattern.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_plain = MATCH_NAMES.contains(&name) && !value.is_empty() && !value.contains('=');
        let regex = Regex::new(&format!("^(?:{value})$")).ok()?;
        is_plain.then(|| (name.to_owned(), regex))
    };
    let refuse =
        |pattern: &String| ConfigError::Invalid(format!("Illegal client matching pattern: {pattern}"));
    patterns.iter().map(|pattern| parse(pattern).ok_or_else(|| refuse(pattern))).collect()
}

/// The lines of `DescribeConfigs` for a subscription; one that does not exist has the defaults.
pub fn describe_client_metrics(props: &ConfigMap) -> Result<Vec<ConfigEntry>, ConfigError> {
    let values = Values::parse(CLIENT_METRICS_KEYS, props)?;
    let describe = |key: &Key| {
        let value = values.get(key.name).to_config_text();
        let is_set = props.contains_key(key.name);
        let source = if is_set { ConfigSource::ClientMetrics } else { ConfigSource::Default };
        let synonym = ConfigSynonym { name: key.name.to_owned(), value: value.clone(), source };
        ConfigEntry {
            name: key.name.to_owned(),
            value,
            source,
            is_sensitive: false,
            read_only: false,
            synonyms: if is_set { vec![synonym] } else { Vec::new() },
            config_type: key.kind.id(),
            documentation: Some(key.doc),
        }
    };
    Ok(CLIENT_METRICS_KEYS.iter().map(describe).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_refused_in_kafkas_words() {
        for (key, text, expected) in [
            ("foo", "1", "Unknown client metrics configuration: foo"),
            (
                "interval.ms",
                "5",
                "Invalid value 5 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
            ),
            ("match", "foo=a", "Illegal client matching pattern: foo=a"),
            ("match", "client_id=(", "Illegal client matching pattern: client_id=("),
        ] {
            let props = ConfigMap::from([(key.to_owned(), text.to_owned())]);
            assert_eq!(validate_client_metrics("m", &props).expect_err("refused").to_string(), expected);
        }
        let props =
            ConfigMap::from([("match".to_owned(), "client_id=app.*, client_source_port=9\\d+".to_owned())]);
        assert_eq!(validate_client_metrics("m", &props), Ok(()));
    }
}
