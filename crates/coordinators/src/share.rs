//! The share coordinator: what the partitions of share groups (KIP-932) have to remember, kept in `__share_group_state`.
//!
//! The leader of a partition decides which records a group has acquired and acknowledged; here is kept where the group
//! begins to read, and in which state the records from there on are.
//!
//! Kafka: `ShareCoordinatorShard`.

mod key;
mod state_batch;

pub use key::SharePartitionKey;
pub use state_batch::{DeliveryState, StateBatch};
