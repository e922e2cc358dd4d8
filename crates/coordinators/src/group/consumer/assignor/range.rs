//! The range assignor: each member gets a range of each topic's partitions, in order of instance ids and member ids.
//!
//! Topics with as many partitions and readers are assigned alike, so that one member has the same partitions of each.
//! Kafka: `RangeAssignor`.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Uuid;

use super::{GroupSpec, MemberSpec};
use crate::group::consumer::member::Assignment;

/// What is left of a topic while its ranges are dealt out.
struct Ranges {
    partition_count: i32,
    readers: i32,
    next: i32,
    /// How many members get one more than the others still.
    extra: i32,
}

impl Ranges {
    fn deal(&mut self) -> std::ops::Range<i32> {
        let quota = self.partition_count / self.readers + i32::from(self.extra > 0);
        self.extra -= 1;
        let start = self.next;
        self.next = (start + quota).min(self.partition_count);
        start..self.next
    }
}

pub(super) fn assign(spec: &GroupSpec) -> BTreeMap<Arc<str>, Assignment> {
    let mut ranges: BTreeMap<Uuid, Ranges> = BTreeMap::new();
    for topic in spec.members.values().flat_map(|member| member.topics.iter()) {
        let partition_count = spec.partition_count(*topic);
        let fresh = Ranges { partition_count, readers: 0, next: 0, extra: 0 };
        ranges.entry(*topic).or_insert(fresh).readers += 1;
    }
    for topic in ranges.values_mut() {
        topic.extra = topic.partition_count % topic.readers;
    }
    let mut assigned = BTreeMap::new();
    for (id, member) in in_order(spec) {
        let mut assignment = Assignment::new();
        for topic in member.topics.iter() {
            let range = ranges.get_mut(topic).map_or(0..0, Ranges::deal);
            if !range.is_empty() {
                assignment.insert(*topic, range.collect());
            }
        }
        assigned.insert(id.clone(), assignment);
    }
    assigned
}

/// Static members first, by instance id, then the others by id; both by UTF-16 units as Java compares.
fn in_order(spec: &GroupSpec) -> Vec<(&Arc<str>, &MemberSpec)> {
    let mut members: Vec<_> = spec.members.iter().collect();
    members.sort_by_cached_key(|(id, member)| match &member.instance_id {
        Some(instance_id) => (0, instance_id.encode_utf16().collect::<Vec<u16>>()),
        None => (1, id.encode_utf16().collect()),
    });
    members
}
