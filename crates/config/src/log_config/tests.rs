//! Topic configurations: defaults, layers, refusals in Kafka's words.

use super::*;

fn map(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect()
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    LogConfig::validate(&ConfigMap::new(), &map(pairs), &ConfigMap::new(), false)
        .expect_err("refused")
        .to_string()
}

#[test]
fn an_unset_topic_has_kafkas_defaults() {
    let config = LogConfig::default();
    assert_eq!(config.segment_bytes, 1 << 30);
    assert_eq!(config.retention_ms, 7 * 24 * 3_600_000);
    assert_eq!(config.max_message_bytes, 1_048_588);
    assert_eq!(config.cleanup_policy, CleanupPolicy { compact: false, delete: true });
    assert_eq!(config.compression, BrokerCompression::Producer);
    assert_eq!(config.ack_durability, AckDurability::Synced);
}

#[test]
fn an_override_is_stronger_than_the_brokers_default() {
    let defaults = map(&[("retention.ms", "5"), ("compression.type", "zstd")]);
    let config =
        LogConfig::new(&defaults, &map(&[("retention.ms", "7"), ("cleanup.policy", "compact,delete")]));
    let config = config.expect("valid");
    assert_eq!((config.retention_ms, config.compression), (7, BrokerCompression::Zstd(3)));
    assert_eq!(config.cleanup_policy, CleanupPolicy { compact: true, delete: true });
}

#[test]
fn the_internal_segment_size_has_no_lower_bound() {
    let config =
        LogConfig::new(&ConfigMap::new(), &map(&[("internal.segment.bytes", "100")])).expect("valid");
    assert_eq!(config.segment_bytes, 100);
}

#[test]
fn compaction_lag_bounds_the_age_of_a_segment() {
    let overrides = map(&[("cleanup.policy", "compact"), ("max.compaction.lag.ms", "9")]);
    assert_eq!(LogConfig::new(&ConfigMap::new(), &overrides).expect("valid").max_segment_ms(), 9);
}

#[test]
fn refusals_are_in_kafkas_words() {
    let throttled = "Invalid value [foo] for configuration leader.replication.throttled.replicas: \
        leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: \
        [partitionId]:[brokerId],[partitionId]:[brokerId],...";
    for (name, text, expected) in [
        ("foo", "1", "Unknown topic config name: foo"),
        (
            "retention.ms",
            "abc",
            "Invalid value abc for configuration retention.ms: Not a number of type LONG",
        ),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        (
            "segment.bytes",
            "100",
            "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (
            "cleanup.policy",
            "foo",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        ("cleanup.policy", "compact,,delete", "Configuration 'cleanup.policy' values must not be empty."),
        (
            "compression.type",
            "foo",
            "Invalid value foo for configuration compression.type: \
             String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            "min.cleanable.dirty.ratio",
            "1.5",
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        ("leader.replication.throttled.replicas", "foo", throttled),
        (
            "remote.storage.enable",
            "true",
            "Tiered Storage functionality is disabled in the broker. \
             Topic cannot be configured with remote log storage.",
        ),
    ] {
        assert_eq!(refusal(&[(name, text)]), expected);
    }
    assert_eq!(
        refusal(&[("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "4")]),
        "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)"
    );
}

#[test]
fn each_row_of_the_table_has_a_valid_default_and_each_synonym_a_row() {
    for key in TOPIC_KEYS {
        key.default_value().unwrap_or_else(|error| panic!("{}: {error}", key.name));
    }
    for (name, _) in keys::SYNONYMS {
        assert!(TOPIC_KEYS.iter().any(|key| key.name == *name), "{name}");
    }
    assert!(TOPIC_KEYS.is_sorted_by_key(|key| key.name));
}
