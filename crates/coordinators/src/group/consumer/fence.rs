//! Members leave, or are put out when their session or their time to give up partitions is over.
//!
//! Kafka: `GroupMetadataManager.consumerGroupLeave`, `consumerGroupFenceMembers`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use super::entry::ConsumerEntry;
use super::group::ConsumerGroup;
use super::member::{AWAY_EPOCH, ConsumerMember, MemberState};
use super::{ConsumerTurn, Refusal};

impl ConsumerGroup {
    /// Takes in the heartbeat with which a member leaves: for good, or a static one for a while.
    pub(super) fn leave(
        &self,
        request: &ConsumerGroupHeartbeatRequest,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let member = match &request.instance_id {
            None => self.member(&request.member_id.as_str().into(), false)?,
            Some(instance_id) => self.known_static(&request.member_id, instance_id)?,
        };
        if request.member_epoch == AWAY_EPOCH && request.instance_id.is_some() {
            turn.write(away(&member).assignment_record(&self.id));
        } else {
            self.fence(&BTreeSet::from([member.id]), turn);
        }
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            ..Default::default()
        })
    }

    /// Puts members out, and lets the group become a classic one if all that stay use the classic protocol.
    pub(super) fn fence(&self, members: &BTreeSet<Arc<str>>, turn: &mut ConsumerTurn<'_>) {
        let fenced: Vec<&ConsumerMember> = members.iter().filter_map(|id| self.members.get(id)).collect();
        if fenced.is_empty() || self.downgrade_without(members, turn) {
            return;
        }
        for member in &fenced {
            turn.out.records.extend(ConsumerEntry::member_tombstones(&self.id, &member.id));
        }
        let mut topics = self.subscribed_topics.clone();
        for regex in self.regexes_of_only(&fenced) {
            turn.write(ConsumerEntry::Regex(regex.to_owned(), None).of(&self.id));
            if let Some(resolved) = self.resolved_regexes.get(regex) {
                topics.remove_matched(&resolved.topics);
            }
        }
        fenced.iter().for_each(|member| topics.replace(Some(member), None));
        let hash = turn.metadata.group_hash(topics.names());
        turn.write(ConsumerEntry::epoch(&self.id, self.epoch.wrapping_add(1), hash));
        fenced.iter().for_each(|member| turn.cancel_timers(&self.id, &member.id));
    }

    /// Finds the regular expressions that nobody but these members reads by.
    fn regexes_of_only<'a>(&self, members: &[&'a ConsumerMember]) -> Vec<&'a str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for regex in members.iter().filter_map(|member| member.regex()) {
            *counts.entry(regex).or_default() += 1;
        }
        let is_last = |(regex, count): (&'a str, usize)| {
            (self.subscribed_regexes.get(regex) == Some(&count)).then_some(regex)
        };
        counts.into_iter().filter_map(is_last).collect()
    }

    /// A member's session is over, or it did not join or sync in time.
    pub(in crate::group) fn session_timed_out(&self, member_id: &Arc<str>, turn: &mut ConsumerTurn<'_>) {
        self.fence(&BTreeSet::from([member_id.clone()]), turn);
    }

    /// A member's time to give up partitions is over.
    pub(in crate::group) fn rebalance_timed_out(&self, member_id: &Arc<str>, turn: &mut ConsumerTurn<'_>) {
        // One that is away gives its partitions up with its session.
        let is_late = |member: &ConsumerMember| {
            member.state == MemberState::UnrevokedPartitions && member.epoch != AWAY_EPOCH
        };
        if self.members.get(member_id).is_some_and(is_late) {
            self.fence(&BTreeSet::from([member_id.clone()]), turn);
        }
    }

    /// Begins the sessions of a group that was just loaded.
    pub(in crate::group) fn loaded(&self, turn: &mut ConsumerTurn<'_>) {
        for member in self.members.values() {
            turn.renew_session(&self.id, &member.id);
            self.watch_revocation(member, turn);
        }
    }
}

/// Makes a static member that is away: its partitions wait for it.
fn away(member: &ConsumerMember) -> ConsumerMember {
    let mut away = member.clone();
    away.epoch = AWAY_EPOCH;
    away.revoking = Arc::default();
    let assigned = Arc::make_mut(&mut away.assigned);
    assigned.values_mut().flat_map(|partitions| partitions.values_mut()).for_each(|epoch| *epoch = 0);
    away
}
