//! The assignors of consumer groups: which member is to have which partition.
//!
//! Invariants:
//! - each partition of each topic that somebody reads goes to one member that reads it
//! - what Kafka's assignors would choose is chosen, by going through members and topics in the order of Java's maps
//!
//! Kafka: `UniformAssignor`, `RangeAssignor`.

mod heterogeneous;
mod homogeneous;
mod range;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Uuid;

use super::member::Assignment;

/// What an assignor knows of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberSpec {
    pub(super) instance_id: Option<String>,
    /// The topics that it reads and that exist.
    pub(super) topics: Arc<BTreeSet<Uuid>>,
    /// Its target until now.
    pub(super) assignment: Arc<Assignment>,
}

/// What an assignor knows of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupSpec {
    pub(super) members: BTreeMap<Arc<str>, MemberSpec>,
    /// Whether all members read the same topics.
    pub(super) homogeneous: bool,
    /// The partitions that are in some target until now.
    pub(super) assigned: Assignment,
    /// How many partitions each topic has.
    pub(super) partition_counts: BTreeMap<Uuid, i32>,
}

impl GroupSpec {
    fn partition_count(&self, topic: Uuid) -> i32 {
        self.partition_counts.get(&topic).copied().unwrap_or(0)
    }

    fn is_assigned(&self, topic: Uuid, partition: i32) -> bool {
        self.assigned.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
    }
}

/// A server-side assignor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Spreads partitions evenly and moves as few as it can.
    Uniform,
    /// Gives each member a range of each topic, the same one of topics with as many partitions.
    Range,
}

impl Assignor {
    /// Returns the assignor called `name`, by its name or that of Kafka's class.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "uniform" | "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => Some(Self::Uniform),
            "range" | "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => Some(Self::Range),
            _ => None,
        }
    }

    /// The assignor's name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// Assigns all partitions. Members that get none are there, or not.
    pub(super) fn assign(self, spec: &GroupSpec) -> BTreeMap<Arc<str>, Assignment> {
        match self {
            _ if spec.members.is_empty() => BTreeMap::new(),
            Self::Uniform if spec.homogeneous => homogeneous::assign(spec),
            Self::Uniform => heterogeneous::assign(spec),
            Self::Range => range::assign(spec),
        }
    }
}
