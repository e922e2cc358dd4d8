//! Tasks: a subtopology and a partition number each, as requests, records and answers tell of them.
//!
//! Kafka: `TasksTuple`, `TasksTupleWithEpochs`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::streams_group_current_member_assignment_value::TaskIds as RecordedTasks;
use protocol::streams_group_describe_response as described;
use protocol::streams_group_heartbeat_request::TaskIds as OwnedTasks;
use protocol::streams_group_heartbeat_response::TaskIds as AnsweredTasks;
use protocol::streams_group_target_assignment_member_value::TaskIds as RecordedTarget;
use protocol::{StreamsGroupHeartbeatRequest, StreamsGroupTargetAssignmentMemberValue};

/// Tasks by subtopology.
pub(super) type Tasks = BTreeMap<String, BTreeSet<i32>>;
/// Active tasks by subtopology, each with the member epoch at which it was assigned.
pub(super) type ActiveTasks = BTreeMap<String, BTreeMap<i32, i32>>;

/// What a member is to have, or says that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskSet {
    pub(super) active: Tasks,
    pub(super) standby: Tasks,
    pub(super) warmup: Tasks,
}

/// What a member has, or is to give up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AssignedTasks {
    pub(super) active: ActiveTasks,
    pub(super) standby: Tasks,
    pub(super) warmup: Tasks,
}

impl TaskSet {
    /// Reads what a member says that it owns; none unless it says so of every kind of task.
    pub(super) fn owned(request: &StreamsGroupHeartbeatRequest) -> Option<Self> {
        Some(Self {
            active: read_owned(request.active_tasks.as_ref()?),
            standby: read_owned(request.standby_tasks.as_ref()?),
            warmup: read_owned(request.warmup_tasks.as_ref()?),
        })
    }

    /// Reads a recorded target.
    pub(super) fn from_record(value: &StreamsGroupTargetAssignmentMemberValue) -> Self {
        let read =
            |tasks: &[RecordedTarget]| read(tasks.iter().map(|it| (&it.subtopology_id, &it.partitions)));
        Self {
            active: read(&value.active_tasks),
            standby: read(&value.standby_tasks),
            warmup: read(&value.warmup_tasks),
        }
    }

    /// Makes the value of a target's record.
    pub(super) fn to_record(&self) -> StreamsGroupTargetAssignmentMemberValue {
        let write = |tasks: &Tasks| {
            list(tasks, |subtopology_id, partitions| RecordedTarget {
                subtopology_id,
                partitions,
                ..Default::default()
            })
        };
        StreamsGroupTargetAssignmentMemberValue {
            active_tasks: write(&self.active),
            standby_tasks: write(&self.standby),
            warmup_tasks: write(&self.warmup),
            ..Default::default()
        }
    }

    /// Describes the tasks.
    pub(super) fn describe(&self) -> described::Assignment {
        described::Assignment {
            active_tasks: describe(&self.active),
            standby_tasks: describe(&self.standby),
            warmup_tasks: describe(&self.warmup),
            ..Default::default()
        }
    }

    /// Tells whether not even a subtopology is named.
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Tells whether one of the tasks is among `others`, in the same role.
    pub(super) fn contains_any(&self, others: &AssignedTasks) -> bool {
        let active = self.active.iter().any(|(subtopology, tasks)| {
            let of_other = others.active.get(subtopology);
            of_other.is_some_and(|of_other| tasks.iter().any(|task| of_other.contains_key(task)))
        });
        active || share_any(&self.standby, &others.standby) || share_any(&self.warmup, &others.warmup)
    }

    /// Tells whether all tasks are among `assigned`, in the same role.
    pub(super) fn are_within(&self, assigned: &AssignedTasks) -> bool {
        let active = self.active.iter().all(|(subtopology, tasks)| {
            let of_member = assigned.active.get(subtopology);
            of_member.is_some_and(|of_member| tasks.iter().all(|task| of_member.contains_key(task)))
        });
        active && are_within(&self.standby, &assigned.standby) && are_within(&self.warmup, &assigned.warmup)
    }
}

