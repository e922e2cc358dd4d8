//! Properties of the assignors on random groups, and what Apache Kafka's assignors choose for some.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Uuid;
use proptest::prelude::*;

use super::{Assignor, GroupSpec, MemberSpec};
use crate::group::consumer::member::Assignment;

fn topic(number: u128) -> Uuid {
    // Spread over the whole id, as random ids are.
    Uuid::from_u128(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

type Targets = BTreeMap<Arc<str>, Assignment>;

fn spec(subscriptions: &[BTreeSet<u128>], counts: &[i32], targets: &Targets) -> GroupSpec {
    let mut spec = GroupSpec {
        homogeneous: subscriptions.iter().all(|topics| *topics == subscriptions[0]),
        partition_counts: (0..).zip(counts).map(|(number, count)| (topic(number), *count)).collect(),
        ..Default::default()
    };
    for (number, topics) in subscriptions.iter().enumerate() {
        let id: Arc<str> = format!("member-{number}").into();
        let assignment = Arc::new(targets.get(&id).cloned().unwrap_or_default());
        for (topic, partitions) in assignment.iter() {
            spec.assigned.entry(*topic).or_default().extend(partitions);
        }
        let topics = Arc::new(topics.iter().map(|number| topic(*number)).collect());
        spec.members.insert(id, MemberSpec { instance_id: None, topics, assignment });
    }
    spec
}

/// Each partition of each topic that is read has one owner, who reads it.
fn check(spec: &GroupSpec, targets: &Targets) {
    let mut owned = BTreeSet::new();
    for (id, target) in targets {
        for (topic, partitions) in target {
            assert!(spec.members[id].topics.contains(topic), "{id} does not read {topic}");
            assert!(!partitions.is_empty());
            for partition in partitions {
                assert!(owned.insert((*topic, *partition)), "{topic}-{partition} has two owners");
            }
        }
    }
    let read: BTreeSet<Uuid> =
        spec.members.values().flat_map(|member| member.topics.iter().copied()).collect();
    let all = read.iter().flat_map(|topic| (0..spec.partition_count(*topic)).map(|it| (*topic, it)));
    assert_eq!(owned, all.collect());
}

fn size(targets: &Targets, id: &str) -> usize {
    targets.get(id).into_iter().flat_map(BTreeMap::values).map(BTreeSet::len).sum()
}

fn subscriptions() -> impl Strategy<Value = Vec<BTreeSet<u128>>> {
    prop_oneof![
        (prop::collection::btree_set(0..5u128, 0..5), 1..9usize)
            .prop_map(|(topics, count)| vec![topics; count]),
        prop::collection::vec(prop::collection::btree_set(0..5u128, 0..5), 1..9),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_partition_goes_to_one_reader_whatever_was_before(
        first in subscriptions(),
        second in subscriptions(),
        counts in prop::collection::vec(0..12i32, 5),
        assignor in prop_oneof![Just(Assignor::Uniform), Just(Assignor::Range)],
    ) {
        let before = spec(&first, &counts, &BTreeMap::new());
        let targets = assignor.assign(&before);
        check(&before, &targets);
        let mut after = spec(&second, &counts, &targets);
        // Partitions of members that are gone are free.
        let assigned = std::mem::take(&mut after.assigned);
        after.assigned = assigned;
        check(&after, &assignor.assign(&after));
    }

    #[test]
    fn readers_of_the_same_topics_get_as_much_and_keep_what_they_have(
        count in 1..9usize,
        more in 0..4usize,
        counts in prop::collection::vec(1..12i32, 5),
    ) {
        let topics: BTreeSet<u128> = (0..5).collect();
        let spec_of = |count: usize, targets: &Targets| spec(&vec![topics.clone(); count], &counts, targets);
        let before = Assignor::Uniform.assign(&spec_of(count, &BTreeMap::new()));
        let after = Assignor::Uniform.assign(&spec_of(count + more, &before));
        let total: usize = counts.iter().map(|count| *count as usize).sum();
        let share = total / (count + more);
        let mut kept = 0;
        for id in after.keys() {
            prop_assert!((share..=share + 1).contains(&size(&after, id)));
            for (topic, partitions) in before.get(id).into_iter().flatten() {
                kept += after[id].get(topic).map_or(0, |now| now.intersection(partitions).count());
            }
        }
        let moved = (count..count + more).map(|number| size(&after, &format!("member-{number}"))).sum::<usize>();
        prop_assert_eq!(total - kept, moved);
        prop_assert_eq!(Assignor::Uniform.assign(&spec_of(count + more, &after)), after);
    }

    #[test]
    fn an_assignment_of_different_readers_that_is_balanced_stays(
        subscriptions in prop::collection::vec(prop::collection::btree_set(0..5u128, 0..5), 1..9),
        counts in prop::collection::vec(0..12i32, 5),
    ) {
        let mut targets = BTreeMap::new();
        // Balancing ends after some rounds, and may have more to do.
        for _ in 0..8 {
            targets = Assignor::Uniform.assign(&spec(&subscriptions, &counts, &targets));
        }
        let again = Assignor::Uniform.assign(&spec(&subscriptions, &counts, &targets));
        let nonempty = |targets: &Targets| -> Targets {
            targets.iter().filter(|(_, it)| !it.is_empty()).map(|(id, it)| (id.clone(), it.clone())).collect()
        };
        prop_assert_eq!(nonempty(&again), nonempty(&targets));
    }

    #[test]
    fn ranges_of_topics_with_as_many_partitions_go_together(count in 1..9usize, partitions in 1..12i32) {
        let spec = spec(&vec![(0..2).collect(); count], &[partitions, partitions], &BTreeMap::new());
        for target in Assignor::Range.assign(&spec).values() {
            prop_assert_eq!(target.get(&topic(0)), target.get(&topic(1)));
        }
    }
}

#[test]
fn static_members_come_first_in_the_order_of_their_instance_ids() {
    let mut spec = spec(&vec![BTreeSet::from([0]); 3], &[3], &BTreeMap::new());
    spec.members.get_mut("member-2").expect("it is there").instance_id = Some("b".into());
    spec.members.get_mut("member-1").expect("it is there").instance_id = Some("c".into());
    let targets = Assignor::Range.assign(&spec);
    let first = |id: &str| targets[id][&topic(0)].first().copied();
    assert_eq!((first("member-2"), first("member-1"), first("member-0")), (Some(0), Some(1), Some(2)));
}

/// What `UniformAssignor` and `RangeAssignor` of Apache Kafka 4.3.1 choose for random groups, each changed twice.
const APACHE_KAFKA: &str = include_str!("tests/apache_kafka.txt");

/// Members, with the topics that they read, and with the partitions that they get, by topic.
type Chosen = BTreeMap<usize, (BTreeSet<u128>, Assignment)>;

fn numbers<T: std::str::FromStr>(text: &str) -> impl Iterator<Item = T> {
    text.split(',').filter_map(|number| number.parse().ok())
}

fn parse_member(line: &str) -> Option<(usize, (BTreeSet<u128>, Assignment))> {
    let (member, rest) = line.strip_prefix("member-")?.split_once(" reads ")?;
    let (topics, partitions) = rest.split_once(" has")?;
    let partitions = partitions.split_whitespace().filter_map(|of_topic| {
        let (number, partitions) = of_topic.split_once(':')?;
        Some((topic(number.parse().ok()?), numbers(partitions).collect()))
    });
    Some((member.parse().ok()?, (numbers(topics).collect(), partitions.collect())))
}

fn check_chosen(assignor: Assignor, counts: &[i32], before: &Targets, chosen: &Chosen) -> Targets {
    let subscriptions: Vec<BTreeSet<u128>> = chosen.values().map(|(topics, _)| topics.clone()).collect();
    let spec = spec(&subscriptions, counts, before);
    let targets = assignor.assign(&spec);
    for (member, (_, expected)) in chosen {
        let id: Arc<str> = format!("member-{member}").into();
        let got = targets.get(&id).cloned().unwrap_or_default();
        assert_eq!(got, *expected, "{id} of {chosen:#?} after {before:#?}");
    }
    targets
}

#[test]
fn what_apache_kafka_chooses_is_chosen() {
    let mut assignor = Assignor::Uniform;
    let mut targets = Targets::new();
    let mut counts: Vec<i32> = Vec::new();
    let mut chosen = Chosen::new();
    let mut checked = 0;
    for line in APACHE_KAFKA.lines().chain(["end counts="]) {
        if let Some((member, of_member)) = parse_member(line) {
            chosen.insert(member, of_member);
            continue;
        }
        let (what, next_counts) = line.split_once(" counts=").expect("the counts of partitions");
        if !chosen.is_empty() {
            targets = check_chosen(assignor, &counts, &targets, &std::mem::take(&mut chosen));
            checked += 1;
        }
        if let Some(name) = what.strip_prefix("case ") {
            assignor = Assignor::by_name(name).expect("it is known");
            targets.clear();
        }
        counts = numbers(next_counts).collect();
    }
    assert_eq!(checked, 72);
}
