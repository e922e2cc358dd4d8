//! AlterPartitionReassignments (key 45): moves partitions to other replicas, or cancels that.
//!
//! Versions: 0–1. 1 the replication factor may be kept from changing. Decided by the controller.
//! Kafka: `ControllerApis.handleAlterPartitionReassignments`.

use protocol::{AlterPartitionReassignmentsRequest, ResponseBody};

use crate::broker::Broker;

/// Has partitions reassigned.
pub async fn handle(broker: &Broker, request: AlterPartitionReassignmentsRequest) -> ResponseBody {
    broker.decide(request.into()).await
}
