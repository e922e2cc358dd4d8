//! Offsets that are committed, and offsets by time. Kafka: `OffsetAndMetadata`, `OffsetAndTimestamp`.

use model::{LeaderEpoch, Offset, Timestamp};

/// A committed position: the offset of the next record to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// The offset of the next record.
    pub offset: Offset,
    /// The epoch of the leader that the record before it came from, if known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// What the committer wrote beside it.
    pub metadata: String,
}

impl OffsetAndMetadata {
    /// A position with nothing beside it.
    pub fn new(offset: Offset) -> Self {
        Self { offset, ..Self::default() }
    }
}

/// The first record at or after a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetAndTimestamp {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The leader epoch it was written in, if known.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// An epoch from the wire, where -1 means that it is not known.
pub(crate) fn known_epoch(epoch: i32) -> Option<LeaderEpoch> {
    Some(LeaderEpoch(epoch)).filter(|epoch| epoch.0 >= 0)
}

/// Partitions by topic, as requests name them.
pub(crate) fn by_topic<'a, V>(
    partitions: impl IntoIterator<Item = (&'a model::TopicPartition, V)>,
) -> std::collections::BTreeMap<&'a str, Vec<(i32, V)>> {
    let mut topics = std::collections::BTreeMap::<&str, Vec<(i32, V)>>::new();
    for (name, value) in partitions {
        topics.entry(&name.topic).or_default().push((name.partition, value));
    }
    topics
}
