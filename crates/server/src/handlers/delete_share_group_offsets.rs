//! DeleteShareGroupOffsets (key 92): what an empty share group was delivered of topics is forgotten (KIP-932).
//!
//! Versions: 0–0. Kafka: `KafkaApis.handleDeleteShareGroupOffsetsRequest`.

use model::AclOperation;
use protocol::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use protocol::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, ErrorCode};

use super::share_group_heartbeat::is_enabled;
use crate::broker::Broker;
use crate::request::RequestContext;

/// Forgets what was delivered.
pub async fn handle(
    broker: &Broker,
    context: &RequestContext,
    mut request: DeleteShareGroupOffsetsRequest,
) -> DeleteShareGroupOffsetsResponse {
    if !is_enabled(broker) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        let error_message = Some(error_code.message().to_owned());
        return DeleteShareGroupOffsetsResponse { error_code, error_message, ..Default::default() };
    }
    let gate = broker.gate(context);
    if let Err(error_code) = gate.check_group(AclOperation::Delete, &request.group_id) {
        let error_message = Some(error_code.message().to_owned());
        return DeleteShareGroupOffsetsResponse { error_code, error_message, ..Default::default() };
    }
    let (kept, refused): (Vec<_>, Vec<_>) = std::mem::take(&mut request.topics)
        .into_iter()
        .partition(|topic| gate.check_topic(AclOperation::Read, &topic.topic_name).is_ok());
    request.topics = kept;
    let mut response = broker.groups.delete_share_group_offsets(request).await;
    if response.error_code.is_none() {
        let error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        response.responses.extend(refused.into_iter().map(|topic| DeleteShareGroupOffsetsResponseTopic {
            topic_name: topic.topic_name,
            error_code,
            error_message: Some(error_code.message().to_owned()),
            ..Default::default()
        }));
    }
    response
}
