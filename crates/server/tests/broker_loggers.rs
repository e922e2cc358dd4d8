//! BROKER_LOGGER: levels of loggers, described, set and taken away over a socket.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::sync::{Arc, Mutex};

use harness::{Client, TestNode};
use protocol::describe_configs_request::DescribeConfigsResource;
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::{DescribeConfigsRequest, ErrorCode, IncrementalAlterConfigsRequest};
use server::broker::loggers::LogFilter;

const BROKER_LOGGER: i8 = 8;

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

impl LogFilter for Recorder {
    fn set(&self, directives: &str) -> Result<(), String> {
        self.0.lock().unwrap().push(directives.to_owned());
        Ok(())
    }
}

/// Changes one logger; operations are set, delete, append and subtract, from 0 on.
async fn alter(
    client: &mut Client,
    node: &str,
    logger: &str,
    operation: i8,
    level: Option<&str>,
) -> (ErrorCode, Option<String>) {
    let config = AlterableConfig {
        name: logger.to_owned(),
        config_operation: operation,
        value: level.map(str::to_owned),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: BROKER_LOGGER,
        resource_name: node.to_owned(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let answer = client.ask(request, 1).await.responses.remove(0);
    (answer.error_code, answer.error_message)
}

async fn level(client: &mut Client, logger: &str) -> Option<String> {
    let resource = DescribeConfigsResource {
        resource_type: BROKER_LOGGER,
        resource_name: "1".to_owned(),
        configuration_keys: None,
        ..Default::default()
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
    let result = client.ask(request, 4).await.results.remove(0);
    assert_eq!(result.error_code, ErrorCode::NONE);
    let entry = result.configs.into_iter().find(|entry| entry.name == logger)?;
    assert_eq!(entry.config_source, 6);
    entry.value
}

#[tokio::test]
async fn a_level_takes_effect_at_once_and_can_be_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let recorder = Arc::new(Recorder::default());
    node.node.broker().loggers.attach(recorder.clone(), "warn");
    let mut client = node.client().await;
    assert_eq!(level(&mut client, "kafka.server.KafkaApis").await.as_deref(), Some("WARN"));
    assert_eq!(alter(&mut client, "1", "kafka.server", 0, Some("TRACE")).await, (ErrorCode::NONE, None));
    assert_eq!(level(&mut client, "kafka.server.KafkaApis").await.as_deref(), Some("TRACE"));
    assert!(recorder.0.lock().unwrap().last().unwrap().contains("server::handlers=trace"));
    assert_eq!(alter(&mut client, "1", "kafka.server", 1, None).await, (ErrorCode::NONE, None));
    assert_eq!(level(&mut client, "kafka.server.KafkaApis").await.as_deref(), Some("WARN"));
    assert_eq!(alter(&mut client, "1", "root", 0, Some("ERROR")).await, (ErrorCode::NONE, None));
    assert_eq!(level(&mut client, "org.apache.kafka.storage").await.as_deref(), Some("ERROR"));
    node.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_kafkas_words() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    let levels = "Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN";
    let bad_level =
        format!("Cannot set the log level of root to LOUD as it is not a supported log level. {levels}");
    for (broker, logger, operation, value, error, text) in [
        ("x", "root", 0, Some("INFO"), 42, "Node id must be an integer, but it is: x"),
        ("7", "root", 0, Some("INFO"), 42, "Unexpected node id. Expected 1, but received 7"),
        ("1", "nope", 0, Some("INFO"), 40, "Logger nope does not exist!"),
        ("1", "root", 0, Some("LOUD"), 40, bad_level.as_str()),
        ("1", "root", 1, None, 42, "Removing the log level of the root logger is not allowed"),
        ("1", "root", 2, Some("INFO"), 42, "APPEND operation is not allowed for the BROKER_LOGGER resource"),
        (
            "1",
            "root",
            3,
            Some("INFO"),
            42,
            "SUBTRACT operation is not allowed for the BROKER_LOGGER resource",
        ),
    ] {
        let answer = alter(&mut client, broker, logger, operation, value).await;
        assert_eq!(answer, (ErrorCode(error), Some(text.to_owned())));
    }
    node.stop().await;
}
