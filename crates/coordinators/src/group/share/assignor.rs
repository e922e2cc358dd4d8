//! The assignor of share groups, `simple`: each partition goes to as many members as it takes for all to have some, and
//! members keep what they have as far as that allows.
//!
//! Where all members read the same topics, what Kafka's assignor would choose is chosen, by going through members and
//! partitions in the order of Java's maps. One thing is done otherwise: where a round over the members that may still get
//! partitions ends without any taking one, Kafka assigns nothing more at all; here the next partition is tried.
//!
//! Kafka: `SimpleAssignor`, `SimpleHomogeneousAssignmentBuilder`, `SimpleHeterogeneousAssignmentBuilder`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Uuid;

use super::SharePartitions;
use crate::group::java_order::{hash_of_id, hash_of_text, in_map_order, in_sized_map_order};

/// The assignor's name in answers.
pub(super) const NAME: &str = "simple";

/// What the assignor knows of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberSpec {
    /// The topics that it reads and that exist.
    pub(super) topics: BTreeSet<Uuid>,
    /// Its target until now.
    pub(super) assignment: Arc<SharePartitions>,
}

/// What the assignor knows of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct ShareSpec {
    pub(super) members: BTreeMap<Arc<str>, MemberSpec>,
    /// Whether all members read the same topics.
    pub(super) homogeneous: bool,
    /// The partitions that may be assigned.
    pub(super) assignable: SharePartitions,
}

/// Assigns partitions. Members that get none are there, or not.
pub(super) fn assign(spec: &ShareSpec) -> BTreeMap<Arc<str>, SharePartitions> {
    let members = in_map_order(&spec.members, |(id, _)| hash_of_text(id));
    let topics: BTreeSet<Uuid> = members.iter().flat_map(|(_, member)| &member.topics).copied().collect();
    let mut targets = BTreeMap::new();
    if spec.homogeneous {
        share(spec, &members, &topics, &mut targets);
    } else {
        for topic in &topics {
            let readers: Vec<_> =
                members.iter().filter(|(_, member)| member.topics.contains(topic)).copied().collect();
            share(spec, &readers, &BTreeSet::from([*topic]), &mut targets);
        }
    }
    targets
}

/// Shares the partitions of some topics out among members that read them all.
fn share(
    spec: &ShareSpec,
    members: &[(&Arc<str>, &MemberSpec)],
    topics: &BTreeSet<Uuid>,
    targets: &mut BTreeMap<Arc<str>, SharePartitions>,
) {
    let assignable = topics.iter().flat_map(|topic| {
        let partitions = spec.assignable.get(topic).into_iter().flatten();
        partitions.map(|partition| (*topic, *partition))
    });
    let assignable: Vec<(Uuid, i32)> = assignable.collect();
    // Java: `AssignorHelpers.newHashMap`.
    let capacity = ((assignable.len() + 1) as f32 / 0.75 + 1.0) as usize;
    let partitions = in_sized_map_order(assignable, capacity, hash_of_partition);
    let mut sharing = Sharing::new(members, &partitions);
    sharing.revoke_from_overfilled();
    sharing.revoke_overshared();
    sharing.assign_remaining();
    for ((id, _), held) in members.iter().zip(&sharing.held) {
        let target = targets.entry(Arc::clone(id)).or_default();
        for (topic, partition) in held.iter().map(|index| partitions[*index]) {
            target.entry(topic).or_default().insert(partition);
        }
    }
}

/// Java: the hash of the record `TopicIdPartition`.
fn hash_of_partition((topic, partition): &(Uuid, i32)) -> i32 {
    hash_of_id(topic).wrapping_mul(31).wrapping_add(*partition)
}

/// An assignment in the making; members and partitions by their place.
struct Sharing<'a> {
    partitions: &'a [(Uuid, i32)],
    /// How many members each partition is to have.
    sharing: usize,
    /// How many partitions each member is to have.
    quotas: Vec<usize>,
    held: Vec<BTreeSet<usize>>,
    holders: Vec<BTreeSet<usize>>,
}

impl<'a> Sharing<'a> {
    fn new(members: &[(&Arc<str>, &MemberSpec)], partitions: &'a [(Uuid, i32)]) -> Self {
        let sharing = if partitions.is_empty() { 0 } else { members.len().div_ceil(partitions.len()) };
        let total = sharing * partitions.len();
        // What the members before and with each are to have together, rounded up.
        let upto = |count: usize| (total * count).div_ceil(members.len().max(1));
        let mut new = Self {
            partitions,
            sharing,
            quotas: (0..members.len()).map(|index| upto(index + 1) - upto(index)).collect(),
            held: vec![BTreeSet::new(); members.len()],
            holders: vec![BTreeSet::new(); partitions.len()],
        };
        for (index, (topic, partition)) in partitions.iter().enumerate() {
            for (member, (_, spec)) in members.iter().enumerate() {
                if spec.assignment.get(topic).is_some_and(|has| has.contains(partition)) {
                    new.give(member, index);
                }
            }
        }
        new
    }

    fn give(&mut self, member: usize, partition: usize) {
        self.held[member].insert(partition);
        self.holders[partition].insert(member);
    }

    fn take(&mut self, member: usize, partition: usize) {
        self.held[member].remove(&partition);
        self.holders[partition].remove(&member);
    }

    /// Takes from each member what it has over its quota.
    fn revoke_from_overfilled(&mut self) {
        for member in 0..self.held.len() {
            let Some(excess) = self.held[member].len().checked_sub(self.quotas[member]) else { continue };
            let held = self.held[member].iter().copied();
            let held = in_map_order(held, |index| hash_of_partition(&self.partitions[*index]));
            held.into_iter().take(excess).for_each(|partition| self.take(member, partition));
        }
    }

    /// Takes each partition from some members where it has too many.
    fn revoke_overshared(&mut self) {
        for partition in 0..self.holders.len() {
            let excess = self.holders[partition].len().saturating_sub(self.sharing);
            let holders: Vec<usize> = self.holders[partition].iter().copied().take(excess).collect();
            holders.into_iter().for_each(|member| self.take(member, partition));
        }
    }

    /// Gives partitions that have too few members to members that have too few partitions, in turn.
    fn assign_remaining(&mut self) {
        let mut unfilled: Vec<usize> =
            (0..self.held.len()).filter(|member| self.held[*member].len() < self.quotas[*member]).collect();
        let mut turn = 0;
        for partition in 0..self.partitions.len() {
            // How many in a row could not take the partition.
            let mut passed = 0;
            while self.holders[partition].len() < self.sharing && passed < unfilled.len() {
                turn %= unfilled.len();
                let member = unfilled[turn];
                if self.holders[partition].contains(&member) {
                    (turn, passed) = (turn + 1, passed + 1);
                    continue;
                }
                passed = 0;
                self.give(member, partition);
                if self.held[member].len() < self.quotas[member] {
                    turn += 1;
                } else {
                    unfilled.remove(turn);
                }
            }
        }
    }
}
