//! The sticky task assignor, the only one there is: a task stays where it was or goes where it was standby, as long as that
//! leaves nobody with more than its share; what remains goes to the least loaded.
//!
//! Invariants:
//! - each task is active once; no process has a task twice
//! - what Kafka's assignor would choose is chosen, by going through members and processes in the order of Java's maps
//!
//! There are no warm-up tasks, and racks and client tags do not count: so it is in 4.3.1. Kafka: `StickyTaskAssignor`.

mod process;
mod queue;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::tasks::TaskSet;
use crate::group::java_order::{hash_of_text, in_map_order, in_sized_map_order};
use process::Process;
use queue::LoadQueue;

/// What the assignor knows of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct MemberSpec {
    pub(super) process_id: Arc<str>,
    /// Its target until now.
    pub(super) target: Arc<TaskSet>,
}

/// What the assignor knows of a subtopology.
#[derive(Clone, Debug)]
pub(super) struct SubtopologySpec {
    pub(super) id: String,
    pub(super) task_count: i32,
    /// Whether it has state, of which there may be standby replicas.
    pub(super) stateful: bool,
}

/// A task: subtopology and partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId {
    subtopology: Arc<str>,
    partition: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Active,
    Standby,
}

/// Where a task was: member and process.
#[derive(Clone, Debug)]
struct Place {
    member: Arc<str>,
    process: Arc<str>,
}

/// How many tasks a member may have so that all have their share.
#[derive(Debug)]
struct Quota {
    tasks: i64,
    members: i64,
    per_member: i64,
}

impl Quota {
    fn new(tasks: i64, members: i64) -> Self {
        let per_member = if members == 0 { 0 } else { tasks / members + i64::from(tasks % members > 0) };
        Self { tasks, members, per_member }
    }

    /// Takes in that a member has `count` tasks by now; one that has its share leaves the rest to the others.
    fn note(&mut self, count: i64) {
        if count == self.per_member {
            *self = Self::new(self.tasks - count, self.members - 1);
        }
    }
}

/// An assignment on its way.
struct Assigning {
    processes: BTreeMap<Arc<str>, Process>,
    /// The processes in the order of Java's map.
    order: Vec<Arc<str>>,
    previous_active: BTreeMap<TaskId, Place>,
    previous_standby: BTreeMap<TaskId, Vec<Place>>,
    active_quota: Quota,
    total_quota: Quota,
}

/// Assigns all tasks. Each member is in the result, also one that gets nothing.
pub(super) fn assign(
    members: &BTreeMap<Arc<str>, MemberSpec>,
    subtopologies: &[SubtopologySpec],
    standby_replicas: usize,
) -> BTreeMap<Arc<str>, TaskSet> {
    let mut targets: BTreeMap<Arc<str>, TaskSet> =
        members.keys().map(|member| (member.clone(), TaskSet::default())).collect();
    if members.is_empty() {
        return targets;
    }
    let mut assigning = Assigning::new(members, subtopologies, standby_replicas);
    assigning.assign_active(task_ids(subtopologies.iter()));
    if standby_replicas > 0 {
        let stateful = subtopologies.iter().filter(|subtopology| subtopology.stateful);
        assigning.assign_standby(task_ids(stateful), standby_replicas);
    }
    for (member, task, role) in assigning.processes.into_values().flat_map(Process::into_assigned) {
        let Some(target) = targets.get_mut(&member) else { continue };
        let tasks = if role == Role::Active { &mut target.active } else { &mut target.standby };
        tasks.entry(task.subtopology.to_string()).or_default().insert(task.partition);
    }
    targets
}

fn task_ids<'a>(subtopologies: impl Iterator<Item = &'a SubtopologySpec>) -> Vec<TaskId> {
    let tasks = subtopologies.flat_map(|spec| {
        let subtopology: Arc<str> = spec.id.as_str().into();
        (0..spec.task_count).map(move |partition| TaskId { subtopology: subtopology.clone(), partition })
    });
    tasks.collect()
}

impl Assigning {
    fn new(
        members: &BTreeMap<Arc<str>, MemberSpec>,
        subtopologies: &[SubtopologySpec],
        standby_replicas: usize,
    ) -> Self {
        let count = |spec: &SubtopologySpec| i64::from(spec.task_count);
        let active: i64 = subtopologies.iter().map(count).sum();
        let stateful: i64 = subtopologies.iter().filter(|spec| spec.stateful).map(count).sum();
        let replicas = i64::try_from(standby_replicas).unwrap_or(i64::MAX);
        let member_count = i64::try_from(members.len()).unwrap_or(i64::MAX);
        let mut assigning = Self {
            processes: BTreeMap::new(),
            order: Vec::new(),
            previous_active: BTreeMap::new(),
            previous_standby: BTreeMap::new(),
            active_quota: Quota::new(active, member_count),
            total_quota: Quota::new(active.saturating_add(stateful.saturating_mul(replicas)), member_count),
        };
        for (member, spec) in in_map_order(members, |(member, _)| hash_of_text(member)) {
            assigning.add_member(member, spec);
        }
        let processes = assigning.order.split_off(0);
        assigning.order = in_sized_map_order(processes, members.len(), |process| hash_of_text(process));
        assigning
    }

