//! What the controller decided about one partition: replicas, in-sync replicas, leader, epochs, log dirs.
//!
//! Kafka: `PartitionRegistration`.

use model::{LeaderEpoch, NodeId, Uuid};
use protocol::{PartitionChangeRecord, PartitionRecord};

use crate::{MetadataVersion, ReplayError};

/// The leader of a partition that has none.
pub const NO_LEADER: NodeId = NodeId(-1);
/// The leader in a change record that leaves the leader as it is.
pub const NO_LEADER_CHANGE: i32 = -2;

/// Whether the leader was elected uncleanly and has not yet recovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaderRecoveryState {
    /// The leader came from the in-sync replicas, or has recovered since.
    #[default]
    Recovered,
    /// The leader was elected uncleanly.
    Recovering,
}

impl LeaderRecoveryState {
    /// The state's number in records.
    pub fn value(self) -> i8 {
        self as i8
    }

    /// Returns the state of a number in a record.
    pub fn of(value: i8) -> Option<Self> {
        match value {
            0 => Some(Self::Recovered),
            1 => Some(Self::Recovering),
            _ => None,
        }
    }

    fn replayed(value: i8) -> Result<Self, ReplayError> {
        Self::of(value).ok_or(ReplayError::UnknownValue("leaderRecoveryState", value.into()))
    }
}

/// The state of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRegistration {
    /// All replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// The log dir of each replica, in the order of `replicas`.
    pub directories: Vec<Uuid>,
    /// The in-sync replicas.
    pub isr: Vec<NodeId>,
    /// Replicas that a reassignment is removing.
    pub removing_replicas: Vec<NodeId>,
    /// Replicas that a reassignment is adding.
    pub adding_replicas: Vec<NodeId>,
    /// Replicas outside the ISR that hold every committed record.
    pub elr: Vec<NodeId>,
    /// The last leader known to have held every committed record, when ISR and ELR are empty.
    pub last_known_elr: Vec<NodeId>,
    /// The leader, or [`NO_LEADER`].
    pub leader: NodeId,
    /// Whether the leader is still recovering from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
    /// Grows with each change of leader.
    pub leader_epoch: LeaderEpoch,
    /// Grows with each change of anything in the partition.
    pub partition_epoch: i32,
}

impl PartitionRegistration {
    /// Tells whether there is a leader.
    pub fn has_leader(&self) -> bool {
        self.leader != NO_LEADER
    }

    /// The replica that leads while it can: the first. Kafka: `preferredReplica`.
    pub fn preferred_replica(&self) -> NodeId {
        self.replicas.first().copied().unwrap_or(NO_LEADER)
    }

    /// Tells whether the preferred replica leads.
    pub fn has_preferred_leader(&self) -> bool {
        self.leader == self.preferred_replica()
    }

    /// The log dir of `replica`; `None` if it is no replica of this partition.
    pub fn directory(&self, replica: NodeId) -> Option<Uuid> {
        let index = self.replicas.iter().position(|id| *id == replica)?;
        Some(self.directories.get(index).copied().unwrap_or(Uuid::DIRECTORY_MIGRATING))
    }

    /// Tells whether a reassignment is going on.
    pub fn is_reassigning(&self) -> bool {
        !self.removing_replicas.is_empty() || !self.adding_replicas.is_empty()
    }

    /// Reads the state out of the record that creates a partition.
    ///
    /// # Errors
    /// If a field holds a value without a meaning.
    pub fn from_record(record: &PartitionRecord) -> Result<Self, ReplayError> {
        let replicas = nodes(&record.replicas);
        let directories =
            directories(record.topic_id, record.partition_id, &record.directories, replicas.len())?;
        Ok(Self {
            directories,
            isr: nodes(&record.isr),
            removing_replicas: nodes(&record.removing_replicas),
            adding_replicas: nodes(&record.adding_replicas),
            elr: record.eligible_leader_replicas.as_deref().map(nodes).unwrap_or_default(),
            last_known_elr: record.last_known_elr.as_deref().map(nodes).unwrap_or_default(),
            leader: NodeId(record.leader),
            leader_recovery_state: LeaderRecoveryState::replayed(record.leader_recovery_state)?,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            replicas,
        })
    }

    /// Returns the state after `change`. Kafka: `PartitionRegistration.merge`.
    ///
    /// # Errors
    /// If a field holds a value without a meaning.
    pub fn merge(&self, change: &PartitionChangeRecord) -> Result<Self, ReplayError> {
        let or_old =
            |new: &Option<Vec<i32>>, old: &Vec<NodeId>| new.as_deref().map_or_else(|| old.clone(), nodes);
        let replicas = or_old(&change.replicas, &self.replicas);
        let given = change.directories.as_ref().unwrap_or(&self.directories);
        let leader_changes = change.leader != NO_LEADER_CHANGE;
        Ok(Self {
            directories: directories(change.topic_id, change.partition_id, given, replicas.len())?,
            isr: or_old(&change.isr, &self.isr),
            removing_replicas: or_old(&change.removing_replicas, &self.removing_replicas),
            adding_replicas: or_old(&change.adding_replicas, &self.adding_replicas),
            elr: or_old(&change.eligible_leader_replicas, &self.elr),
            last_known_elr: or_old(&change.last_known_elr, &self.last_known_elr),
            leader: if leader_changes { NodeId(change.leader) } else { self.leader },
            leader_recovery_state: match change.leader_recovery_state {
                -1 => self.leader_recovery_state,
                value => LeaderRecoveryState::replayed(value)?,
            },
            leader_epoch: LeaderEpoch(self.leader_epoch.0.wrapping_add(i32::from(leader_changes))),
            partition_epoch: self.partition_epoch.wrapping_add(1),
            replicas,
        })
    }

    /// Returns the record that creates the partition in this state, with the fields that `version` knows.
    pub fn to_record(&self, topic_id: Uuid, partition_id: i32, version: MetadataVersion) -> PartitionRecord {
        let elr = |ids: &[NodeId]| (version.is_elr_supported() && !ids.is_empty()).then(|| numbers(ids));
        let directories =
            if version.is_directory_assignment_supported() { self.directories.clone() } else { Vec::new() };
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: numbers(&self.replicas),
            isr: numbers(&self.isr),
            removing_replicas: numbers(&self.removing_replicas),
            adding_replicas: numbers(&self.adding_replicas),
            leader: self.leader.0,
            leader_recovery_state: self.leader_recovery_state.value(),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories,
            eligible_leader_replicas: elr(&self.elr),
            last_known_elr: elr(&self.last_known_elr),
            ..Default::default()
        }
    }
}

/// One directory for each replica: `MIGRATING` where the record names none.
fn directories(
    topic_id: Uuid,
    partition: i32,
    given: &[Uuid],
    replicas: usize,
) -> Result<Vec<Uuid>, ReplayError> {
    if given.iter().all(|directory| *directory == Uuid::DIRECTORY_MIGRATING) {
        return Ok(vec![Uuid::DIRECTORY_MIGRATING; replicas]);
    }
    if given.len() != replicas {
        return Err(ReplayError::Directories(topic_id, partition, given.len(), replicas));
    }
    Ok(given.to_vec())
}

fn nodes(ids: &[i32]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

fn numbers(ids: &[NodeId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}
