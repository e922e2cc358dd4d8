//! Broker keys: streams groups.

use super::typed::typed_config;
use crate::Importance::Medium;
use crate::Key;

typed_config! {
    /// Streams groups. Field names are the keys'; sizes are in bytes, times in the unit of the name's end.
    StreamsGroupConfig {
        group_streams_assignment_interval_ms: int "group.streams.assignment.interval.ms",
        group_streams_heartbeat_interval_ms: int "group.streams.heartbeat.interval.ms",
        group_streams_initial_rebalance_delay_ms: int "group.streams.initial.rebalance.delay.ms",
        group_streams_max_assignment_interval_ms: int "group.streams.max.assignment.interval.ms",
        group_streams_max_heartbeat_interval_ms: int "group.streams.max.heartbeat.interval.ms",
        group_streams_max_session_timeout_ms: int "group.streams.max.session.timeout.ms",
        group_streams_max_size: int "group.streams.max.size",
        group_streams_max_standby_replicas: int "group.streams.max.standby.replicas",
        group_streams_min_assignment_interval_ms: int "group.streams.min.assignment.interval.ms",
        group_streams_min_heartbeat_interval_ms: int "group.streams.min.heartbeat.interval.ms",
        group_streams_min_session_timeout_ms: int "group.streams.min.session.timeout.ms",
        group_streams_num_standby_replicas: int "group.streams.num.standby.replicas",
        group_streams_session_timeout_ms: int "group.streams.session.timeout.ms",
    }
}

/// The keys of this part.
pub(super) const KEYS: &[Key] = &[
    Key::int(
        "group.streams.assignment.interval.ms",
        "1000",
        Medium,
        "How far apart two assignments of a streams group are at least.",
    )
    .at_least(0)
    .cluster_wide(),
    Key::int(
        "group.streams.heartbeat.interval.ms",
        "5000",
        Medium,
        "How often members of streams groups send heartbeats.",
    )
    .at_least(1),
    Key::int(
        "group.streams.initial.rebalance.delay.ms",
        "3000",
        Medium,
        "How long a new streams group waits for further members before its first assignment.",
    )
    .at_least(0),
    Key::int(
        "group.streams.max.assignment.interval.ms",
        "15000",
        Medium,
        "The largest `streams.assignment.interval.ms` that a group may set.",
    )
    .at_least(0),
    Key::int(
        "group.streams.max.heartbeat.interval.ms",
        "15000",
        Medium,
        "The largest `streams.heartbeat.interval.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.streams.max.session.timeout.ms",
        "60000",
        Medium,
        "The largest `streams.session.timeout.ms` that a group may set.",
    )
    .at_least(1),
    Key::int("group.streams.max.size", "2147483647", Medium, "How many members a streams group has at most.")
        .at_least(1),
    Key::int(
        "group.streams.max.standby.replicas",
        "2",
        Medium,
        "The largest `streams.num.standby.replicas` that a group may set.",
    )
    .at_least(0),
    Key::int(
        "group.streams.min.assignment.interval.ms",
        "0",
        Medium,
        "The smallest `streams.assignment.interval.ms` that a group may set.",
    )
    .at_least(0),
    Key::int(
        "group.streams.min.heartbeat.interval.ms",
        "5000",
        Medium,
        "The smallest `streams.heartbeat.interval.ms` that a group may set.",
    )
    .at_least(1),
    Key::int(
        "group.streams.min.session.timeout.ms",
        "45000",
        Medium,
        "The smallest `streams.session.timeout.ms` that a group may set.",
    )
    .at_least(1),
    Key::int("group.streams.num.standby.replicas", "0", Medium, "How many standby replicas each task has.")
        .at_least(0),
    Key::int(
        "group.streams.session.timeout.ms",
        "45000",
        Medium,
        "How long a member of a streams group may be silent.",
    )
    .at_least(1),
];
