//! DescribeQuorum (key 55): who leads the metadata quorum, who votes and observes, and how far each has come.
//!
//! Versions: 0–2. 1 fetch times (KIP-836) · 2 directory ids and nodes (KIP-853). Kafka: `KafkaRaftClient.handleDescribeQuorumRequest`.

use model::AclOperation;
use protocol::{DescribeQuorumRequest, DescribeQuorumResponse};

use crate::broker::Broker;
use crate::controller::ControllerService;
use crate::request::RequestContext;

/// Describes the quorum as this node's controller role sees it.
pub fn handle(
    controller: &ControllerService,
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if let Err(error_code) = broker.gate(context).check_cluster(AclOperation::Describe) {
        let error_message = Some(error_code.message().to_owned());
        return DescribeQuorumResponse { error_code, error_message, ..Default::default() };
    }
    controller.describe_quorum(request, context.version)
}
