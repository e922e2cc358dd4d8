//! Defaults and refusals are Kafka's.

use std::time::Duration;

use super::*;

fn with(pairs: &[(&str, &str)]) -> ConfigMap {
    let server = [("bootstrap.servers", "localhost:9092")];
    config_map(server.iter().chain(pairs).map(|(key, value)| (*key, *value)))
}

fn refused<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("the configuration is wrong"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn defaults_are_kafkas() {
    let producer = ProducerConfig::from_map(&with(&[])).expect("defaults");
    assert_eq!((producer.acks, producer.idempotence, producer.batch_size), (Acks::All, true, 16384));
    assert_eq!((producer.linger, producer.max_in_flight), (Duration::from_millis(5), 5));
    assert_eq!(producer.delivery_timeout, Duration::from_secs(120));
    let consumer = ConsumerConfig::from_map(&with(&[])).expect("defaults");
    assert_eq!(consumer.assignors, ["range", "cooperative-sticky"]);
    assert_eq!((consumer.auto_offset_reset, consumer.max_poll_records), (AutoOffsetReset::Latest, 500));
    assert!(!consumer.enable_auto_commit, "there is no group to commit for");
    let admin = AdminConfig::from_map(&with(&[])).expect("defaults");
    assert_eq!(admin.default_api_timeout, Duration::from_secs(60));
    assert_eq!(admin.client.connections_max_idle, Some(Duration::from_secs(300)));
}

#[test]
fn wrong_values_are_refused_in_kafkas_words() {
    let producer = |pairs: &[(&str, &str)]| refused(ProducerConfig::from_map(&with(pairs)));
    assert_eq!(
        producer(&[("acks", "2")]),
        "Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1"
    );
    assert_eq!(
        producer(&[("linger.ms", "-1")]),
        "Invalid value -1 for configuration linger.ms: Value must be at least 0"
    );
    assert_eq!(
        producer(&[("acks", "1"), ("enable.idempotence", "true")]),
        "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence."
    );
    assert_eq!(
        producer(&[("delivery.timeout.ms", "5")]),
        "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms"
    );
    let missing = refused(ProducerConfig::from_map(&ConfigMap::new()));
    assert_eq!(missing, "Missing required configuration \"bootstrap.servers\" which has no default value.");
    let url = refused(ProducerConfig::from_map(&config_map([("bootstrap.servers", "localhost")])));
    assert_eq!(url, "Invalid url in bootstrap.servers: localhost");
    let consumer = |pairs: &[(&str, &str)]| refused(ConsumerConfig::from_map(&with(pairs)));
    assert_eq!(
        consumer(&[
            ("group.protocol", "consumer"),
            ("session.timeout.ms", "9000"),
            ("partition.assignment.strategy", "range")
        ]),
        "partition.assignment.strategy, session.timeout.ms cannot be set when group.protocol=CONSUMER"
    );
    assert_eq!(
        consumer(&[("group.remote.assignor", "uniform")]),
        "group.remote.assignor cannot be set when group.protocol=CLASSIC"
    );
    assert_eq!(
        producer(&[("transactional.id", "t"), ("enable.idempotence", "false")]),
        "Cannot set a transactional.id without also enabling idempotence."
    );
    let commit = refused(ConsumerConfig::from_map(&with(&[("enable.auto.commit", "true")])));
    assert_eq!(commit, "enable.auto.commit cannot be set to true when default group id (null) is used.");
}

#[test]
fn acks_of_one_switch_idempotence_off_unless_it_was_asked_for() {
    let config = ProducerConfig::from_map(&with(&[("acks", "1")])).expect("allowed");
    assert!(!config.idempotence);
}

#[test]
fn a_reset_by_duration_is_read_as_java_reads_it() {
    let parse = AutoOffsetReset::parse;
    let by = |seconds| Some(AutoOffsetReset::ByDuration(Duration::from_millis(seconds)));
    assert_eq!(parse("by_duration:PT1H30M"), by(5_400_000));
    assert_eq!(parse("by_duration:P1DT0.5S"), by(86_400_500));
    for wrong in
        ["by_duration:", "by_duration:P", "by_duration:1H", "by_duration:PT5", "by_duration:PT1.5H", "soon"]
    {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}

#[test]
fn tables_have_every_key_once() {
    for table in [COMMON_KEYS, SECURITY_KEYS, ADMIN_KEYS, PRODUCER_KEYS, CONSUMER_KEYS] {
        let mut names: Vec<&str> = table.iter().map(|key| key.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
