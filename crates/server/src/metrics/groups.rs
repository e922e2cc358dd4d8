//! Groups: how many of each kind and state, how often they were rebalanced, the offsets that they committed, and how their
//! coordinator keeps up.
//!
//! Kafka: `GroupCoordinatorMetrics`, `CoordinatorRuntimeMetrics`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use coordinators::group::{GroupCounts, GroupEvents};
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

/// Of classic groups: the state that each counts, none for all.
const CLASSIC: [(Metric, Option<&str>); 6] = [
    (Metric::new("kafka.coordinator.group:type=GroupMetadataManager,name=NumGroups", "Classic groups"), None),
    (
        Metric::new(
            "kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsPreparingRebalance",
            "Classic groups that wait for members to join",
        ),
        Some("PreparingRebalance"),
    ),
    (
        Metric::new(
            "kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsCompletingRebalance",
            "Classic groups that wait for their leader's assignment",
        ),
        Some("CompletingRebalance"),
    ),
    (
        Metric::new(
            "kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsStable",
            "Classic groups whose members have their assignments",
        ),
        Some("Stable"),
    ),
    (
        Metric::new(
            "kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsDead",
            "Classic groups that are being removed",
        ),
        Some("Dead"),
    ),
    (
        Metric::new(
            "kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsEmpty",
            "Classic groups without members",
        ),
        Some("Empty"),
    ),
];
const QUEUE_SIZE: Metric = Metric::new(
    "kafka.server:type=group-coordinator-metrics,name=event-queue-size",
    "Requests of groups that wait for their turn",
);
const TIMES: [Metric; 5] = [
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=event-queue-time-ms",
        "Milliseconds that requests of groups waited for their turn",
    ),
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=event-processing-time-ms",
        "Milliseconds that the coordinator worked on requests of groups, with the appends",
    ),
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=event-purgatory-time-ms",
        "Milliseconds that requests of groups waited after that: for other members, and for the commit",
    ),
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=batch-flush-time-ms",
        "Milliseconds that appends to __consumer_offsets took",
    ),
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=partition-load-time-avg",
        "Milliseconds that it took to load partitions of __consumer_offsets",
    ),
];
const EVENTS: [Metric; 4] = [
    Metric::new("kafka.server:type=group-coordinator-metrics,name=offset-commit-count", "Offsets committed"),
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=offset-expiration-count",
        "Offsets removed since they were kept for offsets.retention.minutes",
    ),
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=offset-deletion-count",
        "Offsets removed since somebody asked for it",
    ),
    Metric::new(
        "kafka.server:type=group-coordinator-metrics,name=group-completed-rebalance-count",
        "Rebalances of classic groups that were completed",
    ),
];

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
        let partitions = self.0.groups.partition_counts();
        let rows =
            [("active", partitions.active), ("loading", partitions.loading), ("failed", partitions.failed)];
        page.gauges(PARTITIONS, rows.map(|(state, count)| row(state, count)))?;
        page.gauge(OFFSETS, counts.offsets as f64)?;
        write_classic(page, &counts)?;
        write_events(page, &counts.events)?;
        self.write_runtime(page)
    }
}

impl Groups {
    fn write_runtime(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = self.0.groups.metrics();
        page.gauge(QUEUE_SIZE, metrics.queue_size() as f64)?;
        let times = [
            &metrics.queue_times,
            &metrics.processing_times,
            &metrics.purgatory_times,
            &metrics.flush_times,
            &metrics.load_times,
        ];
        TIMES.into_iter().zip(times).try_for_each(|(metric, times)| page.histogram(metric, times))
    }
}

fn write_classic(page: &mut Page<'_>, counts: &GroupCounts) -> fmt::Result {
    let classic = || counts.groups.iter().filter(|((kind, _), _)| *kind == "classic");
    CLASSIC.into_iter().try_for_each(|(metric, wanted)| {
        let of_state = classic().filter(|((_, state), _)| wanted.is_none_or(|wanted| wanted == *state));
        page.gauge(metric, of_state.map(|(_, count)| *count as f64).sum())
    })
}

fn write_events(page: &mut Page<'_>, events: &GroupEvents) -> fmt::Result {
    let counts = [
        events.offset_commits,
        events.offset_expirations,
        events.offset_deletions,
        events.completed_rebalances,
    ];
    EVENTS.into_iter().zip(counts).try_for_each(|(metric, count)| page.counter(metric, count))
}
