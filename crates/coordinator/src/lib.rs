//! The shell that runs a [`machine::Machine`] over a partition: append, replay, answer when committed.
//!
//! A coordinator is one [`Runtime`]: its machines, one for each partition of an internal topic that this broker leads. A
//! request runs in its caller's task: it takes its partition's lock, decides, appends, replays, lets the lock go, and waits
//! until what was appended is committed, which with `monedula.ack.durability=synced` means synced.
//!
//! Invariants:
//! - answers never show what is not committed
//! - records are replayed in the order of the log, at load as in service
//! - no partition has a thread or task of its own; one task for each runtime wakes the timers

mod batches;
mod group;
mod loader;
mod metrics;
mod partition;
mod partition_log;
mod runtime;
mod share;
mod tickets;
mod transaction;
mod wakeups;

pub use batches::{BatchProducer, EntryError, LogEntry, LogRecord};
pub use group::{ClientContext, GroupCoordinator, offset_fetch_groups, offset_fetch_response};
pub use metrics::{PartitionCounts, RuntimeMetrics};
pub use partition::Told;
pub use partition_log::{Committed, PartitionLog};
pub use runtime::{PartitionMachine, Runtime, RuntimeConfig, partition_for_key};
pub use share::{Persister, ShareCoordinator};
pub use transaction::{Later, ProducerIds, TransactionCoordinator, WriteMarkers};

#[cfg(test)]
mod tests;
