//! A topic's configuration: the broker's defaults under the topic's own overrides, typed.
//!
//! Kafka: `LogConfig`. The table of keys is in `keys.rs`, rules over several keys in `validation.rs`.

mod keys;
mod validation;

#[cfg(test)]
mod tests;

use crate::{ConfigError, ConfigMap, Values};

pub use keys::{TOPIC_KEYS, TopicSynonym, Unit, topic_synonyms};

/// What becomes of old segments; with neither, they stay for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Keep the last record of each key.
    pub compact: bool,
    /// Drop segments by the limits of time and size.
    pub delete: bool,
}

/// The codec in which a topic's records are kept. Kafka: `BrokerCompressionType` with its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerCompression {
    /// As each batch came.
    Producer,
    /// Uncompressed.
    Uncompressed,
    /// gzip; level -1 for its default, or 1 to 9.
    Gzip(i32),
    /// snappy, in Java's framing.
    Snappy,
    /// lz4; level 1 to 17.
    Lz4(i32),
    /// zstd; level -131072 to 22.
    Zstd(i32),
}

/// Which time a record bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// When it was made.
    CreateTime,
    /// When it was appended.
    LogAppendTime,
}

/// When a write with acks=all is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckDurability {
    /// Once it is on the disk of every in-sync replica.
    Synced,
    /// Once every in-sync replica has it, as in Apache Kafka.
    Replicated,
}

