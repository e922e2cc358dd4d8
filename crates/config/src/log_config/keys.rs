//! The table of topic keys, and which broker keys stand in for a topic that does not set them.

use crate::Importance::Medium;
use crate::{Key, KeyType, Validator};

/// The topic keys of Apache Kafka, those that its 4.4 added, and our own, by name.
pub const TOPIC_KEYS: &[Key] = &[
    Key::list(
        "cleanup.policy",
        "delete",
        Medium,
        "What becomes of old segments: `delete` drops them by the limits of time and size, `compact` keeps the last \
         record of each key; both may be given. An empty list keeps everything.",
    )
    .valid(Validator::List { of: &["compact", "delete"], empty: true, null: false }),
    Key::int("compression.gzip.level", "-1", Medium, "How hard gzip tries, 1 to 9; -1 is its default.")
        .valid(Validator::GzipLevel),
    Key::int("compression.lz4.level", "9", Medium, "How hard lz4 tries, 1 to 17.").between(1, 17),
    Key::string(
        "compression.type",
        "producer",
        Medium,
        "The codec in which the topic's records are kept; `producer` leaves each batch as it came.",
    )
    .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
    Key::int("compression.zstd.level", "3", Medium, "How hard zstd tries, -131072 to 22.").between(-131_072, 22),
    Key::long(
        "delete.retention.ms",
        "86400000",
        Medium,
        "How long a tombstone stays in a compacted topic, so that a reader that started at the beginning sees it.",
    )
    .at_least(0),
    Key::boolean(
        "errors.deadletterqueue.group.enable",
        "false",
        Medium,
        "Whether share groups may use this topic for records that could not be processed.",
    ),
    Key::long(
        "file.delete.delay.ms",
        "60000",
        Medium,
        "How long the files of a deleted segment stay on disk for reads that have begun.",
    )
    .at_least(0),
    Key::long("flush.messages", "9223372036854775807", Medium, "Syncs the log after so many records.").at_least(1),
    Key::long("flush.ms", "9223372036854775807", Medium, "Syncs the log when its oldest unsynced record is this old.")
        .at_least(0),
    Key::list(
        "follower.replication.throttled.replicas",
        "",
        Medium,
        "The replicas, as partition:broker, whose fetching as followers is throttled; `*` for all.",
    )
    .valid(Validator::ThrottledReplicas),
    Key::int(
        "index.interval.bytes",
        "4096",
        Medium,
        "How many bytes of log lie between two entries of the offset index.",
    )
    .at_least(0),
    Key::nullable(
        "internal.segment.bytes",
        KeyType::Int,
        Medium,
        "The size at which a new segment begins, without the lower bound of `segment.bytes`; for tests.",
    )
    .hidden(),
    Key::list(
        "leader.replication.throttled.replicas",
        "",
        Medium,
        "The replicas, as partition:broker, to which the leader's sending is throttled; `*` for all.",
    )
    .valid(Validator::ThrottledReplicas),
    Key::long(
        "local.retention.bytes",
        "-2",
        Medium,
        "How many bytes of a tiered partition stay on local disk; -2 takes `retention.bytes`.",
    )
    .at_least(-2),
    Key::long(
        "local.retention.ms",
        "-2",
        Medium,
        "How long the segments of a tiered partition stay on local disk; -2 takes `retention.ms`.",
    )
    .at_least(-2),
    Key::long(
        "max.compaction.lag.ms",
        "9223372036854775807",
        Medium,
        "How long a record of a compacted topic may stay uncompacted at most.",
    )
    .at_least(1),
    Key::int(
        "max.decompressed.message.bytes",
        "2147483639",
        Medium,
        "How large a record or batch may be once it is decompressed.",
    )
    .at_least(0),
    Key::int("max.message.bytes", "1048588", Medium, "How large a batch may be, compressed if it is compressed.")
        .at_least(0),
    Key::long(
        "message.timestamp.after.max.ms",
        "3600000",
        Medium,
        "How far a record's create time may lie ahead of the broker's clock.",
    )
    .at_least(0),
    Key::long(
        "message.timestamp.before.max.ms",
        "9223372036854775807",
        Medium,
        "How far a record's create time may lie behind the broker's clock.",
    )
    .at_least(0),
    Key::string(
        "message.timestamp.type",
        "CreateTime",
        Medium,
        "Whether a record bears the time at which it was made or at which it was appended.",
    )
    .one_of(&["CreateTime", "LogAppendTime"]),
    Key::double(
        "min.cleanable.dirty.ratio",
        "0.5",
        Medium,
        "The uncompacted share of a log at which its compaction begins.",
    )
    .between(0, 1),
    Key::long(
        "min.compaction.lag.ms",
        "0",
        Medium,
        "How long a record of a compacted topic stays uncompacted at least.",
    )
    .at_least(0),
    Key::int(
        "min.insync.replicas",
        "1",
        Medium,
        "How many replicas, the leader included, must be in sync for a write with acks=all to be taken.",
    )
    .at_least(1),
    Key::nullable(
        "monedula.ack.durability",
        KeyType::String,
        Medium,
        "When a write with acks=all is answered: `synced` once it is on the disk of every in-sync replica, `replicated` \
         once they all have it in memory, which is Apache Kafka's way. Unset takes the broker's value.",
    )
    .valid(Validator::OneOfOrNull(&["synced", "replicated"])),
    Key::boolean("preallocate", "false", Medium, "Whether a new segment's file is given its full size at once."),
    Key::long(
        "remote.copy.lag.bytes",
        "-1",
        Medium,
        "How many bytes of closed segments stay before they are copied to remote storage; -1 sets no limit of size.",
    )
    .at_least(-2),
    Key::long(
        "remote.copy.lag.ms",
        "0",
        Medium,
        "How old a closed segment must be before it is copied to remote storage.",
    )
    .at_least(-2),
    Key::boolean(
        "remote.log.copy.disable",
        "false",
        Medium,
        "Whether a tiered topic only reads what lies in remote storage and copies nothing more there.",
    ),
    Key::boolean(
        "remote.log.delete.on.disable",
        "false",
        Medium,
        "Whether the topic's data in remote storage is deleted when its tiering is switched off.",
    ),
    Key::boolean("remote.storage.enable", "false", Medium, "Whether the topic is tiered to remote storage."),
    Key::long(
        "retention.bytes",
        "-1",
        Medium,
        "How large a partition may grow before its oldest segments are deleted; -1 sets no limit.",
    ),
    Key::long(
        "retention.ms",
        "604800000",
        Medium,
        "How long records are kept before their segments are deleted; -1 sets no limit.",
    )
    .at_least(-1),
    Key::int("segment.bytes", "1073741824", Medium, "The size at which a new segment begins.").at_least(1_048_576),
    Key::int(
        "segment.index.bytes",
        "10485760",
        Medium,
        "How large the index of offsets may grow; a full index begins a new segment.",
    )
    .at_least(4),
    Key::long(
        "segment.jitter.ms",
        "0",
        Medium,
        "How much `segment.ms` is shortened at most, by chance, so that segments do not all begin at once.",
    )
    .at_least(0),
    Key::long("segment.ms", "604800000", Medium, "The age at which a new segment begins even if the old is not full.")
        .at_least(1),
    Key::boolean(
        "unclean.leader.election.enable",
        "false",
        Medium,
        "Whether a replica out of sync may lead when no other is left, at the price of lost records.",
    ),
];

