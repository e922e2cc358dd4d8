//! DeleteShareGroupState (key 86): what a share group was delivered of partitions is forgotten (KIP-932).
//!
//! Versions: 0–0. For brokers alone. Kafka: `KafkaApis.handleDeleteShareGroupStateRequest`.

use protocol::{DeleteShareGroupStateRequest, DeleteShareGroupStateResponse};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Forgets the state of each partition.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: DeleteShareGroupStateRequest,
) -> DeleteShareGroupStateResponse {
    broker.share.delete_state(broker.gate(context).check_cluster_action(), request).await
}
