//! Partitions in turn, passing over members that do not want the topic. Kafka: `RoundRobinAssignor`.

use model::TopicPartition;

use super::{Members, Plan, Topics, empty_plan, in_order, wants};

pub(super) fn assign(topics: &Topics, members: &Members) -> Plan {
    let order = in_order(members);
    let mut plan = empty_plan(members);
    let mut turn = 0;
    for (topic, count) in topics {
        if !members.values().any(|member| wants(member, topic)) {
            continue;
        }
        for partition in 0..*count {
            while !wants(&members[order[turn % order.len()]], topic) {
                turn += 1;
            }
            let share = plan.get_mut(order[turn % order.len()]).expect("the plan has every member");
            share.push(TopicPartition::new(topic.as_str(), partition));
            turn += 1;
        }
    }
    plan
}
