//! Names with one meaning: offsets, epochs, ids and partitions, so that no two bare integers stand side by side; and how
//! long things took.

mod histogram;
mod ids;
pub mod topic_name;
mod topic_partition;
mod uuid;

pub use histogram::Histogram;
pub use ids::{LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, Timestamp};
pub use topic_partition::{TopicIdPartition, TopicPartition};
pub use uuid::{ParseUuidError, Uuid};
