//! Known plans, and what every plan must be.

use proptest::prelude::*;

use super::*;

fn topics(counts: &[(&str, i32)]) -> Topics {
    counts.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
}

fn member(wanted: &[&str]) -> Member {
    let topics = wanted.iter().map(|topic| (*topic).to_owned()).collect();
    Member { instance: None, subscription: Subscription { topics, ..Default::default() } }
}

fn members(wanted: &[(&str, &[&str])]) -> Members {
    wanted.iter().map(|(id, topics)| ((*id).to_owned(), member(topics))).collect()
}

fn shares(plan: &Plan) -> Vec<String> {
    let show =
        |share: &Vec<TopicPartition>| share.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    plan.values().map(show).collect()
}

#[test]
fn range_gives_neighbours_and_the_first_members_one_more() {
    let plan = Assignor::Range.assign(
        &topics(&[("a", 5), ("b", 3)]),
        &members(&[("1", &["a", "b"]), ("2", &["a", "b"]), ("3", &["a"])]),
    );
    assert_eq!(shares(&plan), ["a-0 a-1 b-0 b-1", "a-2 a-3 b-2", "a-4"]);
}

#[test]
fn static_members_come_before_others() {
    let mut members = members(&[("1", &["a"]), ("2", &["a"])]);
    members.get_mut("2").expect("it is there").instance = Some("z".into());
    assert_eq!(shares(&Assignor::Range.assign(&topics(&[("a", 3)]), &members)), ["a-2", "a-0 a-1"]);
}

#[test]
fn round_robin_passes_over_members_that_do_not_want_the_topic() {
    let plan = Assignor::RoundRobin.assign(
        &topics(&[("a", 1), ("b", 2), ("c", 3)]),
        &members(&[("1", &["a"]), ("2", &["a", "b"]), ("3", &["a", "b", "c"])]),
    );
    assert_eq!(shares(&plan), ["a-0", "b-0", "b-1 c-0 c-1 c-2"]);
}

/// The members after `plan`, as they would join again.
fn rejoined(members: &Members, plan: &Plan, assignor: Assignor, generation: i32) -> Members {
    let rejoin = |(id, member): (&String, &Member)| {
        let had = plan.get(id).cloned().unwrap_or_default();
        let mut member = member.clone();
        member.subscription.user_data = assignor.user_data(&had, generation);
        member.subscription.generation = Some(generation);
        member.subscription.owned = if assignor.is_cooperative() { had } else { Vec::new() };
        (id.clone(), member)
    };
    members.iter().map(rejoin).collect()
}

fn kept(before: &Plan, after: &Plan) -> usize {
    before
        .iter()
        .map(|(id, share)| {
            share.iter().filter(|name| after.get(id).is_some_and(|new| new.contains(name))).count()
        })
        .sum()
}

#[test]
fn sticky_moves_only_what_a_new_member_needs() {
    let topics = topics(&[("a", 6)]);
    let two = members(&[("1", &["a"]), ("2", &["a"])]);
    let first = Assignor::Sticky.assign(&topics, &two);
    let mut three = rejoined(&two, &first, Assignor::Sticky, 1);
    three.insert("3".into(), member(&["a"]));
    let second = Assignor::Sticky.assign(&topics, &three);
    assert_eq!(second["3"].len(), 2);
    assert_eq!(kept(&first, &second), 4);
}

#[test]
fn a_cooperative_member_gets_a_partition_only_after_its_owner_gave_it_up() {
    let topics = topics(&[("a", 4)]);
    let assignor = Assignor::CooperativeSticky;
    let one = members(&[("1", &["a"])]);
    let first = assignor.assign(&topics, &one);
    let mut two = rejoined(&one, &first, assignor, 1);
    two.insert("2".into(), member(&["a"]));
    let second = assignor.assign(&topics, &two);
    assert_eq!((second["1"].len(), second["2"].len()), (2, 0));
    let third = assignor.assign(&topics, &rejoined(&two, &second, assignor, 2));
    assert_eq!((third["1"].len(), third["2"].len()), (2, 2));
}

