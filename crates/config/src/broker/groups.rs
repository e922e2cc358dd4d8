//! Broker keys: consumer groups and committed offsets.

use super::typed::typed_config;
use crate::Importance::{High, Medium};
use crate::{Key, Validator};

typed_config! {
    /// Classic and consumer groups, and committed offsets. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    GroupCoordinatorConfig {
        group_consumer_assignment_interval_ms: int "group.consumer.assignment.interval.ms",
        group_consumer_assignors: list "group.consumer.assignors",
        group_consumer_heartbeat_interval_ms: int "group.consumer.heartbeat.interval.ms",
        group_consumer_max_assignment_interval_ms: int "group.consumer.max.assignment.interval.ms",
        group_consumer_max_heartbeat_interval_ms: int "group.consumer.max.heartbeat.interval.ms",
        group_consumer_max_session_timeout_ms: int "group.consumer.max.session.timeout.ms",
        group_consumer_max_size: int "group.consumer.max.size",
        group_consumer_migration_policy: text "group.consumer.migration.policy",
        group_consumer_min_assignment_interval_ms: int "group.consumer.min.assignment.interval.ms",
        group_consumer_min_heartbeat_interval_ms: int "group.consumer.min.heartbeat.interval.ms",
        group_consumer_min_session_timeout_ms: int "group.consumer.min.session.timeout.ms",
        group_consumer_regex_refresh_interval_ms: int "group.consumer.regex.refresh.interval.ms",
        group_consumer_session_timeout_ms: int "group.consumer.session.timeout.ms",
        group_coordinator_append_linger_ms: int "group.coordinator.append.linger.ms",
        group_coordinator_background_threads: int "group.coordinator.background.threads",
        group_coordinator_cached_buffer_max_bytes: int "group.coordinator.cached.buffer.max.bytes",
        group_coordinator_rebalance_protocols: list "group.coordinator.rebalance.protocols",
        group_coordinator_threads: int "group.coordinator.threads",
        group_initial_rebalance_delay_ms: int "group.initial.rebalance.delay.ms",
        group_max_session_timeout_ms: int "group.max.session.timeout.ms",
        group_max_size: int "group.max.size",
        group_min_session_timeout_ms: int "group.min.session.timeout.ms",
        offset_metadata_max_bytes: int "offset.metadata.max.bytes",
        offsets_commit_timeout_ms: int "offsets.commit.timeout.ms",
        offsets_load_buffer_size: int "offsets.load.buffer.size",
        offsets_retention_check_interval_ms: long "offsets.retention.check.interval.ms",
        offsets_retention_minutes: int "offsets.retention.minutes",
        offsets_topic_compression_codec: int "offsets.topic.compression.codec",
        offsets_topic_num_partitions: int "offsets.topic.num.partitions",
        offsets_topic_replication_factor: short "offsets.topic.replication.factor",
        offsets_topic_segment_bytes: int "offsets.topic.segment.bytes",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int(
        "group.consumer.assignment.interval.ms",
        "1000",
        Medium,
        "How far apart two assignments of a consumer group are at least.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::list(
        "group.consumer.assignors",
        "uniform,range",
        Medium,
        "The assignors for consumer groups, the default first: `uniform`, `range`.",
    )
    .valid(Validator::List { of: &[], empty: false, null: false }),
    Key::int(
        "group.consumer.heartbeat.interval.ms",
        "5000",
        Medium,
        "How often members of consumer groups send heartbeats.",
    )
    .at_least(1),
    Key::int(
        "group.consumer.max.assignment.interval.ms",
        "15000",
        Medium,
        "The largest `consumer.assignment.interval.ms` that a group may set.",
    )
    .at_least(0),
    Key::int(
        "group.consumer.max.heartbeat.interval.ms",
        "15000",
        Medium,
        "The largest `consumer.heartbeat.interval.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.consumer.max.session.timeout.ms",
        "60000",
        Medium,
        "The largest `consumer.session.timeout.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.consumer.max.size",
        "2147483647",
        Medium,
        "How many members a consumer group has at most; `group.max.size` is for classic \
         groups.",
    )
    .at_least(1),
    Key::string(
        "group.consumer.migration.policy",
        "bidirectional",
        Medium,
        "In which directions a group may pass between the classic and the consumer protocol \
         while it has members.",
    )
    .valid(Validator::OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"])),
    Key::int(
        "group.consumer.min.assignment.interval.ms",
        "0",
        Medium,
        "The smallest `consumer.assignment.interval.ms` that a group may set.",
    )
    .at_least(0),
    Key::int(
        "group.consumer.min.heartbeat.interval.ms",
        "5000",
        Medium,
        "The smallest `consumer.heartbeat.interval.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.consumer.min.session.timeout.ms",
        "45000",
        Medium,
        "The smallest `consumer.session.timeout.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.consumer.regex.refresh.interval.ms",
        "600000",
        Medium,
        "How often the topics that match a group's patterns are looked up anew.",
    )
    .at_least(10000)
    .hidden(),
    Key::int(
        "group.consumer.session.timeout.ms",
        "45000",
        Medium,
        "How long a member of a consumer group may be silent.",
    )
    .at_least(1),
    Key::int(
        "group.coordinator.append.linger.ms",
        "-1",
        Medium,
        "How long the coordinator gathers records before it writes them; -1 lets it choose by \
         the load.",
    )
    .at_least(-1),
    Key::int(
        "group.coordinator.background.threads",
        "2",
        High,
        "How many threads the coordinator has for what no request waits for.",
    )
    .at_least(1),
    Key::int(
        "group.coordinator.cached.buffer.max.bytes",
        "1048588",
        Medium,
        "How large a write buffer may be for the coordinator to keep it for the next write.",
    )
    .at_least(524288)
    .cluster_wide(),
    Key::list(
        "group.coordinator.rebalance.protocols",
        "classic,consumer,streams",
        Medium,
        "Which group protocols are served: `classic`, `consumer`, `share`, `streams`.",
    )
    .valid(Validator::List {
        of: &["consumer", "classic", "share", "streams"],
        empty: false,
        null: false,
    }),
    Key::int("group.coordinator.threads", "4", High, "How many threads the coordinator has for requests.")
        .at_least(1),
    Key::int(
        "group.initial.rebalance.delay.ms",
        "3000",
        Medium,
        "How long a new classic group waits for further members before its first rebalance.",
    ),
    Key::int(
        "group.max.session.timeout.ms",
        "1800000",
        Medium,
        "The longest session timeout that a member of a classic group may ask for.",
    ),
    Key::int("group.max.size", "2147483647", Medium, "How many members a classic group has at most.")
        .at_least(1),
    Key::int(
        "group.min.session.timeout.ms",
        "6000",
        Medium,
        "The shortest session timeout that a member of a classic group may ask for.",
    ),
    Key::int("offset.metadata.max.bytes", "4096", High, "How long the note on a committed offset may be."),
    Key::int(
        "offsets.commit.timeout.ms",
        "5000",
        High,
        "How long the coordinator waits for a write to be replicated.",
    )
    .at_least(1),
    Key::int(
        "offsets.load.buffer.size",
        "5242880",
        High,
        "How many bytes at a time are read when groups are loaded.",
    )
    .at_least(1),
    Key::long(
        "offsets.retention.check.interval.ms",
        "600000",
        High,
        "How often the coordinator looks for offsets that expired.",
    )
    .at_least(1),
    Key::int(
        "offsets.retention.minutes",
        "10080",
        High,
        "How many minutes an offset is kept after its group is empty or no longer subscribes \
         its topic.",
    )
    .at_least(1),
    Key::int(
        "offsets.topic.compression.codec",
        "0",
        High,
        "The codec of the offsets topic: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.",
    ),
    Key::int(
        "offsets.topic.num.partitions",
        "50",
        High,
        "How many partitions the offsets topic has; not to be changed later.",
    )
    .at_least(1),
    Key::short(
        "offsets.topic.replication.factor",
        "3",
        High,
        "How many replicas the offsets topic has; it is not made before there are as many \
         brokers.",
    )
    .at_least(1),
    Key::int(
        "offsets.topic.segment.bytes",
        "104857600",
        High,
        "The segment size of the offsets topic; small segments load fast.",
    )
    .at_least(1),
];
