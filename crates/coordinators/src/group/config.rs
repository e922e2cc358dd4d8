//! The group coordinator's settings, with Kafka's names and defaults.

use std::time::Duration;

use super::consumer::Assignor;
use super::share::ShareGroupsConfig;

/// `group.consumer.migration.policy`: which way groups change between the classic and the consumer protocol while they
/// have members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MigrationPolicy {
    /// Both ways.
    #[default]
    Bidirectional,
    /// From classic to consumer.
    Upgrade,
    /// From consumer to classic.
    Downgrade,
    /// Not at all: members of one protocol cannot join a group of the other.
    Disabled,
}

impl MigrationPolicy {
    /// Returns the policy called `name`, whatever its letters' case; what is no policy disables. Kafka:
    /// `ConsumerGroupMigrationPolicy.parse`.
    pub fn by_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "bidirectional" => Self::Bidirectional,
            "upgrade" => Self::Upgrade,
            "downgrade" => Self::Downgrade,
            _ => Self::Disabled,
        }
    }

    /// Tells whether classic groups become consumer groups.
    pub fn allows_upgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    /// Tells whether consumer groups become classic groups.
    pub fn allows_downgrade(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }
}

/// Settings of groups and offsets. Kafka: `GroupCoordinatorConfig`.
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
    /// `group.consumer.session.timeout.ms`: how long a member of a consumer group may be silent, unless its group says.
    pub consumer_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`: how often members of consumer groups are to send heartbeats.
    pub consumer_heartbeat_interval: Duration,
    /// `group.consumer.assignment.interval.ms`: how far apart two assignments of a consumer group are at least.
    pub consumer_assignment_interval: Duration,
    /// `group.consumer.max.size`: how many members a consumer group may have, at least 1.
    pub consumer_max_size: usize,
    /// `group.consumer.assignors`: the assignors that consumer groups may ask for, the default first.
    pub consumer_assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`: which way groups change their protocol while they have members.
    pub consumer_migration_policy: MigrationPolicy,
    /// `group.consumer.regex.refresh.interval.ms`: how often regular expressions are looked up again.
    pub consumer_regex_refresh_interval: Duration,
    /// Share groups.
    pub share: ShareGroupsConfig,
    /// `group.streams.session.timeout.ms`: how long a member of a streams group may be silent, unless its group says.
    pub streams_session_timeout: Duration,
    /// `group.streams.heartbeat.interval.ms`: how often members of streams groups are to send heartbeats.
    pub streams_heartbeat_interval: Duration,
    /// `group.streams.assignment.interval.ms`: how far apart two assignments of a streams group are at least.
    pub streams_assignment_interval: Duration,
    /// `group.streams.initial.rebalance.delay.ms`: how long a new streams group waits for more members.
    pub streams_initial_rebalance_delay: Duration,
    /// `group.streams.max.size`: how many members a streams group may have, at least 1.
    pub streams_max_size: usize,
    /// `group.streams.num.standby.replicas`: how many standby replicas each task has, unless its group says.
    pub streams_num_standby_replicas: i32,
}

impl GroupCoordinatorConfig {
    /// How long a new member may wait for its first answer. Kafka: `classicGroupNewMemberJoinTimeoutMs`, no setting.
    pub const NEW_MEMBER_JOIN_TIMEOUT: Duration = Duration::from_secs(5 * 60);

    /// The assignor of consumer groups that ask for none.
    pub fn default_assignor(&self) -> Assignor {
        self.consumer_assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
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
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            consumer_assignment_interval: Duration::from_secs(1),
            consumer_max_size: i32::MAX as usize,
            consumer_assignors: vec![Assignor::Uniform, Assignor::Range],
            consumer_migration_policy: MigrationPolicy::default(),
            consumer_regex_refresh_interval: Duration::from_secs(10 * 60),
            share: ShareGroupsConfig::default(),
            streams_session_timeout: Duration::from_secs(45),
            streams_heartbeat_interval: Duration::from_secs(5),
            streams_assignment_interval: Duration::from_secs(1),
            streams_initial_rebalance_delay: Duration::from_secs(3),
            streams_max_size: i32::MAX as usize,
            streams_num_standby_replicas: 0,
        }
    }
}
