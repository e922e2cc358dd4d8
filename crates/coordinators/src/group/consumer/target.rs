//! The target assignment of a group epoch: computed at most so often, by the assignor that most members ask for.
//!
//! Kafka: `TargetAssignmentBuilder`, `GroupMetadataManager.maybeUpdateTargetAssignment`.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::Uuid;

use super::ConsumerTurn;
use super::assignor::{Assignor, GroupSpec, MemberSpec};
use super::entry::ConsumerEntry;
use super::group::ConsumerGroup;
use super::member::{Assignment, ConsumerMember, target_record};
use crate::group::metadata::Metadata;

/// A member's target and the epoch that it is of.
pub(super) struct Target {
    pub(super) epoch: i32,
    pub(super) assignment: Arc<Assignment>,
}

/// The topics of a subscription by name, and the same by id.
type SameTopics = (Arc<BTreeSet<String>>, Arc<BTreeSet<Uuid>>);

impl ConsumerGroup {
    /// Computes the target of `group_epoch` unless it is there or it is too early, and returns the member's part of what
    /// target there then is.
    pub(super) fn update_target(
        &self,
        group_epoch: i32,
        homogeneous: bool,
        member: &ConsumerMember,
        turn: &mut ConsumerTurn<'_>,
    ) -> Target {
        if self.assignment_epoch >= group_epoch || !self.may_compute_target(turn) {
            return Target { epoch: self.assignment_epoch, assignment: self.target_of(member) };
        }
        let assignor = self.assignor(member, turn);
        let spec = self.spec(homogeneous, member, turn.metadata);
        let mut targets = assignor.assign(&spec);
        for id in spec.members.keys() {
            let target = targets.get(id);
            if self.target.get(id).map(|old| &**old) != Some(target.unwrap_or(&Assignment::new())) {
                turn.write(target_record(&self.id, id, target.unwrap_or(&Assignment::new())));
            }
        }
        turn.write(ConsumerEntry::target_epoch(&self.id, group_epoch, turn.now.wall.0));
        let assignment = Arc::new(targets.remove(&member.id).unwrap_or_default());
        Target { epoch: group_epoch, assignment }
    }

    fn may_compute_target(&self, turn: &ConsumerTurn<'_>) -> bool {
        let interval = turn.assignment_interval_ms(&self.id);
        let next = self.assignment_timestamp.saturating_add(interval);
        self.assignment_timestamp == 0 || interval == 0 || turn.now.wall.0 >= next
    }

    fn assignor(&self, updated: &ConsumerMember, turn: &ConsumerTurn<'_>) -> Assignor {
        let others = self.members.values().filter(|member| !self.is_replaced_by(member, updated));
        let preferred = Self::preferred_assignor(others.chain([updated]));
        let preferred = preferred.and_then(Assignor::by_name);
        preferred
            .filter(|it| turn.config.consumer_assignors.contains(it))
            .unwrap_or(turn.config.default_assignor())
    }

    /// Tells whether `updated` comes in the place of `member`: it is the same, or the same static member.
    fn is_replaced_by(&self, member: &ConsumerMember, updated: &ConsumerMember) -> bool {
        member.id == updated.id || updated.instance_id.is_some() && member.instance_id == updated.instance_id
    }

    fn spec(&self, homogeneous: bool, updated: &ConsumerMember, metadata: &Metadata) -> GroupSpec {
        let mut spec = GroupSpec { homogeneous, ..Default::default() };
        let others = self.members.values().filter(|member| !self.is_replaced_by(member, updated));
        let mut same_topics = None::<SameTopics>;
        for member in others.chain([updated]) {
            let topics = match &same_topics {
                Some((names, ids)) if member.regex().is_none() && *names == member.topics => ids.clone(),
                _ => Arc::new(self.topic_ids(member, metadata)),
            };
            if same_topics.is_none() && member.regex().is_none() {
                same_topics = Some((member.topics.clone(), topics.clone()));
            }
            for topic in topics.iter() {
                spec.partition_counts
                    .entry(*topic)
                    .or_insert_with(|| metadata.partition_count(*topic).unwrap_or(0));
            }
            let assignment = self.target_of(member);
            let instance_id = member.instance_id.clone();
            spec.members.insert(member.id.clone(), MemberSpec { instance_id, topics, assignment });
        }
        for (topic, partitions) in self.target.values().flat_map(|target| target.iter()) {
            spec.assigned.entry(*topic).or_default().extend(partitions);
        }
        spec
    }

    fn topic_ids(&self, member: &ConsumerMember, metadata: &Metadata) -> BTreeSet<Uuid> {
        let matched = member.regex().and_then(|regex| self.resolved_regexes.get(regex));
        let matched = matched.into_iter().flat_map(|resolved| resolved.topics.iter());
        member.topics.iter().chain(matched).filter_map(|topic| metadata.topic_id(topic)).collect()
    }
}
