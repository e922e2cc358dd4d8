//! Keeps the state of share groups' partitions, wherever the share coordinator of each of them is.
//!
//! Who leads a partition reads its state when it begins and writes what changed; who coordinates a group begins and ends
//! the state, and asks how far it is. The coordinator may be on this node or on another: nobody here can tell.
//!
//! Kafka: `Persister`.

use coordinators::share::{SharePartitionKey, StateBatch};
use model::Offset;
use protocol::ErrorCode;

use crate::transaction::Later;

/// Why the state of a share group's partition cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ShareStateError {
    /// The share coordinator's error, or the one that tells why it was not reached.
    pub code: ErrorCode,
    /// What it says to a user.
    pub message: String,
}

impl From<ErrorCode> for ShareStateError {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: code.message().to_owned() }
    }
}

/// The state of a partition: what its leader begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// How often the state was initialized: a write for an earlier epoch is refused.
    pub state_epoch: i32,
    /// Where the group begins to read; -1 if nobody has said yet.
    pub start_offset: Offset,
    /// The state of records from there on, in order of their offsets.
    pub batches: Vec<StateBatch>,
}

/// What a partition's leader writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareStateWrite {
    /// The epoch of the state that was read.
    pub state_epoch: i32,
    /// The leader epoch of the writer; -1 for one that does not want to be checked.
    pub leader_epoch: i32,
    /// Where the group now begins to read; -1 to leave it as it is.
    pub start_offset: Offset,
    /// How many records from there on need not be delivered any more; -1 if that is not known.
    pub delivery_complete_count: i32,
    /// The state of the records that changed.
    pub batches: Vec<StateBatch>,
}

/// How far a group is in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareStateSummary {
    /// The epoch of the state.
    pub state_epoch: i32,
    /// The leader epoch of the last writer.
    pub leader_epoch: i32,
    /// Where the group begins to read; -1 if that is not known.
    pub start_offset: Offset,
    /// How many records from there on need not be delivered any more; -1 if that is not known.
    pub delivery_complete_count: i32,
}

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
    fn read_summary(
        &self,
        key: SharePartitionKey,
        leader_epoch: i32,
    ) -> Later<'_, Result<ShareStateSummary, ShareStateError>>;
}
