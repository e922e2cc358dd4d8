//! DescribeQuorum (key 55): who leads the metadata quorum, who votes and observes, and how far each has come.
//!
//! Versions: 0–2. 1 fetch times (KIP-836) · 2 directory ids and nodes (KIP-853). Kafka: `KafkaRaftClient.handleDescribeQuorumRequest`.

use protocol::{DescribeQuorumRequest, DescribeQuorumResponse};

use crate::controller::ControllerService;
use crate::request::RequestContext;

/// Describes the quorum as this node's controller role sees it.
pub fn handle(
    controller: &ControllerService,
    context: &RequestContext,
    request: &DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    controller.describe_quorum(request, context.version)
}
