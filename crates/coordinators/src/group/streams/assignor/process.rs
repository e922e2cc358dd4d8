//! A process during an assignment: its members (threads) and what each has by now.
//!
//! Kafka: `ProcessState`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::queue::LoadQueue;
use super::{Role, TaskId};
use crate::group::java_order::{hash_of_text, in_map_order};

/// A process and its load.
#[derive(Debug)]
pub(super) struct Process {
    /// In the order in which they joined the assignment.
    members: Vec<Arc<str>>,
    counts: BTreeMap<Arc<str>, i64>,
    tasks: BTreeSet<TaskId>,
    assigned: Vec<(Arc<str>, TaskId, Role)>,
    /// The members by load, until one gets a task out of turn.
    by_load: Option<LoadQueue<i64, Arc<str>>>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self {
            members: Vec::new(),
            counts: BTreeMap::new(),
            tasks: BTreeSet::new(),
            assigned: Vec::new(),
            by_load: None,
        }
    }

    pub(super) fn add_member(&mut self, member: Arc<str>) {
        self.members.push(member.clone());
        self.counts.insert(member, 0);
    }

    /// Tasks for each member, on average.
    pub(super) fn load(&self) -> f64 {
        self.assigned.len() as f64 / self.members.len().max(1) as f64
    }

    pub(super) fn has_task(&self, task: &TaskId) -> bool {
        self.tasks.contains(task)
    }

    /// How many tasks a member has by now.
    pub(super) fn count_of(&self, member: &str) -> i64 {
        self.counts.get(member).copied().unwrap_or(0)
    }

    /// Gives a member a task, and returns how many it then has.
    pub(super) fn add(&mut self, member: &Arc<str>, task: &TaskId, role: Role) -> i64 {
        self.by_load = None;
        self.assign(member, task, role)
    }

    /// Gives a task to the member that has the fewest, and returns how many it then has.
    pub(super) fn add_to_least_loaded(&mut self, task: &TaskId, role: Role) -> i64 {
        let mut queue = self.by_load.take().unwrap_or_else(|| self.queue());
        let Some(member) = queue.pop() else { return -1 };
        let count = self.assign(&member, task, role);
        queue.push(count, member);
        self.by_load = Some(queue);
        count
    }

    fn queue(&self) -> LoadQueue<i64, Arc<str>> {
        let mut queue = LoadQueue::new();
        for member in in_map_order(self.members.iter().cloned(), |member| hash_of_text(member)) {
            queue.push(self.count_of(&member), member);
        }
        queue
    }

    fn assign(&mut self, member: &Arc<str>, task: &TaskId, role: Role) -> i64 {
        self.tasks.insert(task.clone());
        self.assigned.push((member.clone(), task.clone(), role));
        let count = self.counts.entry(member.clone()).or_default();
        *count += 1;
        *count
    }

    /// Tells who got what.
    pub(super) fn into_assigned(self) -> Vec<(Arc<str>, TaskId, Role)> {
        self.assigned
    }
}
