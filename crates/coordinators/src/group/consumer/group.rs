//! A consumer group: its members, epochs and target assignment, as the log tells them.
//!
//! Invariants:
//! - all but `refreshed` is hard state and changes in replay alone; requests are decided on what it says
//! - `subscribed_topics`, `subscribed_regexes`, `static_members` and `partition_epochs` follow from the members and the
//!   resolved expressions

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use machine::Now;
use model::Uuid;
use protocol::consumer_group_describe_response::DescribedGroup;
use protocol::list_groups_response::ListedGroup;

use super::entry::ConsumerEntry;
use super::member::{Assignment, ConsumerMember, MemberState, Partitions, target_from_record};
use super::subscriptions::{SubscribedRegexes, SubscribedTopics, is_homogeneous, replace_regex};
use crate::group::metadata::Metadata;
use crate::group::record::GroupRecord;
use crate::group::refreshed::Refreshed;

/// The topics that a regular expression matched when it was last looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResolvedRegex {
    pub(super) topics: BTreeSet<String>,
    /// The version of the metadata that was looked through.
    pub(super) version: i64,
    /// When, in milliseconds since 1970.
    pub(super) timestamp: i64,
}

/// The state of a consumer group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum ConsumerGroupState {
    /// It has no members.
    Empty,
    /// Its target assignment is still that of an earlier epoch.
    Assigning,
    /// Members are on the way to their targets.
    Reconciling,
    /// Every member has its target.
    Stable,
}

