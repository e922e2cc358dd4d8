//! Neighbouring partitions of each topic for each member; the first members get one more. Kafka: `RangeAssignor`.

use model::TopicPartition;

use super::{Members, Plan, Topics, empty_plan, in_order, wants};

pub(super) fn assign(topics: &Topics, members: &Members) -> Plan {
    let order = in_order(members);
    let mut plan = empty_plan(members);
    for (topic, count) in topics {
        let takers: Vec<&&String> = order.iter().filter(|id| wants(&members[**id], topic)).collect();
        if takers.is_empty() {
            continue;
        }
        let (each, more) = (count / takers.len() as i32, count % takers.len() as i32);
        let mut next = 0;
        for (at, id) in takers.into_iter().enumerate() {
            let end = next + each + i32::from((at as i32) < more);
            let share = plan.get_mut(*id).expect("the plan has every member");
            share.extend((next..end).map(|partition| TopicPartition::new(topic.as_str(), partition)));
            next = end;
        }
    }
    plan
}
