//! What holds for one share group: its own configuration over the broker's, within the broker's bounds.
//!
//! Kafka: `GroupConfig`, `GroupConfigManager`, `ShareGroupConfigProvider`.

use std::time::Duration;

use crate::{BrokerConfig, ConfigMap, GROUP_KEYS, Key, Value, broker_key};

/// Where a share group begins to read a partition. Kafka: `ShareGroupAutoOffsetResetStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareOffsetReset {
    /// At its end.
    Latest,
    /// At its start.
    Earliest,
    /// At the records of so long ago.
    ByDuration(Duration),
}

impl ShareOffsetReset {
    /// Reads `latest`, `earliest`, or `by_duration:` and an ISO-8601 duration.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "latest" => Some(Self::Latest),
            None if text == "earliest" => Some(Self::Earliest),
            Some(("by_duration", duration)) => iso_duration(duration).map(Self::ByDuration),
            _ => None,
        }
    }
}

/// What holds for one share group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupSettings {
    /// `share.session.timeout.ms`: how long a member may be silent.
    pub session_timeout: Duration,
    /// `share.heartbeat.interval.ms`: how often members are to send heartbeats.
    pub heartbeat_interval: Duration,
    /// `share.assignment.interval.ms`: how far apart two assignments are at least.
    pub assignment_interval: Duration,
    /// `share.record.lock.duration.ms`: how long a consumer holds a record that it acquired.
    pub record_lock_duration: Duration,
    /// `share.delivery.count.limit`: how often a record is delivered before it is given up.
    pub delivery_count_limit: i16,
    /// `share.partition.max.record.locks`: how many records of a partition may be acquired at once.
    pub partition_max_record_locks: usize,
    /// `share.auto.offset.reset`: where the group begins to read a partition.
    pub auto_offset_reset: ShareOffsetReset,
    /// `share.isolation.level`: whether records of open and aborted transactions are kept from the group.
    pub read_committed: bool,
    /// `share.renew.acknowledge.enable`: whether consumers may hold records longer by renewing.
    pub renew_acknowledge: bool,
    /// `errors.deadletterqueue.topic.name`: where records go that are given up (KIP-1191); none if the group has no such topic.
    pub dead_letter_topic: Option<String>,
    /// `errors.deadletterqueue.copy.record.enable`: whether their keys and values go there too.
    pub dead_letter_copy: bool,
}

impl BrokerConfig {
    /// What holds for a share group with these overrides. A number out of the broker's bounds counts as the bound; what
    /// is no value at all counts as not set.
    pub fn share_group_settings(&self, overrides: &ConfigMap) -> ShareGroupSettings {
        let number = |name: &str| self.group_number(overrides, name);
        let millis = |name: &str| Duration::from_millis(u64::try_from(number(name)).unwrap_or(0));
        let text = |name: &str| match group_value(overrides, name) {
            Some(Value::String(text)) => text,
            _ => group_default(name),
        };
        let reset = ShareOffsetReset::parse(&text("share.auto.offset.reset"));
        ShareGroupSettings {
            session_timeout: millis("share.session.timeout.ms"),
            heartbeat_interval: millis("share.heartbeat.interval.ms"),
            assignment_interval: millis("share.assignment.interval.ms"),
            record_lock_duration: millis("share.record.lock.duration.ms"),
            delivery_count_limit: i16::try_from(number("share.delivery.count.limit")).unwrap_or(i16::MAX),
            partition_max_record_locks: usize::try_from(number("share.partition.max.record.locks"))
                .unwrap_or(0),
            auto_offset_reset: reset.unwrap_or(ShareOffsetReset::Latest),
            read_committed: text("share.isolation.level") == "read_committed",
            renew_acknowledge: group_value(overrides, "share.renew.acknowledge.enable")
                != Some(Value::Boolean(false)),
            dead_letter_topic: Some(text("errors.deadletterqueue.topic.name"))
                .filter(|name| !name.is_empty()),
            dead_letter_copy: group_value(overrides, "errors.deadletterqueue.copy.record.enable")
                == Some(Value::Boolean(true)),
        }
    }

    /// A group's number within the broker's bounds, or else the broker's own.
    fn group_number(&self, overrides: &ConfigMap, name: &str) -> i64 {
        let broker = |name: &str| broker_key(name).map(|key| self.values().long(key.name));
        let own = match group_value(overrides, name) {
            Some(Value::Int(own)) => own,
            _ => return broker(&format!("group.{name}")).unwrap_or(0),
        };
        let bound = |side: &str| broker(&format!("group.share.{side}.{}", name.trim_start_matches("share.")));
        let at_least = bound("min").map_or(own, |least| own.max(least));
        bound("max").map_or(at_least, |most| at_least.min(most))
    }
}

