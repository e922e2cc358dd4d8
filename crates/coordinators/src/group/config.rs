//! The group coordinator's settings, with Kafka's names and defaults.

use std::time::Duration;

/// Settings of classic groups and offsets. Kafka: `GroupCoordinatorConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupCoordinatorConfig {
    /// `group.min.session.timeout.ms`: the least session timeout that a member may ask for.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`: the greatest session timeout that a member may ask for.
    pub max_session_timeout: Duration,
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more members.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`: how many members a group may have, at least 1.
    pub max_size: usize,
    /// `offset.metadata.max.bytes`: the longest metadata of a committed offset, in UTF-16 units as Kafka counts them.
    pub offset_metadata_max_size: usize,
    /// `offsets.retention.minutes`: how long the offsets of an empty group, or of topics it left, are kept.
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`: how often expired offsets are looked for.
    pub offsets_retention_check_interval: Duration,
}

impl GroupCoordinatorConfig {
    /// How long a new member may wait for its first answer. Kafka: `classicGroupNewMemberJoinTimeoutMs`, no setting.
    pub const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(5 * 60);
}

impl Default for GroupCoordinatorConfig {
    fn default() -> Self {
        Self {
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(30 * 60),
            initial_rebalance_delay: Duration::from_secs(3),
            max_size: i32::MAX as usize,
            offset_metadata_max_size: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            offsets_retention_check_interval: Duration::from_secs(10 * 60),
        }
    }
}
