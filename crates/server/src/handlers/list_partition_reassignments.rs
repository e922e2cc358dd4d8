//! ListPartitionReassignments (key 46): what is on its way to other replicas.
//!
//! Versions: 0. Answered by the controller. Kafka: `ControllerApis.handleListPartitionReassignments`.

use model::AclOperation;
use protocol::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, ResponseBody};

use crate::broker::Broker;
use crate::request::RequestContext;

/// Lists what is being reassigned.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ListPartitionReassignmentsRequest,
) -> ResponseBody {
    if let Err((error_code, error_message)) = broker.gate(context).require_cluster(AclOperation::Describe) {
        return ListPartitionReassignmentsResponse { error_code, error_message, ..Default::default() }.into();
    }
    broker.controller.submit(request.into()).await
}
