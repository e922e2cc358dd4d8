//! Builds the record that changes one partition: completes a reassignment, keeps the eligible leader replicas, elects
//! a leader, and names only what differs.
//!
//! Kafka: `PartitionChangeBuilder`, with `useLastKnownLeaderInBalancedRecovery`.

use std::collections::BTreeMap;

use metadata::{LeaderRecoveryState, MetadataVersion, NO_LEADER, NO_LEADER_CHANGE, PartitionRegistration};
use model::{NodeId, Uuid};
use protocol::PartitionChangeRecord;

use crate::Controller;

/// How a leader may be elected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Election {
    /// The preferred replica if it may lead, else as `Online`.
    Preferred,
    /// The present leader if it may lead, else the first replica that may.
    #[default]
    Online,
    /// As `Online`, else any live replica, at the price of lost records.
    Unclean,
}

struct Elected {
    leader: NodeId,
    unclean: bool,
}

pub(crate) struct PartitionChange<'a> {
    partition: &'a PartitionRegistration,
    topic_id: Uuid,
    index: i32,
    is_acceptable: &'a dyn Fn(NodeId) -> bool,
    version: MetadataVersion,
    min_isr: usize,
    elr_enabled: bool,
    pub(crate) election: Election,
    pub(crate) isr: Vec<NodeId>,
    pub(crate) replicas: Vec<NodeId>,
    pub(crate) removing: Vec<NodeId>,
    pub(crate) adding: Vec<NodeId>,
    pub(crate) leader_recovery_state: LeaderRecoveryState,
    /// Replicas that lost what was not yet on disk.
    pub(crate) uncleanly_shut_down: Option<NodeId>,
    elr: Vec<NodeId>,
    last_known_elr: Vec<NodeId>,
    directories: BTreeMap<NodeId, Uuid>,
}

impl<'a> PartitionChange<'a> {
    /// Starts from the partition as it is; `min_isr` is the effective `min.insync.replicas`.
    pub(crate) fn new(
        controller: &Controller,
        partition: &'a PartitionRegistration,
        (topic_id, index): (Uuid, i32),
        is_acceptable: &'a dyn Fn(NodeId) -> bool,
        min_isr: usize,
    ) -> Self {
        let features = controller.image.features();
        let directories = partition.replicas.iter().copied().zip(partition.directories.iter().copied());
        Self {
            partition,
            topic_id,
            index,
            is_acceptable,
            version: features.metadata_version(),
            min_isr,
            elr_enabled: features.is_elr_enabled(),
            election: Election::Online,
            isr: partition.isr.clone(),
            replicas: partition.replicas.clone(),
            removing: partition.removing_replicas.clone(),
            adding: partition.adding_replicas.clone(),
            leader_recovery_state: partition.leader_recovery_state,
            uncleanly_shut_down: None,
            elr: partition.elr.clone(),
            last_known_elr: partition.last_known_elr.clone(),
            directories: directories.collect(),
        }
    }

    pub(crate) fn set_directory(&mut self, replica: NodeId, directory: Uuid) {
        self.directories.insert(replica, directory);
    }

    /// Returns the record, or `None` if nothing changes.
    pub(crate) fn build(mut self, controller: &Controller) -> Option<PartitionChangeRecord> {
        let empty =
            PartitionChangeRecord { topic_id: self.topic_id, partition_id: self.index, ..Default::default() };
        let mut record = empty.clone();
        self.complete_reassignment();
        self.keep_elr();
        self.elect(&mut record);
        if record.leader == NO_LEADER_CHANGE && !contains_all(&self.replicas, &self.partition.replicas) {
            record.leader = self.partition.leader.0;
        }
        self.record_elr(&mut record);
        let may_be_empty = !self.isr.is_empty() || self.elr_enabled;
        if record.isr.is_none() && may_be_empty && self.isr != self.partition.isr {
            record.isr = Some(numbers(&self.isr));
        }
        self.bump_epoch_for_isr_shrink(&mut record);
        self.record_last_known_leader(&mut record);
        self.record_assignment(&mut record, controller);
        if self.leader_recovery_state != self.partition.leader_recovery_state {
            record.leader_recovery_state = self.leader_recovery_state.value();
        }
        (record != empty).then_some(record)
    }

    /// Ends a reassignment once every replica that stays is in sync.
    fn complete_reassignment(&mut self) {
        if self.removing.is_empty() && self.adding.is_empty() {
            return;
        }
        let stays = |ids: &[NodeId]| -> Vec<NodeId> {
            ids.iter().copied().filter(|id| !self.removing.contains(id)).collect()
        };
        let (isr, replicas) = (stays(&self.isr), stays(&self.replicas));
        if isr.is_empty() || replicas.is_empty() || !contains_all(&isr, &replicas) {
            return;
        }
        (self.isr, self.replicas) = (isr, replicas);
        self.removing.clear();
        self.adding.clear();
    }

