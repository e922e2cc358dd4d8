//! Broker keys: share groups and their state.

use super::typed::typed_config;
use crate::Importance::{High, Low, Medium};
use crate::{Key, Validator};

typed_config! {
    /// Share groups and their state. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    ShareGroupConfig {
        errors_deadletterqueue_auto_create_topics_enable: boolean "errors.deadletterqueue.auto.create.topics.enable",
        errors_deadletterqueue_topic_name_prefix: text "errors.deadletterqueue.topic.name.prefix",
        group_share_assignment_interval_ms: int "group.share.assignment.interval.ms",
        group_share_assignors: list "group.share.assignors",
        group_share_delivery_count_limit: int "group.share.delivery.count.limit",
        group_share_heartbeat_interval_ms: int "group.share.heartbeat.interval.ms",
        group_share_initialize_retry_interval_ms: int "group.share.initialize.retry.interval.ms",
        group_share_max_assignment_interval_ms: int "group.share.max.assignment.interval.ms",
        group_share_max_delivery_count_limit: int "group.share.max.delivery.count.limit",
        group_share_max_heartbeat_interval_ms: int "group.share.max.heartbeat.interval.ms",
        group_share_max_partition_max_record_locks: int "group.share.max.partition.max.record.locks",
        group_share_max_record_lock_duration_ms: int "group.share.max.record.lock.duration.ms",
        group_share_max_session_timeout_ms: int "group.share.max.session.timeout.ms",
        group_share_max_share_sessions: int "group.share.max.share.sessions",
        group_share_max_size: int "group.share.max.size",
        group_share_min_assignment_interval_ms: int "group.share.min.assignment.interval.ms",
        group_share_min_delivery_count_limit: int "group.share.min.delivery.count.limit",
        group_share_min_heartbeat_interval_ms: int "group.share.min.heartbeat.interval.ms",
        group_share_min_partition_max_record_locks: int "group.share.min.partition.max.record.locks",
        group_share_min_record_lock_duration_ms: int "group.share.min.record.lock.duration.ms",
        group_share_min_session_timeout_ms: int "group.share.min.session.timeout.ms",
        group_share_partition_max_record_locks: int "group.share.partition.max.record.locks",
        group_share_record_lock_duration_ms: int "group.share.record.lock.duration.ms",
        group_share_session_timeout_ms: int "group.share.session.timeout.ms",
        share_coordinator_append_linger_ms: int "share.coordinator.append.linger.ms",
        share_coordinator_cached_buffer_max_bytes: int "share.coordinator.cached.buffer.max.bytes",
        share_coordinator_cold_partition_snapshot_interval_ms: int "share.coordinator.cold.partition.snapshot.interval.ms",
        share_coordinator_load_buffer_size: int "share.coordinator.load.buffer.size",
        share_coordinator_snapshot_update_records_per_snapshot: int "share.coordinator.snapshot.update.records.per.snapshot",
        share_coordinator_state_topic_compression_codec: int "share.coordinator.state.topic.compression.codec",
        share_coordinator_state_topic_min_isr: short "share.coordinator.state.topic.min.isr",
        share_coordinator_state_topic_num_partitions: int "share.coordinator.state.topic.num.partitions",
        share_coordinator_state_topic_prune_interval_ms: int "share.coordinator.state.topic.prune.interval.ms",
        share_coordinator_state_topic_replication_factor: short "share.coordinator.state.topic.replication.factor",
        share_coordinator_state_topic_segment_bytes: int "share.coordinator.state.topic.segment.bytes",
        share_coordinator_threads: int "share.coordinator.threads",
        share_coordinator_write_timeout_ms: int "share.coordinator.write.timeout.ms",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::boolean(
        "errors.deadletterqueue.auto.create.topics.enable",
        "false",
        Medium,
        "Whether a share group's dead-letter queue is made when something is to be written to it and it does not exist.",
    )
    .cluster_wide(),
    Key::string(
        "errors.deadletterqueue.topic.name.prefix",
        "dlq.",
        Medium,
        "What the names of share groups' dead-letter queues begin with; any name will do if this is empty.",
    )
    .cluster_wide(),
    Key::int(
        "group.share.assignment.interval.ms",
        "1000",
        Medium,
        "How far apart two assignments of a share group are at least.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::list("group.share.assignors", "simple", Medium, "The assignor for share groups: `simple`.")
        .valid(Validator::List { of: &[], empty: false, null: false }),
    Key::int(
        "group.share.delivery.count.limit",
        "5",
        Medium,
        "How often a record is delivered to a share group before it is given up.",
    )
    .between(2, 10),
    Key::int(
        "group.share.heartbeat.interval.ms",
        "5000",
        Medium,
        "How often members of share groups send heartbeats.",
    )
    .at_least(1),
    Key::int(
        "group.share.initialize.retry.interval.ms",
        "30000",
        Low,
        "How long a share partition whose initialization failed rests before it is tried \
         again.",
    )
    .at_least(1)
    .hidden(),
    Key::int(
        "group.share.max.assignment.interval.ms",
        "15000",
        Medium,
        "The largest `share.assignment.interval.ms` that a group may set.",
    )
    .at_least(0),
    Key::int(
        "group.share.max.delivery.count.limit",
        "10",
        Medium,
        "The largest `share.delivery.count.limit` that a group may set.",
    )
    .between(5, 25),
    Key::int(
        "group.share.max.heartbeat.interval.ms",
        "15000",
        Medium,
        "The largest `share.heartbeat.interval.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.share.max.partition.max.record.locks",
        "4000",
        Medium,
        "The largest `share.partition.max.record.locks` that a group may set.",
    )
    .between(2000, 10000),
    Key::int(
        "group.share.max.record.lock.duration.ms",
        "60000",
        Medium,
        "The longest `share.record.lock.duration.ms` that a group may set.",
    )
    .between(30000, 3600000),
    Key::int(
        "group.share.max.session.timeout.ms",
        "60000",
        Medium,
        "The largest `share.session.timeout.ms` that a group may set.",
    )
    .at_least(1),
    Key::int("group.share.max.share.sessions", "2000", Medium, "How many share sessions a broker keeps.")
        .at_least(1),
    Key::int("group.share.max.size", "200", Medium, "How many members a share group has at most.")
        .between(1, 1000),
    Key::int(
        "group.share.min.assignment.interval.ms",
        "0",
        Medium,
        "The smallest `share.assignment.interval.ms` that a group may set.",
    )
    .at_least(0),
    Key::int(
        "group.share.min.delivery.count.limit",
        "2",
        Medium,
        "The smallest `share.delivery.count.limit` that a group may set.",
    )
    .between(2, 5),
    Key::int(
        "group.share.min.heartbeat.interval.ms",
        "5000",
        Medium,
        "The smallest `share.heartbeat.interval.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.share.min.partition.max.record.locks",
        "100",
        Medium,
        "The smallest `share.partition.max.record.locks` that a group may set.",
    )
    .between(100, 2000),
    Key::int(
        "group.share.min.record.lock.duration.ms",
        "15000",
        Medium,
        "The shortest `share.record.lock.duration.ms` that a group may set.",
    )
    .between(1000, 30000),
    Key::int(
        "group.share.min.session.timeout.ms",
        "45000",
        Medium,
        "The smallest `share.session.timeout.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.share.partition.max.record.locks",
        "2000",
        Medium,
        "How many records of a share partition may be acquired at once.",
    )
    .between(100, 10000),
    Key::string(
        "group.share.persister.class.name",
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
        Medium,
        "The class that keeps the state of share groups.",
    )
    .hidden(),
    Key::int(
        "group.share.record.lock.duration.ms",
        "30000",
        Medium,
        "How long a consumer holds a record that it acquired.",
    )
    .between(1000, 3600000),
    Key::int(
        "group.share.session.timeout.ms",
        "45000",
        Medium,
        "How long a member of a share group may be silent.",
    )
    .at_least(1),
    Key::int(
        "share.coordinator.append.linger.ms",
        "-1",
        Medium,
        "How long the share coordinator gathers records before it writes them; -1 lets it \
         choose by the load.",
    )
    .at_least(-1),
    Key::int(
        "share.coordinator.cached.buffer.max.bytes",
        "1048588",
        Medium,
        "How large a write buffer may be for the share coordinator to keep it for the next \
         write.",
    )
    .at_least(524288)
    .cluster_wide(),
    Key::int(
        "share.coordinator.cold.partition.snapshot.interval.ms",
        "300000",
        Low,
        "How often share partitions that do not change get a snapshot all the same.",
    )
    .at_least(1)
    .hidden(),
    Key::int(
        "share.coordinator.load.buffer.size",
        "5242880",
        High,
        "How many bytes at a time are read when share state is loaded.",
    )
    .at_least(1),
    Key::int(
        "share.coordinator.snapshot.update.records.per.snapshot",
        "500",
        Medium,
        "How many updates of a share partition are written between two snapshots.",
    )
    .between(0, 500),
    Key::int(
        "share.coordinator.state.topic.compression.codec",
        "0",
        High,
        "The codec of the share state topic: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.",
    ),
    Key::short(
        "share.coordinator.state.topic.min.isr",
        "2",
        High,
        "How many replicas of the share state topic must be in sync for a write.",
    )
    .at_least(1),
    Key::int(
        "share.coordinator.state.topic.num.partitions",
        "50",
        High,
        "How many partitions the share state topic has; not to be changed later.",
    )
    .at_least(1),
    Key::int(
        "share.coordinator.state.topic.prune.interval.ms",
        "300000",
        Low,
        "How often records of the share state topic that no one needs are deleted.",
    )
    .at_least(1)
    .hidden(),
    Key::short(
        "share.coordinator.state.topic.replication.factor",
        "3",
        High,
        "How many replicas the share state topic has; it is not made before there are as many \
         brokers.",
    )
    .at_least(1),
    Key::int(
        "share.coordinator.state.topic.segment.bytes",
        "104857600",
        High,
        "The segment size of the share state topic.",
    )
    .at_least(1),
    Key::int("share.coordinator.threads", "1", Medium, "How many threads the share coordinator has.")
        .at_least(1),
    Key::int(
        "share.coordinator.write.timeout.ms",
        "5000",
        High,
        "How long the share coordinator waits for a write to be replicated.",
    )
    .at_least(1),
];
