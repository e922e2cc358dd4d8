//! Group configurations: defaults and limits from the broker, refusals in Kafka's words.

use super::*;

fn node() -> BrokerConfig {
    let props = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("controller.quorum.voters", "1@localhost:9093"),
    ];
    let props = props.map(|(key, text)| (key.to_owned(), text.to_owned()));
    BrokerConfig::parse(&ConfigMap::from(props)).expect("valid")
}

#[test]
fn the_broker_bounds_what_a_group_may_set() {
    let node = node();
    for (key, text, answer) in [
        ("foo", "1", "Unknown group config name: foo"),
        (
            "consumer.session.timeout.ms",
            "1",
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            "consumer.heartbeat.interval.ms",
            "20000",
            "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
        ),
        (
            "share.delivery.count.limit",
            "11",
            "share.delivery.count.limit must be less than or equal to group.share.max.delivery.count.limit",
        ),
        (
            "share.partition.max.record.locks",
            "5000",
            "share.partition.max.record.locks must be less than or equal to group.share.max.partition.max.record.locks",
        ),
        (
            "streams.num.standby.replicas",
            "3",
            "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
        ),
        (
            "share.auto.offset.reset",
            "x",
            "Invalid value x for configuration share.auto.offset.reset: Invalid value `x` for configuration \
             share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format \
             'by_duration:<PnDTnHnMn.nS>'.",
        ),
        (
            "errors.deadletterqueue.topic.name",
            "__dlq",
            "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'",
        ),
        ("errors.deadletterqueue.topic.name", "any.name", ""),
        ("share.auto.offset.reset", "by_duration:P1D", ""),
        ("consumer.session.timeout.ms", "50000", ""),
    ] {
        let overrides = ConfigMap::from([(key.to_owned(), text.to_owned())]);
        let refused =
            node.validate_group(&overrides).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(refused, answer, "{key}={text}");
    }
}

#[test]
fn a_group_that_sets_nothing_gets_the_brokers_values() {
    assert_eq!(node().group(&ConfigMap::new()).expect("valid").int("share.delivery.count.limit"), 5);
    assert_eq!(GROUP_KEYS.len(), 19);
    assert!(GROUP_KEYS.is_sorted_by_key(|key| key.name));
}
