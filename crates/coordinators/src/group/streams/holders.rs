//! Which process has which task, or is still to give it up.
//!
//! Kafka: `StreamsGroup.currentActiveTaskToProcessId` and the like.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::member::StreamsMember;
use super::tasks::{AssignedTasks, Tasks};

type ByTask<T> = BTreeMap<String, BTreeMap<i32, T>>;

/// The processes of tasks, by role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holders {
    active: ByTask<Arc<str>>,
    standby: ByTask<BTreeSet<Arc<str>>>,
    warmup: ByTask<BTreeSet<Arc<str>>>,
}

impl Holders {
    /// The process that has a task active.
    pub(super) fn active(&self, subtopology: &str, partition: i32) -> Option<&str> {
        self.active.get(subtopology)?.get(&partition).map(|process| &**process)
    }

    pub(super) fn has_standby(&self, subtopology: &str, partition: i32, process: &str) -> bool {
        contains(&self.standby, subtopology, partition, process)
    }

    pub(super) fn has_warmup(&self, subtopology: &str, partition: i32, process: &str) -> bool {
        contains(&self.warmup, subtopology, partition, process)
    }

    /// Takes in that a member is another, came or went.
    pub(super) fn replace(&mut self, old: Option<&StreamsMember>, new: Option<&StreamsMember>) {
        if let Some(old) = old {
            self.remove(&old.assigned, &old.process_id);
            self.remove(&old.revoking, &old.process_id);
        }
        if let Some(new) = new {
            self.add(&new.assigned, &new.process_id);
            self.add(&new.revoking, &new.process_id);
        }
    }

    fn add(&mut self, tasks: &AssignedTasks, process: &Arc<str>) {
        for (subtopology, tasks) in &tasks.active {
            let processes = self.active.entry(subtopology.clone()).or_default();
            processes.extend(tasks.keys().map(|task| (*task, process.clone())));
        }
        add(&mut self.standby, &tasks.standby, process);
        add(&mut self.warmup, &tasks.warmup, process);
    }

    /// Forgets that a process has tasks, but for active ones that another has by now.
    fn remove(&mut self, tasks: &AssignedTasks, process: &Arc<str>) {
        for (subtopology, tasks) in &tasks.active {
            let Some(processes) = self.active.get_mut(subtopology) else { continue };
            for task in tasks.keys() {
                if processes.get(task) == Some(process) {
                    processes.remove(task);
                }
            }
            if processes.is_empty() {
                self.active.remove(subtopology);
            }
        }
        remove(&mut self.standby, &tasks.standby, process);
        remove(&mut self.warmup, &tasks.warmup, process);
    }
}

fn contains(
    processes: &ByTask<BTreeSet<Arc<str>>>,
    subtopology: &str,
    partition: i32,
    process: &str,
) -> bool {
    let of_task = processes.get(subtopology).and_then(|of_subtopology| of_subtopology.get(&partition));
    of_task.is_some_and(|of_task| of_task.contains(process))
}

fn add(processes: &mut ByTask<BTreeSet<Arc<str>>>, tasks: &Tasks, process: &Arc<str>) {
    for (subtopology, tasks) in tasks {
        let of_subtopology = processes.entry(subtopology.clone()).or_default();
        for task in tasks {
            of_subtopology.entry(*task).or_default().insert(process.clone());
        }
    }
}

fn remove(processes: &mut ByTask<BTreeSet<Arc<str>>>, tasks: &Tasks, process: &Arc<str>) {
    for (subtopology, tasks) in tasks {
        let Some(of_subtopology) = processes.get_mut(subtopology) else { continue };
        for task in tasks {
            let Some(of_task) = of_subtopology.get_mut(task) else { continue };
            of_task.remove(process);
            if of_task.is_empty() {
                of_subtopology.remove(task);
            }
        }
        if of_subtopology.is_empty() {
            processes.remove(subtopology);
        }
    }
}
