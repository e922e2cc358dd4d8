//! DeleteShareGroupOffsets (key 92): what an empty share group was delivered of topics is forgotten (KIP-932).
//!
//! Versions: 0–0. Kafka: `KafkaApis.handleDeleteShareGroupOffsetsRequest`.

use protocol::{DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, ErrorCode};

use super::share_group_heartbeat::is_enabled;
use crate::broker::Broker;

/// Forgets what was delivered.
pub async fn handle(
    broker: &Broker,
    request: DeleteShareGroupOffsetsRequest,
) -> DeleteShareGroupOffsetsResponse {
    if !is_enabled(broker) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        let error_message = Some(error_code.message().to_owned());
        return DeleteShareGroupOffsetsResponse { error_code, error_message, ..Default::default() };
    }
    broker.groups.delete_share_group_offsets(request).await
}
