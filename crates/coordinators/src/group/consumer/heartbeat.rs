//! ConsumerGroupHeartbeat 0-1: a member joins, says what it wants, and learns its assignment; v1 has regular expressions and
//! member ids made by clients.
//!
//! Kafka: `GroupMetadataManager.consumerGroupHeartbeat`.

use std::sync::Arc;

use model::Uuid;
use protocol::consumer_group_heartbeat_request::TopicPartitions;
use protocol::consumer_group_heartbeat_response as response;
use protocol::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode};

use super::entry::ConsumerEntry;
use super::expressions::RegexChange;
use super::group::ConsumerGroup;
use super::member::{AWAY_EPOCH, ConsumerMember, MemberState, Partitions, target_record};
use super::reconcile::Reconciling;
use super::subscriptions::{is_homogeneous, replace_regex};
use super::target::Target;
use super::{ConsumerTurn, Refusal, millis};
use crate::group::refreshed::Refreshed;
use crate::group::request::RequestContext;
use crate::group::timers::TimerKey;

/// A group's epoch and whether its members read the same topics, once a request is through.
pub(super) struct Epoch {
    pub(super) epoch: i32,
    pub(super) homogeneous: bool,
}

impl ConsumerGroup {
    /// Takes in a heartbeat of a member that stays, or joins where its epoch is 0.
    pub(super) fn heartbeat(
        &mut self,
        context: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        self.check_room(&request.member_id, turn)?;
        let id: Arc<str> = match request.member_id.as_str() {
            "" => context.fresh_uuid.to_string().into(),
            id => id.into(),
        };
        let member = self.sender(&id, request, turn)?;
        let mut updated = member.clone();
        updated.hear(context, request);
        let names_changed = self.record_subscription(&member, &updated, turn);
        let regex_change = self.update_regex(context, &member, &updated, turn)?;
        let bump = names_changed || regex_change == RegexChange::Resolved;
        let epoch = self.refresh_epoch(bump, &member, &updated, turn);
        let target = self.update_target(epoch.epoch, epoch.homogeneous, &updated, turn);
        let changed = names_changed || regex_change != RegexChange::None;
        let owned = request.topic_partitions.as_deref();
        let updated = self.reconcile(updated, &target, changed, owned, turn)?;
        turn.renew_session(&self.id, &updated.id);
        let shows_assignment =
            request.member_epoch == 0 || is_full(request) || member.assigned != updated.assigned;
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(updated.id.to_string()),
            member_epoch: updated.epoch,
            heartbeat_interval_ms: turn.heartbeat_interval_ms(&self.id),
            assignment: shows_assignment.then(|| to_response(&updated.assigned)),
            ..Default::default()
        })
    }

    /// Kafka: `throwIfConsumerGroupIsFull`.
    pub(super) fn check_room(&self, member_id: &str, turn: &ConsumerTurn<'_>) -> Result<(), Refusal> {
        let most = turn.config.consumer_max_size;
        if self.members.len() < most || self.members.contains_key(member_id) {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {most} members.");
        Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message))
    }

    /// Finds the member that sends a heartbeat, or makes it if it joins.
    fn sender(
        &self,
        id: &Arc<str>,
        request: &ConsumerGroupHeartbeatRequest,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<ConsumerMember, Refusal> {
        let joins = request.member_epoch == 0;
        let Some(instance_id) = &request.instance_id else {
            let member = self.member(id, joins)?;
            check_epoch(&member, request)?;
            return Ok(member);
        };
        if joins {
            return self.join_static(id, instance_id, false, turn);
        }
        let member = self.known_static(id, instance_id)?;
        check_epoch(&member, request)?;
        Ok(member)
    }

    pub(super) fn member(&self, id: &Arc<str>, may_be_new: bool) -> Result<ConsumerMember, Refusal> {
        match self.members.get(id) {
            Some(member) => Ok(member.clone()),
            None if may_be_new => Ok(ConsumerMember::new(id.clone())),
            None => Err(self.unknown_member(id)),
        }
    }

    pub(super) fn unknown_member(&self, id: &str) -> Refusal {
        let message = format!("Member {id} is not a member of group {}.", self.id);
        Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
    }

    /// Finds the static member of an instance id, which must have this member id.
    pub(super) fn known_static(&self, id: &str, instance_id: &str) -> Result<ConsumerMember, Refusal> {
        let Some(member) = self.static_member(instance_id) else {
            let message = format!("Instance id {instance_id} is unknown.");
            return Err(Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message));
        };
        if *member.id == *id {
            return Ok(member.clone());
        }
        let message =
            format!("Static member {id} with instance id {instance_id} was fenced by member {}.", member.id);
        Err(Refusal::new(ErrorCode::FENCED_INSTANCE_ID, message))
    }

    /// Lets a static member join, in the place of the one that went away with its instance id.
    pub(super) fn join_static(
        &self,
        id: &Arc<str>,
        instance_id: &str,
        by_classic_protocol: bool,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<ConsumerMember, Refusal> {
        let Some(old) = self.static_member(instance_id) else { return self.member(id, true) };
        if !by_classic_protocol && !old.uses_classic_protocol() && old.epoch != AWAY_EPOCH {
            let message = format!(
                "Static member {id} with instance id {instance_id} cannot join the group because the instance id is owned by {} member.",
                old.id
            );
            return Err(Refusal::new(ErrorCode::UNRELEASED_INSTANCE_ID, message));
        }
        let member = ConsumerMember { id: id.clone(), epoch: 0, previous_epoch: 0, ..old.clone() };
        turn.out.records.extend(ConsumerEntry::member_tombstones(&self.id, &old.id));
        turn.write(member.subscription_record(&self.id));
        let target = self.target.get(&old.id).cloned().unwrap_or_default();
        turn.write(target_record(&self.id, id, &target));
        turn.write(member.assignment_record(&self.id));
        turn.cancel_timers(&self.id, &old.id);
        Ok(member)
    }

    /// Writes down what a member subscribes to if that changed, and tells whether it names other topics.
    pub(super) fn record_subscription(
        &self,
        member: &ConsumerMember,
        updated: &ConsumerMember,
        turn: &mut ConsumerTurn<'_>,
    ) -> bool {
        if updated == member {
            return false;
        }
        turn.write(updated.subscription_record(&self.id));
        updated.topics != member.topics
    }

    /// Sees to it that the group's epoch says that something changed: a subscription, or a topic.
    ///
    /// Kafka: `GroupMetadataManager.updateSubscriptionMetadata`.
    pub(super) fn refresh_epoch(
        &mut self,
        bump: bool,
        member: &ConsumerMember,
        updated: &ConsumerMember,
        turn: &mut ConsumerTurn<'_>,
    ) -> Epoch {
        if !bump && !self.needs_refresh(turn.now) {
            return Epoch { epoch: self.epoch, homogeneous: self.is_homogeneous() };
        }
        let mut regexes = self.subscribed_regexes.clone();
        replace_regex(&mut regexes, Some(member), Some(updated));
        let mut topics = self.subscribed_topics.clone();
        topics.replace(Some(member), Some(updated));
        if let Some(old) = member.regex()
            && updated.regex() != Some(old)
            && self.subscribed_regexes.get(old) == Some(&1)
            && let Some(resolved) = self.resolved_regexes.get(old)
        {
            topics.remove_matched(&resolved.topics);
        }
        let is_known = self.members.contains_key(&updated.id)
            || updated.instance_id.as_ref().is_some_and(|id| self.static_members.contains_key(id));
        let homogeneous = is_homogeneous(&topics, &regexes, self.members.len() + usize::from(!is_known));
        let hash = turn.metadata.group_hash(topics.names());
        let mut epoch = self.epoch;
        if bump || hash != self.metadata_hash {
            epoch = epoch.wrapping_add(1);
            turn.write(ConsumerEntry::epoch(&self.id, epoch, hash));
        }
        self.refreshed = Some(Refreshed::new(turn.now, epoch));
        if self.has_partition_metadata {
            turn.write(ConsumerEntry::PartitionMetadata(None).of(&self.id));
        }
        Epoch { epoch, homogeneous }
    }

    /// Takes a member's next step to its target, and writes it down. Kafka: `GroupMetadataManager.maybeReconcile`.
    pub(super) fn reconcile(
        &self,
        member: ConsumerMember,
        target: &Target,
        subscription_changed: bool,
        owned: Option<&[TopicPartitions]>,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<ConsumerMember, Refusal> {
        if !subscription_changed && member.is_reconciled_to(target.epoch) {
            return Ok(member);
        }
        let updated = Reconciling {
            target_epoch: target.epoch,
            target: &target.assignment,
            subscription_changed,
            regexes: &self.resolved_regexes,
            is_held: &|topic: Uuid, partition| self.is_held(topic, partition),
            owned,
            metadata: turn.metadata,
        }
        .step(&member)?;
        if updated != member {
            turn.write(updated.assignment_record(&self.id));
            if !updated.uses_classic_protocol() {
                self.watch_revocation(&updated, turn);
            }
        }
        Ok(updated)
    }

    /// Gives a member that must give up partitions its rebalance timeout to do so.
    pub(super) fn watch_revocation(&self, member: &ConsumerMember, turn: &mut ConsumerTurn<'_>) {
        let key = TimerKey::ConsumerRebalance(self.id.clone(), member.id.clone());
        match member.state {
            MemberState::UnrevokedPartitions => {
                turn.set_timer(key, millis(member.rebalance_timeout_ms));
            }
            _ => turn.timers.cancel(&key),
        }
    }
}

impl ConsumerMember {
    /// Takes in what a heartbeat says; what it leaves out stays as it was.
    fn hear(&mut self, context: &RequestContext, request: &ConsumerGroupHeartbeatRequest) {
        fn update(value: &mut Option<String>, said: &Option<String>) {
            if said.is_some() {
                value.clone_from(said);
            }
        }
        update(&mut self.instance_id, &request.instance_id);
        update(&mut self.rack_id, &request.rack_id);
        update(&mut self.assignor, &request.server_assignor);
        update(&mut self.regex, &request.subscribed_topic_regex);
        if request.rebalance_timeout_ms != -1 {
            self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        if let Some(topics) = &request.subscribed_topic_names {
            self.topics = Arc::new(topics.iter().cloned().collect());
        }
        self.client_id.clone_from(&context.client_id);
        self.client_host.clone_from(&context.client_host);
        self.classic = None;
    }
}

/// Kafka: `throwIfConsumerGroupMemberEpochIsInvalid`.
fn check_epoch(member: &ConsumerMember, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
    let received = request.member_epoch;
    let relation = if received > member.epoch { "greater" } else { "smaller" };
    // The answer that told it of its epoch may have been lost; then it has no more than it was assigned.
    let lost_answer =
        received == member.previous_epoch && owns_only(request.topic_partitions.as_deref(), &member.assigned);
    if received == 0 || received == member.epoch || received < member.epoch && lost_answer {
        return Ok(());
    }
    let message = format!(
        "The consumer group member has a {relation} member epoch ({received}) than the one known by the group coordinator ({}). The member must abandon all its partitions and rejoin.",
        member.epoch
    );
    Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
}

fn owns_only(owned: Option<&[TopicPartitions]>, assigned: &Partitions) -> bool {
    owned.is_some_and(|owned| {
        owned.iter().all(|topic| {
            let of_topic = assigned.get(&topic.topic_id);
            of_topic.is_some_and(|of_topic| topic.partitions.iter().all(|it| of_topic.contains_key(it)))
        })
    })
}

/// Tells whether a heartbeat says everything, as one does after an error.
fn is_full(request: &ConsumerGroupHeartbeatRequest) -> bool {
    let names_topics = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    request.rebalance_timeout_ms != -1 && names_topics && request.topic_partitions.is_some()
}

fn to_response(assigned: &Partitions) -> response::Assignment {
    let topics = assigned.iter().map(|(topic_id, partitions)| response::TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        ..Default::default()
    });
    response::Assignment { topic_partitions: topics.collect(), ..Default::default() }
}
