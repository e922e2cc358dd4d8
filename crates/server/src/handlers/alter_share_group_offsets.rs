//! AlterShareGroupOffsets (key 91): an empty share group begins to read partitions elsewhere (KIP-932).
//!
//! Versions: 0–0. Kafka: `KafkaApis.handleAlterShareGroupOffsetsRequest`.

use protocol::{AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, ErrorCode};

use super::share_group_heartbeat::is_enabled;
use crate::broker::Broker;

/// Moves where the group begins to read.
pub async fn handle(
    broker: &Broker,
    request: AlterShareGroupOffsetsRequest,
) -> AlterShareGroupOffsetsResponse {
    if !is_enabled(broker) {
        let error_code = ErrorCode::UNSUPPORTED_VERSION;
        let error_message = Some(error_code.message().to_owned());
        return AlterShareGroupOffsetsResponse { error_code, error_message, ..Default::default() };
    }
    broker.groups.alter_share_group_offsets(request).await
}
