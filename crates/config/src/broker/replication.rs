//! Broker keys: replication between brokers.

use super::typed::typed_config;
use crate::Importance::{High, Medium};
use crate::{Key, KeyType};

typed_config! {
    /// Replication between brokers. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    ReplicationConfig {
        auto_leader_rebalance_enable: boolean "auto.leader.rebalance.enable",
        broker_rack: string "broker.rack",
        controlled_shutdown_enable: boolean "controlled.shutdown.enable",
        controller_socket_timeout_ms: int "controller.socket.timeout.ms",
        follower_fetch_last_tiered_offset_enable: boolean "follower.fetch.last.tiered.offset.enable",
        leader_imbalance_check_interval_seconds: long "leader.imbalance.check.interval.seconds",
        num_replica_alter_log_dirs_threads: optional_int "num.replica.alter.log.dirs.threads",
        num_replica_fetchers: int "num.replica.fetchers",
        replica_fetch_backoff_ms: int "replica.fetch.backoff.ms",
        replica_fetch_max_bytes: int "replica.fetch.max.bytes",
        replica_fetch_min_bytes: int "replica.fetch.min.bytes",
        replica_fetch_response_max_bytes: int "replica.fetch.response.max.bytes",
        replica_fetch_wait_max_ms: int "replica.fetch.wait.max.ms",
        replica_high_watermark_checkpoint_interval_ms: long "replica.high.watermark.checkpoint.interval.ms",
        replica_lag_time_max_ms: long "replica.lag.time.max.ms",
        replica_selector_class: string "replica.selector.class",
        replica_socket_receive_buffer_bytes: int "replica.socket.receive.buffer.bytes",
        replica_socket_timeout_ms: int "replica.socket.timeout.ms",
        unclean_leader_election_interval_ms: long "unclean.leader.election.interval.ms",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::boolean(
        "auto.leader.rebalance.enable",
        "true",
        High,
        "Whether the controller gives leadership back to the preferred replicas by itself.",
    ),
    Key::nullable(
        "broker.rack",
        KeyType::String,
        Medium,
        "The rack of this broker: replicas are spread over racks.",
    ),
    Key::boolean(
        "controlled.shutdown.enable",
        "true",
        Medium,
        "Whether a broker hands over its leaderships before it stops.",
    ),
    Key::int(
        "controller.socket.timeout.ms",
        "30000",
        Medium,
        "How long a broker waits on its connection to the controller.",
    ),
    Key::boolean(
        "follower.fetch.last.tiered.offset.enable",
        "false",
        Medium,
        "Whether an empty follower of a tiered partition begins behind what is tiered \
         already.",
    )
    .cluster_wide(),
    Key::long(
        "leader.imbalance.check.interval.seconds",
        "300",
        High,
        "How often the controller looks for leaders that are not the preferred ones.",
    )
    .at_least(1),
    Key::nullable(
        "num.replica.alter.log.dirs.threads",
        KeyType::Int,
        High,
        "How many threads move partitions between log dirs; unset, as many as there are log \
         dirs.",
    ),
    Key::int(
        "num.replica.fetchers",
        "1",
        High,
        "How many fetchers a broker has for each broker that it follows.",
    )
    .at_least(1)
    .cluster_wide(),
    Key::int(
        "replica.fetch.backoff.ms",
        "1000",
        Medium,
        "How long a follower leaves a partition alone whose fetch failed.",
    )
    .at_least(0),
    Key::int(
        "replica.fetch.max.bytes",
        "1048576",
        Medium,
        "How many bytes of one partition a follower asks for; a larger first batch comes all \
         the same.",
    )
    .at_least(0),
    Key::int("replica.fetch.min.bytes", "1", High, "How many bytes a follower's fetch waits for."),
    Key::int(
        "replica.fetch.response.max.bytes",
        "10485760",
        Medium,
        "How many bytes a follower asks for in all; a larger first batch comes all the same.",
    )
    .at_least(0),
    Key::int("replica.fetch.wait.max.ms", "500", High, "How long a follower's fetch waits for its bytes."),
    Key::long(
        "replica.high.watermark.checkpoint.interval.ms",
        "5000",
        High,
        "How often the high watermarks are written down.",
    ),
    Key::long(
        "replica.lag.time.max.ms",
        "30000",
        High,
        "How long a follower may be behind before it is out of sync.",
    ),
    Key::nullable(
        "replica.selector.class",
        KeyType::String,
        Medium,
        "The class that chooses the replica from which a consumer reads.",
    ),
    Key::int(
        "replica.socket.receive.buffer.bytes",
        "65536",
        High,
        "The receive buffer of a follower's connection.",
    ),
    Key::int("replica.socket.timeout.ms", "30000", High, "How long a follower waits on its connection."),
    Key::long(
        "unclean.leader.election.interval.ms",
        "300000",
        Medium,
        "How often the controller looks for partitions without a leader that need an unclean \
         election.",
    )
    .at_least(1)
    .hidden(),
];
