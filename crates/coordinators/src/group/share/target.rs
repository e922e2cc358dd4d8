//! The target assignment of a group epoch: computed at most so often, of the partitions whose state has begun.
//!
//! Kafka: `TargetAssignmentBuilder.ShareTargetAssignmentBuilder`, `GroupMetadataManager.maybeUpdateTargetAssignment`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assignor::{self, ShareSpec};
use super::entry::ShareEntry;
use super::group::ShareGroup;
use super::member::{ShareMember, target_record};
use super::partition_states::partitions_of;
use super::{SharePartitions, ShareTurn};

/// A member's target and the epoch that it is of.
pub(super) struct ShareTarget {
    pub(super) epoch: i32,
    pub(super) assignment: Arc<SharePartitions>,
}

impl ShareGroup {
    /// Computes the target of `group_epoch` unless it is there or it is too early, and returns the member's part of what
    /// target there then is.
    pub(super) fn update_target(
        &self,
        group_epoch: i32,
        homogeneous: bool,
        member: &ShareMember,
        turn: &mut ShareTurn<'_>,
    ) -> ShareTarget {
        if self.assignment_epoch >= group_epoch || !self.may_compute_target(turn) {
            let assignment = self.target.get(&member.id).cloned().unwrap_or_default();
            return ShareTarget { epoch: self.assignment_epoch, assignment };
        }
        let spec = self.spec(homogeneous, member, turn);
        let mut targets = assignor::assign(&spec);
        let nothing = SharePartitions::new();
        for id in spec.members.keys() {
            let target = targets.get(id).unwrap_or(&nothing);
            if self.target.get(id).map(|old| &**old) != Some(target) {
                turn.write(target_record(&self.id, id, target));
            }
        }
        turn.write(ShareEntry::target_epoch(&self.id, group_epoch, turn.now.wall.0));
        let assignment = Arc::new(targets.remove(&member.id).unwrap_or_default());
        ShareTarget { epoch: group_epoch, assignment }
    }

    fn may_compute_target(&self, turn: &ShareTurn<'_>) -> bool {
        let interval = turn.assignment_interval_ms(&self.id);
        let next = self.assignment_timestamp.saturating_add(interval);
        self.assignment_timestamp == 0 || interval == 0 || turn.now.wall.0 >= next
    }

    fn spec(&self, homogeneous: bool, updated: &ShareMember, turn: &ShareTurn<'_>) -> ShareSpec {
        let others = self.members.values().filter(|member| member.id != updated.id);
        let topics = |member: &ShareMember| {
            member.topics.iter().filter_map(|topic| turn.metadata.topic_id(topic)).collect()
        };
        let spec_of = |member: &ShareMember| {
            let assignment = self.target.get(&member.id).cloned().unwrap_or_default();
            (member.id.clone(), assignor::MemberSpec { topics: topics(member), assignment })
        };
        let members: BTreeMap<_, _> = others.chain([updated]).map(spec_of).collect();
        let begun = self.states.as_ref().map(|states| partitions_of(&states.initialized));
        let mut assignable = begun.unwrap_or_default();
        for (topic, partitions) in &mut assignable {
            let count = turn.metadata.partition_count(*topic).unwrap_or(0);
            partitions.retain(|partition| *partition < count);
        }
        ShareSpec { members, homogeneous, assignable }
    }
}
