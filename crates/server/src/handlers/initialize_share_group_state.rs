//! InitializeShareGroupState (key 83): share groups' partitions begin: where a group is to read from (KIP-932).
//!
//! Versions: 0–0. For brokers alone. Kafka: `KafkaApis.handleInitializeShareGroupStateRequest`.

use protocol::{InitializeShareGroupStateRequest, InitializeShareGroupStateResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Begins the state of each partition.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: InitializeShareGroupStateRequest,
) -> InitializeShareGroupStateResponse {
    broker.share.initialize_state(broker.gate(context).check_cluster_action(), request).await
}
