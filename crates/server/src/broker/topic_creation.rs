//! Topics that are created because a client or a coordinator asked for them.
//!
//! Invariants:
//! - a topic's creation is asked for once at a time
//! - nobody waits for it: who asked comes again
//! - why an internal topic of an application could not be created is kept for a while, in which it is not tried again
//!
//! Kafka: `AutoTopicCreationManager`.

mod errors;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::BrokerConfig;
use controller::ControllerRequest;
use model::topic_name;
use protocol::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol::{CreateTopicsRequest, ErrorCode, ResponseBody};
use quota::MutationQuota;

use super::Broker;
use errors::CreationErrors;

/// Creations that are under way.
#[derive(Debug, Default)]
pub struct TopicCreation {
    under_way: Mutex<BTreeSet<String>>,
    errors: Mutex<CreationErrors>,
}

impl TopicCreation {
    /// Asks the controller to create those of `names` that nobody asked for yet. Their partitions count against the quota of
    /// the client on whose behalf that is; none for what the cluster itself needs. Must be called within a tokio runtime.
    pub fn create(
        &self,
        broker: &Arc<Broker>,
        names: impl IntoIterator<Item = String>,
        quota: Option<MutationQuota>,
    ) {
        let config = broker.config();
        let topics: Vec<_> =
            names.into_iter().filter(|name| self.begin(name)).map(|name| creatable(&config, name)).collect();
        if topics.is_empty() {
            return;
        }
        let broker = broker.clone();
        let timeout_ms = config.network.request_timeout_ms;
        tokio::spawn(async move {
            let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
            let request = CreateTopicsRequest { topics, timeout_ms, ..Default::default() };
            let request = ControllerRequest::from(request);
            let request = match quota {
                Some(quota) => request.limited(quota),
                None => request,
            };
            report(&broker.controller.submit(request).await);
            broker.topic_creation.end(&names);
        });
    }

    /// Asks the controller to create internal topics of an application, but for those that somebody asked for already and
    /// those that could not be created less than `patience` ago. Must be called within a tokio runtime.
    ///
    /// Kafka: `DefaultAutoTopicCreationManager.createStreamsInternalTopics`.
    pub fn create_internal(&self, broker: &Arc<Broker>, mut topics: Vec<CreatableTopic>, patience: Duration) {
        let now = broker.clock.monotonic();
        topics.retain(|topic| self.error_of(&topic.name, now).is_none() && self.begin(&topic.name));
        if topics.is_empty() {
            return;
        }
        let broker = broker.clone();
        let timeout_ms = broker.config().network.request_timeout_ms;
        tokio::spawn(async move {
            let names: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
            let request = CreateTopicsRequest { topics, timeout_ms, ..Default::default() };
            let response = broker.controller.submit(request.into()).await;
            report(&response);
            let until = broker.clock.monotonic().saturating_add(patience);
            broker.topic_creation.errors.lock().expect("no holder panics").note(&response, until);
            broker.topic_creation.end(&names);
        });
    }

    /// Says why a topic could not be created a while ago, at `now` of the monotonic clock.
    pub fn error_of(&self, name: &str, now: Duration) -> Option<String> {
        self.errors.lock().expect("no holder panics").get(name, now)
    }

    fn begin(&self, name: &str) -> bool {
        self.under_way.lock().expect("no holder panics").insert(name.to_owned())
    }

    fn end(&self, names: &[String]) {
        let mut under_way = self.under_way.lock().expect("no holder panics");
        names.iter().for_each(|name| {
            under_way.remove(name);
        });
    }
}

fn report(response: &ResponseBody) {
    let ResponseBody::CreateTopics(response) = response else { return };
    for topic in &response.topics {
        let message = topic.error_message.as_deref().unwrap_or_default();
        match topic.error_code {
            ErrorCode::NONE => tracing::info!(topic = topic.name, "created because it was asked for"),
            ErrorCode::TOPIC_ALREADY_EXISTS => {}
            // The client decides how often that is.
            ErrorCode::THROTTLING_QUOTA_EXCEEDED => {
                tracing::debug!(topic = topic.name, "not created, for who asked for it owes: {message}");
            }
            error => tracing::warn!(
                topic = topic.name,
                error = error.name(),
                "a topic that a client asked for cannot be created: {message}"
            ),
        }
    }
}

/// Returns a topic as it is created by itself. Kafka: `DefaultAutoTopicCreationManager.creatableTopic`.
fn creatable(config: &BrokerConfig, name: String) -> CreatableTopic {
    let (num_partitions, replication_factor, configs) = match name.as_str() {
        topic_name::CONSUMER_OFFSETS => offsets_topic(config),
        topic_name::TRANSACTION_STATE => transaction_topic(config),
        topic_name::SHARE_GROUP_STATE => share_state_topic(config),
        _ => (config.log.num_partitions, config.log.default_replication_factor as i16, Vec::new()),
    };
    CreatableTopic { name, num_partitions, replication_factor, configs, ..Default::default() }
}

/// Kafka: `GroupCoordinatorService.groupMetadataTopicConfigs`.
fn offsets_topic(config: &BrokerConfig) -> (i32, i16, Vec<CreatableTopicConfig>) {
    let groups = &config.groups;
    let configs = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", groups.offsets_topic_segment_bytes.to_string()),
    ];
    (
        groups.offsets_topic_num_partitions,
        groups.offsets_topic_replication_factor,
        configs.map(topic_config).to_vec(),
    )
}

/// Kafka: `TransactionStateManager.transactionTopicConfigs`.
fn transaction_topic(config: &BrokerConfig) -> (i32, i16, Vec<CreatableTopicConfig>) {
    let transactions = &config.transactions;
    let configs = [
        ("unclean.leader.election.enable", "false".to_owned()),
        ("compression.type", "uncompressed".to_owned()),
        ("cleanup.policy", "compact".to_owned()),
        ("min.insync.replicas", transactions.transaction_state_log_min_isr.to_string()),
        ("segment.bytes", transactions.transaction_state_log_segment_bytes.to_string()),
    ];
    (
        transactions.transaction_state_log_num_partitions,
        transactions.transaction_state_log_replication_factor,
        configs.map(topic_config).to_vec(),
    )
}

/// Kafka: `ShareCoordinatorService.shareGroupStateTopicConfigs`.
fn share_state_topic(config: &BrokerConfig) -> (i32, i16, Vec<CreatableTopicConfig>) {
    let share = &config.share_groups;
    let configs = [
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", share.share_coordinator_state_topic_segment_bytes.to_string()),
        ("min.insync.replicas", share.share_coordinator_state_topic_min_isr.to_string()),
        ("retention.ms", "-1".to_owned()),
    ];
    (
        share.share_coordinator_state_topic_num_partitions,
        share.share_coordinator_state_topic_replication_factor,
        configs.map(topic_config).to_vec(),
    )
}

fn topic_config((name, value): (&str, String)) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.to_owned(), value: Some(value), ..Default::default() }
}
