//! The group coordinator: classic consumer groups and committed offsets of one partition of `__consumer_offsets`.
//!
//! A classic group's rebalance (who joins, who waits) is soft state; the log keeps the group's last generation that was
//! agreed on, its offsets, and the pending offsets of open transactions.
//!
//! Not yet: consumer (KIP-848), share and streams groups. Their records are kept and replayed, [`foreign`] says how.

pub mod classic;
mod config;
mod foreign;
mod groups;
mod machine;
mod offsets;
mod record;
mod request;
mod timers;

pub use config::GroupCoordinatorConfig;
pub use machine::GroupMachine;
pub use record::{GroupRecord, KeyValue, Producer, RecordError};
pub use request::{DeletedTopic, GroupRequest, GroupResponse, RequestContext};

#[cfg(test)]
mod tests;

/// What a turn of the group machine brings.
pub type GroupOutcome = machine::Outcome<GroupRecord, GroupResponse>;
