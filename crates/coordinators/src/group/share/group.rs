//! A share group: its members, epochs, target assignment and the partitions that have state, as the log tells them.
//!
//! Invariants:
//! - all but `refreshed` is hard state and changes in replay alone; requests are decided on what it says
//! - `subscribed` follows from the members

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use machine::Now;
use protocol::list_groups_response::ListedGroup;
use protocol::share_group_describe_response::DescribedGroup;

use super::SharePartitions;
use super::assignor::NAME;
use super::entry::ShareEntry;
use super::member::{ShareMember, target_from_record};
use super::partition_states::PartitionStates;
use crate::group::metadata::Metadata;
use crate::group::record::GroupRecord;
use crate::group::refreshed::Refreshed;

/// A share group. Kafka: `ShareGroup`.
#[derive(Clone, Debug)]
pub(in crate::group) struct ShareGroup {
    pub(super) id: Arc<str>,
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    pub(super) members: BTreeMap<Arc<str>, ShareMember>,
    /// By how many members each topic is read; never one that is not.
    pub(super) subscribed: BTreeMap<String, usize>,
    pub(super) assignment_epoch: i32,
    /// When the target was computed, in milliseconds since 1970; 0 if never.
    pub(super) assignment_timestamp: i64,
    pub(super) target: BTreeMap<Arc<str>, Arc<SharePartitions>>,
    /// None before the first.
    pub(super) states: Option<PartitionStates>,
    pub(super) refreshed: Option<Refreshed>,
}

impl ShareGroup {
    /// Makes a group without members.
    pub(in crate::group) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 1,
            metadata_hash: 0,
            members: BTreeMap::new(),
            subscribed: BTreeMap::new(),
            assignment_epoch: 1,
            assignment_timestamp: 0,
            target: BTreeMap::new(),
            states: None,
            refreshed: None,
        }
    }

    /// Takes in a record, and tells whether it ends the group.
    pub(in crate::group) fn replay(&mut self, entry: ShareEntry) -> bool {
        match entry {
            ShareEntry::Epoch(Some(value)) => {
                self.epoch = value.epoch;
                self.metadata_hash = value.metadata_hash;
            }
            ShareEntry::Epoch(None) => return true,
            ShareEntry::Member(id, Some(value)) => {
                let mut member = self.member_or_new(&id);
                member.subscribe(value);
                self.put_member(member);
            }
            ShareEntry::Member(id, None) => self.remove_member(&id),
            ShareEntry::TargetEpoch(value) => {
                let value = value.map(|value| (value.assignment_epoch, value.assignment_timestamp));
                (self.assignment_epoch, self.assignment_timestamp) = value.unwrap_or((-1, 0));
            }
            ShareEntry::Target(id, Some(value)) => {
                _ = self.target.insert(id.into(), Arc::new(target_from_record(&value)));
            }
            ShareEntry::Target(id, None) => _ = self.target.remove(id.as_str()),
            ShareEntry::Current(id, Some(value)) => {
                let mut member = self.member_or_new(&id);
                member.assign(&value);
                self.put_member(member);
            }
            ShareEntry::Current(id, None) => {
                if let Some(member) = self.members.get_mut(id.as_str()) {
                    member.unassign();
                }
            }
            ShareEntry::States(value) => self.states = value.map(PartitionStates::from_record),
        }
        false
    }

    fn member_or_new(&self, id: &str) -> ShareMember {
        self.members.get(id).cloned().unwrap_or_else(|| ShareMember::new(id.into()))
    }

    fn put_member(&mut self, member: ShareMember) {
        let old = self.members.remove(&member.id);
        replace_topics(&mut self.subscribed, old.as_ref(), Some(&member));
        self.members.insert(member.id.clone(), member);
    }

    fn remove_member(&mut self, id: &str) {
        let old = self.members.remove(id);
        replace_topics(&mut self.subscribed, old.as_ref(), None);
    }

    /// Counts how often topics would be read if `new` came in the place of `old`.
    pub(super) fn subscribed_with(
        &self,
        old: Option<&ShareMember>,
        new: Option<&ShareMember>,
    ) -> BTreeMap<String, usize> {
        let mut subscribed = self.subscribed.clone();
        replace_topics(&mut subscribed, old, new);
        subscribed
    }

    /// Tells whether the group has no members.
    pub(in crate::group) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Asks for the hash of the group's topics to be computed again if one of them is among `changed`.
    pub(in crate::group) fn topics_changed(&mut self, changed: &BTreeSet<Arc<str>>) {
        if changed.iter().any(|topic| self.subscribed.contains_key(&**topic)) {
            self.refreshed = None;
        }
    }

    pub(super) fn needs_refresh(&self, now: Now) -> bool {
        !self.refreshed.is_some_and(|refreshed| refreshed.holds(now, self.epoch))
    }

    /// The group's state as it is listed: no member has anything to wait for.
    pub(in crate::group) fn state(&self) -> &'static str {
        if self.is_empty() { "Empty" } else { "Stable" }
    }

    /// Makes the tombstones of the whole group, in the order in which Kafka's replay asks for them.
    pub(in crate::group) fn tombstones(&self) -> Vec<GroupRecord> {
        let of = |entry: ShareEntry| entry.of(&self.id);
        let ids = || self.members.keys().map(|id| id.to_string());
        let mut records: Vec<GroupRecord> = Vec::with_capacity(3 * self.members.len() + 3);
        records.extend(ids().map(|id| of(ShareEntry::Current(id, None))));
        records.extend(ids().map(|id| of(ShareEntry::Target(id, None))));
        records.push(of(ShareEntry::TargetEpoch(None)));
        records.extend(ids().map(|id| of(ShareEntry::Member(id, None))));
        records.push(of(ShareEntry::States(None)));
        records.push(of(ShareEntry::Epoch(None)));
        records
    }

    /// The group without what is lost on reload.
    #[cfg(test)]
    pub(in crate::group) fn hard_state(&self) -> Self {
        Self { refreshed: None, ..self.clone() }
    }

    /// Describes the group.
    pub(in crate::group) fn describe(&self, metadata: &Metadata) -> DescribedGroup {
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state().into(),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor_name: NAME.into(),
            members: self.members.values().map(|member| member.describe(metadata)).collect(),
            ..Default::default()
        }
    }

    /// Lists the group.
    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.to_string(),
            protocol_type: "share".into(),
            group_state: self.state().into(),
            group_type: "share".into(),
            ..Default::default()
        }
    }
}

fn replace_topics(
    subscribed: &mut BTreeMap<String, usize>,
    old: Option<&ShareMember>,
    new: Option<&ShareMember>,
) {
    for topic in new.into_iter().flat_map(|member| member.topics.iter()) {
        *subscribed.entry(topic.clone()).or_default() += 1;
    }
    for topic in old.into_iter().flat_map(|member| member.topics.iter()) {
        if let Some(count) = subscribed.get_mut(topic) {
            *count -= 1;
            if *count == 0 {
                subscribed.remove(topic);
            }
        }
    }
}
