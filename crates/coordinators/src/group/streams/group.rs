//! A streams group: its members, epochs, topology and target assignment, as the log tells them.
//!
//! Invariants:
//! - hard state changes in replay alone; requests are decided on what it says
//! - `holders` follows from the members
//! - `configured`, `refreshed`, `endpoint_epoch` and `shutdown_requested_by` are soft state, lost on reload

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use machine::Now;
use protocol::list_groups_response::ListedGroup;
use protocol::streams_group_describe_response::DescribedGroup;
use protocol::streams_group_metadata_value::LastAssignmentConfig;
use protocol::{StreamsGroupMetadataValue, StreamsGroupTopologyValue};

use super::configure::ConfiguredTopology;
use super::entry::StreamsEntry;
use super::holders::Holders;
use super::member::StreamsMember;
use super::tasks::TaskSet;
use super::topology::StreamsTopology;
use crate::group::record::GroupRecord;
use crate::group::refreshed::Refreshed;

/// The state of a streams group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum StreamsGroupState {
    /// It has no members.
    Empty,
    /// Its topology was not found to fit the topics that there are.
    NotReady,
    /// Its target assignment is still that of an earlier epoch.
    Assigning,
    /// Members are on the way to their targets.
    Reconciling,
    /// Every member has its target.
    Stable,
}

