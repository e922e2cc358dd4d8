//! Where this broker stands: its state, its metadata, its clients' fetch sessions.
//!
//! Kafka: `BrokerState`, `BrokerMetadataLoaderMetrics`, `FetchSessionCache`.

use std::fmt;
use std::sync::Arc;

use telemetry::{Metric, Page, Row, Source};

use crate::broker::Broker;

const STATE: Metric = Metric::new(
    "kafka.server:type=KafkaServer,name=BrokerState",
    "State of the broker: 1 starting, 2 recovering, 3 running, 6 stopping",
);
const APPLIED: Metric = Metric::new(
    "kafka.server:type=broker-metadata-metrics,name=last-applied-record-offset",
    "Offset of the last metadata record that the broker acted on",
);
const APPLIED_TIME: [Metric; 2] = [
    Metric::new(
        "kafka.server:type=broker-metadata-metrics,name=last-applied-record-timestamp",
        "When that record was appended: milliseconds since 1970",
    ),
    Metric::new(
        "kafka.server:type=broker-metadata-metrics,name=last-applied-record-lag-ms",
        "Milliseconds since then",
    ),
];
const METADATA_VERSION: Metric =
    Metric::new("kafka.server:type=MetadataLoader,name=CurrentMetadataVersion", "Level of metadata.version");
const FINALIZED: Metric =
    Metric::new("kafka.server:type=MetadataLoader,name=FinalizedLevel", "Level of each feature that has one");
const SESSIONS: Metric = Metric::new(
    "kafka.server:type=FetchSessionCache,name=NumIncrementalFetchSessions",
    "Fetch sessions that clients have open",
);

const PARTITIONS: Metric = Metric::new(
    "kafka.server:type=FetchSessionCache,name=NumIncrementalFetchPartitionsCached",
    "Partitions in the fetch sessions that clients have open",
);
const EVICTIONS: Metric = Metric::new(
    "kafka.server:type=FetchSessionCache,name=IncrementalFetchSessionEvictionsPerSec",
    "Fetch sessions that had to make room for others",
);

/// The broker's registration counts as running: a reader is answered only after it.
const RUNNING: f64 = 3.0;
const STARTING: f64 = 1.0;

#[derive(Debug)]
pub(super) struct BrokerState(pub(super) Arc<Broker>);

impl Source for BrokerState {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let broker = &self.0;
        page.gauge(STATE, if broker.epoch() >= 0 { RUNNING } else { STARTING })?;
        let image = broker.metadata.image();
        let last = image.provenance();
        page.gauge(APPLIED, last.last_contained_offset.0 as f64)?;
        page.gauge(APPLIED_TIME[0], last.last_contained_timestamp.0 as f64)?;
        let lag = broker.clock.wall_ms().saturating_sub(last.last_contained_timestamp.0);
        page.gauge(APPLIED_TIME[1], lag.max(0) as f64)?;
        page.gauge(METADATA_VERSION, image.features().metadata_version().0.into())?;
        let level = |(name, level): (&str, i16)| -> Row<f64> {
            (vec![("featureName", name.to_owned())], level.into())
        };
        page.gauges(FINALIZED, image.features().finalized().map(level))?;
        let fetches = broker.fetch_sessions.counts();
        page.gauge(SESSIONS, fetches.sessions as f64)?;
        page.gauge(PARTITIONS, fetches.partitions as f64)?;
        page.counter(EVICTIONS, fetches.evictions)
    }
}
