//! Members of the classic protocol in a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup are answered so that
//! such a member takes the same steps to its target as the others do.
//!
//! Kafka: `GroupMetadataManager.classicGroupJoinToConsumerGroup` and its neighbours.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use protocol::consumer_group_heartbeat_request::TopicPartitions;
use protocol::leave_group_request::MemberIdentity;
use protocol::leave_group_response::MemberResponse;
use protocol::{
    ConsumerProtocolSubscription, ErrorCode, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse, from_bytes,
};

use super::downgrade::serialize_assignment;
use super::expressions::RegexChange;
use super::group::ConsumerGroup;
use super::member::{Assignment, ConsumerMember, MemberState, classic_metadata};
use super::target::Target;
use super::{ConsumerTurn, Refusal, millis};
use crate::group::config::MigrationPolicy;
use crate::group::metadata::Metadata;
use crate::group::request::RequestContext;
use crate::group::timers::TimerKey;

const PROTOCOL_TYPE: &str = "consumer";
/// The first version of JoinGroup that hands out a member id first.
const FIRST_WITH_KNOWN_IDS: i16 = 4;
/// The newest version of the subscriptions and assignments that consumers exchange.
pub(super) const LATEST_PROTOCOL_VERSION: i16 = 3;

impl ConsumerGroup {
    /// Lets a member of the classic protocol join.
    pub(in crate::group) fn join_by_classic_protocol(
        &mut self,
        context: &RequestContext,
        request: &JoinGroupRequest,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<JoinGroupResponse, Refusal> {
        let id = self.admit(context, request, turn)?;
        let instance_id = request.group_instance_id.as_deref();
        if instance_id.is_none()
            && request.member_id.is_empty()
            && context.api_version >= FIRST_WITH_KNOWN_IDS
        {
            let error_code = ErrorCode::MEMBER_ID_REQUIRED;
            return Ok(JoinGroupResponse { member_id: id.to_string(), error_code, ..Default::default() });
        }
        let subscription = first_subscription(request)?;
        let member = match instance_id {
            None => self.member(&id, true)?,
            Some(instance_id) if request.member_id.is_empty() => {
                self.join_static(&id, instance_id, true, turn)?
            }
            Some(instance_id) => self.known_static(&id, instance_id)?,
        };
        let downgrades = instance_id
            .and_then(|instance_id| self.static_member(instance_id))
            .is_some_and(|replaced| self.may_downgrade_replacing(replaced, turn));
        let mut updated = member.clone();
        updated.join_by_classic_protocol(context, request, &subscription);
        let names_changed = self.record_subscription(&member, &updated, turn);
        let regex_change = self.update_regex(context, &member, &updated, turn)?;
        let changed = names_changed || regex_change != RegexChange::None;
        let epoch = self.refresh_epoch(changed, &member, &updated, turn);
        let owned = owned_partitions(&subscription, turn.metadata);
        if downgrades {
            let rebalance = self.assignment_epoch < epoch.epoch;
            if !rebalance {
                let target = Target { epoch: self.assignment_epoch, assignment: self.target_of(&updated) };
                updated = self.reconcile(updated, &target, changed, Some(&owned), turn)?;
            }
            self.downgrade(&BTreeSet::new(), Some(&updated), rebalance, turn)?;
        } else {
            let target = self.update_target(epoch.epoch, epoch.homogeneous, &updated, turn);
            updated = self.reconcile(updated, &target, changed, Some(&owned), turn)?;
        }
        turn.timers.cancel(&TimerKey::ConsumerJoin(self.id.clone(), id.clone()));
        if !downgrades {
            turn.renew_classic_session(&self.id, &id, request.session_timeout_ms);
            let key = TimerKey::ConsumerSync(self.id.clone(), id);
            turn.set_timer(key, millis(request.rebalance_timeout_ms));
        }
        let protocol = updated.classic_protocols().first().map(|protocol| protocol.name.clone());
        Ok(JoinGroupResponse {
            member_id: updated.id.to_string(),
            generation_id: updated.epoch,
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol_name: protocol,
            ..Default::default()
        })
    }

    /// Checks that one who joins may, and returns its member id, a new one if it has none.
    fn admit(
        &self,
        context: &RequestContext,
        request: &JoinGroupRequest,
        turn: &ConsumerTurn<'_>,
    ) -> Result<Arc<str>, Refusal> {
        if turn.config.consumer_migration_policy == MigrationPolicy::Disabled {
            let message = format!(
                "Cannot join the consumer group {} with the classic protocol because the group migration is disabled.",
                self.id
            );
            return Err(Refusal::new(ErrorCode::INCONSISTENT_GROUP_PROTOCOL, message));
        }
        let id: Arc<str> = match request.member_id.as_str() {
            "" => context.fresh_uuid.to_string().into(),
            id => id.into(),
        };
        self.check_room(&id, turn)?;
        if self.supports_classic_protocols(request) {
            return Ok(id);
        }
        let message = format!("Member {id}'s protocols are not supported.");
        Err(Refusal::new(ErrorCode::INCONSISTENT_GROUP_PROTOCOL, message))
    }

    /// Tells whether all members of the classic protocol know one of the request's assignors.
    fn supports_classic_protocols(&self, request: &JoinGroupRequest) -> bool {
        let known_by_all = |name: &str| {
            let mut others = self.members.values().filter(|member| member.uses_classic_protocol());
            others.all(|member| member.classic_protocols().iter().any(|protocol| protocol.name == name))
        };
        request.protocol_type == PROTOCOL_TYPE
            && request.protocols.iter().any(|protocol| known_by_all(&protocol.name))
    }

    /// Finds a member that uses the classic protocol. Kafka: `validateConsumerGroupMember`.
    fn classic_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<&ConsumerMember, ErrorCode> {
        let member = match instance_id {
            None => self.members.get(member_id),
            Some(instance_id) => self.static_member(instance_id),
        };
        let member = member.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if *member.id != *member_id {
            return Err(ErrorCode::FENCED_INSTANCE_ID);
        }
        if !member.uses_classic_protocol() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if member.epoch == generation { Ok(member) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    /// Hands a member of the classic protocol what it has been assigned.
    pub(in crate::group) fn sync_by_classic_protocol(
        &self,
        request: &SyncGroupRequest,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<SyncGroupResponse, ErrorCode> {
        let member = self.classic_member(
            &request.member_id,
            request.group_instance_id.as_deref(),
            request.generation_id,
        )?;
        let protocol = member.classic_protocols().first().ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let type_differs = request.protocol_type.as_deref().is_some_and(|it| it != PROTOCOL_TYPE);
        let name_differs = request.protocol_name.as_ref().is_some_and(|it| *it != protocol.name);
        if type_differs || name_differs {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if self.assignment_epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            self.expect_join(member, turn);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        let assigned: Assignment = member
            .assigned
            .iter()
            .map(|(topic, partitions)| (*topic, partitions.keys().copied().collect()))
            .collect();
        let assignment = serialize_assignment(&assigned, &protocol.metadata, turn.metadata)
            .ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        turn.timers.cancel(&TimerKey::ConsumerSync(self.id.clone(), member.id.clone()));
        turn.renew_classic_session(&self.id, &member.id, member.classic_session_timeout_ms().unwrap_or(0));
        Ok(SyncGroupResponse {
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment,
            ..Default::default()
        })
    }

    /// Keeps the session of a member of the classic protocol, and tells it to join again where it has a step to take.
    pub(in crate::group) fn heartbeat_by_classic_protocol(
        &self,
        request: &HeartbeatRequest,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<(), ErrorCode> {
        let member = self.classic_member(
            &request.member_id,
            request.group_instance_id.as_deref(),
            request.generation_id,
        )?;
        turn.renew_classic_session(&self.id, &member.id, member.classic_session_timeout_ms().unwrap_or(0));
        let has_step = member.epoch < self.assignment_epoch
            || member.state == MemberState::UnrevokedPartitions
            || member.state == MemberState::UnreleasedPartitions && !self.waits_for_partition(member);
        if has_step {
            self.expect_join(member, turn);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    /// Gives a member its rebalance timeout to join again, from when it was first told to.
    fn expect_join(&self, member: &ConsumerMember, turn: &mut ConsumerTurn<'_>) {
        let key = TimerKey::ConsumerJoin(self.id.clone(), member.id.clone());
        if !turn.timers.is_set(&key) {
            turn.set_timer(key, millis(member.rebalance_timeout_ms));
        }
    }

    /// Takes out the members that LeaveGroup names, of whatever protocol.
    pub(in crate::group) fn leave_by_classic_protocol(
        &self,
        request: LeaveGroupRequest,
        turn: &mut ConsumerTurn<'_>,
    ) -> LeaveGroupResponse {
        let mut leaving = BTreeSet::new();
        let mut members = Vec::with_capacity(request.members.len());
        for identity in request.members {
            let error_code = match self.leaving_member(&identity) {
                Ok(id) => {
                    leaving.insert(id);
                    ErrorCode::NONE
                }
                Err(error) => error,
            };
            members.push(MemberResponse {
                member_id: identity.member_id,
                group_instance_id: identity.group_instance_id,
                error_code,
                ..Default::default()
            });
        }
        self.fence(&leaving, turn);
        LeaveGroupResponse { members, ..Default::default() }
    }

    fn leaving_member(&self, identity: &MemberIdentity) -> Result<Arc<str>, ErrorCode> {
        let member = match &identity.group_instance_id {
            None => self.members.get(identity.member_id.as_str()),
            Some(instance_id) => self.static_member(instance_id),
        };
        let member = member.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if !identity.member_id.is_empty() && *member.id != *identity.member_id {
            return Err(ErrorCode::FENCED_INSTANCE_ID);
        }
        Ok(member.id.clone())
    }
}

impl ConsumerMember {
    /// Takes in what a JoinGroup says.
    fn join_by_classic_protocol(
        &mut self,
        context: &RequestContext,
        request: &JoinGroupRequest,
        subscription: &ConsumerProtocolSubscription,
    ) {
        if request.group_instance_id.is_some() {
            self.instance_id.clone_from(&request.group_instance_id);
        }
        if subscription.rack_id.as_ref().is_some_and(|rack| !rack.is_empty()) {
            self.rack_id.clone_from(&subscription.rack_id);
        }
        if request.rebalance_timeout_ms != -1 {
            self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        }
        self.topics = Arc::new(subscription.topics.iter().cloned().collect());
        self.regex = Some(String::new());
        self.client_id.clone_from(&context.client_id);
        self.client_host.clone_from(&context.client_host);
        self.classic = Some(Arc::new(classic_metadata(request.session_timeout_ms, &request.protocols)));
    }
}

fn first_subscription(request: &JoinGroupRequest) -> Result<ConsumerProtocolSubscription, Refusal> {
    let first = request.protocols.first();
    let subscription = first.and_then(|protocol| deserialize_subscription(protocol.metadata.clone()));
    subscription.ok_or_else(|| Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, ""))
}

/// Reads a subscription; one of a later version as the latest that is known.
pub(super) fn deserialize_subscription(mut bytes: Bytes) -> Option<ConsumerProtocolSubscription> {
    let version = bytes.try_get_i16().ok().filter(|version| *version >= 0)?;
    decode_prefix(bytes, version.min(LATEST_PROTOCOL_VERSION))
}

/// Reads a message that more may follow, as a later version's or a careless client's.
pub(super) fn decode_prefix<T: protocol::Message>(bytes: Bytes, version: i16) -> Option<T> {
    from_bytes(bytes.clone(), version)
        .ok()
        .or_else(|| T::decode(&mut protocol::Reader::new(bytes), version).ok())
}

fn owned_partitions(
    subscription: &ConsumerProtocolSubscription,
    metadata: &Metadata,
) -> Vec<TopicPartitions> {
    let one = |topic: &protocol::consumer_protocol_subscription::TopicPartition| {
        let topic_id = metadata.topic_id(&topic.topic)?;
        Some(TopicPartitions { topic_id, partitions: topic.partitions.clone(), ..Default::default() })
    };
    subscription.owned_partitions.iter().filter_map(one).collect()
}