impl ConsumerGroupState {
    /// The state's name in answers.
    pub(in crate::group) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A consumer group. Kafka: `ConsumerGroup`.
#[derive(Clone, Debug)]
pub(in crate::group) struct ConsumerGroup {
    pub(super) id: Arc<str>,
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    pub(super) members: BTreeMap<Arc<str>, ConsumerMember>,
    /// Members by instance id.
    pub(super) static_members: BTreeMap<String, Arc<str>>,
    pub(super) subscribed_topics: SubscribedTopics,
    pub(super) subscribed_regexes: SubscribedRegexes,
    pub(super) resolved_regexes: BTreeMap<String, ResolvedRegex>,
    pub(super) assignment_epoch: i32,
    /// When the target was computed, in milliseconds since 1970; 0 if never.
    pub(super) assignment_timestamp: i64,
    pub(super) target: BTreeMap<Arc<str>, Arc<Assignment>>,
    /// The epoch of the member that has a partition, or is still to give it up.
    partition_epochs: Partitions,
    /// Whether the log has a record from before 4.1 that is to be taken back.
    pub(super) has_partition_metadata: bool,
    pub(super) refreshed: Option<Refreshed>,
}

impl ConsumerGroup {
    /// Makes a group without members.
    pub(in crate::group) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 1,
            metadata_hash: 0,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            subscribed_topics: SubscribedTopics::default(),
            subscribed_regexes: BTreeMap::new(),
            resolved_regexes: BTreeMap::new(),
            assignment_epoch: 1,
            assignment_timestamp: 0,
            target: BTreeMap::new(),
            partition_epochs: BTreeMap::new(),
            has_partition_metadata: false,
            refreshed: None,
        }
    }

    /// Takes in a record, and tells whether it ends the group.
    pub(in crate::group) fn replay(&mut self, entry: ConsumerEntry) -> bool {
        match entry {
            ConsumerEntry::Epoch(Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            ConsumerEntry::Epoch(None) => return true,
            ConsumerEntry::PartitionMetadata(value) => self.has_partition_metadata = value.is_some(),
            ConsumerEntry::Member(id, Some(value)) => {
                let mut member = self.member_or_new(&id);
                member.subscribe(value);
                self.put_member(member);
            }
            ConsumerEntry::Member(id, None) => self.remove_member(&id),
            ConsumerEntry::TargetEpoch(value) => {
                let value = value.map(|value| (value.assignment_epoch, value.assignment_timestamp));
                (self.assignment_epoch, self.assignment_timestamp) = value.unwrap_or((-1, 0));
            }
            ConsumerEntry::Target(id, Some(value)) => {
                _ = self.target.insert(id.into(), Arc::new(target_from_record(&value)));
            }
            ConsumerEntry::Target(id, None) => _ = self.target.remove(id.as_str()),
            ConsumerEntry::Current(id, Some(value)) => {
                let mut member = self.member_or_new(&id);
                member.assign(&value);
                self.put_member(member);
            }
            ConsumerEntry::Current(id, None) => {
                if let Some(mut member) = self.members.get(id.as_str()).cloned() {
                    member.unassign();
                    self.put_member(member);
                }
            }
            ConsumerEntry::Regex(regex, value) => self.replay_regex(regex, value),
        }
        false
    }

    fn replay_regex(&mut self, regex: String, value: Option<protocol::ConsumerGroupRegularExpressionValue>) {
        if let Some(old) = self.resolved_regexes.remove(&regex) {
            self.subscribed_topics.remove_matched(&old.topics);
        }
        if let Some(value) = value {
            let topics: BTreeSet<String> = value.topics.into_iter().collect();
            self.subscribed_topics.add_matched(&topics);
            let resolved = ResolvedRegex { topics, version: value.version, timestamp: value.timestamp };
            self.resolved_regexes.insert(regex, resolved);
        }
    }

    fn member_or_new(&self, id: &str) -> ConsumerMember {
        self.members.get(id).cloned().unwrap_or_else(|| ConsumerMember::new(id.into()))
    }

    /// Puts a member in place of its earlier self.
    pub(super) fn put_member(&mut self, member: ConsumerMember) {
        let old = self.members.remove(&member.id);
        self.subscribed_topics.replace(old.as_ref(), Some(&member));
        replace_regex(&mut self.subscribed_regexes, old.as_ref(), Some(&member));
        if let Some(old) = &old {
            self.release_partitions(old);
        }
        for (topic, partitions) in member.assigned.iter().chain(member.revoking.iter()) {
            let epochs = self.partition_epochs.entry(*topic).or_default();
            for partition in partitions.keys() {
                let epoch = epochs.entry(*partition).or_insert(member.epoch);
                *epoch = member.epoch.max(*epoch);
            }
        }
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.members.insert(member.id.clone(), member);
    }

    fn remove_member(&mut self, id: &str) {
        let Some(old) = self.members.remove(id) else { return };
        self.subscribed_topics.replace(Some(&old), None);
        replace_regex(&mut self.subscribed_regexes, Some(&old), None);
        self.release_partitions(&old);
        if let Some(instance_id) = &old.instance_id
            && self.static_members.get(instance_id).is_some_and(|current| *current == old.id)
        {
            self.static_members.remove(instance_id);
        }
    }

    /// Forgets which partitions a member has, but for those that another has at a later epoch.
    fn release_partitions(&mut self, member: &ConsumerMember) {
        for (topic, partitions) in member.assigned.iter().chain(member.revoking.iter()) {
            let Some(epochs) = self.partition_epochs.get_mut(topic) else { continue };
            for partition in partitions.keys() {
                if epochs.get(partition) == Some(&member.epoch) {
                    epochs.remove(partition);
                }
            }
            if epochs.is_empty() {
                self.partition_epochs.remove(topic);
            }
        }
    }

    /// Tells whether some member has a partition, or is still to give it up.
    pub(super) fn is_held(&self, topic: Uuid, partition: i32) -> bool {
        self.partition_epochs.get(&topic).is_some_and(|epochs| epochs.contains_key(&partition))
    }

    /// Tells whether the group has no members.
    pub(in crate::group) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn static_member(&self, instance_id: &str) -> Option<&ConsumerMember> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    /// Returns the target of a member, or of the static member in whose place it comes.
    pub(super) fn target_of(&self, member: &ConsumerMember) -> Arc<Assignment> {
        let id = match &member.instance_id {
            Some(instance_id) => self.static_members.get(instance_id),
            None => Some(&member.id),
        };
        id.and_then(|id| self.target.get(id)).cloned().unwrap_or_default()
    }

    /// Tells whether some member reads `topic`, by name or by a regular expression.
    pub(in crate::group) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed_topics.contains(topic)
    }

    pub(super) fn is_homogeneous(&self) -> bool {
        is_homogeneous(&self.subscribed_topics, &self.subscribed_regexes, self.members.len())
    }

    /// Asks for the hash of the group's topics to be computed again if one of them is among `changed`.
    pub(in crate::group) fn topics_changed(&mut self, changed: &BTreeSet<Arc<str>>) {
        if changed.iter().any(|topic| self.subscribed_topics.contains(topic)) {
            self.refreshed = None;
        }
    }

    pub(super) fn needs_refresh(&self, now: Now) -> bool {
        !self.refreshed.is_some_and(|refreshed| refreshed.holds(now, self.epoch))
    }

    pub(super) fn classic_member_count(&self) -> usize {
        self.members.values().filter(|member| member.uses_classic_protocol()).count()
    }

    /// Returns the group's state.
    pub(in crate::group) fn state(&self) -> ConsumerGroupState {
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.epoch > self.assignment_epoch {
            ConsumerGroupState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.assignment_epoch)) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    /// Returns the assignor that most members ask for; none if none does.
    pub(super) fn preferred_assignor<'a>(
        members: impl Iterator<Item = &'a ConsumerMember>,
    ) -> Option<&'a str> {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for assignor in members.filter_map(|member| member.assignor.as_deref()) {
            *votes.entry(assignor).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(assignor, _)| assignor)
    }

    /// Tells whether a member of the classic protocol waits for a partition that another has still.
    pub(super) fn waits_for_partition(&self, member: &ConsumerMember) -> bool {
        if member.state != MemberState::UnreleasedPartitions {
            return false;
        }
        let target = self.target.get(&member.id).cloned().unwrap_or_default();
        target.iter().any(|(topic, partitions)| {
            let has = |partition: &i32| {
                member.assigned.get(topic).is_some_and(|assigned| assigned.contains_key(partition))
            };
            partitions.iter().any(|partition| !has(partition) && self.is_held(*topic, *partition))
        })
    }

    /// Makes the tombstones of the whole group, in the order in which Kafka's replay asks for them. `rename` gives the id
    /// under which a member is in the log.
    pub(super) fn tombstones_renamed(&self, rename: impl Fn(&str) -> String) -> Vec<GroupRecord> {
        let ids: Vec<String> = self.members.keys().map(|id| rename(id)).collect();
        let group = &*self.id;
        let mut records: Vec<GroupRecord> = Vec::with_capacity(3 * ids.len() + 3);
        records.extend(ids.iter().map(|id| ConsumerEntry::Current(id.clone(), None).of(group)));
        records.extend(ids.iter().map(|id| ConsumerEntry::Target(id.clone(), None).of(group)));
        records.push(ConsumerEntry::TargetEpoch(None).of(group));
        records.extend(ids.into_iter().map(|id| ConsumerEntry::Member(id, None).of(group)));
        let regexes = self.resolved_regexes.keys();
        records.extend(regexes.map(|regex| ConsumerEntry::Regex(regex.clone(), None).of(group)));
        records.push(ConsumerEntry::PartitionMetadata(None).of(group));
        records.push(ConsumerEntry::Epoch(None).of(group));
        records
    }

    /// Makes the tombstones of the whole group.
    pub(in crate::group) fn tombstones(&self) -> Vec<GroupRecord> {
        self.tombstones_renamed(str::to_owned)
    }

    /// The group without what is lost on reload.
    #[cfg(test)]
    pub(in crate::group) fn hard_state(&self) -> Self {
        Self { refreshed: None, ..self.clone() }
    }

    /// Describes the group.
    pub(in crate::group) fn describe(&self, default_assignor: &str, metadata: &Metadata) -> DescribedGroup {
        let assignor = Self::preferred_assignor(self.members.values()).unwrap_or(default_assignor);
        let describe = |member: &ConsumerMember| {
            member.describe(self.target.get(&member.id).map(|target| &**target), metadata)
        };
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state().name().into(),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor_name: assignor.into(),
            members: self.members.values().map(describe).collect(),
            ..Default::default()
        }
    }

    /// Lists the group.
    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.to_string(),
            protocol_type: "consumer".into(),
            group_state: self.state().name().into(),
            group_type: "consumer".into(),
            ..Default::default()
        }
    }
}
