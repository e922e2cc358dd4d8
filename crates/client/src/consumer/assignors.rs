//! How a group's leader gives partitions to members. Kafka: `ConsumerPartitionAssignor` and its implementations.
//!
//! Invariants: every partition of a subscribed topic has exactly one member that wants it; the result depends on
//! the members and topics alone.
//!
//! Not yet: assignment by racks (KIP-881).

mod range;
mod round_robin;
mod sticky;

use std::collections::BTreeMap;

use bytes::Bytes;
use model::TopicPartition;

use crate::consumer_protocol::Subscription;

/// The members by id, with what they said.
pub type Members = BTreeMap<String, Member>;
/// How many partitions each topic has; topics that do not exist are absent.
pub type Topics = BTreeMap<String, i32>;
/// The partitions of each member.
pub type Plan = BTreeMap<String, Vec<TopicPartition>>;

/// A member, as its leader sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Member {
    /// Its name as a static member.
    pub instance: Option<String>,
    /// What it said when it joined.
    pub subscription: Subscription,
}

/// One of Kafka's ways to assign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Neighbouring partitions of each topic for each member.
    Range,
    /// Partitions in turn.
    RoundRobin,
    /// Balanced, with as few moves as can be; members give everything back first.
    Sticky,
    /// The same, but members keep what they will have; what moves, moves in a second rebalance.
    CooperativeSticky,
}

impl Assignor {
    /// The assignor with this name on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Range, Self::RoundRobin, Self::Sticky, Self::CooperativeSticky]
            .into_iter()
            .find(|assignor| assignor.name() == name)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }

    /// Whether members may keep partitions while they rejoin.
    pub fn is_cooperative(self) -> bool {
        self == Self::CooperativeSticky
    }

    /// What the assignor writes for itself into a member's subscription: what the member had, and since when.
    pub fn user_data(self, had: &[TopicPartition], generation: i32) -> Option<Bytes> {
        match self {
            Self::Range | Self::RoundRobin => None,
            Self::Sticky => (generation >= 0).then(|| sticky::encode_user_data(had, generation)),
            Self::CooperativeSticky => Some(Bytes::copy_from_slice(&generation.to_be_bytes())),
        }
    }

    /// Decides who gets what.
    pub fn assign(self, topics: &Topics, members: &Members) -> Plan {
        match self {
            Self::Range => range::assign(topics, members),
            Self::RoundRobin => round_robin::assign(topics, members),
            Self::Sticky => sticky::assign(topics, members, false),
            Self::CooperativeSticky => sticky::assign(topics, members, true),
        }
    }
}

/// The members in the order in which they are served: static ones by name, then the others by id.
fn in_order(members: &Members) -> Vec<&String> {
    let mut ids: Vec<&String> = members.keys().collect();
    ids.sort_by_key(|id| {
        let instance = members[*id].instance.as_ref();
        (instance.is_none(), instance.cloned(), (*id).clone())
    });
    ids
}

fn wants(member: &Member, topic: &str) -> bool {
    member.subscription.topics.iter().any(|wanted| wanted == topic)
}

fn empty_plan(members: &Members) -> Plan {
    members.keys().map(|id| (id.clone(), Vec::new())).collect()
}

#[cfg(test)]
mod tests;
