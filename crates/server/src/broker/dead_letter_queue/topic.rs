//! Which topic is a group's dead-letter queue, whether it may be, and making it.
//!
//! Kafka: `ProduceRequestHandler.validateDlqTopic`, `ProduceRequestHandler.createTopicBuilder`.

use std::sync::Arc;

use protocol::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::{CreateTopicsRequest, ErrorCode, ResponseBody};

use super::DeadLetterError;
use crate::broker::Broker;

/// A topic that may be a group's dead-letter queue, but need not exist.
#[derive(Debug)]
pub(super) struct DeadLetterTopic {
    pub(super) name: String,
    exists: bool,
}

impl DeadLetterTopic {
    /// Takes what the group's configuration says, if group, topic and broker agree that it is the group's queue.
    pub(super) fn check(
        broker: &Broker,
        group: &str,
        configured: Option<String>,
    ) -> Result<Self, DeadLetterError> {
        let (image, config) = (broker.metadata.image(), broker.config());
        let exists = configured.as_deref().is_some_and(|name| image.topics().by_name(name).is_some());
        let enabled =
            |name: &str| broker.dynamic_config.topic(&image, name).errors_deadletterqueue_group_enable;
        let rules = &config.share_groups;
        let prefix = &rules.errors_deadletterqueue_topic_name_prefix;
        let may_create = rules.errors_deadletterqueue_auto_create_topics_enable;
        let problem = match configured.as_deref() {
            None => format!("Configured DLQ topic name in share group: {group} is empty."),
            Some(name) if name.starts_with("__") => {
                format!(
                    "Configured DLQ topic name in share group: {group} cannot start with __, topic: {name}."
                )
            }
            Some(name) if exists && !enabled(name) => {
                format!("DLQ is not enabled on configured DLQ topic for share group: {group}, topic: {name}.")
            }
            Some(name) if !exists && !may_create => format!(
                "DLQ topic does not exist and auto create is disabled on cluster for share group: {group}, \
                 topic: {name}."
            ),
            Some(name) if !name.starts_with(prefix.as_str()) => format!(
                "Configured DLQ topic name does not comply with the DLQ topic prefix in share group: {group}, \
                 topic: {name}, prefix: {prefix}."
            ),
            Some(name) => return Ok(Self { name: name.to_owned(), exists }),
        };
        Err(DeadLetterError::Config(problem))
    }

    /// Has the controller make the topic, as a queue from the beginning.
    pub(super) async fn create_if_missing(&self, broker: &Arc<Broker>) -> Result<(), DeadLetterError> {
        if self.exists {
            return Ok(());
        }
        let timeout_ms = broker.config().network.request_timeout_ms;
        let topics = vec![self.creatable()];
        let request = CreateTopicsRequest { topics, timeout_ms, ..Default::default() };
        let response = broker.decide(request.into()).await;
        let (code, message) = match response {
            ResponseBody::CreateTopics(mut response) => match response.topics.pop() {
                Some(row) => (row.error_code, row.error_message.unwrap_or_default()),
                None => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()),
            },
            _ => (ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
        };
        if code.is_error() {
            return Err(DeadLetterError::Creation { topic: self.name.clone(), code, message });
        }
        tracing::info!(topic = self.name, "created as a dead-letter queue");
        Ok(())
    }

    fn creatable(&self) -> CreatableTopic {
        let config = |name: &str, value: &str| CreatableTopicConfig {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            ..Default::default()
        };
        CreatableTopic {
            name: self.name.clone(),
            num_partitions: -1,
            replication_factor: -1,
            configs: vec![
                config("errors.deadletterqueue.group.enable", "true"),
                config("message.timestamp.type", "CreateTime"),
            ],
            ..Default::default()
        }
    }
}
