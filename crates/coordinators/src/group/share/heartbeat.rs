//! ShareGroupHeartbeat 1: a member joins, says what it wants, learns its assignment, and leaves.
//!
//! Kafka: `GroupMetadataManager.shareGroupHeartbeat`, `shareGroupLeave`, `shareGroupFenceMember`.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::share_group_heartbeat_response as response;
use protocol::{ErrorCode, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};

use super::entry::ShareEntry;
use super::group::ShareGroup;
use super::member::ShareMember;
use super::partition_states::{NamedPartitions, NamedTopics, partitions_of};
use super::{ShareGroupResponse, SharePartitions, ShareTurn};
use crate::group::consumer::Refusal;
use crate::group::refreshed::Refreshed;
use crate::group::request::RequestContext;

/// What a group is like once a request is through.
struct Renewed {
    epoch: i32,
    /// Whether the epoch is greater than it was.
    bumped: bool,
    /// The topics that somebody reads.
    topics: BTreeSet<String>,
    /// Whether all members read all of them.
    homogeneous: bool,
}

impl ShareGroup {
    /// Takes in a heartbeat of a member that stays, or joins where its epoch is 0.
    pub(super) fn heartbeat(
        &mut self,
        context: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
        turn: &mut ShareTurn<'_>,
    ) -> Result<ShareGroupHeartbeatResponse, Refusal> {
        self.check_room(&request.member_id, turn)?;
        let joins = request.member_epoch == 0;
        let member = self.member(&request.member_id, joins)?;
        check_epoch(&member, request.member_epoch)?;
        let mut updated = member.clone();
        updated.hear(context, request);
        if updated != member {
            turn.write(updated.subscription_record(&self.id));
        }
        let renewed = self.renew(&member, &updated, turn);
        let target = self.update_target(renewed.epoch, renewed.homogeneous, &updated, turn);
        if renewed.bumped || !updated.is_reconciled_to(target.epoch) {
            let before = updated.clone();
            updated.reconcile(target.epoch, &target.assignment, renewed.bumped, turn.metadata);
            if updated != before {
                turn.write(updated.assignment_record(&self.id));
            }
        }
        turn.renew_session(&self.id, &updated.id);
        self.begin_states(&renewed, turn);
        let is_full = request.subscribed_topic_names.is_some();
        let shows_assignment = joins || is_full || member.assigned != updated.assigned;
        Ok(ShareGroupHeartbeatResponse {
            member_id: Some(updated.id.to_string()),
            member_epoch: updated.epoch,
            heartbeat_interval_ms: turn.heartbeat_interval_ms(&self.id),
            assignment: shows_assignment.then(|| to_response(&updated.assigned)),
            ..Default::default()
        })
    }

