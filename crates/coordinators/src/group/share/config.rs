//! The settings of share groups, with Kafka's names and defaults.

use std::time::Duration;

/// A setting of the broker, and the bounds within which a group may have its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded {
    /// What groups get that set nothing.
    pub default: Duration,
    /// The least that a group may set.
    pub min: Duration,
    /// The most that a group may set.
    pub max: Duration,
}

impl Bounded {
    /// Returns what holds for a group that sets `own`, in milliseconds. Kafka: `GroupConfig.evaluate`.
    pub(super) fn with(&self, own: Option<i32>) -> Duration {
        let own = own.map(|own| Duration::from_millis(u64::try_from(own).unwrap_or(0)));
        // As in Kafka, the lower bound counts where the bounds cross.
        own.map_or(self.default, |own| if own < self.min { self.min } else { own.min(self.max) })
    }
}

/// Settings of share groups. Kafka: `GroupCoordinatorConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupsConfig {
    /// `group.share.session.timeout.ms`: how long a member may be silent.
    pub session_timeout: Bounded,
    /// `group.share.heartbeat.interval.ms`: how often members are to send heartbeats.
    pub heartbeat_interval: Bounded,
    /// `group.share.assignment.interval.ms`: how far apart two assignments of a group are at least.
    pub assignment_interval: Bounded,
    /// `group.share.max.size`: how many members a group may have, at least 1.
    pub max_size: usize,
    /// `group.share.initialize.retry.interval.ms`: after how long the state of a partition is begun again that did not come
    /// to be.
    pub initialize_retry_interval: Duration,
}

impl Default for ShareGroupsConfig {
    fn default() -> Self {
        let bounded = |default, min, max| Bounded {
            default: Duration::from_secs(default),
            min: Duration::from_secs(min),
            max: Duration::from_secs(max),
        };
        Self {
            session_timeout: bounded(45, 45, 60),
            heartbeat_interval: bounded(5, 5, 15),
            assignment_interval: bounded(1, 0, 15),
            max_size: 200,
            initialize_retry_interval: Duration::from_secs(30),
        }
    }
}
