//! Logs by partition.
//!
//! Invariant: each is found under the name that it holds itself, for a node may have very many.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use model::TopicPartition;

use crate::UnifiedLog;

/// Logs in the order of their partitions.
#[derive(Debug, Default)]
pub(super) struct Logs(BTreeSet<Named>);

/// A log that stands for its partition.
#[derive(Debug)]
struct Named(Arc<UnifiedLog>);

impl Borrow<TopicPartition> for Named {
    fn borrow(&self) -> &TopicPartition {
        self.0.topic_partition()
    }
}

impl Ord for Named {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.topic_partition().cmp(other.0.topic_partition())
    }
}

impl PartialOrd for Named {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Named {}

impl Logs {
    pub(super) fn get(&self, partition: &TopicPartition) -> Option<&Arc<UnifiedLog>> {
        self.0.get(partition).map(|named| &named.0)
    }

    /// Puts a log in, in the place of another of its partition.
    pub(super) fn insert(&mut self, log: Arc<UnifiedLog>) {
        self.0.replace(Named(log));
    }

    pub(super) fn remove(&mut self, partition: &TopicPartition) -> Option<Arc<UnifiedLog>> {
        self.0.take(partition).map(|named| named.0)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<UnifiedLog>> {
        self.0.iter().map(|named| &named.0)
    }

    pub(super) fn of_topic(&self, topic: &str) -> impl Iterator<Item = &Arc<UnifiedLog>> {
        let from = TopicPartition::new(topic, i32::MIN);
        let logs = self.0.range(from..).map(|named| &named.0);
        logs.take_while(move |log| &*log.topic_partition().topic == topic)
    }
}
