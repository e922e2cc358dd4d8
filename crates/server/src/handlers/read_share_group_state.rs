//! ReadShareGroupState (key 84): the leader of a partition reads what a share group was delivered (KIP-932).
//!
//! Versions: 0–0. For brokers alone. Kafka: `KafkaApis.handleReadShareGroupStateRequest`.

use protocol::{ReadShareGroupStateRequest, ReadShareGroupStateResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Reads the state of each partition.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ReadShareGroupStateRequest,
) -> ReadShareGroupStateResponse {
    broker.share.read_state(broker.gate(context).check_cluster_action(), request).await
}
