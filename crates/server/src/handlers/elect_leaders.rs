//! ElectLeaders (key 43): makes preferred, or any, replicas the leaders.
//!
//! Versions: 0–2. 1 unclean elections (KIP-460) · 2 flexible. Decided by the controller.
//! Kafka: `ControllerApis.handleElectLeaders`.

use model::AclOperation;
use protocol::elect_leaders_request::TopicPartitions;
use protocol::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::{ElectLeadersRequest, ElectLeadersResponse, ResponseBody};

use crate::authorize::Refusal;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Has leaders elected.
pub async fn handle(broker: &Broker, context: &RequestContext, request: ElectLeadersRequest) -> ResponseBody {
    if let Err(refusal) = broker.gate(context).require_cluster(AclOperation::Alter) {
        return refuse(request, &refusal).into();
    }
    broker.decide(request.into()).await
}

/// Kafka: `ElectLeadersRequest.getErrorResponse`.
fn refuse(request: ElectLeadersRequest, (error_code, error_message): &Refusal) -> ElectLeadersResponse {
    let row = |partition_id| PartitionResult {
        partition_id,
        error_code: *error_code,
        error_message: error_message.clone(),
        ..Default::default()
    };
    let topic = |topic: TopicPartitions| ReplicaElectionResult {
        topic: topic.topic,
        partition_result: topic.partitions.into_iter().map(row).collect(),
        ..Default::default()
    };
    let replica_election_results = request.topic_partitions.into_iter().flatten().map(topic).collect();
    ElectLeadersResponse { error_code: *error_code, replica_election_results, ..Default::default() }
}
