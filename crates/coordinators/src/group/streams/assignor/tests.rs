//! Properties of the assignor on random groups, and what Apache Kafka's assignor chooses for some.
//!
//! `kafka_choices.txt` is what `StickyTaskAssignor` of 4.3.1 answered: groups, each with standby replicas and subtopologies
//! (id, tasks, `s` where stateful), and a few assignments in a row, of members (id, process, active, standby tasks) that
//! come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{MemberSpec, SubtopologySpec, assign};
use crate::group::streams::tasks::{TaskSet, Tasks};

const CHOICES: &str = include_str!("kafka_choices.txt");

type Targets = BTreeMap<Arc<str>, TaskSet>;

fn subtopology(id: &str, task_count: i32, stateful: bool) -> SubtopologySpec {
    SubtopologySpec { id: id.into(), task_count, stateful }
}

fn specs(processes: &BTreeMap<Arc<str>, Arc<str>>, targets: &Targets) -> BTreeMap<Arc<str>, MemberSpec> {
    let spec = |(member, process): (&Arc<str>, &Arc<str>)| {
        let target = Arc::new(targets.get(member).cloned().unwrap_or_default());
        (member.clone(), MemberSpec { process_id: process.clone(), target })
    };
    processes.iter().map(spec).collect()
}

fn show(tasks: &Tasks) -> String {
    let shown = tasks
        .iter()
        .flat_map(|(subtopology, tasks)| tasks.iter().map(move |task| format!("{subtopology}-{task}")));
    format!("[{}]", shown.collect::<Vec<_>>().join(","))
}

#[test]
fn what_apache_kafka_chooses_is_chosen() {
    let mut count = 0;
    for group in CHOICES.split("group ").skip(1) {
        let (head, rounds) = group.split_once('\n').expect("assignments follow");
        let mut words = head.split(' ');
        let standby = words.next().and_then(|word| word.strip_prefix("standby=")).expect("standby replicas");
        let subtopologies: Vec<SubtopologySpec> = words
            .map(|word| {
                let (id, rest) = word.split_once('*').expect("id and tasks");
                let count = rest.trim_end_matches('s').parse().expect("a count");
                subtopology(id, count, rest.ends_with('s'))
            })
            .collect();
        let mut targets = Targets::new();
        for round in rounds.split("assign\n").skip(1) {
            let rows: Vec<Vec<&str>> = round.lines().map(|line| line.split(' ').collect()).collect();
            let processes = rows.iter().map(|row| (row[0].into(), row[1].into())).collect();
            targets =
                assign(&specs(&processes, &targets), &subtopologies, standby.parse().expect("a number"));
            for row in rows {
                let target = &targets[row[0]];
                let chosen = (show(&target.active), show(&target.standby));
                assert_eq!((chosen.0.as_str(), chosen.1.as_str()), (row[2], row[3]), "{} in {group}", row[0]);
            }
            count += 1;
        }
    }
    assert_eq!(count, 160);
}

/// Each task is active once, and standby at most as often as asked for; no process has a task twice.
fn check(
    processes: &BTreeMap<Arc<str>, Arc<str>>,
    subtopologies: &[SubtopologySpec],
    replicas: usize,
    targets: &Targets,
) {
    let mut active = BTreeSet::new();
    let mut standby: BTreeMap<(&String, i32), usize> = BTreeMap::new();
    let mut in_process = BTreeSet::new();
    for (member, target) in targets {
        let tasks = |tasks: &'_ Tasks| -> Vec<(String, i32)> {
            tasks.iter().flat_map(|(id, tasks)| tasks.iter().map(|task| (id.clone(), *task))).collect()
        };
        for task in tasks(&target.active) {
            assert!(
                in_process.insert((processes[member].clone(), task.clone())),
                "{task:?} twice in a process"
            );
            assert!(active.insert(task.clone()), "{task:?} is active twice");
        }
        for task in tasks(&target.standby) {
            assert!(
                in_process.insert((processes[member].clone(), task.clone())),
                "{task:?} twice in a process"
            );
            let spec = subtopologies.iter().find(|spec| spec.id == task.0).expect("it is known");
            assert!(spec.stateful, "{task:?} has no state");
            *standby.entry((&spec.id, task.1)).or_default() += 1;
        }
    }
    let all = subtopologies.iter().flat_map(|spec| (0..spec.task_count).map(|task| (spec.id.clone(), task)));
    assert_eq!(active, all.collect());
    let process_count = processes.values().collect::<BTreeSet<_>>().len();
    let possible = replicas.min(process_count - 1);
    for spec in subtopologies.iter().filter(|spec| spec.stateful) {
        for task in 0..spec.task_count {
            assert_eq!(standby.get(&(&spec.id, task)).copied().unwrap_or(0), possible, "{}-{task}", spec.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn each_task_has_its_place(
        counts in prop::collection::vec((1..8i32, any::<bool>()), 1..4),
        rounds in prop::collection::vec(prop::collection::btree_map(0..9u8, 0..4u8, 1..7), 1..5),
        replicas in 0..3usize,
    ) {
        let ids = ["0", "1", "2"];
        let subtopologies: Vec<_> =
            ids.iter().zip(&counts).map(|(id, (count, stateful))| subtopology(id, *count, *stateful)).collect();
        let mut targets = Targets::new();
        for round in &rounds {
            let processes: BTreeMap<Arc<str>, Arc<str>> =
                round.iter().map(|(member, process)| (format!("m{member}").into(), format!("p{process}").into())).collect();
            targets = assign(&specs(&processes, &targets), &subtopologies, replicas);
            check(&processes, &subtopologies, replicas, &targets);
        }
        // With members that stay, the assignment comes to rest: the shares are found while tasks are given, so a task that was
        // given before others had theirs may move once more.
        let last = rounds.last().expect("there is one");
        let processes: BTreeMap<Arc<str>, Arc<str>> =
            last.iter().map(|(member, process)| (format!("m{member}").into(), format!("p{process}").into())).collect();
        let active = |targets: &Targets| -> Vec<Tasks> { targets.values().map(|target| target.active.clone()).collect() };
        let mut repeats = 0;
        loop {
            let again = assign(&specs(&processes, &targets), &subtopologies, replicas);
            if active(&again) == active(&targets) {
                break;
            }
            targets = again;
            repeats += 1;
            prop_assert!(repeats < 5, "tasks go on moving");
        }
    }
}

#[test]
fn nobody_gets_nothing() {
    assert!(assign(&BTreeMap::new(), &[subtopology("0", 3, true)], 1).is_empty());
}
