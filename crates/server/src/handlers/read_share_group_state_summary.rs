//! ReadShareGroupStateSummary (key 87): how far a share group is in partitions (KIP-932).
//!
//! Versions: 0–1. 1 how many records are delivered (KIP-1226). For brokers alone. Kafka: `KafkaApis.handleReadShareGroupStateSummaryRequest`.

use protocol::{ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Tells how far the group is in each partition.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ReadShareGroupStateSummaryRequest,
) -> ReadShareGroupStateSummaryResponse {
    broker.share.read_state_summary(broker.gate(context).check_cluster_action(), request).await
}
