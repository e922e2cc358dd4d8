//! Creating topics. Kafka: `Admin.createTopics`.

use std::collections::BTreeMap;

use model::Uuid;
use protocol::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use protocol::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use protocol::{CreateTopicsRequest, ErrorCode};

use super::call::not_controller;
use super::{Admin, ConfigEntry, ConfigSource, ConfigType};
use crate::error::{Error, Result};

/// A topic to create.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` for the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// How many replicas; `None` for the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// The replicas of each partition, if they are chosen by hand.
    pub assignments: BTreeMap<i32, Vec<i32>>,
    /// Its configuration.
    pub configs: BTreeMap<String, String>,
}

impl NewTopic {
    /// A topic with the broker's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// With `partitions` partitions of `replication_factor` replicas.
    #[must_use]
    pub fn sized(self, partitions: i32, replication_factor: i16) -> Self {
        Self { partitions: Some(partitions), replication_factor: Some(replication_factor), ..self }
    }

    /// With `key` set to `value`.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(key.into(), value.into());
        self
    }
}

/// How to create topics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CreateTopicsOptions {
    /// Only tell whether it would succeed.
    pub validate_only: bool,
    /// Try again what a quota delayed.
    pub retry_on_quota_violation: bool,
}

impl Default for CreateTopicsOptions {
    fn default() -> Self {
        Self { validate_only: false, retry_on_quota_violation: true }
    }
}

/// A topic that was created.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatedTopic {
    /// Its id; zero from old brokers.
    pub id: Uuid,
    /// How many partitions it has; -1 where we may not know.
    pub partitions: i32,
    /// How many replicas each has; -1 where we may not know.
    pub replication_factor: i16,
    /// Its configuration, where we may know it.
    pub configs: Option<Vec<ConfigEntry>>,
}

impl Admin {
    /// Creates topics; the result of each is under its name.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        options: CreateTopicsOptions,
    ) -> Result<BTreeMap<String, Result<CreatedTopic>>> {
        let mut call = self.call("createTopics");
        let mut pending: Vec<&NewTopic> = topics.iter().collect();
        let mut done: BTreeMap<String, Result<CreatedTopic>> = BTreeMap::new();
        while !pending.is_empty() {
            let request = CreateTopicsRequest {
                topics: pending.iter().map(|topic| creatable(topic)).collect(),
                timeout_ms: call.timeout_ms(),
                validate_only: options.validate_only,
                ..Default::default()
            };
            let response = self
                .on_controller("createTopics", &request, |response| {
                    not_controller(response.topics.iter().map(|topic| topic.error_code))
                })
                .await?;
            done.extend(response.topics.into_iter().map(|topic| (topic.name.clone(), created(topic))));
            pending.retain(|topic| {
                options.retry_on_quota_violation && done.get(&topic.name).is_some_and(is_throttled)
            });
            let throttled = || Error::broker(ErrorCode::THROTTLING_QUOTA_EXCEEDED);
            if !pending.is_empty() && call.again(throttled()).await.is_err() {
                break;
            }
        }
        Ok(done)
    }
}

fn is_throttled<T>(result: &Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.is(ErrorCode::THROTTLING_QUOTA_EXCEEDED))
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let assigned = !topic.assignments.is_empty();
    let assignment = |(partition, brokers): (&i32, &Vec<i32>)| CreatableReplicaAssignment {
        partition_index: *partition,
        broker_ids: brokers.clone(),
        ..Default::default()
    };
    let config = |(name, value): (&String, &String)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
        ..Default::default()
    };
    CreatableTopic {
        name: topic.name.clone(),
        num_partitions: if assigned { -1 } else { topic.partitions.unwrap_or(-1) },
        replication_factor: if assigned { -1 } else { topic.replication_factor.unwrap_or(-1) },
        assignments: topic.assignments.iter().map(assignment).collect(),
        configs: topic.configs.iter().map(config).collect(),
        ..Default::default()
    }
}

fn created(topic: CreatableTopicResult) -> Result<CreatedTopic> {
    Error::check_with(topic.error_code, topic.error_message)?;
    let readable = topic.topic_config_error_code == ErrorCode::NONE;
    let entry = |config: CreatableTopicConfigs| ConfigEntry {
        name: config.name,
        value: config.value,
        source: ConfigSource::from_id(config.config_source),
        is_sensitive: config.is_sensitive,
        is_read_only: config.read_only,
        synonyms: Vec::new(),
        config_type: ConfigType::default(),
        documentation: None,
    };
    Ok(CreatedTopic {
        id: topic.topic_id,
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        configs: topic.configs.filter(|_| readable).map(|configs| configs.into_iter().map(entry).collect()),
    })
}
