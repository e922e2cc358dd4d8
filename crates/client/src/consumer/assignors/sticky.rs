//! Balanced assignment with as few moves as can be. Kafka: `StickyAssignor`, `CooperativeStickyAssignor`.
//!
//! Invariant: no partition could move to a member that has at least two fewer.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use model::TopicPartition;

use super::{Member, Members, Plan, Topics, empty_plan, in_order, wants};
use crate::offsets::by_topic;

/// What the eager assignor writes for itself: what the member had, and the generation.
pub(super) fn encode_user_data(had: &[TopicPartition], generation: i32) -> Bytes {
    let topics = by_topic(had.iter().map(|name| (name, ())));
    let mut out = BytesMut::new();
    out.put_i32(topics.len() as i32);
    for (topic, partitions) in topics {
        out.put_i16(topic.len() as i16);
        out.put_slice(topic.as_bytes());
        out.put_i32(partitions.len() as i32);
        partitions.iter().for_each(|(partition, ())| out.put_i32(*partition));
    }
    out.put_i32(generation);
    out.freeze()
}

/// Reads that back; the generation is missing in data of the oldest clients.
fn decode_user_data(bytes: &Bytes) -> Option<(Vec<TopicPartition>, i32)> {
    let mut input = bytes.clone();
    let mut had = Vec::new();
    for _ in 0..input.try_get_i32().ok()? {
        let length =
            usize::try_from(input.try_get_i16().ok()?).ok().filter(|length| *length <= input.len())?;
        let topic = String::from_utf8(input.split_to(length).to_vec()).ok()?;
        for _ in 0..input.try_get_i32().ok()? {
            had.push(TopicPartition::new(topic.as_str(), input.try_get_i32().ok()?));
        }
    }
    Some((had, input.try_get_i32().unwrap_or(-1)))
}

/// What a member had, and in which generation.
fn claim(member: &Member, cooperative: bool) -> (Vec<TopicPartition>, i32) {
    let subscription = &member.subscription;
    if !cooperative {
        return subscription.user_data.as_ref().and_then(decode_user_data).unwrap_or((Vec::new(), -1));
    }
    let written = subscription.user_data.as_ref().and_then(|data| data.clone().try_get_i32().ok());
    (subscription.owned.clone(), subscription.generation.or(written).unwrap_or(-1))
}

pub(super) fn assign(topics: &Topics, members: &Members, cooperative: bool) -> Plan {
    let claims: BTreeMap<&String, (Vec<TopicPartition>, i32)> =
        members.iter().map(|(id, member)| (id, claim(member, cooperative))).collect();
    let mut plan = keep(topics, members, &claims);
    give_rest(topics, members, &mut plan);
    balance(topics, members, &mut plan);
    for share in plan.values_mut() {
        share.sort();
    }
    if cooperative {
        hold_back(members, &mut plan);
    }
    plan
}

/// Leaves members what they had and still want. Of two that claim the same, the one of the later generation has it;
/// of the same generation, neither.
fn keep(topics: &Topics, members: &Members, claims: &BTreeMap<&String, (Vec<TopicPartition>, i32)>) -> Plan {
    let mut owners: BTreeMap<&TopicPartition, (i32, Option<&String>)> = BTreeMap::new();
    for (id, (had, generation)) in claims {
        for partition in had {
            let exists =
                topics.get(&*partition.topic).is_some_and(|count| (0..*count).contains(&partition.partition));
            if !exists || !wants(&members[*id], &partition.topic) {
                continue;
            }
            let known = owners.get(partition).copied();
            match known {
                Some((other, _)) if other > *generation => {}
                Some((other, _)) if other == *generation => drop(owners.insert(partition, (other, None))),
                _ => drop(owners.insert(partition, (*generation, Some(id)))),
            }
        }
    }
    let mut plan = empty_plan(members);
    for (partition, (_, owner)) in owners {
        if let Some(owner) = owner {
            plan.get_mut(owner).expect("the plan has every member").push(partition.clone());
        }
    }
    plan
}

/// Gives what nobody has to whoever has the least; topics that few want come first.
fn give_rest(topics: &Topics, members: &Members, plan: &mut Plan) {
    let taken: BTreeSet<TopicPartition> = plan.values().flatten().cloned().collect();
    let takers = takers(topics, members);
    let mut order: Vec<&String> = topics.keys().collect();
    order.sort_by_key(|topic| takers[*topic].len());
    for topic in order {
        for partition in 0..topics[topic] {
            let name = TopicPartition::new(topic.as_str(), partition);
            let least = takers[topic].iter().min_by_key(|id| plan[**id].len()).copied();
            if let Some(least) = least.filter(|_| !taken.contains(&name)) {
                plan.get_mut(least).expect("the plan has every member").push(name);
            }
        }
    }
}

/// The members that want each topic, in order.
fn takers<'a>(topics: &'a Topics, members: &'a Members) -> BTreeMap<&'a String, Vec<&'a String>> {
    let order = in_order(members);
    let takers = |topic: &'a String| order.iter().copied().filter(|id| wants(&members[*id], topic)).collect();
    topics.keys().map(|topic| (topic, takers(topic))).collect()
}

/// Moves partitions from members with many to members with fewer, until no move helps. Each move makes the sum of
/// the squares of the shares smaller, so there is an end.
fn balance(topics: &Topics, members: &Members, plan: &mut Plan) {
    let takers = takers(topics, members);
    loop {
        let mut moved = false;
        let mut givers: Vec<String> = plan.keys().cloned().collect();
        givers.sort_by_key(|id| std::cmp::Reverse(plan[id].len()));
        for giver in givers {
            moved |= relieve(&giver, &takers, plan);
        }
        if !moved {
            return;
        }
    }
}

fn relieve(giver: &String, takers: &BTreeMap<&String, Vec<&String>>, plan: &mut Plan) -> bool {
    let mut moved = false;
    let mut at = plan[giver].len();
    while at > 0 {
        at -= 1;
        let topic = plan[giver][at].topic.to_string();
        let least = takers.get(&topic).and_then(|ids| ids.iter().min_by_key(|id| plan[**id].len()).copied());
        if let Some(least) = least.filter(|least| plan[*least].len() + 1 < plan[giver].len()) {
            let name = plan.get_mut(giver).expect("the plan has every member").remove(at);
            plan.get_mut(least).expect("the plan has every member").push(name);
            moved = true;
        }
    }
    moved
}

/// Takes out what another member still has: it must give it up before somebody else may get it.
fn hold_back(members: &Members, plan: &mut Plan) {
    let mut held: BTreeMap<TopicPartition, &String> = BTreeMap::new();
    for (id, member) in members {
        held.extend(member.subscription.owned.iter().map(|name| (name.clone(), id)));
    }
    let current: BTreeMap<&String, &Vec<TopicPartition>> =
        members.iter().map(|(id, member)| (id, &member.subscription.owned)).collect();
    for (id, share) in plan.iter_mut() {
        share.retain(|name| current[id].contains(name) || !held.contains_key(name));
    }
}
