//! ListPartitionReassignments (key 46): what is on its way to other replicas.
//!
//! Versions: 0. Answered by the controller. Kafka: `ControllerApis.handleListPartitionReassignments`.

use protocol::{ListPartitionReassignmentsRequest, ResponseBody};

use crate::broker::Broker;

/// Lists what is being reassigned.
pub async fn handle(broker: &Broker, request: ListPartitionReassignmentsRequest) -> ResponseBody {
    broker.controller.submit(request.into()).await
}
