//! A partition by its topic's name, and by its topic's name and id.

use std::fmt;
use std::sync::Arc;

use crate::Uuid;

/// A partition of a topic, by name. Displayed `topic-0`, which is also its folder's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A partition of a topic, by name and by the id that tells it from an earlier topic of that name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicIdPartition {
    /// The topic's id; [`Uuid::ZERO`] where it is not known.
    pub topic_id: Uuid,
    /// The topic's name and the partition's index.
    pub topic_partition: TopicPartition,
}
