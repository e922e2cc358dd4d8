//! Keeps the state of share groups' partitions, wherever the share coordinator of each of them is.
//!
//! Who leads a partition reads its state when it begins and writes what changed; who coordinates a group begins and ends
//! the state, and asks how far it is. The coordinator may be on this node or on another: nobody here can tell.
//!
//! Kafka: `Persister`.

use coordinators::share::{
    SharePartitionKey, ShareState, ShareStateError, ShareStateSummary, ShareStateWrite,
};
use model::Offset;

use crate::transaction::Later;

/// Keeps the state of share groups' partitions. What a call has answered is committed to the log.
///
/// A coordinator that moves, loads, or is still to be made is tried again for a while. Besides the errors of Kafka's
/// share coordinator (`FENCED_LEADER_EPOCH`, `FENCED_STATE_EPOCH`, `INVALID_REQUEST` for what was never initialized,
/// `UNKNOWN_TOPIC_OR_PARTITION`) a call may fail with `COORDINATOR_NOT_AVAILABLE`, `NOT_COORDINATOR` or
/// `COORDINATOR_LOAD_IN_PROGRESS` when that while is over.
pub trait Persister: Send + Sync + 'static {
    /// Begins the state of a partition, or begins it anew at a greater `state_epoch`. `start_offset` is -1 where the
    /// partition's leader is to choose by `share.auto.offset.reset`.
    fn initialize_state(
        &self,
        key: SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Later<'_, Result<(), ShareStateError>>;

    /// Reads the state for a leader, which earlier leaders cannot write to any more.
    fn read_state(
        &self,
        key: SharePartitionKey,
        leader_epoch: i32,
    ) -> Later<'_, Result<ShareState, ShareStateError>>;

    /// Writes what changed.
    fn write_state(
        &self,
        key: SharePartitionKey,
        write: ShareStateWrite,
    ) -> Later<'_, Result<(), ShareStateError>>;

    /// Forgets the state. There may be none.
    fn delete_state(&self, key: SharePartitionKey) -> Later<'_, Result<(), ShareStateError>>;

    /// Tells how far the group is. A partition that was never initialized has the summary of no state.
    fn read_summary(&self, key: SharePartitionKey) -> Later<'_, Result<ShareStateSummary, ShareStateError>>;
}
