//! Groups: how many of each kind and state, and the offsets that they committed.
//!
//! Kafka: `GroupCoordinatorMetrics`, `GroupMetadataManager`'s `NumOffsets`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use telemetry::{Metric, Page, Row, Source};

use crate::broker::Broker;

const GROUPS: Metric =
    Metric::new("kafka.server:type=group-coordinator-metrics,name=group-count", "Groups of each protocol");
const STATES: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=consumer-group-count",
    "Groups of each protocol and state",
);
const PARTITIONS: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=num-partitions",
    "Partitions of __consumer_offsets that this broker leads, by state",
);
const OFFSETS: Metric = Metric::new(
    "kafka.coordinator.group:type=GroupMetadataManager,name=NumOffsets",
    "Offsets that groups have committed",
);

#[derive(Debug)]
pub(super) struct Groups(pub(super) Arc<Broker>);

impl Source for Groups {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let counts = self.0.groups.counts();
        let mut of_type = BTreeMap::<&str, usize>::new();
        for ((kind, _), count) in &counts.groups {
            *of_type.entry(kind).or_default() += count;
        }
        let by_type = of_type.into_iter();
        page.gauges(
            GROUPS,
            by_type.map(|(kind, count)| (vec![("protocol", kind.to_owned())], count as f64)),
        )?;
        let by_state = counts.groups.iter().map(|((kind, state), count)| -> Row<f64> {
            (vec![("protocol", (*kind).to_owned()), ("state", state.to_string())], *count as f64)
        });
        page.gauges(STATES, by_state)?;
        let row = |state: &str, count: usize| (vec![("state", state.to_owned())], count as f64);
        // A partition may have come between the two counts.
        let loading = counts.partitions.saturating_sub(counts.active_partitions);
        page.gauges(PARTITIONS, [row("active", counts.active_partitions), row("loading", loading)])?;
        page.gauge(OFFSETS, counts.offsets as f64)
    }
}
