//! AlterPartitionReassignments (key 45): moves partitions to other replicas, or cancels that.
//!
//! Versions: 0–1. 1 the replication factor may be kept from changing. Decided by the controller.
//! Kafka: `ControllerApis.handleAlterPartitionReassignments`.

use model::AclOperation;
use protocol::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use protocol::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ResponseBody};

use crate::authorize::Refusal;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Has partitions reassigned.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: AlterPartitionReassignmentsRequest,
) -> ResponseBody {
    if let Err(refusal) = broker.gate(context).require_cluster(AclOperation::Alter) {
        return refuse(request, refusal).into();
    }
    broker.decide(request.into()).await
}

/// Kafka: `AlterPartitionReassignmentsRequest.getErrorResponse`.
fn refuse(
    request: AlterPartitionReassignmentsRequest,
    (error_code, error_message): Refusal,
) -> AlterPartitionReassignmentsResponse {
    let row = |partition: ReassignablePartition| ReassignablePartitionResponse {
        partition_index: partition.partition_index,
        error_code,
        error_message: error_message.clone(),
        ..Default::default()
    };
    let topic = |topic: ReassignableTopic| ReassignableTopicResponse {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(row).collect(),
        ..Default::default()
    };
    let responses = request.topics.into_iter().map(topic).collect();
    AlterPartitionReassignmentsResponse { error_code, error_message, responses, ..Default::default() }
}
