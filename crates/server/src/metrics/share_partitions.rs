//! The share partitions that this broker leads: what is in flight, and whose locks ran out.
//!
//! Not here: `FetchLockTimeMs` and `FetchLockRatio`, for a share partition has no lock that a fetch holds while it reads.
//! Kafka: `SharePartitionMetrics`.

use std::fmt;
use std::sync::Arc;

use telemetry::{Page, Source, write_share_partitions};

use crate::broker::Broker;

#[derive(Debug)]
pub(super) struct SharePartitions(pub(super) Arc<Broker>);

impl Source for SharePartitions {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        write_share_partitions(page, &self.0.share_partitions.in_flight())
    }
}
