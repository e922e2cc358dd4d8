//! What the share machine may be asked, one partition of one group at a time, and what it answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use metadata::MetadataImage;
use model::{Offset, Uuid};
use protocol::ErrorCode;

use super::key::SharePartitionKey;
use super::state_batch::StateBatch;

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

impl ShareStateError {
    /// Makes an error with words of its own.
    pub fn new(code: ErrorCode, message: &str) -> Self {
        Self { code, message: message.to_owned() }
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
    /// The epoch of the state that was read; -1 for a writer that does not want to be checked.
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
    /// The leader epoch of the last reader or writer.
    pub leader_epoch: i32,
    /// Where the group begins to read; -1 if that is not known.
    pub start_offset: Offset,
    /// How many records from there on need not be delivered any more; -1 if that is not known.
    pub delivery_complete_count: i32,
}

/// A request to the share machine.
#[derive(Clone, Debug)]
pub enum ShareRequest {
    /// Begins a state, or begins it anew; answered with [`ShareResponse::Done`].
    Initialize {
        /// The partition.
        key: SharePartitionKey,
        /// The epoch of the state; one that is less than the present one is refused.
        state_epoch: i32,
        /// Where the group begins to read; -1 if its leader is to choose.
        start_offset: Offset,
    },
    /// Reads a state; answered with [`ShareResponse::Read`].
    Read {
        /// The partition.
        key: SharePartitionKey,
        /// The leader epoch of the reader; -1 for one that does not lead.
        leader_epoch: i32,
    },
    /// Writes what changed; answered with [`ShareResponse::Done`].
    Write {
        /// The partition.
        key: SharePartitionKey,
        /// What changed.
        write: ShareStateWrite,
    },
    /// Forgets a state; answered with [`ShareResponse::Done`].
    Delete(SharePartitionKey),
    /// Asks how far a group is; answered with [`ShareResponse::Summary`].
    Summarize(SharePartitionKey),
    /// There is new metadata; answered with [`ShareResponse::Done`].
    MetadataChanged(Arc<MetadataImage>),
    /// Topics are gone, and so are the states of their partitions; answered with [`ShareResponse::Done`].
    TopicsDeleted(Arc<BTreeSet<Uuid>>),
}

/// An answer of the share machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareResponse {
    /// To what has nothing to say but whether it was done.
    Done(Result<(), ShareStateError>),
    /// To a read.
    Read(Result<ShareState, ShareStateError>),
    /// To the question how far a group is.
    Summary(Result<ShareStateSummary, ShareStateError>),
    /// To the shell: what lies before this offset of the log is not needed any more.
    Prune(Offset),
}
