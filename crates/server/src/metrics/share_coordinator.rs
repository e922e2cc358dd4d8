//! The partitions of `__share_group_state` that this broker leads: how far they are, and what was pruned of them.
//!
//! Kafka: `ShareCoordinatorMetrics`, whose writes are counted in crate `telemetry`.

use std::fmt;
use std::sync::Arc;

use telemetry::{Metric, Page, Source};

use crate::broker::Broker;

/// Kafka: `Topic.SHARE_GROUP_STATE_TOPIC_NAME`.
const TOPIC: &str = "__share_group_state";

const PARTITIONS: Metric = Metric::new(
    "kafka.server:type=share-coordinator-metrics,name=num-partitions",
    "Partitions of __share_group_state that this broker leads, by state",
);
const PRUNED: Metric = Metric::new(
    "kafka.server:type=share-coordinator-metrics,name=last-pruned-offset",
    "Before which offset a partition of __share_group_state was last pruned",
);

#[derive(Debug)]
pub(super) struct ShareCoordinator(pub(super) Arc<Broker>);

impl Source for ShareCoordinator {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = self.0.share.partition_counts();
        let rows = [("active", counts.active), ("loading", counts.loading), ("failed", counts.failed)];
        let row = |(state, count): (&str, usize)| (vec![("state", state.to_owned())], count as f64);
        page.gauges(PARTITIONS, rows.map(row))?;
        let pruned = self.0.share.pruned_offsets().into_iter().map(|(partition, offset)| {
            let labels = vec![("topic", TOPIC.to_owned()), ("partition", partition.to_string())];
            (labels, offset.0 as f64)
        });
        page.gauges(PRUNED, pruned)
    }
}
