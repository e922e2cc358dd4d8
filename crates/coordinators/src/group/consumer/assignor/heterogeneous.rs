//! The uniform assignor where members read different topics: all keep what they have, free partitions go to those with the
//! least, then topics are balanced one after the other until nothing moves any more.
//!
//! Kafka: `UniformHeterogeneousAssignmentBuilder`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use model::Uuid;

use super::{GroupSpec, MemberSpec};
use crate::group::consumer::member::Assignment;
use crate::group::java_order::{hash_of_text, in_map_order};

const MAX_ROUNDS: usize = 16;
const NOBODY: usize = usize::MAX;

struct Builder<'a> {
    spec: &'a GroupSpec,
    members: Vec<(&'a Arc<str>, &'a MemberSpec)>,
    /// Who reads each topic, by place in `members`.
    readers: BTreeMap<Uuid, Vec<usize>>,
    /// Who is to have each partition of each topic.
    owners: BTreeMap<Uuid, Vec<usize>>,
    /// How many partitions each member is to have.
    sizes: Vec<usize>,
}

pub(super) fn assign(spec: &GroupSpec) -> BTreeMap<Arc<str>, Assignment> {
    let members = in_map_order(&spec.members, |(id, _)| hash_of_text(id));
    let mut readers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for (index, (_, member)) in members.iter().enumerate() {
        for topic in member.topics.iter() {
            readers.entry(*topic).or_default().push(index);
        }
    }
    let nobody =
        |topic: &Uuid| (*topic, vec![NOBODY; usize::try_from(spec.partition_count(*topic)).unwrap_or(0)]);
    let owners = readers.keys().map(nobody).collect();
    let sizes = vec![0; members.len()];
    let mut builder = Builder { spec, members, readers, owners, sizes };
    if !builder.readers.is_empty() {
        builder.keep_assigned();
        builder.deal_unassigned();
        builder.balance();
    }
    builder.into_target()
}

impl Builder<'_> {
    fn keep_assigned(&mut self) {
        for (index, (_, member)) in self.members.iter().enumerate() {
            for (topic, partitions) in member.assignment.iter().filter(|(it, _)| member.topics.contains(it)) {
                let Some(owners) = self.owners.get_mut(topic) else { continue };
                for partition in partitions {
                    let place = usize::try_from(*partition).ok().and_then(|it| owners.get_mut(it));
                    if let Some(owner) = place {
                        *owner = index;
                        self.sizes[index] += 1;
                    }
                }
            }
        }
    }

    /// Orders topics: those with many partitions for each reader first, then those with few readers.
    fn sorted_topics(&self) -> Vec<Uuid> {
        let load =
            |topic: &Uuid| f64::from(self.spec.partition_count(*topic)) / self.readers[topic].len() as f64;
        let mut topics: Vec<Uuid> = self.readers.keys().copied().collect();
        topics.sort_by(|a, b| {
            let by_load = load(b).partial_cmp(&load(a)).unwrap_or(Ordering::Equal);
            by_load
                .then_with(|| self.readers[a].len().cmp(&self.readers[b].len()))
                .then_with(|| as_java_orders(a).cmp(&as_java_orders(b)))
        });
        topics
    }

    fn deal_unassigned(&mut self) {
        for topic in self.sorted_topics() {
            let free: Vec<usize> = self.owners[&topic]
                .iter()
                .enumerate()
                .filter(|(_, owner)| **owner == NOBODY)
                .map(|(partition, _)| partition)
                .collect();
            if free.is_empty() {
                continue;
            }
            let mut balancer = Balancer::new(&self.readers[&topic], &self.sizes);
            for partition in free {
                let least = balancer.next_least_loaded(&self.sizes);
                self.give(topic, partition, least);
            }
        }
    }

    fn balance(&mut self) {
        let topics: Vec<Uuid> =
            self.sorted_topics().into_iter().filter(|topic| self.readers[topic].len() >= 2).collect();
        let mut last_moved = None;
        for _ in 0..MAX_ROUNDS {
            for (index, topic) in topics.iter().enumerate() {
                if last_moved == Some(index) {
                    return;
                }
                if self.balance_topic(*topic) > 0 || last_moved.is_none() {
                    last_moved = Some(index);
                }
            }
        }
    }

    /// Moves partitions of a topic from those who have the most to those who have the least, and counts them.
    fn balance_topic(&mut self, topic: Uuid) -> usize {
        let mut balancer = Balancer::new(&self.readers[&topic], &self.sizes);
        if balancer.imbalance(&self.sizes) <= 1 {
            return 0;
        }
        let mut owned: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (partition, owner) in self.owners[&topic].iter().enumerate() {
            owned.entry(*owner).or_default().push(partition);
        }
        let mut moved = 0;
        while !balancer.is_balanced() {
            let Some(partition) = balancer.take_from_most_loaded(&self.sizes, &mut owned) else { break };
            let least = balancer.next_least_loaded(&self.sizes);
            if balancer.is_balanced() {
                break;
            }
            self.give(topic, partition, least);
            moved += 1;
        }
        moved
    }

    fn give(&mut self, topic: Uuid, partition: usize, member: usize) {
        let Some(owner) = self.owners.get_mut(&topic).and_then(|owners| owners.get_mut(partition)) else {
            return;
        };
        let before = std::mem::replace(owner, member);
        if before != NOBODY {
            self.sizes[before] -= 1;
        }
        self.sizes[member] += 1;
    }

    fn into_target(self) -> BTreeMap<Arc<str>, Assignment> {
        if self.readers.is_empty() {
            return BTreeMap::new();
        }
        let mut target: Vec<Assignment> = vec![Assignment::new(); self.members.len()];
        for (topic, owners) in &self.owners {
            for (partition, owner) in (0..).zip(owners) {
                if let Some(assignment) = target.get_mut(*owner) {
                    assignment.entry(*topic).or_default().insert(partition);
                }
            }
        }
        self.members.iter().map(|(id, _)| (*id).clone()).zip(target).collect()
    }
}