/// How the number of a broker key becomes milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The text is taken as it is.
    AsIs,
    /// Hours become milliseconds.
    Hours,
    /// Minutes become milliseconds.
    Minutes,
}

/// A broker key that stands in for a topic key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSynonym {
    /// The broker key.
    pub name: &'static str,
    /// How its value is converted.
    pub unit: Unit,
}

const fn same(name: &'static str) -> TopicSynonym {
    TopicSynonym { name, unit: Unit::AsIs }
}

const fn hours(name: &'static str) -> TopicSynonym {
    TopicSynonym { name, unit: Unit::Hours }
}

const fn minutes(name: &'static str) -> TopicSynonym {
    TopicSynonym { name, unit: Unit::Minutes }
}

/// The broker keys that stand in for the topic key `name`, the strongest first; none for the keys that have none.
/// Kafka: `ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS`.
pub fn topic_synonyms(name: &str) -> &'static [TopicSynonym] {
    SYNONYMS.iter().find(|(topic_key, _)| *topic_key == name).map_or(&[], |(_, synonyms)| synonyms)
}

pub(super) const SYNONYMS: &[(&str, &[TopicSynonym])] = &[
    ("cleanup.policy", &[same("log.cleanup.policy")]),
    ("compression.gzip.level", &[same("compression.gzip.level")]),
    ("compression.lz4.level", &[same("compression.lz4.level")]),
    ("compression.type", &[same("compression.type")]),
    ("compression.zstd.level", &[same("compression.zstd.level")]),
    ("delete.retention.ms", &[same("log.cleaner.delete.retention.ms")]),
    ("file.delete.delay.ms", &[same("log.segment.delete.delay.ms")]),
    ("flush.messages", &[same("log.flush.interval.messages")]),
    ("flush.ms", &[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")]),
    ("index.interval.bytes", &[same("log.index.interval.bytes")]),
    ("local.retention.bytes", &[same("log.local.retention.bytes")]),
    ("local.retention.ms", &[same("log.local.retention.ms")]),
    ("max.compaction.lag.ms", &[same("log.cleaner.max.compaction.lag.ms")]),
    ("max.decompressed.message.bytes", &[same("max.decompressed.message.bytes")]),
    ("max.message.bytes", &[same("message.max.bytes")]),
    ("message.timestamp.after.max.ms", &[same("log.message.timestamp.after.max.ms")]),
    ("message.timestamp.before.max.ms", &[same("log.message.timestamp.before.max.ms")]),
    ("message.timestamp.type", &[same("log.message.timestamp.type")]),
    ("min.cleanable.dirty.ratio", &[same("log.cleaner.min.cleanable.ratio")]),
    ("min.compaction.lag.ms", &[same("log.cleaner.min.compaction.lag.ms")]),
    ("min.insync.replicas", &[same("min.insync.replicas")]),
    ("monedula.ack.durability", &[same("monedula.ack.durability")]),
    ("preallocate", &[same("log.preallocate")]),
    ("retention.bytes", &[same("log.retention.bytes")]),
    (
        "retention.ms",
        &[same("log.retention.ms"), minutes("log.retention.minutes"), hours("log.retention.hours")],
    ),
    ("segment.bytes", &[same("log.segment.bytes")]),
    ("segment.index.bytes", &[same("log.index.size.max.bytes")]),
    ("segment.jitter.ms", &[same("log.roll.jitter.ms"), hours("log.roll.jitter.hours")]),
    ("segment.ms", &[same("log.roll.ms"), hours("log.roll.hours")]),
    ("unclean.leader.election.enable", &[same("unclean.leader.election.enable")]),
];
