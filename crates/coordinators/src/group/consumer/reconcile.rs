//! The way of a member to its target assignment, by steps: first it gives up what others are to have, then it goes on to
//! the target's epoch, then it takes what others have given up.
//!
//! Kafka: `CurrentAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::Uuid;
use protocol::ErrorCode;
use protocol::consumer_group_heartbeat_request::TopicPartitions;

use super::Refusal;
use super::group::ResolvedRegex;
use super::member::{Assignment, ConsumerMember, MemberState, Partitions};
use crate::group::metadata::Metadata;

/// What a member's next step depends on.
pub(super) struct Reconciling<'a> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a Assignment,
    pub(super) subscription_changed: bool,
    pub(super) regexes: &'a BTreeMap<String, ResolvedRegex>,
    /// Tells whether some member has a partition still.
    pub(super) is_held: &'a dyn Fn(Uuid, i32) -> bool,
    /// What the member says that it owns; none if it says nothing.
    pub(super) owned: Option<&'a [TopicPartitions]>,
    pub(super) metadata: &'a Metadata,
}

impl Reconciling<'_> {
    /// Makes the member after its next step, which may be the same.
    pub(super) fn step(&self, member: &ConsumerMember) -> Result<ConsumerMember, Refusal> {
        match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => Ok(self.next(member, member.epoch)),
            MemberState::UnrevokedPartitions if !self.owns_any_of(&member.revoking) => {
                Ok(self.next(member, member.epoch))
            }
            MemberState::Stable | MemberState::UnrevokedPartitions if self.subscription_changed => {
                Ok(self.without_unsubscribed(member))
            }
            MemberState::Stable | MemberState::UnrevokedPartitions => Ok(member.clone()),
            MemberState::UnreleasedPartitions => Ok(self.next(member, member.epoch)),
            MemberState::Unknown(_) if self.owned.is_none_or(|owned| !owned.is_empty()) => Err(Refusal::new(
                ErrorCode::FENCED_MEMBER_EPOCH,
                "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.",
            )),
            MemberState::Unknown(_) => Ok(self.next(member, self.target_epoch)),
        }
    }

    /// Tells whether the member owns a partition of `partitions`, as far as it says.
    fn owns_any_of(&self, partitions: &Partitions) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|topic| {
            let of_topic = partitions.get(&topic.topic_id);
            of_topic.is_some_and(|of_topic| topic.partitions.iter().any(|it| of_topic.contains_key(it)))
        })
    }

    fn subscribed_topics(&self, member: &ConsumerMember) -> BTreeSet<Uuid> {
        let matched = member.regex().and_then(|regex| self.regexes.get(regex));
        let matched = matched.into_iter().flat_map(|resolved| resolved.topics.iter());
        member.topics.iter().chain(matched).filter_map(|topic| self.metadata.topic_id(topic)).collect()
    }

    /// Takes from the member what it no longer subscribes to, within its epoch.
    fn without_unsubscribed(&self, member: &ConsumerMember) -> ConsumerMember {
        let subscribed = self.subscribed_topics(member);
        let mut assigned = (*member.assigned).clone();
        let mut revoking = (*member.revoking).clone();
        for (topic, partitions) in member.assigned.iter().filter(|(topic, _)| !subscribed.contains(*topic)) {
            assigned.remove(topic);
            revoking.entry(*topic).or_default().extend(partitions);
        }
        if assigned == *member.assigned {
            return member.clone();
        }
        let mut updated = member.clone();
        if self.owns_any_of(&revoking) && !revoking.is_empty() {
            updated.state = MemberState::UnrevokedPartitions;
            updated.revoking = Arc::new(revoking);
        }
        updated.advance_to(member.epoch);
        updated.assigned = Arc::new(assigned);
        updated
    }

    /// Takes the step from what the member has towards its target. `epoch` is where it stays if it must give up first.
    fn next(&self, member: &ConsumerMember, epoch: i32) -> ConsumerMember {
        let subscribed = self.subscribed_topics(member);
        let nothing = BTreeSet::new();
        let nothing_assigned = BTreeMap::new();
        let (mut kept, mut given, mut gained) = (Partitions::new(), Partitions::new(), Partitions::new());
        let mut waits = false;
        let topics: BTreeSet<&Uuid> = self.target.keys().chain(member.assigned.keys()).collect();
        for topic in topics {
            let target = self.target.get(topic).filter(|_| subscribed.contains(topic)).unwrap_or(&nothing);
            let assigned = member.assigned.get(topic).unwrap_or(&nothing_assigned);
            let (keep, give): (BTreeMap<_, _>, BTreeMap<_, _>) =
                assigned.iter().partition(|(partition, _)| target.contains(*partition));
            let wanted = target.iter().filter(|partition| !keep.contains_key(*partition));
            let (held, free): (Vec<i32>, Vec<i32>) =
                wanted.partition(|partition| self.is_with_another(member, *topic, **partition));
            waits |= !held.is_empty();
            insert(&mut kept, *topic, keep);
            insert(&mut given, *topic, give);
            insert(&mut gained, *topic, free.into_iter().map(|it| (it, self.target_epoch)).collect());
        }
        let mut updated = member.clone();
        if !given.is_empty() && self.owns_any_of(&given) {
            updated.state = MemberState::UnrevokedPartitions;
            updated.advance_to(epoch);
            updated.assigned = Arc::new(kept);
            updated.revoking = Arc::new(given);
            return updated;
        }
        for (topic, partitions) in gained {
            kept.entry(topic).or_default().extend(partitions);
        }
        updated.state = if waits { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        updated.advance_to(self.target_epoch);
        updated.assigned = Arc::new(kept);
        updated.revoking = Arc::default();
        updated
    }

    fn is_with_another(&self, member: &ConsumerMember, topic: Uuid, partition: i32) -> bool {
        let is_own = member.revoking.get(&topic).is_some_and(|revoking| revoking.contains_key(&partition));
        !is_own && (self.is_held)(topic, partition)
    }
}

fn insert(partitions: &mut Partitions, topic: Uuid, of_topic: BTreeMap<i32, i32>) {
    if !of_topic.is_empty() {
        partitions.insert(topic, of_topic);
    }
}
