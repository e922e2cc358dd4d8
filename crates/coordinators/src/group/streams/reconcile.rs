//! The way of a member to its target assignment, by steps: first it gives up what it is no longer to have, then it goes on to
//! the target's epoch, then it takes what others have given up.
//!
//! A task is free to become active when no process has it active; in a process that has it in any role it is not free.
//!
//! Kafka: `streams.CurrentAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::ErrorCode;

use super::holders::Holders;
use super::member::{MemberState, StreamsMember};
use super::tasks::{AssignedTasks, TaskSet, Tasks};
use crate::group::consumer::Refusal;

/// What a member's next step depends on.
pub(super) struct Reconciling<'a> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a TaskSet,
    /// Which process has which task still.
    pub(super) holders: &'a Holders,
    /// What the member says that it owns; none if it says nothing.
    pub(super) owned: Option<&'a TaskSet>,
}

/// What becomes of a member's tasks of one role.
struct Difference<T> {
    kept: T,
    given: T,
    gained: T,
    waits: bool,
}

impl Reconciling<'_> {
    /// Makes the member after its next step, which may be the same.
    pub(super) fn step(&self, member: &StreamsMember) -> Result<StreamsMember, Refusal> {
        match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => Ok(self.next(member, member.epoch)),
            MemberState::Stable => Ok(member.clone()),
            MemberState::UnrevokedTasks if self.owns_any_of(&member.revoking) => Ok(member.clone()),
            MemberState::UnrevokedTasks => Ok(self.next(member, member.epoch.wrapping_add(1))),
            MemberState::UnreleasedTasks => Ok(self.next(member, member.epoch)),
            MemberState::Unknown if self.owned.is_none_or(|owned| !owned.is_empty()) => Err(Refusal::new(
                ErrorCode::FENCED_MEMBER_EPOCH,
                "The streams group member is in a unknown state. The member must abandon all its tasks and rejoin.",
            )),
            MemberState::Unknown => Ok(self.next(member, self.target_epoch)),
        }
    }

    /// Tells whether the member owns one of `tasks`, as far as it says.
    fn owns_any_of(&self, tasks: &AssignedTasks) -> bool {
        self.owned.is_none_or(|owned| owned.contains_any(tasks))
    }

    /// Takes the step from what the member has towards its target. `epoch` is where it stays if it must give up first.
    fn next(&self, member: &StreamsMember, epoch: i32) -> StreamsMember {
        let process = &*member.process_id;
        let in_process = |subtopology: &str, partition| {
            self.holders.active(subtopology, partition) == Some(process)
                || self.holders.has_standby(subtopology, partition, process)
                || self.holders.has_warmup(subtopology, partition, process)
        };
        let active = self.active_difference(member, |subtopology, partition| {
            self.holders.active(subtopology, partition).is_some() || in_process(subtopology, partition)
        });
        let standby = difference(&member.assigned.standby, &self.target.standby, in_process);
        let warmup = difference(&member.assigned.warmup, &self.target.warmup, in_process);
        let waits = active.waits || standby.waits || warmup.waits;
        let tasks = |active, standby, warmup| AssignedTasks { active, standby, warmup };
        let mut kept = tasks(active.kept, standby.kept, warmup.kept);
        let given = tasks(active.given, standby.given, warmup.given);
        let gained = tasks(active.gained, standby.gained, warmup.gained);
        let mut updated = member.clone();
        if !given.is_empty() && self.owns_any_of(&given) {
            updated.state = MemberState::UnrevokedTasks;
            updated.advance_to(epoch);
            updated.assigned = Arc::new(kept);
            updated.revoking = Arc::new(given);
            return updated;
        }
        kept.extend(gained);
        updated.state = if waits { MemberState::UnreleasedTasks } else { MemberState::Stable };
        updated.advance_to(self.target_epoch);
        updated.assigned = Arc::new(kept);
        updated.revoking = Arc::default();
        updated
    }

    fn active_difference(
        &self,
        member: &StreamsMember,
        is_held: impl Fn(&str, i32) -> bool,
    ) -> Difference<BTreeMap<String, BTreeMap<i32, i32>>> {
        let without_epochs = member.assigned.tasks().active;
        let found = difference(&without_epochs, &self.target.active, is_held);
        let with_epochs = |tasks: Tasks, epoch_of: &dyn Fn(&str, i32) -> i32| {
            let one = |(subtopology, tasks): (String, BTreeSet<i32>)| {
                let tasks = tasks.into_iter().map(|task| (task, epoch_of(&subtopology, task))).collect();
                (subtopology, tasks)
            };
            tasks.into_iter().map(one).collect()
        };
        let before = |subtopology: &str, task: i32| {
            let tasks = member.assigned.active.get(subtopology);
            tasks.and_then(|tasks| tasks.get(&task)).copied().unwrap_or(self.target_epoch)
        };
        Difference {
            kept: with_epochs(found.kept, &before),
            given: with_epochs(found.given, &before),
            gained: with_epochs(found.gained, &|_, _| self.target_epoch),
            waits: found.waits,
        }
    }
}

fn difference(assigned: &Tasks, target: &Tasks, is_held: impl Fn(&str, i32) -> bool) -> Difference<Tasks> {
    let mut found =
        Difference { kept: Tasks::new(), given: Tasks::new(), gained: Tasks::new(), waits: false };
    let nothing = BTreeSet::new();
    let subtopologies: BTreeSet<&String> = target.keys().chain(assigned.keys()).collect();
    for subtopology in subtopologies {
        let assigned = assigned.get(subtopology).unwrap_or(&nothing);
        let target = target.get(subtopology).unwrap_or(&nothing);
        let (held, free): (BTreeSet<i32>, BTreeSet<i32>) =
            target.difference(assigned).partition(|task| is_held(subtopology, **task));
        found.waits |= !held.is_empty();
        insert(&mut found.kept, subtopology, assigned.intersection(target).copied().collect());
        insert(&mut found.given, subtopology, assigned.difference(target).copied().collect());
        insert(&mut found.gained, subtopology, free);
    }
    found
}

fn insert(tasks: &mut Tasks, subtopology: &str, of_subtopology: BTreeSet<i32>) {
    if !of_subtopology.is_empty() {
        tasks.insert(subtopology.to_owned(), of_subtopology);
    }
}