    fn check_room(&self, member_id: &str, turn: &ShareTurn<'_>) -> Result<(), Refusal> {
        let most = turn.config.share.max_size;
        if self.members.len() < most || self.members.contains_key(member_id) {
            return Ok(());
        }
        let message = format!("The share group has reached its maximum capacity of {most} members.");
        Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message))
    }

    fn member(&self, id: &str, may_be_new: bool) -> Result<ShareMember, Refusal> {
        match self.members.get(id) {
            Some(member) => Ok(member.clone()),
            None if may_be_new => Ok(ShareMember::new(id.into())),
            None => {
                let message = format!("Member {id} is not a member of group {}.", self.id);
                Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message))
            }
        }
    }

    /// Sees to it that the group's epoch says that something changed: a subscription, a topic, or what can be assigned.
    fn renew(&mut self, member: &ShareMember, updated: &ShareMember, turn: &mut ShareTurn<'_>) -> Renewed {
        let mut bumped = updated.topics != member.topics
            || self.assignment_epoch >= self.epoch && self.has_unassigned_partitions();
        let mut epoch = self.epoch;
        let known = self.members.get(&updated.id);
        let counts = self.subscribed_with(known, Some(updated));
        let member_count = self.members.len() + usize::from(known.is_none());
        let homogeneous = counts.values().all(|count| *count == member_count);
        let topics: BTreeSet<String> = counts.into_keys().collect();
        if bumped || self.needs_refresh(turn.now) {
            let hash = turn.metadata.group_hash(topics.iter());
            bumped |= hash != self.metadata_hash;
            if bumped {
                epoch = epoch.wrapping_add(1);
                turn.write(ShareEntry::epoch(&self.id, epoch, hash));
            }
            self.refreshed = Some(Refreshed::new(turn.now, epoch));
        }
        Renewed { epoch, bumped, topics, homogeneous }
    }

    /// Tells whether the states of partitions have begun that nobody is assigned, or no longer are there that somebody is.
    ///
    /// Kafka: `GroupMetadataManager.initializedAssignmentPending`.
    fn has_unassigned_partitions(&self) -> bool {
        let Some(states) = self.states.as_ref().filter(|_| !self.is_empty()) else { return false };
        let mut assigned = SharePartitions::new();
        for (topic, partitions) in self.target.values().flat_map(|target| target.iter()) {
            assigned.entry(*topic).or_default().extend(partitions);
        }
        let is_read = |topic: &NamedPartitions| self.subscribed.contains_key(&topic.name);
        let mut read = states.initialized.iter().filter(|(_, topic)| is_read(topic));
        read.any(|(id, topic)| assigned.get(id) != Some(&topic.partitions))
    }

    /// Asks the shell to begin the states of partitions that have none, and writes that down.
    ///
    /// Kafka: `GroupMetadataManager.maybeCreateInitializeShareGroupStateRequest`.
    fn begin_states(&self, renewed: &Renewed, turn: &mut ShareTurn<'_>) {
        let missing = self.partitions_without_state(&renewed.topics, turn);
        if missing.is_empty() {
            return;
        }
        let states = self.states.clone().unwrap_or_default();
        turn.write(states.begin(&missing).record(&self.id, turn.metadata));
        missing.keys().for_each(|topic| turn.note_asked(&self.id, *topic));
        turn.ask_shell(ShareGroupResponse::BeginStates {
            group: self.id.to_string(),
            state_epoch: renewed.epoch,
            partitions: partitions_of(&missing),
        });
    }

    /// Kafka: `GroupMetadataManager.subscribedTopicsChangeMap`.
    fn partitions_without_state(&self, topics: &BTreeSet<String>, turn: &ShareTurn<'_>) -> NamedTopics {
        let mut missing = NamedTopics::new();
        for name in topics {
            let Some(id) = turn.metadata.topic_id(name) else { continue };
            let count = turn.metadata.partition_count(id).unwrap_or(0);
            let mut partitions: BTreeSet<i32> = (0..count).collect();
            let asked = turn.is_asked(&self.id, id);
            if let Some(states) = &self.states {
                let waits = states.initializing.get(&id).filter(|_| asked);
                let has = states.initialized.get(&id).into_iter().chain(waits);
                has.for_each(|has| partitions.retain(|partition| !has.partitions.contains(partition)));
            }
            if !partitions.is_empty() {
                missing.insert(id, NamedPartitions { name: name.clone(), partitions });
            }
        }
        missing
    }

    /// Takes in the heartbeat with which a member leaves.
    pub(super) fn leave(
        &self,
        request: &ShareGroupHeartbeatRequest,
        turn: &mut ShareTurn<'_>,
    ) -> Result<ShareGroupHeartbeatResponse, Refusal> {
        let member = self.member(&request.member_id, false)?;
        self.fence(&member, turn);
        Ok(ShareGroupHeartbeatResponse {
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            ..Default::default()
        })
    }

    /// Puts a member out.
    fn fence(&self, member: &ShareMember, turn: &mut ShareTurn<'_>) {
        turn.out.records.extend(ShareEntry::member_tombstones(&self.id, &member.id));
        let topics = self.subscribed_with(Some(member), None);
        let hash = turn.metadata.group_hash(topics.keys());
        turn.write(ShareEntry::epoch(&self.id, self.epoch.wrapping_add(1), hash));
        turn.cancel_session(&self.id, &member.id);
    }

    /// A member's session is over.
    pub(in crate::group) fn session_timed_out(&self, member_id: &Arc<str>, turn: &mut ShareTurn<'_>) {
        if let Some(member) = self.members.get(member_id) {
            self.fence(member, turn);
        }
    }

    /// Begins the sessions of a group that was just loaded.
    pub(in crate::group) fn loaded(&self, turn: &mut ShareTurn<'_>) {
        self.members.keys().for_each(|member| turn.renew_session(&self.id, member));
    }
}

/// Kafka: `throwIfShareGroupMemberEpochIsInvalid`.
fn check_epoch(member: &ShareMember, received: i32) -> Result<(), Refusal> {
    let (known, previous) = (member.epoch, member.previous_epoch);
    if received == 0 || received == known || received < known && received == previous {
        return Ok(());
    }
    let message = if received > known {
        format!(
            "The share group member has a greater member epoch ({received}) than the one known by the group \
             coordinator ({known}). The member must abandon all its partitions and rejoin."
        )
    } else {
        format!(
            "The share group member has a smaller member epoch ({received}) than the one known by the group \
             coordinator ({known}), and it does not match the previous member epoch ({previous}). The member must \
             abandon all its partitions and rejoin."
        )
    };
    Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
}

fn to_response(assigned: &SharePartitions) -> response::Assignment {
    let topics = assigned.iter().map(|(topic_id, partitions)| response::TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
        ..Default::default()
    });
    response::Assignment { topic_partitions: topics.collect(), ..Default::default() }
}