/// Kafka: `Uuid.compareTo`, by signed halves.
fn as_java_orders(id: &Uuid) -> (i64, i64) {
    let half = |bytes: &[u8]| bytes.iter().fold(0i64, |all, byte| all << 8 | i64::from(*byte));
    (half(&id.0[..8]), half(&id.0[8..]))
}

/// Finds the members with the most and the fewest partitions, while partitions move between them.
///
/// The members at the low end that are level, and those at the high end, are gone through in turn; when all of a range
/// have given or taken one, the range grows by those on the next level. Kafka: `MemberAssignmentBalancer`.
struct Balancer {
    /// The readers of the topic, those with the fewest partitions first.
    sorted: Vec<usize>,
    least_end: usize,
    least_load: isize,
    next_least: usize,
    most_start: usize,
    most_end: usize,
    most_load: isize,
    /// One more than the place of the member that is next at the high end.
    next_most: usize,
}

impl Balancer {
    fn new(readers: &[usize], sizes: &[usize]) -> Self {
        let mut sorted = readers.to_vec();
        sorted.sort_by_key(|member| (sizes[*member], *member));
        let load = |member: Option<&usize>| member.map_or(0, |member| sizes[*member].cast_signed());
        let (least, most) = (load(sorted.first()), load(sorted.last()));
        let end = sorted.len();
        Self {
            sorted,
            least_end: 0,
            least_load: least - 1,
            next_least: 0,
            most_start: end,
            most_end: end,
            most_load: most + 1,
            next_most: end,
        }
    }

    fn imbalance(&self, sizes: &[usize]) -> usize {
        let load = |member: Option<&usize>| member.map_or(0, |member| sizes[*member]);
        load(self.sorted.last()) - load(self.sorted.first())
    }

    fn load_at(&self, place: usize, sizes: &[usize]) -> isize {
        sizes[self.sorted[place]].cast_signed()
    }

    fn next_least_loaded(&mut self, sizes: &[usize]) -> usize {
        if self.next_least >= self.least_end {
            self.least_load += 1;
            while self.least_end < self.sorted.len() && self.load_at(self.least_end, sizes) == self.least_load
            {
                self.least_end += 1;
            }
            self.next_least = 0;
        }
        self.next_least += 1;
        self.sorted[self.next_least - 1]
    }

    fn next_most_loaded(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.next_most <= self.most_start {
            if self.most_end <= self.most_start && self.most_start > 0 {
                self.most_load = self.load_at(self.most_start - 1, sizes);
            } else {
                self.most_load -= 1;
            }
            while self.most_start > 0 && self.load_at(self.most_start - 1, sizes) == self.most_load {
                self.most_start -= 1;
            }
            self.next_most = self.most_end;
        }
        self.next_most = self.next_most.checked_sub(1)?;
        Some(self.sorted[self.next_most])
    }

    /// Takes the last partition of the member that has the most, of those that have one of this topic.
    fn take_from_most_loaded(
        &mut self,
        sizes: &[usize],
        owned: &mut BTreeMap<usize, Vec<usize>>,
    ) -> Option<usize> {
        loop {
            let most = self.next_most_loaded(sizes)?;
            if let Some(partition) = owned.get_mut(&most).and_then(Vec::pop) {
                return Some(partition);
            }
            self.most_end -= 1;
            self.sorted.swap(self.next_most, self.most_end);
        }
    }

    fn is_balanced(&self) -> bool {
        self.most_load - self.least_load <= 1
    }
}