impl AssignedTasks {
    /// Reads recorded tasks. `member_epoch` stands for epochs that the record does not tell.
    pub(super) fn from_record(
        active: &[RecordedTasks],
        standby: &[RecordedTasks],
        warmup: &[RecordedTasks],
        member_epoch: i32,
    ) -> Self {
        let read =
            |tasks: &[RecordedTasks]| read(tasks.iter().map(|it| (&it.subtopology_id, &it.partitions)));
        let with_epochs = |tasks: &RecordedTasks| {
            let epochs = tasks.assignment_epochs.as_ref().filter(|it| it.len() == tasks.partitions.len());
            let epoch_of = |index: usize| epochs.map_or(member_epoch, |epochs| epochs[index]);
            let partitions = tasks.partitions.iter().enumerate();
            let partitions = partitions.map(|(index, partition)| (*partition, epoch_of(index)));
            (tasks.subtopology_id.clone(), partitions.collect())
        };
        Self {
            active: active.iter().map(with_epochs).collect(),
            standby: read(standby),
            warmup: read(warmup),
        }
    }

    /// Makes the three lists of a record: active, standby, warm-up.
    pub(super) fn to_record(&self) -> [Vec<RecordedTasks>; 3] {
        let write = |tasks: &Tasks| {
            list(tasks, |subtopology_id, partitions| RecordedTasks {
                subtopology_id,
                partitions,
                ..Default::default()
            })
        };
        let with_epochs = |(subtopology, tasks): (&String, &BTreeMap<i32, i32>)| RecordedTasks {
            subtopology_id: subtopology.clone(),
            partitions: tasks.keys().copied().collect(),
            assignment_epochs: Some(tasks.values().copied().collect()),
            ..Default::default()
        };
        [self.active.iter().map(with_epochs).collect(), write(&self.standby), write(&self.warmup)]
    }

    /// The tasks without their epochs.
    pub(super) fn tasks(&self) -> TaskSet {
        let active = self.active.iter();
        let active =
            active.map(|(subtopology, tasks)| (subtopology.clone(), tasks.keys().copied().collect()));
        TaskSet { active: active.collect(), standby: self.standby.clone(), warmup: self.warmup.clone() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// Takes in further tasks.
    pub(super) fn extend(&mut self, more: Self) {
        for (subtopology, tasks) in more.active {
            self.active.entry(subtopology).or_default().extend(tasks);
        }
        for (own, more) in [(&mut self.standby, more.standby), (&mut self.warmup, more.warmup)] {
            for (subtopology, tasks) in more {
                own.entry(subtopology).or_default().extend(tasks);
            }
        }
    }
}

/// Makes what an answer says of tasks.
pub(super) fn answer(tasks: &Tasks) -> Vec<AnsweredTasks> {
    list(tasks, |subtopology_id, partitions| AnsweredTasks {
        subtopology_id,
        partitions,
        ..Default::default()
    })
}

fn describe(tasks: &Tasks) -> Vec<described::TaskIds> {
    list(tasks, |subtopology_id, partitions| described::TaskIds {
        subtopology_id,
        partitions,
        ..Default::default()
    })
}

fn list<T>(tasks: &Tasks, make: impl Fn(String, Vec<i32>) -> T) -> Vec<T> {
    tasks.iter().map(|(id, partitions)| make(id.clone(), partitions.iter().copied().collect())).collect()
}

fn read<'a>(lists: impl Iterator<Item = (&'a String, &'a Vec<i32>)>) -> Tasks {
    let mut tasks = Tasks::new();
    for (subtopology, partitions) in lists {
        tasks.entry(subtopology.clone()).or_default().extend(partitions);
    }
    tasks
}

fn read_owned(tasks: &[OwnedTasks]) -> Tasks {
    read(tasks.iter().map(|it| (&it.subtopology_id, &it.partitions)))
}

fn share_any(tasks: &Tasks, others: &Tasks) -> bool {
    tasks.iter().any(|(subtopology, tasks)| others.get(subtopology).is_some_and(|of| !of.is_disjoint(tasks)))
}

fn are_within(tasks: &Tasks, others: &Tasks) -> bool {
    tasks.iter().all(|(subtopology, tasks)| others.get(subtopology).is_some_and(|of| tasks.is_subset(of)))
}
