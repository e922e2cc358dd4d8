//! What the simple assignor promises, for any members, topics and earlier assignment.

use proptest::prelude::*;

use super::*;

fn topic(number: u8) -> Uuid {
    Uuid::from_u128(u128::from(number) * 7919)
}

fn spec(members: &[(&str, &[u8])], counts: &[i32]) -> ShareSpec {
    let of = |(id, topics): &(&str, &[u8])| {
        let topics = topics.iter().map(|number| topic(*number)).collect();
        ((*id).into(), MemberSpec { topics, assignment: Arc::default() })
    };
    let members: BTreeMap<Arc<str>, MemberSpec> = members.iter().map(of).collect();
    let mut all = members.values().map(|member| &member.topics);
    let first = all.next().cloned().unwrap_or_default();
    let homogeneous = all.all(|topics| *topics == first);
    let numbers = 0..u8::try_from(counts.len()).expect("few topics");
    let assignable =
        numbers.zip(counts).map(|(number, count)| (topic(number), (0..*count).collect())).collect();
    ShareSpec { members, homogeneous, assignable }
}

fn count(target: &SharePartitions) -> usize {
    target.values().map(BTreeSet::len).sum()
}

fn holders(targets: &BTreeMap<Arc<str>, SharePartitions>, topic: Uuid, partition: i32) -> usize {
    let has = |target: &&SharePartitions| target.get(&topic).is_some_and(|it| it.contains(&partition));
    targets.values().filter(has).count()
}

#[test]
fn fewer_members_than_partitions_share_them_out_evenly() {
    let targets = assign(&spec(&[("a", &[0]), ("b", &[0])], &[5]));
    let mut counts: Vec<usize> = targets.values().map(count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 3]);
    assert!((0..5).all(|partition| holders(&targets, topic(0), partition) == 1));
}

#[test]
fn more_members_than_partitions_have_the_same_ones() {
    let targets = assign(&spec(&[("a", &[0]), ("b", &[0]), ("c", &[0]), ("d", &[0]), ("e", &[0])], &[2]));
    assert!(targets.values().all(|target| count(target) >= 1));
    assert!((0..2).all(|partition| holders(&targets, topic(0), partition) == 3));
}

#[test]
fn each_has_of_the_topics_that_it_reads() {
    let targets = assign(&spec(&[("a", &[0]), ("b", &[1]), ("c", &[0, 1])], &[2, 3]));
    assert!(targets["a"].keys().eq([&topic(0)]));
    assert!(targets["b"].keys().eq([&topic(1)]));
    assert!((0..3).all(|partition| holders(&targets, topic(1), partition) == 1));
}

#[test]
fn what_may_not_be_assigned_is_not() {
    let mut spec = spec(&[("a", &[0]), ("b", &[0])], &[4]);
    spec.assignable = [(topic(0), [1].into())].into();
    let targets = assign(&spec);
    assert_eq!((holders(&targets, topic(0), 1), holders(&targets, topic(0), 0)), (2, 0));
    spec.assignable.clear();
    assert!(assign(&spec).values().all(|target| count(target) == 0));
}

fn group() -> impl Strategy<Value = ShareSpec> {
    let member = proptest::collection::btree_set(0..3u8, 0..3);
    (proptest::collection::vec(member, 1..8), proptest::collection::vec(0..6i32, 3)).prop_map(
        |(members, counts)| {
            let names: Vec<String> = (0..members.len()).map(|index| format!("member-{index}")).collect();
            let topics: Vec<Vec<u8>> = members.iter().map(|set| set.iter().copied().collect()).collect();
            let rows: Vec<(&str, &[u8])> =
                names.iter().map(String::as_str).zip(topics.iter().map(Vec::as_slice)).collect();
            spec(&rows, &counts)
        },
    )
}

/// Makes what was assigned for one spec the earlier assignment of another with the same names.
fn after(mut spec: ShareSpec, targets: &BTreeMap<Arc<str>, SharePartitions>) -> ShareSpec {
    for (id, member) in &mut spec.members {
        member.assignment = Arc::new(targets.get(id).cloned().unwrap_or_default());
    }
    spec
}

proptest! {
    #[test]
    fn every_partition_that_somebody_reads_is_read_and_nobody_has_what_he_does_not_read(
        before in group(), now in group(),
    ) {
        let spec = after(now, &assign(&before));
        let targets = assign(&spec);
        for (id, target) in &targets {
            for (topic, partitions) in target {
                prop_assert!(spec.members[id].topics.contains(topic));
                prop_assert!(partitions.is_subset(&spec.assignable[topic]));
            }
        }
        for (topic, partitions) in &spec.assignable {
            let readers = spec.members.values().filter(|member| member.topics.contains(topic)).count();
            for partition in partitions {
                let holders = holders(&targets, *topic, *partition);
                prop_assert!(readers == 0 || holders >= 1, "{topic}-{partition} has nobody");
            }
        }
    }

    #[test]
    fn members_that_read_the_same_have_as_much(mut spec in group()) {
        let topics: BTreeSet<Uuid> = spec.assignable.keys().copied().collect();
        spec.members.values_mut().for_each(|member| member.topics.clone_from(&topics));
        spec.homogeneous = true;
        let targets = assign(&spec);
        let counts: Vec<usize> = spec.members.keys().map(|id| targets.get(id).map_or(0, count)).collect();
        let (least, most) = (counts.iter().min(), counts.iter().max());
        prop_assert!(most.copied().unwrap_or(0) - least.copied().unwrap_or(0) <= 1, "{counts:?}");
    }

    #[test]
    fn nothing_moves_where_nothing_changes(spec in group()) {
        let targets = assign(&spec);
        prop_assert_eq!(assign(&after(spec, &targets)), targets);
    }
}
