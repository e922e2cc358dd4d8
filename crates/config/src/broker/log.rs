//! Broker keys: logs: where they lie, and what topics that set nothing get.

use super::typed::typed_config;
use crate::Importance::{High, Low, Medium};
use crate::{Key, KeyType, Validator};

typed_config! {
    /// Where the logs lie and how they are kept, beyond what topics decide. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    ServerLogConfig {
        auto_create_topics_enable: boolean "auto.create.topics.enable",
        default_replication_factor: int "default.replication.factor",
        delete_topic_enable: boolean "delete.topic.enable",
        log_cleaner_backoff_ms: long "log.cleaner.backoff.ms",
        log_cleaner_dedupe_buffer_size: long "log.cleaner.dedupe.buffer.size",
        log_cleaner_enable: boolean "log.cleaner.enable",
        log_cleaner_io_buffer_load_factor: double "log.cleaner.io.buffer.load.factor",
        log_cleaner_io_buffer_size: int "log.cleaner.io.buffer.size",
        log_cleaner_io_max_bytes_per_second: double "log.cleaner.io.max.bytes.per.second",
        log_cleaner_threads: int "log.cleaner.threads",
        log_dir_failure_timeout_ms: long "log.dir.failure.timeout.ms",
        log_flush_offset_checkpoint_interval_ms: int "log.flush.offset.checkpoint.interval.ms",
        log_flush_scheduler_interval_ms: long "log.flush.scheduler.interval.ms",
        log_flush_start_offset_checkpoint_interval_ms: int "log.flush.start.offset.checkpoint.interval.ms",
        log_initial_task_delay_ms: long "log.initial.task.delay.ms",
        log_retention_check_interval_ms: long "log.retention.check.interval.ms",
        num_partitions: int "num.partitions",
        num_recovery_threads_per_data_dir: int "num.recovery.threads.per.data.dir",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::nullable("alter.config.policy.class.name", KeyType::Class, Low, "A class that judges whether a configuration may be changed. No class can be loaded \
         here."),
    Key::boolean("auto.create.topics.enable", "true", High, "Whether a topic that a client asks about and that does not exist is made."),
    Key::int("compression.gzip.level", "-1", Medium, "How hard gzip tries, 1 to 9, for topics that set nothing; -1 is its default.").valid(Validator::GzipLevel).cluster_wide(),
    Key::int("compression.lz4.level", "9", Medium, "How hard lz4 tries, 1 to 17, for topics that set nothing.").between(1, 17).cluster_wide(),
    Key::string("compression.type", "producer", High, "The codec in which records are kept, for topics that set nothing; `producer` leaves \
         each batch as it came.").one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]).cluster_wide(),
    Key::int("compression.zstd.level", "3", Medium, "How hard zstd tries, -131072 to 22, for topics that set nothing.").between(-131072, 22).cluster_wide(),
    Key::list("cordoned.log.dirs", "", Medium, "The log dirs on which no new partition is placed; `*` for all.").valid(Validator::List { of: &[], empty: true, null: true }).per_broker(),
    Key::nullable("create.topic.policy.class.name", KeyType::Class, Low, "A class that judges whether a topic may be made. No class can be loaded here."),
    Key::int("default.replication.factor", "1", Medium, "How many replicas a topic gets whose maker does not say."),
    Key::boolean("delete.topic.enable", "true", High, "Whether topics can be deleted."),
    Key::long("log.cleaner.backoff.ms", "15000", Medium, "How long compaction rests when no log needs it.").at_least(0).cluster_wide(),
    Key::long("log.cleaner.dedupe.buffer.size", "134217728", Medium, "How much memory all compaction threads have for the keys they have seen, in bytes.").cluster_wide(),
    Key::long("log.cleaner.delete.retention.ms", "86400000", Medium, "How long a tombstone stays in a compacted topic that sets nothing.").at_least(0).cluster_wide(),
    Key::boolean("log.cleaner.enable", "true", Medium, "Whether compacted topics are compacted at all; to be left on."),
    Key::double("log.cleaner.io.buffer.load.factor", "0.9", Medium, "How full the memory for keys may get, 0 to 1.").cluster_wide(),
    Key::int("log.cleaner.io.buffer.size", "524288", Medium, "How large all compaction threads' buffers for reading and writing are together, in \
         bytes.").at_least(0).cluster_wide(),
    Key::double("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308", Medium, "How fast compaction reads and writes at most.").cluster_wide(),
    Key::long("log.cleaner.max.compaction.lag.ms", "9223372036854775807", Medium, "How long a record may stay uncompacted at most in a topic that sets nothing.").at_least(1).cluster_wide(),
    Key::double("log.cleaner.min.cleanable.ratio", "0.5", Medium, "The uncompacted share of a log at which its compaction begins, in a topic that sets \
         nothing.").between(0, 1).cluster_wide(),
    Key::long("log.cleaner.min.compaction.lag.ms", "0", Medium, "How long a record stays uncompacted at least in a topic that sets nothing.").at_least(0).cluster_wide(),
    Key::int("log.cleaner.threads", "1", Medium, "How many threads compact logs.").at_least(0).cluster_wide(),
    Key::list("log.cleanup.policy", "delete", Medium, "What becomes of old segments in topics that set nothing: `delete`, `compact` or \
         both; an empty list keeps everything.").valid(Validator::List { of: &["compact", "delete"], empty: true, null: false }).cluster_wide(),
    Key::list("log.dir", "/tmp/kafka-logs", High, "Where the logs are, if `log.dirs` is not set.").valid(Validator::List { of: &[], empty: false, null: false }),
    Key::long("log.dir.failure.timeout.ms", "30000", Low, "How long a broker that cannot tell the controller that a log dir failed goes on \
         before it stops.").at_least(1),
    Key::nullable("log.dirs", KeyType::List, High, "Where the logs are: directories between commas; unset, `log.dir`.").valid(Validator::List { of: &[], empty: false, null: true }),
    Key::long("log.flush.interval.messages", "9223372036854775807", High, "Syncs a log after so many records, in topics that set nothing.").at_least(1).cluster_wide(),
    Key::nullable("log.flush.interval.ms", KeyType::Long, High, "Syncs a log when its oldest unsynced record is this old, in topics that set nothing; \
         unset, `log.flush.scheduler.interval.ms`.").cluster_wide(),
    Key::int("log.flush.offset.checkpoint.interval.ms", "60000", High, "How often the points from which logs are recovered are written down.").at_least(0),
    Key::long("log.flush.scheduler.interval.ms", "9223372036854775807", High, "How often logs are looked at whether they need a sync."),
    Key::int("log.flush.start.offset.checkpoint.interval.ms", "60000", High, "How often the start offsets of logs are written down.").at_least(0),
    Key::int("log.index.interval.bytes", "4096", Medium, "How many bytes of log lie between two entries of the offset index, in topics that \
         set nothing.").at_least(0).cluster_wide(),
    Key::int("log.index.size.max.bytes", "10485760", Medium, "How large an offset index may grow, in topics that set nothing.").at_least(4).cluster_wide(),
    Key::long("log.initial.task.delay.ms", "30000", Low, "How long the tasks of the log manager wait after the start; for tests.").at_least(0).hidden(),
    Key::long("log.local.retention.bytes", "-2", Medium, "How many bytes of a tiered partition stay on local disk if its topic sets nothing; \
         -2 takes `log.retention.bytes`.").at_least(-2).cluster_wide(),
    Key::long("log.local.retention.ms", "-2", Medium, "How long the segments of a tiered partition stay on local disk if its topic sets \
         nothing; -2 takes `log.retention.ms`.").at_least(-2).cluster_wide(),
    Key::long("log.message.timestamp.after.max.ms", "3600000", Medium, "How far a create time may lie ahead of the broker's clock, in topics that set \
         nothing.").at_least(0).cluster_wide(),
    Key::long("log.message.timestamp.before.max.ms", "9223372036854775807", Medium, "How far a create time may lie behind the broker's clock, in topics that set \
         nothing.").at_least(0).cluster_wide(),
    Key::string("log.message.timestamp.type", "CreateTime", Medium, "Which time a record bears in topics that set nothing: `CreateTime` or \
         `LogAppendTime`.").one_of(&["CreateTime", "LogAppendTime"]).cluster_wide(),
    Key::boolean("log.preallocate", "false", Medium, "Whether a new segment's file is given its full size at once, in topics that set \
         nothing.").cluster_wide(),
    Key::long("log.retention.bytes", "-1", High, "How large a partition may grow before its oldest segments are deleted, in topics \
         that set nothing; -1 sets no limit.").cluster_wide(),
    Key::long("log.retention.check.interval.ms", "300000", Medium, "How often logs are looked at for segments to delete.").at_least(1),
    Key::int("log.retention.hours", "168", High, "How many hours records are kept, where neither `log.retention.ms` nor \
         `log.retention.minutes` is set."),
    Key::nullable("log.retention.minutes", KeyType::Int, High, "How many minutes records are kept, where `log.retention.ms` is not set."),
    Key::nullable("log.retention.ms", KeyType::Long, High, "How long records are kept in topics that set nothing; -1 sets no limit; unset, \
         `log.retention.minutes`.").cluster_wide(),
    Key::int("log.roll.hours", "168", High, "The age in hours at which a new segment begins, where `log.roll.ms` is not set.").at_least(1),
    Key::int("log.roll.jitter.hours", "0", High, "By how many hours chance may shorten that age, where `log.roll.jitter.ms` is not \
         set.").at_least(0),
    Key::nullable("log.roll.jitter.ms", KeyType::Long, High, "By how much chance may shorten the age at which a new segment begins, in topics that \
         set nothing; unset, `log.roll.jitter.hours`.").cluster_wide(),
    Key::nullable("log.roll.ms", KeyType::Long, High, "The age at which a new segment begins, in topics that set nothing; unset, \
         `log.roll.hours`.").cluster_wide(),
    Key::int("log.segment.bytes", "1073741824", High, "The size at which a new segment begins, in topics that set nothing.").at_least(1048576).cluster_wide(),
    Key::long("log.segment.delete.delay.ms", "60000", High, "How long the files of a deleted segment stay on disk, in topics that set nothing.").at_least(0).cluster_wide(),
    Key::int("message.max.bytes", "1048588", High, "How large a batch may be, in topics that set nothing.").at_least(0).cluster_wide(),
    Key::int("min.insync.replicas", "1", High, "How many replicas must be in sync for a write with acks=all to be taken, in topics \
         that set nothing.").at_least(1).cluster_wide(),
    Key::int("num.partitions", "1", Medium, "How many partitions a topic gets whose maker does not say.").at_least(1),
    Key::int("num.recovery.threads.per.data.dir", "2", High, "How many threads each log dir has to recover logs at the start and sync them at the \
         end.").at_least(1).cluster_wide(),
    Key::boolean("unclean.leader.election.enable", "false", High, "Whether a replica out of sync may lead when no other is left, in topics that set \
         nothing.").cluster_wide(),
    Key::string("monedula.ack.durability", "synced", High,
        "When a write with acks=all is answered, in topics that set nothing: `synced` once it is on the disk of every \
         in-sync replica, `replicated` once they all have it in memory, which is Apache Kafka's way.").one_of(&["synced", "replicated"]).cluster_wide(),
    Key::int("max.decompressed.message.bytes", "2147483639", Medium,
        "How large a record or batch may be once it is decompressed, in topics that set nothing.").at_least(0).cluster_wide(),
];
