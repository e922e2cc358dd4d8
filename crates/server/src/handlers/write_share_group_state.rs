//! WriteShareGroupState (key 85): the leader of a partition writes what a share group was delivered (KIP-932).
//!
//! Versions: 0–1. 1 how many records are delivered (KIP-1226). For brokers alone. Kafka: `KafkaApis.handleWriteShareGroupStateRequest`.

use protocol::{WriteShareGroupStateRequest, WriteShareGroupStateResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Writes what changed of each partition.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: WriteShareGroupStateRequest,
) -> WriteShareGroupStateResponse {
    broker.share.write_state(broker.gate(context).check_cluster_action(), request).await
}
