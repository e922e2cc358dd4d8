//! The uniform assignor where all members read the same topics: each gets its share and keeps what it has of it.
//!
//! Kafka: `UniformHomogeneousAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Uuid;

use super::{GroupSpec, MemberSpec};
use crate::group::consumer::member::Assignment;
use crate::group::java_order::{hash_of_id, hash_of_int, hash_of_text, in_copied_set_order, in_map_order};

struct Builder<'a> {
    spec: &'a GroupSpec,
    topics: &'a BTreeSet<Uuid>,
    /// How many partitions each member gets at least.
    least: usize,
    /// How many members are to get one more still.
    extra: usize,
    unassigned: Vec<(Uuid, i32)>,
    /// Members, each with how many partitions it may still get.
    unfilled: Vec<(Arc<str>, usize)>,
    target: BTreeMap<Arc<str>, Assignment>,
}

pub(super) fn assign(spec: &GroupSpec) -> BTreeMap<Arc<str>, Assignment> {
    let Some(topics) = spec.members.values().next().map(|member| &*member.topics) else {
        return BTreeMap::new();
    };
    let mut builder = Builder {
        spec,
        topics,
        least: 0,
        extra: 0,
        unassigned: Vec::new(),
        unfilled: Vec::new(),
        target: BTreeMap::new(),
    };
    if !topics.is_empty() {
        builder.build();
    }
    builder.target
}

impl Builder<'_> {
    fn build(&mut self) {
        let mut total = 0;
        for topic in in_copied_set_order(self.topics.iter().copied(), hash_of_id) {
            let count = self.spec.partition_count(topic);
            let free = (0..count).filter(|partition| !self.spec.is_assigned(topic, *partition));
            self.unassigned.extend(free.map(|partition| (topic, partition)));
            total += usize::try_from(count).unwrap_or(0);
        }
        let member_count = self.spec.members.len();
        self.least = total / member_count;
        self.extra = total % member_count;
        let members = in_map_order(&self.spec.members, |(id, _)| hash_of_text(id));
        for (index, (id, member)) in members.into_iter().enumerate() {
            self.keep_share(id, member, member_count - index);
        }
        self.deal_unassigned();
    }

    /// Lets a member keep what it has of its share. `members_left` counts it and those after it.
    fn keep_share(&mut self, id: &Arc<str>, member: &MemberSpec, members_left: usize) {
        let mut has_extra = self.extra > 0;
        let mut quota = self.least + usize::from(has_extra);
        let mut kept = Assignment::new();
        for (topic, partitions) in in_map_order(member.assignment.iter(), |(topic, _)| hash_of_id(topic)) {
            if !self.topics.contains(topic) {
                continue;
            }
            let partitions = in_copied_set_order(partitions.iter().copied(), hash_of_int);
            let (keep, give) = partitions.split_at(quota.min(partitions.len()));
            quota -= keep.len();
            self.unassigned.extend(give.iter().map(|partition| (*topic, *partition)));
            if !keep.is_empty() {
                kept.insert(*topic, keep.iter().copied().collect());
            }
        }
        if quota > 0 && has_extra && members_left > self.extra {
            quota -= 1;
            has_extra = false;
        }
        if quota > 0 {
            self.unfilled.push((id.clone(), quota));
        }
        if has_extra {
            self.extra -= 1;
        }
        self.target.insert(id.clone(), kept);
    }

    fn deal_unassigned(&mut self) {
        let mut unassigned = std::mem::take(&mut self.unassigned).into_iter();
        for (id, quota) in &self.unfilled {
            let Some(target) = self.target.get_mut(id) else { continue };
            for (topic, partition) in unassigned.by_ref().take(*quota) {
                target.entry(topic).or_default().insert(partition);
            }
        }
    }
}