fn group_key(name: &str) -> Option<&'static Key> {
    GROUP_KEYS.iter().find(|key| key.name == name)
}

fn group_value(overrides: &ConfigMap, name: &str) -> Option<Value> {
    group_key(name)?.parse(overrides.get(name)?).ok()
}

fn group_default(name: &str) -> String {
    let default = group_key(name).and_then(|key| key.default_value().ok());
    default.and_then(|value| value.text().map(str::to_owned)).unwrap_or_default()
}

/// Reads an ISO-8601 duration of days and time, as `Duration.parse` does; none if it is negative.
fn iso_duration(text: &str) -> Option<Duration> {
    let text = text.to_uppercase();
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    let mut total = match (days, time) {
        ("", None) | (_, Some("")) => return None,
        ("", _) => Duration::ZERO,
        (days, _) => seconds(days.strip_suffix('D')?, 24 * 60 * 60)?,
    };
    let mut time = time.unwrap_or_default();
    for (unit, length) in [('H', 60 * 60), ('M', 60)] {
        if let Some((number, rest)) = time.split_once(unit) {
            total = total.checked_add(seconds(number, length)?)?;
            time = rest;
        }
    }
    if let Some((number, rest)) = time.split_once('S') {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        total = total.checked_add(seconds(whole, 1)?)?.checked_add(nanoseconds(fraction)?)?;
        time = rest;
    }
    time.is_empty().then_some(total)
}

fn seconds(number: &str, each: u64) -> Option<Duration> {
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok())??;
    number.checked_mul(each).map(Duration::from_secs)
}

fn nanoseconds(fraction: &str) -> Option<Duration> {
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9}").parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(overrides: &[(&str, &str)]) -> ShareGroupSettings {
        let file = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            ("controller.quorum.voters", "1@localhost:9093"),
            ("controller.listener.names", "CONTROLLER"),
            ("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
            ("group.share.record.lock.duration.ms", "20000"),
        ];
        let map = |pairs: &[(&str, &str)]| -> ConfigMap {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        BrokerConfig::parse(&map(&file)).expect("valid").share_group_settings(&map(overrides))
    }

    #[test]
    fn a_group_that_sets_nothing_gets_what_the_broker_says() {
        let settings = settings(&[]);
        assert_eq!(settings.record_lock_duration, Duration::from_secs(20));
        assert_eq!(settings.session_timeout, Duration::from_secs(45));
        assert_eq!((settings.delivery_count_limit, settings.partition_max_record_locks), (5, 2000));
        assert_eq!(settings.auto_offset_reset, ShareOffsetReset::Latest);
        assert!(!settings.read_committed && settings.renew_acknowledge);
        assert_eq!((settings.dead_letter_topic, settings.dead_letter_copy), (None, false));
    }

    #[test]
    fn what_a_group_sets_stays_within_the_brokers_bounds() {
        let settings = settings(&[
            ("share.record.lock.duration.ms", "90000"),
            ("share.delivery.count.limit", "7"),
            ("share.heartbeat.interval.ms", "1"),
            ("share.isolation.level", "read_committed"),
            ("share.auto.offset.reset", "by_duration:P1DT2H3M4.5S"),
            ("share.renew.acknowledge.enable", "false"),
            ("errors.deadletterqueue.topic.name", "dlq.t"),
            ("errors.deadletterqueue.copy.record.enable", "true"),
        ]);
        assert_eq!(settings.record_lock_duration, Duration::from_secs(60));
        assert_eq!(settings.delivery_count_limit, 7);
        assert_eq!(settings.heartbeat_interval, Duration::from_secs(5));
        let reset = Duration::from_millis(((26 * 60 + 3) * 60 + 4) * 1000 + 500);
        assert_eq!(settings.auto_offset_reset, ShareOffsetReset::ByDuration(reset));
        assert!(settings.read_committed && !settings.renew_acknowledge);
        assert_eq!((settings.dead_letter_topic.as_deref(), settings.dead_letter_copy), (Some("dlq.t"), true));
    }

    #[test]
    fn durations_are_those_that_java_reads() {
        let text = |text: &str| iso_duration(text).map(|duration| duration.as_millis());
        assert_eq!(text("PT1H"), Some(3_600_000));
        assert_eq!(text("p2d"), Some(172_800_000));
        assert_eq!(text("PT0.25S"), Some(250));
        for wrong in ["", "P", "PT", "P1DT", "1D", "PT1", "P-1D", "PT1S1M", "PT1.1234567890S"] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
    }
}
