//! Which partition a record without a chosen one goes to.
//!
//! Invariant: a key's partition depends on the key and the number of partitions alone; records without a key stay
//! with one partition until about `batch.size` bytes were written to it (KIP-794).
//! Kafka: `BuiltInPartitioner`, `RoundRobinPartitioner`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cluster::ClusterMetadata;

/// Chooses partitions instead of Kafka's rules. Kafka: `Partitioner`.
pub trait Partitioner: Send + Sync {
    /// The partition of a record, out of `count` (at least 1) of `topic`; from 0 to `count` - 1.
    fn partition(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, count: i32) -> i32;
}

/// Each partition in turn, by topic; those without a leader are passed over.
#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    next: HashMap<Arc<str>, u32>,
}

impl RoundRobin {
    pub(super) fn partition(&mut self, topic: &Arc<str>, metadata: &ClusterMetadata) -> i32 {
        let candidates = candidates(topic, metadata);
        let next = self.next.entry(Arc::clone(topic)).or_default();
        let chosen = candidates[*next as usize % candidates.len()];
        *next = next.wrapping_add(1);
        chosen
    }
}

/// The partitions that have a leader; all of them if none has.
fn candidates(topic: &str, metadata: &ClusterMetadata) -> Vec<i32> {
    let Some(topic) = metadata.topics.get(topic) else { return vec![0] };
    let alive = topic.partitions.values().filter(|partition| partition.leader.is_some());
    let alive: Vec<i32> = alive.map(|partition| partition.partition).collect();
    if !alive.is_empty() {
        return alive;
    }
    if topic.partitions.is_empty() { vec![0] } else { topic.partitions.keys().copied().collect() }
}

/// The sticky partition of one topic.
#[derive(Debug, Default)]
pub(super) struct Sticky {
    current: Option<i32>,
    /// Bytes written to `current` since it was chosen.
    produced: usize,
    load: Option<Load>,
}

/// How likely each partition is: the shorter its queue, the likelier.
#[derive(Debug, PartialEq)]
struct Load {
    partitions: Vec<i32>,
    /// Sums of the weights, up to and with each partition.
    sums: Vec<u64>,
}

impl Sticky {
    /// The partition for the next record; `chance` is any number.
    pub(super) fn partition(&mut self, topic: &str, metadata: &ClusterMetadata, chance: u64) -> i32 {
        let current = self.current.filter(|current| {
            metadata.topics.get(topic).is_some_and(|topic| topic.partitions.contains_key(current))
        });
        match current {
            Some(current) => current,
            None => self.choose(topic, metadata, chance),
        }
    }

    /// Notes that `bytes` were written to the partition, and chooses another one if that is enough.
    /// `may_switch`: no batch takes records, so that no small one is left behind.
    pub(super) fn wrote(
        &mut self,
        bytes: usize,
        batch_size: usize,
        may_switch: bool,
        topic: &str,
        metadata: &ClusterMetadata,
        chance: u64,
    ) {
        self.produced += bytes;
        if self.is_due(batch_size) && may_switch || self.produced >= batch_size * 2 {
            self.choose(topic, metadata, chance);
        }
    }

    /// Whether enough was written to the partition.
    pub(super) fn is_due(&self, batch_size: usize) -> bool {
        self.produced >= batch_size
    }

    /// Chooses another partition, which may be the same.
    pub(super) fn choose(&mut self, topic: &str, metadata: &ClusterMetadata, chance: u64) -> i32 {
        let chosen = match &self.load {
            Some(load) => load.choose(chance),
            None => {
                let candidates = candidates(topic, metadata);
                candidates[chance as usize % candidates.len()]
            }
        };
        self.current = Some(chosen);
        self.produced = 0;
        chosen
    }

    /// Takes the number of batches that wait for each partition, but for `left_out` that are not to be chosen.
    /// Kafka: `BuiltInPartitioner.updatePartitionLoadStats`.
    pub(super) fn take_load(&mut self, queues: &[(i32, usize)], left_out: usize) {
        self.load = Load::new(queues, left_out);
    }
}

impl Load {
    /// Nothing to weigh where there are all partitions, and all are alike.
    fn new(queues: &[(i32, usize)], left_out: usize) -> Option<Self> {
        let longest = queues.iter().map(|(_, length)| *length).max()?;
        let alike = queues.iter().all(|(_, length)| *length == longest);
        if alike && left_out == 0 {
            return None;
        }
        let mut sum = 0;
        let sums = queues.iter().map(|(_, length)| {
            sum += (longest + 1 - length) as u64;
            sum
        });
        Some(Self {
            sums: sums.collect(),
            partitions: queues.iter().map(|(partition, _)| *partition).collect(),
        })
    }

    fn choose(&self, chance: u64) -> i32 {
        let total = self.sums.last().copied().unwrap_or(1);
        let at = self.sums.partition_point(|sum| *sum <= chance % total);
        self.partitions[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_queue_makes_a_partition_less_likely() {
        let load = Load::new(&[(0, 0), (1, 3), (2, 1)], 0).expect("the queues differ");
        let mut counts = [0; 3];
        for chance in 0..load.sums[2] {
            counts[load.choose(chance) as usize] += 1;
        }
        assert_eq!(counts, [4, 1, 3]);
    }

    #[test]
    fn queues_that_are_alike_are_not_weighed() {
        assert_eq!(Load::new(&[(0, 2), (1, 2)], 0), None);
        assert_eq!(Load::new(&[(0, 2)], 0), None);
        assert_eq!(Load::new(&[], 1), None);
    }
}
