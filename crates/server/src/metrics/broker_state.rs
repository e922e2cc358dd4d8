//! Where this broker stands: its state, its metadata, its clients' fetch sessions.
//!
//! Not yet: evictions of fetch sessions, partitions in them. Kafka: `BrokerState`, `BrokerMetadataLoaderMetrics`,
//! `FetchSessionCache`.

use std::fmt;
use std::sync::Arc;

use telemetry::{Metric, Page, Source};

use crate::broker::Broker;

const STATE: Metric = Metric::new(
    "kafka.server:type=KafkaServer,name=BrokerState",
    "State of the broker: 1 starting, 2 recovering, 3 running, 6 stopping",
);
const APPLIED: Metric = Metric::new(
    "kafka.server:type=broker-metadata-metrics,name=last-applied-record-offset",
    "Offset of the last metadata record that the broker acted on",
);
const SESSIONS: Metric = Metric::new(
    "kafka.server:type=FetchSessionCache,name=NumIncrementalFetchSessions",
    "Fetch sessions that clients have open",
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
        page.gauge(APPLIED, broker.metadata.image().provenance().last_contained_offset.0 as f64)?;
        page.gauge(SESSIONS, broker.fetch_sessions.len() as f64)
    }
}
