//! Groups: how many of each kind and state, how often they were rebalanced, and the offsets that they committed.
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
    "Classic and consumer groups of each protocol and state",
);
const SHARE_STATES: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=share-group-count",
    "Share groups of each state",
);
const STREAMS_STATES: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=streams-group-count",
    "Streams groups of each state",
);
const CONSUMER_REBALANCES: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=consumer-group-rebalance-count",
    "New epochs of consumer groups",
);
const SHARE_REBALANCES: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=share-group-rebalance-count",
    "New epochs of share groups",
);
const STREAMS_REBALANCES: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=streams-group-rebalance-count",
    "New epochs of streams groups",
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
        let is_own = |kind: &str| matches!(kind, "share" | "streams");
        let by_state = counts.groups.iter().filter(|((kind, _), _)| !is_own(kind));
        page.gauges(
            STATES,
            by_state.map(|((kind, state), count)| -> Row<f64> {
                (vec![("protocol", (*kind).to_owned()), ("state", state.to_string())], *count as f64)
            }),
        )?;
        for (metric, kind) in [(SHARE_STATES, "share"), (STREAMS_STATES, "streams")] {
            let of_kind = counts.groups.iter().filter(|((own, _), _)| *own == kind);
            let row = |((_, state), count): (&(&str, &str), &usize)| -> Row<f64> {
                (vec![("state", state.to_string())], *count as f64)
            };
            page.gauges(metric, of_kind.map(row))?;
        }
        for (metric, kind) in
            [(CONSUMER_REBALANCES, "consumer"), (SHARE_REBALANCES, "share"), (STREAMS_REBALANCES, "streams")]
        {
            page.counter(metric, counts.rebalances.get(kind).copied().unwrap_or(0))?;
        }
        let row = |state: &str, count: usize| (vec![("state", state.to_owned())], count as f64);
        // A partition may have come between the two counts.
        let loading = counts.partitions.saturating_sub(counts.active_partitions);
        page.gauges(PARTITIONS, [row("active", counts.active_partitions), row("loading", loading)])?;
        page.gauge(OFFSETS, counts.offsets as f64)
    }
}
