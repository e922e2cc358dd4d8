//! Names with one meaning: offsets, epochs, ids, partitions and access control entries, so that no two bare integers stand
//! side by side; and how long things took.

pub mod acl;
mod histogram;
mod ids;
pub mod topic_name;
mod topic_partition;
mod uuid;

pub use acl::{AclBinding, AclBindingFilter, AclOperation, AclPatternType, AclPermission, AclResourceType};
pub use histogram::Histogram;
pub use ids::{LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, Timestamp};
pub use topic_partition::{TopicIdPartition, TopicPartition};
pub use uuid::{ParseUuidError, Uuid};