/// A topic's configuration. Field names are the keys'; sizes are in bytes, times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `compression.type` with `compression.*.level`.
    pub compression: BrokerCompression,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `errors.deadletterqueue.group.enable`.
    pub errors_deadletterqueue_group_enable: bool,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`; `i64::MAX` for never.
    pub flush_messages: i64,
    /// `flush.ms`; `i64::MAX` for never.
    pub flush_ms: i64,
    /// `follower.replication.throttled.replicas`.
    pub follower_replication_throttled_replicas: Vec<String>,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `leader.replication.throttled.replicas`.
    pub leader_replication_throttled_replicas: Vec<String>,
    /// `local.retention.bytes`; -2 for [`LogConfig::retention_bytes`], -1 for no limit.
    pub local_retention_bytes: i64,
    /// `local.retention.ms`; -2 for [`LogConfig::retention_ms`], -1 for no limit.
    pub local_retention_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `max.decompressed.message.bytes`.
    pub max_decompressed_message_bytes: i32,
    /// `max.message.bytes`.
    pub max_message_bytes: i32,
    /// `message.timestamp.after.max.ms`; `i64::MAX` for no limit.
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`; `i64::MAX` for no limit.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`, 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `monedula.ack.durability`.
    pub ack_durability: AckDurability,
    /// `preallocate`.
    pub preallocate: bool,
    /// `remote.copy.lag.bytes`; -1 for no limit.
    pub remote_copy_lag_bytes: i64,
    /// `remote.copy.lag.ms`.
    pub remote_copy_lag_ms: i64,
    /// `remote.log.copy.disable`.
    pub remote_log_copy_disable: bool,
    /// `remote.log.delete.on.disable`.
    pub remote_log_delete_on_disable: bool,
    /// `remote.storage.enable`.
    pub remote_storage_enable: bool,
    /// `retention.bytes`; -1 for no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; -1 for no limit.
    pub retention_ms: i64,
    /// `segment.bytes`, or `internal.segment.bytes` if that is set.
    pub segment_bytes: i32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election_enable: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self::new(&ConfigMap::new(), &ConfigMap::new()).expect("the defaults of the table are valid")
    }
}

impl LogConfig {
    /// Lays a topic's `overrides` over the broker's `defaults` (both by topic key; see
    /// `BrokerConfig::topic_defaults`) and parses the whole. Keys that are no topic keys are passed over.
    pub fn new(defaults: &ConfigMap, overrides: &ConfigMap) -> Result<Self, ConfigError> {
        let mut merged = defaults.clone();
        merged.extend(overrides.iter().map(|(key, text)| (key.clone(), text.clone())));
        Ok(Self::read(&Values::parse(TOPIC_KEYS, &merged)?))
    }

    fn read(values: &Values) -> Self {
        let policy = values.list("cleanup.policy");
        let has = |name: &str| policy.iter().any(|element| element == name);
        Self {
            cleanup_policy: CleanupPolicy { compact: has("compact"), delete: has("delete") },
            compression: read_compression(values),
            delete_retention_ms: values.long("delete.retention.ms"),
            errors_deadletterqueue_group_enable: values.boolean("errors.deadletterqueue.group.enable"),
            file_delete_delay_ms: values.long("file.delete.delay.ms"),
            flush_messages: values.long("flush.messages"),
            flush_ms: values.long("flush.ms"),
            follower_replication_throttled_replicas: values.list("follower.replication.throttled.replicas"),
            index_interval_bytes: values.int("index.interval.bytes"),
            leader_replication_throttled_replicas: values.list("leader.replication.throttled.replicas"),
            local_retention_bytes: values.long("local.retention.bytes"),
            local_retention_ms: values.long("local.retention.ms"),
            max_compaction_lag_ms: values.long("max.compaction.lag.ms"),
            max_decompressed_message_bytes: values.int("max.decompressed.message.bytes"),
            max_message_bytes: values.int("max.message.bytes"),
            message_timestamp_after_max_ms: values.long("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: values.long("message.timestamp.before.max.ms"),
            message_timestamp_type: match values.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            min_cleanable_dirty_ratio: values.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: values.long("min.compaction.lag.ms"),
            min_insync_replicas: values.int("min.insync.replicas"),
            ack_durability: match values.string("monedula.ack.durability").as_deref() {
                Some("replicated") => AckDurability::Replicated,
                _ => AckDurability::Synced,
            },
            preallocate: values.boolean("preallocate"),
            remote_copy_lag_bytes: values.long("remote.copy.lag.bytes"),
            remote_copy_lag_ms: values.long("remote.copy.lag.ms"),
            remote_log_copy_disable: values.boolean("remote.log.copy.disable"),
            remote_log_delete_on_disable: values.boolean("remote.log.delete.on.disable"),
            remote_storage_enable: values.boolean("remote.storage.enable"),
            retention_bytes: values.long("retention.bytes"),
            retention_ms: values.long("retention.ms"),
            segment_bytes: values
                .optional_int("internal.segment.bytes")
                .unwrap_or_else(|| values.int("segment.bytes")),
            segment_index_bytes: values.int("segment.index.bytes"),
            segment_jitter_ms: values.long("segment.jitter.ms"),
            segment_ms: values.long("segment.ms"),
            unclean_leader_election_enable: values.boolean("unclean.leader.election.enable"),
        }
    }

    /// The age at which a new segment begins: compaction needs a closed segment in time.
    /// Kafka: `LogConfig.maxSegmentMs`.
    pub fn max_segment_ms(&self) -> i64 {
        if self.cleanup_policy.compact && self.max_compaction_lag_ms > 0 {
            self.max_compaction_lag_ms.min(self.segment_ms)
        } else {
            self.segment_ms
        }
    }

    /// By how much chance may shorten the age of a segment, exclusive; 0 for not at all.
    /// Kafka: `LogConfig.randomSegmentJitter`.
    pub fn max_segment_jitter_ms(&self) -> i64 {
        self.segment_jitter_ms.min(self.segment_ms)
    }
}

fn read_compression(values: &Values) -> BrokerCompression {
    match values.text("compression.type").as_str() {
        "uncompressed" => BrokerCompression::Uncompressed,
        "gzip" => BrokerCompression::Gzip(values.int("compression.gzip.level")),
        "snappy" => BrokerCompression::Snappy,
        "lz4" => BrokerCompression::Lz4(values.int("compression.lz4.level")),
        "zstd" => BrokerCompression::Zstd(values.int("compression.zstd.level")),
        _ => BrokerCompression::Producer,
    }
}
