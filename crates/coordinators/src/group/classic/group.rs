//! A classic group: its members, state and generation, without the steps of a rebalance.
//!
//! Invariants:
//! - members are kept in order of their ids, so that whatever is listed or elected is the same on every run
//! - a member id is in `members` or in `pending_joins`, never in both

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use model::Timestamp;
use protocol::describe_groups_response::DescribedGroup;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::list_groups_response::ListedGroup;
use protocol::{ErrorCode, GroupMetadataValue};

use super::member::Member;
use crate::group::record::GroupRecord;

pub(super) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The state of a classic group. A group that is gone answers as `Dead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassicGroupState {
    /// It has no members, perhaps offsets.
    Empty,
    /// It waits for its members to join.
    PreparingRebalance,
    /// It waits for the leader's assignment.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
}

impl ClassicGroupState {
    /// The state's name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A classic group. Kafka: `ClassicGroup`.
#[derive(Clone, Debug)]
pub(in crate::group) struct ClassicGroup {
    pub(super) id: Arc<str>,
    pub(super) state: ClassicGroupState,
    /// The state before this one: only a rebalance that began in an empty group has the initial delay.
    pub(super) previous: Option<ClassicGroupState>,
    pub(super) state_since: Timestamp,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) generation: i32,
    pub(super) leader: Option<Arc<str>>,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    pub(super) static_members: BTreeMap<String, Arc<str>>,
    /// Ids that were given out and whose owners have not come back to join with them.
    pub(super) pending_joins: BTreeSet<Arc<str>>,
    pub(super) pending_syncs: BTreeSet<Arc<str>>,
    pub(super) initial_delay: Option<super::rebalance::InitialDelay>,
    /// The topics that the members read; none where the members' subscriptions cannot be read.
    subscribed_topics: Option<BTreeSet<String>>,
}

impl ClassicGroup {
    /// Makes an empty group.
    pub(in crate::group) fn new(id: Arc<str>, since: Timestamp) -> Self {
        Self {
            id,
            state: ClassicGroupState::Empty,
            previous: None,
            state_since: since,
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_joins: BTreeSet::new(),
            pending_syncs: BTreeSet::new(),
            initial_delay: None,
            subscribed_topics: None,
        }
    }

    /// Makes the group that a record describes.
    pub(in crate::group) fn from_record(id: Arc<str>, value: GroupMetadataValue) -> Self {
        let mut group = Self::new(id, Timestamp(value.current_state_timestamp));
        group.generation = value.generation;
        group.protocol_type = Some(value.protocol_type).filter(|name| !name.is_empty());
        group.leader = value.leader.map(Into::into);
        let protocol = value.protocol.unwrap_or_default();
        for record in value.members {
            let member = Member::from_record(record, &protocol);
            if let Some(instance_id) = &member.instance_id {
                group.static_members.insert(instance_id.clone(), member.id.clone());
            }
            group.members.insert(member.id.clone(), member);
        }
        group.protocol = Some(protocol).filter(|name| !name.is_empty());
        if !group.members.is_empty() {
            group.state = ClassicGroupState::Stable;
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    /// Makes the record of the present generation, with the assignments that `assignment` gives.
    pub(super) fn to_record(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupRecord {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.as_deref().map(Into::into),
            current_state_timestamp: self.state_since.0,
            members: self
                .members
                .values()
                .map(|member| member.to_record(protocol, assignment(member)))
                .collect(),
            ..Default::default()
        };
        GroupRecord::Group { id: self.id.to_string(), value: Some(value) }
    }

    /// Makes the record of a group that has just come to be, before any generation.
    pub(in crate::group) fn birth(&self) -> GroupRecord {
        let value =
            GroupMetadataValue { current_state_timestamp: self.state_since.0, ..Self::no_generation() };
        GroupRecord::Group { id: self.id.to_string(), value: Some(value) }
    }

    fn no_generation() -> GroupMetadataValue {
        GroupMetadataValue { protocol: None, leader: None, ..Default::default() }
    }

    /// Makes the group's tombstone.
    pub(in crate::group) fn tombstone(&self) -> GroupRecord {
        GroupRecord::Group { id: self.id.to_string(), value: None }
    }

    pub(super) fn move_to(&mut self, state: ClassicGroupState, since: Timestamp) {
        self.previous = Some(self.state);
        self.state = state;
        self.state_since = since;
    }

    /// Returns the group's state.
    pub(in crate::group) fn state(&self) -> ClassicGroupState {
        self.state
    }

    /// Tells whether the group is in state Empty.
    pub(in crate::group) fn is_empty(&self) -> bool {
        self.state == ClassicGroupState::Empty
    }

    /// Returns when the group came into its state; [`Timestamp::NONE`] in old records.
    pub(in crate::group) fn state_since(&self) -> Timestamp {
        self.state_since
    }

    /// Tells whether the group ever had members, and not offsets alone.
    pub(in crate::group) fn has_protocol_type(&self) -> bool {
        self.protocol_type.is_some()
    }

    pub(super) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    pub(super) fn leader_name(&self) -> String {
        self.leader.as_deref().unwrap_or_default().into()
    }

    pub(super) fn awaiting_join(&self) -> usize {
        self.members.values().filter(|member| member.awaiting_join.is_some()).count()
    }

    pub(super) fn has_all_members_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some())
    }

    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// Checks that a member id, and where given the static member's instance id, are those of a member.
    pub(super) fn validate_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if **current != *member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// Checks that offsets may be committed. Kafka: `ClassicGroup.validateOffsetCommit`.
    pub(in crate::group) fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        transactional: bool,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.is_empty() {
            return Ok(());
        }
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.validate_member(member_id, instance_id)?;
            if generation != self.generation {
                return Err(ErrorCode::ILLEGAL_GENERATION);
            }
        } else if !transactional && !self.is_empty() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if !transactional && self.state == ClassicGroupState::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    /// Checks that offsets may be deleted: only consumers tell which topics they read.
    pub(in crate::group) fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() || self.uses_consumer_protocol() {
            Ok(())
        } else {
            Err(ErrorCode::NON_EMPTY_GROUP)
        }
    }

    /// Tells whether the members are consumers, which say in a known way what they read.
    pub(in crate::group) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Tells whether a member reads `topic`, as far as is known; where it is not known, consumers may read any topic.
    pub(in crate::group) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    /// Tells whether the members' topics are known while the group is stable, so that offsets of others may expire.
    pub(in crate::group) fn is_stable_with_known_topics(&self) -> bool {
        self.state == ClassicGroupState::Stable
            && self.uses_consumer_protocol()
            && self.subscribed_topics.is_some()
    }

    pub(super) fn refresh_subscribed_topics(&mut self) {
        self.subscribed_topics = self.compute_subscribed_topics();
    }

    fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscription_topics(member.metadata(protocol))?);
        }
        Some(topics)
    }

    /// Tells whether a member with these protocols could be in the group. Kafka: `ClassicGroup.supportsProtocols`.
    pub(super) fn supports_protocols(
        &self,
        protocol_type: &str,
        protocols: &[JoinGroupRequestProtocol],
    ) -> bool {
        if self.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols
                .iter()
                .any(|protocol| self.members.values().all(|member| member.supports(&protocol.name)))
    }

    /// Chooses the protocol that most members prefer among those that all know. Kafka: `ClassicGroup.selectProtocol`.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let known_by_all = |name: &str| self.members.values().all(|member| member.supports(name));
        let candidates: BTreeSet<&str> = first
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .filter(|name| known_by_all(name))
            .collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for choice in self.members.values().filter_map(|member| member.vote(&candidates)) {
            *votes.entry(choice).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        votes.iter().find(|(_, count)| **count == most).map(|(name, _)| (*name).to_owned())
    }

    /// Adds a member. The first one of a group without leader leads.
    pub(super) fn add(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.into());
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.pending_joins.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes out a member or a pending id; if it led, the first of the others leads.
    pub(super) fn take(&mut self, member_id: &str) -> Option<Member> {
        let removed = self.members.remove(member_id);
        if let Some(instance_id) = removed.as_ref().and_then(|member| member.instance_id.as_ref()) {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(member_id);
        self.pending_syncs.remove(member_id);
        removed
    }

    /// Makes sure that the leader is a member that has joined; tells whether there is one.
    pub(super) fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.leader.as_ref().and_then(|leader| self.members.get(leader)) else {
            return false;
        };
        if leader.awaiting_join.is_some() {
            return true;
        }
        let joined = self.members.values().find(|member| member.awaiting_join.is_some());
        match joined.map(|member| member.id.clone()) {
            Some(id) => self.leader = Some(id),
            None => return false,
        }
        true
    }

    /// Describes the group.
    pub(in crate::group) fn describe(&self) -> DescribedGroup {
        let protocol = self.protocol.as_deref().filter(|_| self.state == ClassicGroupState::Stable);
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state.name().into(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.unwrap_or_default().into(),
            members: self.members.values().map(|member| member.describe(protocol)).collect(),
            ..Default::default()
        }
    }

    /// Lists the group.
    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.to_string(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            group_state: self.state.name().into(),
            group_type: "classic".into(),
            ..Default::default()
        }
    }
}

/// Reads the topics of a consumer's subscription: a version, then as in version 0, which every later version begins with.
fn subscription_topics(mut subscription: Bytes) -> Option<Vec<String>> {
    let _version = subscription.try_get_i16().ok()?;
    let count = usize::try_from(subscription.try_get_i32().ok()?).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(subscription.try_get_i16().ok()?).ok()?;
        if subscription.len() < length {
            return None;
        }
        topics.push(String::from_utf8(subscription.split_to(length).to_vec()).ok()?);
    }
    Some(topics)
}
