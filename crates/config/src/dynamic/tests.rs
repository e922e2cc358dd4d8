//! Layers: what is stronger, what is refused, and how it is described, as recorded from Apache Kafka 4.3.1.

use super::*;
use crate::{ConfigEntry, ConfigSource};

fn map(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect()
}

fn node() -> DynamicBrokerConfig {
    let props = map(&[
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("controller.quorum.voters", "1@localhost:9093"),
        ("group.initial.rebalance.delay.ms", "0"),
    ]);
    DynamicBrokerConfig::new(BrokerConfig::parse(&props).expect("valid"))
}

fn entry(entries: Vec<ConfigEntry>, name: &str) -> ConfigEntry {
    entries.into_iter().find(|entry| entry.name == name).expect("described")
}

/// Value, source, and synonyms as name=value(source).
fn line(entry: &ConfigEntry) -> String {
    let synonym = |s: &crate::ConfigSynonym| {
        format!("{}={}({})", s.name, s.value.as_deref().unwrap_or("null"), s.source.id())
    };
    let synonyms: Vec<_> = entry.synonyms.iter().map(synonym).collect();
    format!("{} {} [{}]", entry.value.as_deref().unwrap_or("null"), entry.source.id(), synonyms.join(" "))
}

#[test]
fn this_broker_is_stronger_than_all_brokers_and_both_than_the_file() {
    let mut node = node();
    node.update_default(&map(&[("num.io.threads", "9"), ("log.retention.ms", "77")])).expect("valid");
    node.update_broker(&map(&[("num.io.threads", "10")])).expect("valid");
    assert_eq!(node.current().network.num_io_threads, 10);
    assert_eq!(node.topic(&ConfigMap::new()).expect("valid").retention_ms, 77);
    node.update_broker(&ConfigMap::new()).expect("valid");
    assert_eq!(node.current().network.num_io_threads, 9);
}

#[test]
fn what_is_not_valid_in_the_log_is_left_out() {
    let mut node = node();
    let left_out =
        node.update_default(&map(&[("num.io.threads", "x"), ("node.id", "5"), ("log.retention.ms", "77")]));
    assert_eq!(left_out, Ok(vec!["node.id".to_owned(), "num.io.threads".to_owned()]));
    assert_eq!(node.current().log_retention_ms(), 77);
}

