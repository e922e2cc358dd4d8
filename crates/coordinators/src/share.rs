//! The share coordinator: what the partitions of share groups (KIP-932) have to remember, kept in `__share_group_state`.
//!
//! The leader of a partition decides which records a group has acquired and acknowledged; here is kept where the group
//! begins to read, and in which state the records from there on are. A write is a small update; after so many of them a
//! snapshot tells all, so that the log before it can be deleted.
//!
//! Invariants:
//! - state changes in `replay` alone; requests are decided on what the log says
//! - a writer of an earlier leader epoch or of an earlier state epoch changes nothing
//!
//! Kafka: `ShareCoordinatorShard`.

mod combiner;
mod config;
mod key;
mod machine;
mod record;
mod redundant_offset;
mod request;
mod state;
mod state_batch;
#[cfg(test)]
mod tests;

pub use combiner::combine;
pub use config::ShareCoordinatorConfig;
pub use key::SharePartitionKey;
pub use machine::ShareMachine;
pub use record::{ShareRecord, ShareRecordError};
pub use request::{
    ShareRequest, ShareResponse, ShareState, ShareStateError, ShareStateSummary, ShareStateWrite,
};
pub use state_batch::{DeliveryState, StateBatch};