    fn add_member(&mut self, member: &Arc<str>, spec: &MemberSpec) {
        if !self.processes.contains_key(&spec.process_id) {
            self.order.push(spec.process_id.clone());
        }
        let process = self.processes.entry(spec.process_id.clone()).or_insert_with(Process::new);
        process.add_member(member.clone());
        let place = Place { member: member.clone(), process: spec.process_id.clone() };
        let ids = |subtopology: &String, partition: &i32| TaskId {
            subtopology: subtopology.as_str().into(),
            partition: *partition,
        };
        for (subtopology, partitions) in &spec.target.active {
            let tasks = partitions.iter().map(|partition| (ids(subtopology, partition), place.clone()));
            self.previous_active.extend(tasks);
        }
        for (subtopology, partitions) in &spec.target.standby {
            for partition in partitions {
                let places = self.previous_standby.entry(ids(subtopology, partition)).or_default();
                places.push(place.clone());
            }
        }
    }

    fn process(&self, id: &str) -> &Process {
        self.processes.get(id).expect("every place is of a process that was added")
    }

    fn give(&mut self, place: &Place, task: &TaskId, role: Role) {
        let process =
            self.processes.get_mut(&place.process).expect("every place is of a process that was added");
        let count = process.add(&place.member, task, role);
        if role == Role::Active {
            self.active_quota.note(count);
        }
        self.total_quota.note(count);
    }

    fn has_room_for_active(&self, place: &Place) -> bool {
        self.process(&place.process).count_of(&place.member) < self.active_quota.per_member
    }

    fn has_room(&self, place: &Place) -> bool {
        self.process(&place.process).count_of(&place.member) < self.total_quota.per_member
    }

    fn assign_active(&mut self, mut tasks: Vec<TaskId>) {
        tasks.sort_by(|a, b| (a.partition, &a.subtopology).cmp(&(b.partition, &b.subtopology)));
        tasks.retain(|task| {
            let place = self.previous_active.get(task).cloned();
            !self.give_active(place, task)
        });
        tasks.retain(|task| {
            let places = self.previous_standby.get(task);
            let place = places.and_then(|places| self.least_loaded(places, None)).cloned();
            !self.give_active(place, task)
        });
        tasks.sort();
        let mut queue = self.by_load();
        for task in tasks {
            let Some(id) = queue.pop() else { return };
            let process = self.processes.get_mut(&id).expect("the queue has the processes");
            let count = process.add_to_least_loaded(&task, Role::Active);
            let load = process.load();
            self.active_quota.note(count);
            self.total_quota.note(count);
            queue.push(load, id);
        }
    }

    /// Gives an active task to where it was, if there is room.
    fn give_active(&mut self, place: Option<Place>, task: &TaskId) -> bool {
        let Some(place) = place.filter(|place| self.has_room_for_active(place)) else { return false };
        self.give(&place, task, Role::Active);
        true
    }

    fn by_load(&self) -> LoadQueue<f64, Arc<str>> {
        let mut queue = LoadQueue::new();
        for id in &self.order {
            queue.push(self.process(id).load(), id.clone());
        }
        queue
    }

    fn assign_standby(&mut self, mut tasks: Vec<TaskId>, replicas: usize) {
        tasks.sort_by(|a, b| (b.partition, &b.subtopology).cmp(&(a.partition, &a.subtopology)));
        let mut remaining: Vec<(TaskId, usize)> = Vec::new();
        for task in tasks {
            let given = (0..replicas).take_while(|_| self.give_standby(&task)).count();
            if given < replicas {
                remaining.push((task, replicas - given));
            }
        }
        remaining.sort_by_cached_key(|(task, _)| Reverse(task.clone()));
        let mut queue = self.by_load();
        for (task, count) in remaining {
            // One that finds no process finds none for its further replicas either.
            _ = (0..count).take_while(|_| self.give_standby_to_least_loaded(&task, &mut queue)).count();
        }
    }

    /// Gives a standby task to where the task was, active or standby, if there is room.
    fn give_standby(&mut self, task: &TaskId) -> bool {
        let active = self.previous_active.get(task);
        let active =
            active.filter(|place| !self.process(&place.process).has_task(task) && self.has_room(place));
        let place = active.cloned().or_else(|| {
            let places = self.previous_standby.get(task)?;
            let place = self.least_loaded(places, Some(task))?;
            self.has_room(place).then(|| place.clone())
        });
        let Some(place) = place else { return false };
        self.give(&place, task, Role::Standby);
        true
    }

    fn give_standby_to_least_loaded(&mut self, task: &TaskId, queue: &mut LoadQueue<f64, Arc<str>>) -> bool {
        let mut popped = Vec::new();
        let mut found = false;
        while let Some(id) = queue.pop() {
            let process = self.processes.get_mut(&id).expect("the queue has the processes");
            if !process.has_task(task) {
                let count = process.add_to_least_loaded(task, Role::Standby);
                self.total_quota.note(count);
                found = true;
            }
            popped.push(id);
            if found {
                break;
            }
        }
        for id in popped.into_iter().rev() {
            queue.push(self.process(&id).load(), id);
        }
        found
    }

    /// Chooses among the places where a task was standby; for a standby task, none where it is by now.
    ///
    /// As in Kafka, whether the task is there by now is asked of the first place, not of the one that is chosen.
    fn least_loaded<'a>(&self, places: &'a [Place], task: Option<&TaskId>) -> Option<&'a Place> {
        let (first, others) = places.split_first()?;
        let loads = |place: &Place| {
            let process = self.process(&place.process);
            (process.load(), process.count_of(&place.member))
        };
        let has_task = |place: &Place| task.is_some_and(|task| self.process(&place.process).has_task(task));
        let (mut chosen, mut least) = (first, loads(first));
        for place in others {
            let (process_load, member_load) = loads(place);
            if process_load < least.0 && member_load < least.1 && !has_task(place) {
                (chosen, least) = (place, (process_load, member_load));
            }
        }
        (!has_task(first)).then_some(chosen)
    }
}