    /// A replica that leaves an ISR smaller than `min.insync.replicas` stays eligible: nothing was committed without it.
    fn keep_elr(&mut self) {
        if !self.elr_enabled {
            return;
        }
        if self.isr.len() >= self.min_isr {
            self.elr.clear();
            self.last_known_elr.clear();
            return;
        }
        let mut candidates = self.elr.clone();
        candidates.extend(&self.partition.isr);
        candidates.sort_unstable();
        candidates.dedup();
        let eligible = |id: &NodeId| !self.isr.contains(id) && self.uncleanly_shut_down != Some(*id);
        self.elr = candidates.iter().copied().filter(eligible).collect();
    }

    fn elect(&mut self, record: &mut PartitionChangeRecord) {
        let elected = self.elected();
        if elected.leader == self.partition.leader {
            return;
        }
        if self.elr.contains(&elected.leader) {
            self.isr = vec![elected.leader];
            self.elr.retain(|id| *id != elected.leader);
        }
        record.leader = elected.leader.0;
        if elected.unclean {
            record.isr = Some(vec![elected.leader.0]);
            if self.partition.leader_recovery_state != LeaderRecoveryState::Recovering {
                record.leader_recovery_state = LeaderRecoveryState::Recovering.value();
            }
        }
    }

    fn elected(&self) -> Elected {
        let clean = |leader| Elected { leader, unclean: false };
        let preferred = self.replicas.first().filter(|_| self.election == Election::Preferred);
        let in_order = preferred.into_iter().chain([&self.partition.leader]).chain(&self.replicas);
        if let Some(leader) = in_order.copied().find(|id| self.may_lead(*id)) {
            return clean(leader);
        }
        if let Some(leader) = self.last_known_leader() {
            return Elected { leader, unclean: true };
        }
        let live = self.replicas.iter().copied().find(|id| (self.is_acceptable)(*id));
        match live.filter(|_| self.election == Election::Unclean) {
            Some(leader) => Elected { leader, unclean: true },
            None => clean(NO_LEADER),
        }
    }

    /// A leader must be in sync or, where nothing is in sync, eligible.
    fn may_lead(&self, id: NodeId) -> bool {
        let holds_all = self.isr.contains(&id) || (self.isr.is_empty() && self.elr.contains(&id));
        holds_all && (self.is_acceptable)(id)
    }

    fn last_known_leader(&self) -> Option<NodeId> {
        if !self.elr_enabled || !self.elr.is_empty() || !self.isr.is_empty() {
            return None;
        }
        match self.partition.last_known_elr.as_slice() {
            [leader] if (self.is_acceptable)(*leader) => Some(*leader),
            _ => None,
        }
    }

    fn record_elr(&mut self, record: &mut PartitionChangeRecord) {
        let was_unclean = record.isr.is_some();
        if was_unclean || !self.elr_enabled {
            self.elr.clear();
        }
        if self.elr != self.partition.elr {
            record.eligible_leader_replicas = Some(numbers(&self.elr));
        }
    }

    fn record_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        if !self.elr_enabled {
            return;
        }
        let old = &self.partition.last_known_elr;
        let becomes_leaderless = record.isr.as_ref().is_some_and(Vec::is_empty);
        let has_leader = record.leader >= 0 || (self.partition.has_leader() && record.leader != NO_LEADER.0);
        if becomes_leaderless && *old != [self.partition.leader] {
            record.last_known_elr = Some(vec![self.partition.leader.0]);
        } else if has_leader && !old.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }

    /// Brokers before 3.6 needed a new epoch when the ISR shrank.
    fn bump_epoch_for_isr_shrink(&self, record: &mut PartitionChangeRecord) {
        let shrinks =
            record.isr.as_ref().is_some_and(|isr| !self.partition.isr.iter().all(|id| isr.contains(&id.0)));
        if self.version < MetadataVersion::V3_6_IV0 && record.leader == NO_LEADER_CHANGE && shrinks {
            record.leader = self.partition.leader.0;
        }
    }

    fn record_assignment(&self, record: &mut PartitionChangeRecord, controller: &Controller) {
        if !self.replicas.is_empty() {
            if self.version.is_directory_assignment_supported() {
                let directory = |id: &NodeId| {
                    self.directories.get(id).copied().unwrap_or_else(|| controller.default_dir(*id))
                };
                let directories: Vec<Uuid> = self.replicas.iter().map(directory).collect();
                record.directories = (directories != self.partition.directories).then_some(directories);
            }
            record.replicas = (self.replicas != self.partition.replicas).then(|| numbers(&self.replicas));
        }
        record.removing_replicas =
            (self.removing != self.partition.removing_replicas).then(|| numbers(&self.removing));
        record.adding_replicas =
            (self.adding != self.partition.adding_replicas).then(|| numbers(&self.adding));
    }
}

fn contains_all(whole: &[NodeId], part: &[NodeId]) -> bool {
    part.iter().all(|id| whole.contains(id))
}

pub(crate) fn numbers(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}
