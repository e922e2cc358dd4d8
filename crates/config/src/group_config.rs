//! The configuration of a group, which the broker's limits bound. Kafka: `GroupConfig`.

#[cfg(test)]
mod tests;

use crate::Importance::Medium;
use crate::{BrokerConfig, ConfigError, ConfigMap, Key, Validator, Values};

/// The group keys of Apache Kafka 4.3, by name, and of those that 4.4 added the ones that are served: a dead-letter queue for
/// share groups (KIP-1191).
pub const GROUP_KEYS: &[Key] = &[
    Key::int(
        "consumer.assignment.interval.ms",
        "1000",
        Medium,
        "How far apart two assignments of a consumer group are at least.",
    )
    .at_least(0),
    Key::int(
        "consumer.heartbeat.interval.ms",
        "5000",
        Medium,
        "How often members of the consumer group send heartbeats.",
    )
    .at_least(1),
    Key::int(
        "consumer.session.timeout.ms",
        "45000",
        Medium,
        "How long a member of the consumer group may be silent.",
    )
    .at_least(1),
    Key::boolean(
        "errors.deadletterqueue.copy.record.enable",
        "false",
        Medium,
        "Whether a record in the dead-letter queue has the key and value of the record that was given up, or only tells \
         where that is and why it was.",
    ),
    Key::string(
        "errors.deadletterqueue.topic.name",
        "",
        Medium,
        "The topic to which records go that the share group gives up: its dead-letter queue. None if empty.",
    ),
    Key::int(
        "share.assignment.interval.ms",
        "1000",
        Medium,
        "How far apart two assignments of a share group are at least.",
    )
    .at_least(0),
    Key::string(
        "share.auto.offset.reset",
        "latest",
        Medium,
        "Where a share group begins: `latest`, `earliest`, or `by_duration:` and an ISO-8601 duration.",
    )
    .valid(Validator::ShareOffsetReset),
    Key::int(
        "share.delivery.count.limit",
        "5",
        Medium,
        "How often a record is delivered before it is given up.",
    )
    .at_least(2),
    Key::int(
        "share.heartbeat.interval.ms",
        "5000",
        Medium,
        "How often members of the share group send heartbeats.",
    )
    .at_least(1),
    Key::string(
        "share.isolation.level",
        "read_uncommitted",
        Medium,
        "Whether records of transactions are delivered only when committed.",
    )
    .one_of(&["read_committed", "read_uncommitted"]),
    Key::int(
        "share.partition.max.record.locks",
        "2000",
        Medium,
        "How many records of a partition may be acquired at once.",
    )
    .at_least(100),
    Key::int(
        "share.record.lock.duration.ms",
        "30000",
        Medium,
        "How long a consumer holds a record that it acquired.",
    )
    .at_least(1000),
    Key::boolean(
        "share.renew.acknowledge.enable",
        "true",
        Medium,
        "Whether a consumer may hold a record for longer by renewing.",
    ),
    Key::int(
        "share.session.timeout.ms",
        "45000",
        Medium,
        "How long a member of the share group may be silent.",
    )
    .at_least(1),
    Key::int(
        "streams.assignment.interval.ms",
        "1000",
        Medium,
        "How far apart two assignments of a streams group are at least.",
    )
    .at_least(0),
    Key::int(
        "streams.heartbeat.interval.ms",
        "5000",
        Medium,
        "How often members of the streams group send heartbeats.",
    )
    .at_least(1),
    Key::int(
        "streams.initial.rebalance.delay.ms",
        "3000",
        Medium,
        "How long a new streams group waits for further members before its first assignment.",
    )
    .at_least(0),
    Key::int("streams.num.standby.replicas", "0", Medium, "How many standby replicas each task has.")
        .at_least(0),
    Key::int(
        "streams.session.timeout.ms",
        "45000",
        Medium,
        "How long a member of the streams group may be silent.",
    )
    .at_least(1),
];

/// The broker key that stands in for a group key. Kafka: `GroupConfig.brokerSynonym`.
pub fn group_synonym(name: &str) -> Option<&'static str> {
    crate::broker_keys().map(|key| key.name).find(|key| key.strip_prefix("group.") == Some(name))
}

impl BrokerConfig {
    /// What groups get that set nothing, by group key. Kafka: `extractGroupConfigMap`.
    pub fn group_defaults(&self) -> ConfigMap {
        let default = |key: &Key| {
            let text = self.values().get(group_synonym(key.name)?).to_config_text()?;
            Some((key.name.to_owned(), text))
        };
        GROUP_KEYS.iter().filter_map(default).collect()
    }

    /// Checks the overrides that a group would have. Kafka: `GroupConfig.validate`.
    pub fn validate_group(&self, overrides: &ConfigMap) -> Result<(), ConfigError> {
        if let Some(name) = overrides.keys().find(|name| !GROUP_KEYS.iter().any(|key| key.name == *name)) {
            return Err(ConfigError::Invalid(format!("Unknown group config name: {name}")));
        }
        let values = self.group(overrides)?;
        for key in GROUP_KEYS.iter().filter(|key| overrides.contains_key(key.name)) {
            self.check_group_limits(key.name, &values)?;
        }
        if values.text("errors.deadletterqueue.topic.name").starts_with("__") {
            let text = "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'";
            return Err(ConfigError::Invalid(text.to_owned()));
        }
        ["consumer", "share", "streams"].iter().try_for_each(|kind| check_heartbeat(kind, &values))
    }

    /// A group's values under its own `overrides`.
    pub fn group(&self, overrides: &ConfigMap) -> Result<Values, ConfigError> {
        let mut merged = self.group_defaults();
        merged.extend(overrides.clone());
        Values::parse(GROUP_KEYS, &merged)
    }

    fn check_group_limits(&self, name: &str, values: &Values) -> Result<(), ConfigError> {
        let Some((kind, rest)) = name.split_once('.') else { return Ok(()) };
        let rest = if rest == "num.standby.replicas" { "standby.replicas" } else { rest };
        let limit = |side: &str| {
            let key = crate::broker_key(&format!("group.{kind}.{side}.{rest}"))?;
            Some((key.name, self.values().long(key.name)))
        };
        if let Some((key, _)) = limit("min").filter(|(_, least)| values.long(name) < *least) {
            return Err(ConfigError::Invalid(format!("{name} must be greater than or equal to {key}")));
        }
        match limit("max").filter(|(_, most)| values.long(name) > *most) {
            Some((key, _)) => {
                Err(ConfigError::Invalid(format!("{name} must be less than or equal to {key}")))
            }
            None => Ok(()),
        }
    }
}

fn check_heartbeat(kind: &str, values: &Values) -> Result<(), ConfigError> {
    let (timeout, interval) = (format!("{kind}.session.timeout.ms"), format!("{kind}.heartbeat.interval.ms"));
    if values.long(&timeout) > values.long(&interval) {
        return Ok(());
    }
    Err(ConfigError::Invalid(format!("{timeout} must be greater than {interval}")))
}
