//! The transaction coordinator: a state machine over one partition of `__transaction_state`.
//!
//! A transactional id goes Empty → Ongoing → PrepareCommit or PrepareAbort → CompleteCommit or CompleteAbort. Its end is
//! decided when the Prepare record is committed; then markers go to every partition of the transaction, and when they
//! are all written, the Complete record ends it. A coordinator that restarts in between sends the markers again.
//!
//! Invariants:
//! - markers leave only after their Prepare record is committed: they travel with the answers, not with the decision
//! - an epoch that was handed out never goes back; a fenced producer never changes a transaction again
//!
//! Not yet: two-phase commit (KIP-939), which is off by default in Kafka.
//!
//! Kafka: `TransactionCoordinator`, `TransactionStateManager`, `TransactionMetadata`.

mod add_partitions;
mod config;
mod describe;
mod end_txn;
mod expiry;
mod init_producer_id;
mod machine;
mod markers;
mod metadata;
mod record;
mod request;
mod state;
#[cfg(test)]
mod tests;

pub use config::TransactionConfig;
pub use machine::TransactionMachine;
pub use markers::Markers;
pub use metadata::{Producer, TransactionMetadata, TransactionVersion};
pub use record::{TransactionRecord, TransactionRecordError};
pub use request::{ListFilter, TransactionRequest, TransactionResponse};
pub use state::TransactionState;
