//! The target assignment of a group epoch: computed at most so often, and for a new group after a delay in which more
//! members may come.
//!
//! Kafka: `streams.TargetAssignmentBuilder`, `GroupMetadataManager.maybeUpdateStreamsTargetAssignment`.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::streams_group_heartbeat_response::Status;

use super::assignor::{self, MemberSpec, SubtopologySpec};
use super::configure::ConfiguredTopology;
use super::entry::StreamsEntry;
use super::group::StreamsGroup;
use super::member::StreamsMember;
use super::tasks::TaskSet;
use super::{NUM_STANDBY_REPLICAS, StreamsTurn, status};
use crate::group::timers::TimerKey;

/// A member's target and the epoch that it is of.
pub(super) struct Target {
    pub(super) epoch: i32,
    pub(super) tasks: Arc<TaskSet>,
}

impl StreamsGroup {
    /// Computes the target of `epoch` unless it is there or it is too early, which `statuses` then tells, and returns the
    /// member's part of what target there then is.
    pub(super) fn update_target(
        &self,
        epoch: i32,
        member: &StreamsMember,
        configured: &ConfiguredTopology,
        configs: &BTreeMap<String, String>,
        statuses: &mut Vec<Status>,
        turn: &mut StreamsTurn<'_>,
    ) -> Target {
        if turn.timers.is_set(&TimerKey::StreamsInitialRebalance(self.id.clone())) {
            let detail = "Assignment delayed due to the configured initial rebalance delay.";
            statuses.push(status::of(status::ASSIGNMENT_DELAYED, detail));
            return Target { epoch: self.assignment_epoch, tasks: Arc::default() };
        }
        let last = || Target {
            epoch: self.assignment_epoch,
            tasks: self.target.get(&member.id).cloned().unwrap_or_default(),
        };
        if self.assignment_epoch >= epoch {
            return last();
        }
        if !self.may_compute_target(turn) {
            let detail = "Assignment delayed due to the configured assignment interval.";
            statuses.push(status::of(status::ASSIGNMENT_DELAYED, detail));
            return last();
        }
        let mut targets = self.compute_target(epoch, Some(member), configured, configs, turn);
        Target { epoch, tasks: Arc::new(targets.remove(&member.id).unwrap_or_default()) }
    }

    /// A new group has waited long enough for members. Kafka: `computeDelayedTargetAssignment`.
    pub(in crate::group) fn initial_delay_is_over(&self, turn: &mut StreamsTurn<'_>) {
        let Some(configured) = self.configured.as_ref().filter(|_| !self.is_empty()) else { return };
        if self.epoch > self.assignment_epoch && self.may_compute_target(turn) {
            self.compute_target(self.epoch, None, configured, &self.last_assignment_configs, turn);
        }
    }

    fn may_compute_target(&self, turn: &StreamsTurn<'_>) -> bool {
        let interval = turn.assignment_interval_ms(&self.id);
        let next = self.assignment_timestamp.saturating_add(interval);
        self.assignment_timestamp == 0 || interval == 0 || turn.now.wall.0 >= next
    }

    /// Computes the target and writes down what of it is new. `updated` comes in the place of its earlier self.
    fn compute_target(
        &self,
        epoch: i32,
        updated: Option<&StreamsMember>,
        configured: &ConfiguredTopology,
        configs: &BTreeMap<String, String>,
        turn: &mut StreamsTurn<'_>,
    ) -> BTreeMap<Arc<str>, TaskSet> {
        let spec = |member: &StreamsMember| {
            let target = self.target.get(&member.id).cloned().unwrap_or_default();
            (member.id.clone(), MemberSpec { process_id: member.process_id.clone(), target })
        };
        // Later entries come in the place of earlier ones.
        let specs: BTreeMap<_, _> = self.members.values().chain(updated).map(spec).collect();
        let subtopologies = configured.subtopologies.iter().map(|(id, subtopology)| SubtopologySpec {
            id: id.clone(),
            task_count: subtopology.task_count,
            stateful: subtopology.is_stateful(),
        });
        // Before all topics are there, nobody has tasks.
        let subtopologies: Vec<_> = subtopologies.filter(|_| configured.is_ready()).collect();
        let replicas = configs.get(NUM_STANDBY_REPLICAS).and_then(|replicas| replicas.parse().ok());
        let targets = assignor::assign(&specs, &subtopologies, replicas.unwrap_or(0));
        for (id, target) in &targets {
            if self.target.get(id).map(|old| &**old) != Some(target) {
                turn.write(StreamsEntry::Target(id.to_string(), Some(target.to_record())).of(&self.id));
            }
        }
        turn.write(StreamsEntry::target_epoch(&self.id, epoch, turn.now.wall.0));
        targets
    }
}
