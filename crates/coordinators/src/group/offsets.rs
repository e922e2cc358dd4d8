//! Committed offsets by group, topic and partition, and those that wait for the end of their transactions.
//!
//! Invariants:
//! - everything here is hard state: it changes in replay alone
//! - `open` names exactly the partitions that `pending` has offsets of

mod commit;
mod delete;
mod expiry;
mod fetch;
mod members;

pub(super) use commit::Committer;
pub(super) use members::{EpochMember, validate_offset_commit, validate_offset_fetch};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{ProducerId, Timestamp, Uuid};
use protocol::{OffsetCommitKey, OffsetCommitValue};

use super::GroupOutcome;
use super::classic::ClassicGroup;
use super::groups::Group;
use super::machine::GroupMachine;
use super::record::{GroupRecord, Producer};

/// An offset that a group committed. Kafka: `OffsetAndMetadata`.
#[derive(Clone, Debug, PartialEq)]
struct CommittedOffset {
    offset: i64,
    leader_epoch: i32,
    metadata: Box<str>,
    commit_timestamp: i64,
    /// When the offset expires, as old clients may say; -1 for the broker's rule.
    expire_timestamp: i64,
    topic_id: Uuid,
    /// The record's place in the order of replay, by which a transaction that ends late does not undo later commits.
    order: u64,
}

impl CommittedOffset {
    fn from_record(value: OffsetCommitValue, order: u64) -> Self {
        Self {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.into(),
            commit_timestamp: value.commit_timestamp,
            expire_timestamp: value.expire_timestamp,
            topic_id: value.topic_id,
            order,
        }
    }
}

type ByPartition<T> = BTreeMap<Arc<str>, BTreeMap<i32, T>>;

/// Something for each partition of each group.
#[derive(Clone, Debug, PartialEq)]
struct PerGroup<T>(BTreeMap<Arc<str>, ByPartition<T>>);

impl<T> Default for PerGroup<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> PerGroup<T> {
    fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&T> {
        self.0.get(group)?.get(topic)?.get(&partition)
    }

    fn get_mut(&mut self, group: &str, topic: &str, partition: i32) -> Option<&mut T> {
        self.0.get_mut(group)?.get_mut(topic)?.get_mut(&partition)
    }

    fn insert(&mut self, group: &str, topic: &str, partition: i32, value: T) {
        if !self.0.contains_key(group) {
            self.0.insert(group.into(), BTreeMap::new());
        }
        let Some(topics) = self.0.get_mut(group) else { return };
        if !topics.contains_key(topic) {
            topics.insert(topic.into(), BTreeMap::new());
        }
        if let Some(partitions) = topics.get_mut(topic) {
            partitions.insert(partition, value);
        }
    }

    /// Takes out one value, and the maps that are empty without it.
    fn remove(&mut self, group: &str, topic: &str, partition: i32) -> Option<T> {
        let topics = self.0.get_mut(group)?;
        let partitions = topics.get_mut(topic)?;
        let removed = partitions.remove(&partition);
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.0.remove(group);
        }
        removed
    }

    /// Goes through the partitions of one group in order.
    fn of_group<'a>(&'a self, group: &str) -> impl Iterator<Item = (&'a Arc<str>, i32, &'a T)> + 'a {
        let topics = self.0.get(group).into_iter().flatten();
        topics.flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, value)| (topic, *partition, value))
        })
    }
}

/// The offsets of one partition of `__consumer_offsets`. Kafka: `OffsetMetadataManager`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Offsets {
    committed: PerGroup<CommittedOffset>,
    pending: BTreeMap<ProducerId, PerGroup<CommittedOffset>>,
    open: PerGroup<BTreeSet<ProducerId>>,
    replayed: u64,
}

impl Offsets {
    fn replay(
        &mut self,
        key: &OffsetCommitKey,
        value: Option<OffsetCommitValue>,
        producer: Option<Producer>,
    ) {
        let (group, topic, partition) = (key.group.as_str(), key.topic.as_str(), key.partition);
        self.replayed += 1;
        match (value, producer) {
            (None, _) => self.remove(group, topic, partition),
            (Some(value), None) => {
                let offset = CommittedOffset::from_record(value, self.replayed);
                self.committed.insert(group, topic, partition, offset);
            }
            (Some(value), Some(producer)) => {
                let offset = CommittedOffset::from_record(value, self.replayed);
                self.pending.entry(producer.id).or_default().insert(group, topic, partition, offset);
                match self.open.get_mut(group, topic, partition) {
                    Some(producers) => _ = producers.insert(producer.id),
                    None => self.open.insert(group, topic, partition, BTreeSet::from([producer.id])),
                }
            }
        }
    }

    /// Returns how many offsets are committed.
    pub(super) fn count(&self) -> usize {
        self.committed.0.values().flat_map(BTreeMap::values).map(BTreeMap::len).sum()
    }

    fn remove(&mut self, group: &str, topic: &str, partition: i32) {
        self.committed.remove(group, topic, partition);
        for producer in self.open.remove(group, topic, partition).into_iter().flatten() {
            if let Some(pending) = self.pending.get_mut(&producer) {
                pending.remove(group, topic, partition);
            }
        }
    }

    /// Ends a producer's transaction: what it left pending counts, unless a later commit does, or is dropped.
    pub(super) fn end_transaction(&mut self, producer: ProducerId, commit: bool) {
        let Some(pending) = self.pending.remove(&producer) else { return };
        for (group, topics) in pending.0 {
            for (topic, partitions) in topics {
                for (partition, offset) in partitions {
                    self.close(&group, &topic, partition, producer);
                    let earlier = self.committed.get(&group, &topic, partition);
                    if commit && earlier.is_none_or(|earlier| offset.order > earlier.order) {
                        self.committed.insert(&group, &topic, partition, offset);
                    }
                }
            }
        }
    }

    fn close(&mut self, group: &str, topic: &str, partition: i32, producer: ProducerId) {
        let Some(producers) = self.open.get_mut(group, topic, partition) else { return };
        producers.remove(&producer);
        if producers.is_empty() {
            self.open.remove(group, topic, partition);
        }
    }

    fn has_open_transactions(&self, group: &str) -> bool {
        self.open.0.contains_key(group)
    }

    fn is_unstable(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.open.get(group, topic, partition).is_some()
    }

    /// Writes the tombstones of all offsets of a group, pending ones too.
    pub(super) fn tombstone_all(&self, group: &str, out: &mut GroupOutcome) {
        let committed = self.committed.of_group(group).map(|(topic, partition, _)| (topic, partition));
        let pending = self.open.of_group(group).map(|(topic, partition, _)| (topic, partition));
        let only_pending =
            pending.filter(|(topic, partition)| self.committed.get(group, topic, *partition).is_none());
        let tombstones = committed.chain(only_pending);
        out.records.extend(
            tombstones.map(|(topic, partition)| GroupRecord::offset_tombstone(group, topic, partition)),
        );
    }
}

impl GroupMachine {
    /// Replays an offset. A group that the log has offsets of alone is an empty classic group.
    pub(super) fn replay_offset(
        &mut self,
        key: OffsetCommitKey,
        value: Option<OffsetCommitValue>,
        producer: Option<Producer>,
    ) {
        if value.is_some() && !self.groups.contains_key(key.group.as_str()) {
            let id: Arc<str> = key.group.as_str().into();
            let since = value.as_ref().map_or(Timestamp::NONE, |value| Timestamp(value.commit_timestamp));
            self.groups.insert(id.clone(), Group::Classic(ClassicGroup::new(id, since)));
        }
        self.offsets.replay(&key, value, producer);
    }
}
