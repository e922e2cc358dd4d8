//! What members are told beside their tasks. Kafka: `StreamsGroupHeartbeatResponse.Status`.

use protocol::streams_group_heartbeat_response::Status;

/// The member runs an earlier topology than the group.
pub(super) const STALE_TOPOLOGY: i8 = 0;
/// Source topics are not there.
pub(super) const MISSING_SOURCE_TOPICS: i8 = 1;
/// Topics that are joined, or internal ones, have partition counts that do not fit.
pub(super) const INCORRECTLY_PARTITIONED_TOPICS: i8 = 2;
/// Internal topics are not there yet.
pub(super) const MISSING_INTERNAL_TOPICS: i8 = 3;
/// A member asked for the whole application to stop.
pub(super) const SHUTDOWN_APPLICATION: i8 = 4;
/// Tasks are assigned later.
pub(super) const ASSIGNMENT_DELAYED: i8 = 5;

pub(super) fn of(status_code: i8, status_detail: impl Into<String>) -> Status {
    Status { status_code, status_detail: status_detail.into(), ..Default::default() }
}