#[test]
fn changes_are_refused_in_kafkas_words() {
    let node = node();
    for (for_this, key, text, answer) in [
        (
            true,
            "num.io.threads",
            "x",
            "Invalid value x for configuration num.io.threads: Not a number of type INT",
        ),
        (
            true,
            "num.io.threads",
            "100",
            "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation \
             failed for num.io.threads=100, value should not be greater than double the current value 8 for \
             configuration Invalid dynamic configuration",
        ),
        (
            true,
            "num.network.threads",
            "7",
            "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation \
             failed for num.network.threads=7, value should not be greater than double the current value 3 for \
             configuration Invalid dynamic configuration",
        ),
        (
            false,
            "log.local.retention.ms",
            "604800001",
            "Invalid value org.apache.kafka.common.config.ConfigException: Invalid value 604800001 for configuration \
             log.local.retention.ms: Value must not be more than log.retention.ms property value: 604800000 for \
             configuration Invalid dynamic configuration",
        ),
        (false, "log.local.retention.ms", "604800000", ""),
        (false, "log.local.retention.bytes", "5", ""),
        (
            false,
            "log.cleaner.threads",
            "50",
            "Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads cannot be increased to \
             more than double the current value 1 for configuration Invalid dynamic configuration",
        ),
        (true, "node.id", "5", "Cannot update these configs dynamically: [node.id]"),
        (
            false,
            "listeners",
            "PLAINTEXT://:1",
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        (
            true,
            "ssl.keystore.type",
            "PEM",
            "These security configs can be dynamically updated only per-listener using the listener prefix: \
             [ssl.keystore.type]",
        ),
        (true, "listener.name.plaintext.ssl.keystore.type", "PEM", ""),
        (
            false,
            "listener.name.plaintext.ssl.keystore.type",
            "PEM",
            "Cannot update these configs at default cluster level, broker id must be specified: \
             [listener.name.plaintext.ssl.keystore.type]",
        ),
        (false, "listener.name.plaintext.max.connections", "5", ""),
        (
            false,
            "log.retention.ms",
            "0",
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            true,
            "leader.replication.throttled.rate",
            "-1",
            "Invalid value -1 for configuration leader.replication.throttled.rate: Value must be at least 0",
        ),
        (true, "foo", "1", ""),
    ] {
        let refused = node.validate(&map(&[(key, text)]), for_this).err().map(|error| error.to_string());
        assert_eq!(refused.unwrap_or_default(), answer, "{key}={text}");
    }
}

#[test]
fn a_broker_is_described_with_what_its_values_hide() {
    let mut node = node();
    node.update_default(&map(&[("log.retention.ms", "77777777")])).expect("valid");
    let own =
        map(&[("num.io.threads", "10"), ("foo", "bar"), ("listener.name.plaintext.max.connections", "50")]);
    node.update_broker(&own).expect("valid");
    for (name, expected) in [
        ("num.io.threads", "10 2 [num.io.threads=10(2) num.io.threads=8(5)]"),
        ("log.retention.ms", "77777777 3 [log.retention.ms=77777777(3) log.retention.hours=168(5)]"),
        ("log.roll.ms", "null 5 []"),
        (
            "group.initial.rebalance.delay.ms",
            "0 4 [group.initial.rebalance.delay.ms=0(4) group.initial.rebalance.delay.ms=3000(5)]",
        ),
        ("broker.id", "1 4 [broker.id=1(4) broker.id=-1(5)]"),
        ("foo", "null 2 [foo=null(2)]"),
        (
            "listener.name.plaintext.max.connections",
            "50 2 [listener.name.plaintext.max.connections=50(2) max.connections=2147483647(5)]",
        ),
    ] {
        assert_eq!(line(&entry(node.describe_broker(), name)), expected, "{name}");
    }
    let foo = entry(node.describe_broker(), "foo");
    assert!(foo.is_sensitive && foo.read_only && foo.config_type == 0);
    assert!(!node.describe_broker().iter().any(|entry| entry.name == "log.initial.task.delay.ms"));
    let defaults = node.describe_default();
    assert_eq!(defaults.len(), 1);
    assert_eq!(line(&defaults[0]), "77777777 3 [log.retention.ms=77777777(3)]");
}

#[test]
fn a_topic_is_described_with_the_brokers_values_behind_it() {
    let mut node = node();
    node.update_default(&map(&[("log.retention.ms", "77777777"), ("message.max.bytes", "5")]))
        .expect("valid");
    let describe =
        |name| line(&entry(node.describe_topic(&map(&[("retention.ms", "5")])).expect("valid"), name));
    assert_eq!(
        describe("retention.ms"),
        "5 1 [retention.ms=5(1) log.retention.ms=77777777(3) log.retention.hours=168(5)]"
    );
    assert_eq!(describe("max.message.bytes"), "5 3 [message.max.bytes=5(3) message.max.bytes=1048588(5)]");
    assert_eq!(describe("segment.ms"), "604800000 5 []");
    assert_eq!(describe("remote.storage.enable"), "false 5 []");
    assert_eq!(describe("min.cleanable.dirty.ratio"), "0.5 5 [log.cleaner.min.cleanable.ratio=0.5(5)]");
}

#[test]
fn a_group_is_described_with_the_brokers_values_behind_it() {
    let overrides =
        map(&[("consumer.session.timeout.ms", "50000"), ("errors.deadletterqueue.topic.name", "dlq.t")]);
    let node = node();
    let describe = |name| line(&entry(node.describe_group(&overrides).expect("valid"), name));
    assert_eq!(
        describe("consumer.session.timeout.ms"),
        "50000 8 [consumer.session.timeout.ms=50000(8) group.consumer.session.timeout.ms=45000(5)]"
    );
    assert_eq!(describe("share.heartbeat.interval.ms"), "5000 5 [group.share.heartbeat.interval.ms=5000(5)]");
    assert_eq!(describe("share.auto.offset.reset"), "latest 5 [share.auto.offset.reset=latest(5)]");
    assert_eq!(
        describe("errors.deadletterqueue.topic.name"),
        "dlq.t 8 [errors.deadletterqueue.topic.name=dlq.t(8) errors.deadletterqueue.topic.name=(5)]"
    );
    let source = entry(node.describe_group(&overrides).expect("valid"), "consumer.session.timeout.ms").source;
    assert_eq!(source, ConfigSource::Group);
}