impl StreamsGroupState {
    /// The state's name in answers.
    pub(in crate::group) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::NotReady => "NotReady",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A streams group. Kafka: `StreamsGroup`.
#[derive(Clone, Debug)]
pub(in crate::group) struct StreamsGroup {
    pub(super) id: Arc<str>,
    pub(super) epoch: i32,
    pub(super) metadata_hash: i64,
    /// The epoch of the topology that fits the topics; -1 if it does not.
    pub(super) validated_topology_epoch: i32,
    /// The assignor's settings at the last change of the epoch.
    pub(super) last_assignment_configs: BTreeMap<String, String>,
    pub(super) topology: Option<Arc<StreamsTopology>>,
    pub(super) members: BTreeMap<Arc<str>, StreamsMember>,
    pub(super) assignment_epoch: i32,
    /// When the target was computed, in milliseconds since 1970; 0 if never.
    pub(super) assignment_timestamp: i64,
    pub(super) target: BTreeMap<Arc<str>, Arc<TaskSet>>,
    pub(super) holders: Holders,
    pub(super) configured: Option<Arc<ConfiguredTopology>>,
    pub(super) refreshed: Option<Refreshed>,
    /// Counts the changes of what members with endpoints have.
    pub(super) endpoint_epoch: i32,
    /// The member that asked for the whole application to stop.
    pub(super) shutdown_requested_by: Option<String>,
}

impl StreamsGroup {
    /// Makes a group without members.
    pub(in crate::group) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 1,
            metadata_hash: 0,
            validated_topology_epoch: 0,
            last_assignment_configs: BTreeMap::new(),
            topology: None,
            members: BTreeMap::new(),
            assignment_epoch: 1,
            assignment_timestamp: 0,
            target: BTreeMap::new(),
            holders: Holders::default(),
            configured: None,
            refreshed: None,
            endpoint_epoch: 0,
            shutdown_requested_by: None,
        }
    }

    /// Takes in a record, and tells whether it ends the group.
    pub(in crate::group) fn replay(&mut self, entry: StreamsEntry) -> bool {
        match entry {
            StreamsEntry::Epoch(Some(value)) => self.replay_epoch(value),
            StreamsEntry::Epoch(None) => return true,
            StreamsEntry::Topology(value) => self.replay_topology(value),
            StreamsEntry::Member(id, Some(value)) => {
                let mut member = self.member_or_new(&id);
                member.introduce(value);
                self.put_member(member);
            }
            StreamsEntry::Member(id, None) => {
                if let Some(old) = self.members.remove(id.as_str()) {
                    self.holders.replace(Some(&old), None);
                }
            }
            StreamsEntry::TargetEpoch(value) => {
                let value = value.map(|value| (value.assignment_epoch, value.assignment_timestamp));
                (self.assignment_epoch, self.assignment_timestamp) = value.unwrap_or((-1, 0));
            }
            StreamsEntry::Target(id, Some(value)) => {
                _ = self.target.insert(id.into(), Arc::new(TaskSet::from_record(&value)));
            }
            StreamsEntry::Target(id, None) => _ = self.target.remove(id.as_str()),
            StreamsEntry::Current(id, Some(value)) => {
                let mut member = self.member_or_new(&id);
                member.assign(&value);
                self.put_member(member);
            }
            StreamsEntry::Current(id, None) => {
                if let Some(mut member) = self.members.get(id.as_str()).cloned() {
                    member.unassign();
                    self.put_member(member);
                }
            }
        }
        if self.members.is_empty() {
            self.shutdown_requested_by = None;
        }
        false
    }

    fn replay_epoch(&mut self, value: StreamsGroupMetadataValue) {
        self.epoch = value.epoch;
        self.metadata_hash = value.metadata_hash;
        self.validated_topology_epoch = value.validated_topology_epoch;
        let configs = value.last_assignment_configs.into_iter().flatten();
        self.last_assignment_configs = configs.map(|config| (config.key, config.value)).collect();
    }

    fn replay_topology(&mut self, value: Option<StreamsGroupTopologyValue>) {
        self.topology = value.map(|value| Arc::new(StreamsTopology::from_record(value)));
    }

    fn member_or_new(&self, id: &str) -> StreamsMember {
        self.members.get(id).cloned().unwrap_or_else(|| StreamsMember::new(id.into()))
    }

    /// Puts a member in place of its earlier self.
    fn put_member(&mut self, member: StreamsMember) {
        let old = self.members.remove(&member.id);
        self.holders.replace(old.as_ref(), Some(&member));
        self.members.insert(member.id.clone(), member);
    }

    /// Makes the record of the group's epoch.
    pub(super) fn epoch_record(
        &self,
        epoch: i32,
        metadata_hash: i64,
        validated_topology_epoch: i32,
        configs: &BTreeMap<String, String>,
    ) -> GroupRecord {
        let config = |(key, value): (&String, &String)| LastAssignmentConfig {
            key: key.clone(),
            value: value.clone(),
            ..Default::default()
        };
        let value = StreamsGroupMetadataValue {
            epoch,
            metadata_hash,
            validated_topology_epoch,
            last_assignment_configs: Some(configs.iter().map(config).collect()),
            ..Default::default()
        };
        StreamsEntry::Epoch(Some(value)).of(&self.id)
    }

    /// Tells whether the group has no members.
    pub(in crate::group) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Tells whether the group's members read `topic`.
    pub(in crate::group) fn is_subscribed_to(&self, topic: &str) -> bool {
        let topology = self.topology.as_ref().filter(|_| !self.is_empty());
        topology.is_some_and(|topology| topology.reader_of(topic).is_some())
    }

    /// Asks for the topology to be set beside the topics again if one of its own is among `changed`.
    pub(in crate::group) fn topics_changed(&mut self, changed: &BTreeSet<Arc<str>>) {
        let Some(topology) = &self.topology else { return };
        if topology.required_topics().into_iter().any(|topic| changed.contains(topic.as_str())) {
            self.refreshed = None;
        }
    }

    pub(super) fn needs_refresh(&self, now: Now) -> bool {
        !self.refreshed.is_some_and(|refreshed| refreshed.holds(now, self.epoch))
    }

    /// Returns the group's state.
    pub(in crate::group) fn state(&self) -> StreamsGroupState {
        let is_valid = |topology: &Arc<StreamsTopology>| topology.epoch == self.validated_topology_epoch;
        if self.members.is_empty() {
            StreamsGroupState::Empty
        } else if !self.topology.as_ref().is_some_and(is_valid) {
            StreamsGroupState::NotReady
        } else if self.epoch > self.assignment_epoch {
            StreamsGroupState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.assignment_epoch)) {
            StreamsGroupState::Stable
        } else {
            StreamsGroupState::Reconciling
        }
    }

    /// Makes the tombstones of the whole group, in the order in which Kafka's replay asks for them.
    pub(in crate::group) fn tombstones(&self) -> Vec<GroupRecord> {
        let ids = || self.members.keys().map(ToString::to_string);
        let group = &*self.id;
        let mut records: Vec<GroupRecord> = Vec::with_capacity(3 * self.members.len() + 3);
        records.extend(ids().map(|id| StreamsEntry::Current(id, None).of(group)));
        records.extend(ids().map(|id| StreamsEntry::Target(id, None).of(group)));
        records.push(StreamsEntry::TargetEpoch(None).of(group));
        records.extend(ids().map(|id| StreamsEntry::Member(id, None).of(group)));
        records.push(StreamsEntry::Epoch(None).of(group));
        records.push(StreamsEntry::Topology(None).of(group));
        records
    }

    /// The group without what is lost on reload.
    #[cfg(test)]
    pub(in crate::group) fn hard_state(&self) -> Self {
        Self {
            configured: None,
            refreshed: None,
            endpoint_epoch: 0,
            shutdown_requested_by: None,
            ..self.clone()
        }
    }

    /// Describes the group.
    pub(in crate::group) fn describe(&self) -> DescribedGroup {
        let configured = self.configured.as_ref().filter(|configured| configured.is_ready());
        let topology = configured.map(|configured| configured.describe());
        let describe =
            |member: &StreamsMember| member.describe(self.target.get(&member.id).map(|target| &**target));
        DescribedGroup {
            group_id: self.id.to_string(),
            group_state: self.state().name().into(),
            group_epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            topology: topology.or_else(|| self.topology.as_ref().map(|topology| topology.describe())),
            members: self.members.values().map(describe).collect(),
            ..Default::default()
        }
    }

    /// Lists the group.
    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.id.to_string(),
            protocol_type: "streams".into(),
            group_state: self.state().name().into(),
            group_type: "streams".into(),
            ..Default::default()
        }
    }
}
