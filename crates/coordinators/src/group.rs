//! The group coordinator: classic, consumer, share and streams groups, and committed offsets, of one partition of
//! `__consumer_offsets`.
//!
//! A classic group's rebalance (who joins, who waits) is soft state; the log keeps the group's last generation that was
//! agreed on. Of a consumer group (KIP-848), a share group (KIP-932) and a streams group (KIP-1071) the log keeps all. It
//! keeps the offsets too, and the pending offsets of open transactions.

pub mod classic;
mod config;
mod consumer;
mod counts;
mod entries;
mod groups;
mod java_order;
mod machine;
mod metadata;
mod offsets;
mod record;
mod refreshed;
mod request;
mod share;
mod streams;
mod timers;

pub use config::{GroupCoordinatorConfig, MigrationPolicy};
pub use consumer::{Assignor, ConsumerEntry};
pub use counts::{GroupCounts, GroupEvents};
pub use machine::GroupMachine;
pub use metadata::MetadataChange;
pub use record::{GroupRecord, KeyValue, Producer, RecordError};
pub use request::{DeletedTopic, GroupRequest, GroupResponse, RequestContext, TopicGate};
pub use share::{
    Bounded, ShareAlteration, ShareDeletion, ShareEntry, ShareGroupRequest, ShareGroupResponse,
    ShareGroupsConfig, SharePartitions,
};
pub use streams::{StreamsEntry, StreamsHeartbeat};

#[cfg(test)]
mod tests;

/// What a turn of the group machine brings.
pub type GroupOutcome = machine::Outcome<GroupRecord, GroupResponse>;