#[test]
fn of_two_that_claim_a_partition_the_later_generation_has_it() {
    let topics = topics(&[("a", 2)]);
    let mut two = members(&[("1", &["a"]), ("2", &["a"])]);
    let both = vec![TopicPartition::new("a", 0)];
    two.get_mut("1").expect("it is there").subscription.user_data = Assignor::Sticky.user_data(&both, 3);
    two.get_mut("2").expect("it is there").subscription.user_data = Assignor::Sticky.user_data(&both, 4);
    assert_eq!(shares(&Assignor::Sticky.assign(&topics, &two)), ["a-1", "a-0"]);
}

#[test]
fn user_data_that_is_no_user_data_is_ignored() {
    let mut one = members(&[("1", &["a"])]);
    one.get_mut("1").expect("it is there").subscription.user_data =
        Some(Bytes::from_static(b"\x7f\xff\xff\xff\0"));
    assert_eq!(shares(&Assignor::Sticky.assign(&topics(&[("a", 1)]), &one)), ["a-0"]);
}

fn group() -> impl Strategy<Value = (Topics, Members)> {
    let topics = proptest::collection::btree_map("[a-e]", 0..12_i32, 1..5);
    let members = proptest::collection::btree_map(
        "[0-9]{2}",
        (proptest::collection::btree_set("[a-e]", 0..5), proptest::option::of("[x-z]{3}")),
        1..8,
    );
    (topics, members).prop_map(|(topics, members)| {
        let member =
            |(id, (wanted, instance)): (String, (std::collections::BTreeSet<String>, Option<String>))| {
                let subscription =
                    Subscription { topics: wanted.into_iter().collect(), ..Default::default() };
                (id, Member { instance, subscription })
            };
        (topics, members.into_iter().map(member).collect())
    })
}

/// Everything that somebody wants is given once, to somebody who wants it.
fn check_complete(topics: &Topics, members: &Members, plan: &Plan) {
    let mut given: Vec<&TopicPartition> = plan.values().flatten().collect();
    given.sort();
    let mut wanted = Vec::new();
    for (topic, count) in topics {
        if members.values().any(|member| wants(member, topic)) {
            wanted.extend((0..*count).map(|partition| TopicPartition::new(topic.as_str(), partition)));
        }
    }
    assert_eq!(given, wanted.iter().collect::<Vec<_>>());
    for (id, share) in plan {
        assert!(share.iter().all(|name| wants(&members[id], &name.topic)));
    }
}

fn check_balanced(members: &Members, plan: &Plan) {
    for share in plan.values() {
        for name in share {
            let least = members
                .iter()
                .filter(|(_, member)| wants(member, &name.topic))
                .map(|(id, _)| plan[id].len())
                .min();
            assert!(share.len() <= least.expect("its owner wants it") + 1, "{name} should move");
        }
    }
}

proptest! {
    #[test]
    fn every_assignor_gives_everything_once((topics, members) in group()) {
        for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky] {
            check_complete(&topics, &members, &assignor.assign(&topics, &members));
        }
    }

    #[test]
    fn sticky_plans_are_balanced_and_stay((topics, members) in group(), leaver in 0usize..8) {
        let first = Assignor::Sticky.assign(&topics, &members);
        check_balanced(&members, &first);
        let same = Assignor::Sticky.assign(&topics, &rejoined(&members, &first, Assignor::Sticky, 1));
        prop_assert_eq!(&same, &first);

        let mut fewer = rejoined(&members, &first, Assignor::Sticky, 1);
        if fewer.len() > 1 {
            let gone = fewer.keys().nth(leaver % fewer.len()).expect("it is within").clone();
            fewer.remove(&gone);
            let second = Assignor::Sticky.assign(&topics, &fewer);
            check_complete(&topics, &fewer, &second);
            check_balanced(&fewer, &second);
        }
    }

    #[test]
    fn cooperative_groups_come_to_rest((topics, members) in group()) {
        let assignor = Assignor::CooperativeSticky;
        let mut plan = assignor.assign(&topics, &members);
        let mut all = members;
        all.insert("new".into(), Member { instance: None, subscription: Subscription { topics: topics.keys().cloned().collect(), ..Default::default() } });
        // Where members want different topics, giving one partition up may show that another should move.
        for generation in 1..10 {
            all = rejoined(&all, &plan, assignor, generation);
            let before = std::mem::replace(&mut plan, assignor.assign(&topics, &all));
            if before == plan {
                break;
            }
        }
        check_complete(&topics, &all, &plan);
        check_balanced(&all, &plan);
    }
}
