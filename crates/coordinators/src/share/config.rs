//! The share coordinator's settings, with Kafka's names and defaults.

use std::time::Duration;

/// Settings of the share coordinator. Kafka: `ShareCoordinatorConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareCoordinatorConfig {
    /// `share.coordinator.snapshot.update.records.per.snapshot`: after so many updates of a partition comes a snapshot.
    pub updates_per_snapshot: u32,
    /// `share.coordinator.cold.partition.snapshot.interval.ms`: how old the last snapshot of a partition may become.
    pub cold_snapshot_interval: Duration,
    /// `share.coordinator.state.topic.prune.interval.ms`: how often what snapshots have replaced is deleted.
    pub prune_interval: Duration,
}

impl Default for ShareCoordinatorConfig {
    fn default() -> Self {
        Self {
            updates_per_snapshot: 500,
            cold_snapshot_interval: Duration::from_secs(5 * 60),
            prune_interval: Duration::from_secs(5 * 60),
        }
    }
}
