//! ShareGroupHeartbeat (key 76): a member of a share group (KIP-932) joins, stays and leaves, and learns its partitions.
//!
//! Versions: 1–1. Served where `share.version` is 1. Kafka: `KafkaApis.handleShareGroupHeartbeat`.

use metadata::Feature;
use model::AclOperation;
use protocol::{ErrorCode, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use super::consumer_group_heartbeat::may_describe_all;
use crate::broker::Broker;
use crate::request::RequestContext;

/// The longest member id, in UTF-16 units.
const MEMBER_ID_MAX: usize = 36;

/// Takes in a heartbeat.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: ShareGroupHeartbeatRequest,
) -> ShareGroupHeartbeatResponse {
    let refuse = |error_code| ShareGroupHeartbeatResponse { error_code, ..Default::default() };
    if !is_enabled(broker) {
        return refuse(ErrorCode::UNSUPPORTED_VERSION);
    }
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_group(AclOperation::Read, &request.group_id) {
        return refuse(error_code);
    }
    let length = request.member_id.encode_utf16().count();
    if length == 0 || length > MEMBER_ID_MAX {
        return refuse(ErrorCode::INVALID_REQUEST);
    }
    let topics = request.subscribed_topic_names.iter().flatten();
    if let Err(error_code) = may_describe_all(&gate, topics.map(String::as_str)) {
        return refuse(error_code);
    }
    broker.groups.share_group_heartbeat(&context.client(), request).await
}

/// Tells whether share groups are served. Kafka: `KafkaApis.isShareGroupProtocolEnabled`.
pub fn is_enabled(broker: &Broker) -> bool {
    broker.metadata.image().features().level(Feature::ShareVersion) >= 1
}
