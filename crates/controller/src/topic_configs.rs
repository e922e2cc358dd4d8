//! What a topic's config is, and where it comes from: the topic, this node, the cluster, `server.properties`, or the
//! default.
//!
//! Kafka: `KafkaConfigSchema.resolveEffectiveTopicConfig`.

use config::{ConfigMap, Key, TOPIC_KEYS, Unit, topic_synonyms};
use metadata::ConfigResource;
use protocol::create_topics_response::CreatableTopicConfigs;

use crate::Controller;

/// Where a value comes from, by the number that the protocol has. Kafka: `DescribeConfigsResponse.ConfigSource`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Topic = 1,
    Node = 2,
    Cluster = 3,
    Static = 4,
    Default = 5,
}

impl Controller {
    /// The value of `key` that counts for topic `name`; the default if nothing is set.
    pub(crate) fn topic_config(&self, name: &str, key: &str) -> Option<String> {
        let own = self.image.configs().topic(name).and_then(|configs| configs.get(key));
        own.cloned().or_else(|| self.inherited_topic_config(key).map(|(value, _)| value))
    }

    pub(crate) fn unclean_election_enabled(&self, topic: &str) -> bool {
        let value = self.topic_config(topic, "unclean.leader.election.enable");
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The least number of in-sync replicas for a write, and never more than there are replicas.
    /// Kafka: `ReplicationControlManager.getTopicEffectiveMinIsr`.
    pub(crate) fn effective_min_isr(&self, topic: &str) -> usize {
        let configured = self.topic_config(topic, "min.insync.replicas").and_then(|value| value.parse().ok());
        let first = self.image.topics().partition(topic, 0);
        configured.unwrap_or(1).min(first.map_or(usize::MAX, |partition| partition.replicas.len()))
    }

    /// The value of topic key `key` without dynamic configs.
    pub(crate) fn static_topic_config(&self, key: &str) -> Option<String> {
        synonym_value(self.config.broker.originals(), key).or_else(|| default_text(key))
    }

    fn inherited_topic_config(&self, key: &str) -> Option<(String, Source)> {
        let dynamic = |resource: &ConfigResource| {
            let configs = self.image.configs().resource(resource)?;
            synonym_value(configs, key)
        };
        let node = dynamic(&ConfigResource::broker(self.config.node_id)).map(|value| (value, Source::Node));
        node.or_else(|| dynamic(&ConfigResource::default_broker()).map(|value| (value, Source::Cluster)))
            .or_else(|| {
                synonym_value(self.config.broker.originals(), key).map(|value| (value, Source::Static))
            })
            .or_else(|| default_text(key).map(|value| (value, Source::Default)))
    }

    /// Every config of a topic created with `own`, by name, as `CreateTopics` answers it.
    pub(crate) fn effective_topic_configs(&self, own: &ConfigMap) -> Vec<CreatableTopicConfigs> {
        let mut keys: Vec<&Key> =
            TOPIC_KEYS.iter().filter(|key| !key.internal || own.contains_key(key.name)).collect();
        keys.sort_unstable_by_key(|key| key.name);
        keys.into_iter().map(|key| self.effective_topic_config(own, key)).collect()
    }

    fn effective_topic_config(&self, own: &ConfigMap, key: &Key) -> CreatableTopicConfigs {
        let own = own.get(key.name).map(|value| (value.clone(), Source::Topic));
        let found = own.or_else(|| self.inherited_topic_config(key.name));
        let (value, source) = found.map_or((None, Source::Default), |(value, source)| (Some(value), source));
        CreatableTopicConfigs {
            name: key.name.to_owned(),
            value: value.filter(|_| !key.is_sensitive()),
            read_only: false,
            config_source: source as i8,
            is_sensitive: key.is_sensitive(),
            ..Default::default()
        }
    }
}

/// The value of the strongest broker key in `configs` that stands in for topic key `key`, in the topic key's unit.
fn synonym_value(configs: &ConfigMap, key: &str) -> Option<String> {
    let scaled = |text: &String, factor: i64| {
        let number = text.trim().parse::<i64>().ok()?;
        Some(if number < 0 { number } else { number.saturating_mul(factor) }.to_string())
    };
    topic_synonyms(key).iter().find_map(|synonym| {
        let text = configs.get(synonym.name)?;
        match synonym.unit {
            Unit::AsIs => Some(text.clone()),
            Unit::Hours => scaled(text, 3_600_000),
            Unit::Minutes => scaled(text, 60_000),
        }
    })
}

fn default_text(key: &str) -> Option<String> {
    let key = TOPIC_KEYS.iter().find(|row| row.name == key)?;
    key.default_value().ok()?.to_config_text()
}
