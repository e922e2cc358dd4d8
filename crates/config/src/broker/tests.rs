//! Broker configurations: roles, listeners, refusals in Kafka's words.

use super::*;

fn combined(changes: &[(&str, &str)]) -> ConfigMap {
    let mut props: ConfigMap = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("controller.quorum.voters", "1@localhost:9093"),
    ]
    .into_iter()
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .collect();
    for (key, text) in changes {
        match key.strip_prefix('-') {
            Some(key) => props.remove(key),
            None => props.insert(key.to_string(), text.to_string()),
        };
    }
    props
}

#[test]
fn a_combined_node_is_read() {
    let config = BrokerConfig::parse(&combined(&[])).expect("valid");
    assert_eq!((config.node_id, config.is_broker, config.is_controller), (NodeId(1), true, true));
    assert_eq!(config.listeners.broker()[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(config.listeners.controller()[0].security_protocol, SecurityProtocol::Plaintext);
    assert_eq!(config.listeners.inter_broker_name, "PLAINTEXT");
    assert_eq!(config.quorum_voters, [Voter { id: NodeId(1), host: "localhost".into(), port: 9093 }]);
    assert_eq!(config.log_dirs, ["/tmp/kafka-logs"]);
}

#[test]
fn every_default_is_valid_and_every_key_stands_once() {
    let mut names: Vec<_> = broker_keys().map(|key| key.name).collect();
    for key in broker_keys() {
        if key.default != crate::KeyDefault::Required {
            key.default_value().unwrap_or_else(|error| panic!("{}: {error}", key.name));
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_topic_that_sets_nothing_gets_the_brokers_values() {
    let config = BrokerConfig::parse(&combined(&[("log.retention.minutes", "2"), ("log.roll.hours", "3")]));
    let defaults = config.expect("valid").topic_defaults();
    assert_eq!(defaults["retention.ms"], "120000");
    assert_eq!(defaults["segment.ms"], "10800000");
    assert_eq!(defaults["flush.ms"], "9223372036854775807");
    assert_eq!(defaults["cleanup.policy"], "delete");
    assert_eq!(crate::LogConfig::new(&defaults, &ConfigMap::new()).expect("valid").retention_ms, 120_000);
}

#[test]
fn a_key_with_a_listeners_prefix_is_for_that_listener() {
    let config =
        BrokerConfig::parse(&combined(&[("listener.name.plaintext.max.connections", "5")])).expect("valid");
    assert_eq!(config.listener_value("PLAINTEXT", "max.connections"), Ok(Value::Int(5)));
    assert_eq!(config.listener_value("CONTROLLER", "max.connections"), Ok(Value::Int(i64::from(i32::MAX))));
}

#[test]
fn an_ipv4_and_an_ipv6_listener_may_share_a_port() {
    let listeners = "PLAINTEXT://[::1]:9092,OTHER://127.0.0.1:9092,CONTROLLER://:9093";
    let map = "PLAINTEXT:PLAINTEXT,OTHER:PLAINTEXT,CONTROLLER:PLAINTEXT";
    let props = combined(&[("listeners", listeners), ("listener.security.protocol.map", map)]);
    assert_eq!(BrokerConfig::parse(&props).expect("valid").listeners.broker().len(), 2);
}

/// Texts recorded from Apache Kafka 4.3.1.
#[test]
fn refusals_are_in_kafkas_words() {
    let recorded = include_str!("testdata/refusals.txt");
    let mut cases = 0;
    for line in recorded.lines() {
        let (changes, text) = line.split_once(" -> ").expect("changes and text");
        let changes: Vec<(&str, &str)> = changes
            .split('|')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        let answer =
            BrokerConfig::parse(&combined(&changes)).err().map_or("OK".into(), |error| error.to_string());
        assert_eq!(answer, text, "{changes:?}");
        cases += 1;
    }
    assert!(cases > 100);
}
