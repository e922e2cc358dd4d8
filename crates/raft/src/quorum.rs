//! The state machine: a start makes a lone voter the leader of a new epoch; synced bytes move the high watermark.
//!
//! Kafka: `QuorumState`, `LeaderState`.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{LeaderEpoch, NodeId, Offset, Timestamp};
use protocol::leader_change_message::Voter;
use protocol::{KRaftVersionRecord, LeaderChangeMessage};

use crate::{ControlRecord, ElectionState, Endpoint, ReplicaKey, VoterHistory, VoterNode, VoterSet};

/// How long an observer counts that does not fetch. Kafka: `LeaderState.OBSERVER_SESSION_TIMEOUT_MS`.
const OBSERVER_SESSION: Duration = Duration::from_secs(300);

/// What a node knows of itself.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// This replica: `node.id` and the id of the metadata log dir.
    pub local: ReplicaKey,
    /// The cluster's id; requests of another cluster are refused.
    pub cluster_id: String,
    /// Where the controllers' listeners of this node are reached.
    pub endpoints: Vec<Endpoint>,
}

/// Why a node cannot take part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// The voter set names other nodes too.
    #[error(
        "the voters are {0:?}; a quorum of more than one voter is not supported yet (controller.quorum.voters, or the \
         log's last VotersRecord)"
    )]
    OtherVoters(Vec<NodeId>),
    /// No voters are known at all.
    #[error(
        "If using controller.quorum.bootstrap.servers the node must be formatted with its voters: run storage format \
         with --standalone"
    )]
    NoVoters,
}

/// What the shell must do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write the quorum-state file and sync it before anything else.
    Persist(ElectionState),
    /// Append these as one control batch at the log's end, in the present epoch.
    Append(Vec<ControlRecord>),
}

/// How far a replica that fetches has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplicaProgress {
    pub(crate) log_end: Option<Offset>,
    pub(crate) last_fetch: Timestamp,
    pub(crate) last_fetch_at: Duration,
    pub(crate) last_caught_up: Timestamp,
    last_fetch_leader_end: Offset,
}

/// What this node is in the present epoch. Kafka: `EpochState`.
#[derive(Debug)]
enum Role {
    /// Knows of no leader: before the start.
    Unattached,
    /// Leads.
    Leader {
        /// The high watermark may pass no offset of earlier epochs before one of this epoch is committed.
        epoch_start: Offset,
        progress: BTreeMap<ReplicaKey, ReplicaProgress>,
    },
}

/// A replica of the metadata log.
#[derive(Debug)]
pub struct Quorum {
    pub(crate) config: QuorumConfig,
    pub(crate) history: VoterHistory,
    epoch: LeaderEpoch,
    role: Role,
    log_end: Offset,
    synced: Offset,
    high_watermark: Option<Offset>,
}

impl Quorum {
    /// Makes a replica that has not started. `election` is what the quorum-state file says; `history` what the snapshot
    /// and the log say; the log ends before `log_end`, with a record of `last_epoch`.
    pub fn new(
        config: QuorumConfig,
        history: VoterHistory,
        election: &ElectionState,
        log_end: Offset,
        last_epoch: LeaderEpoch,
    ) -> Self {
        let epoch = election.epoch.max(last_epoch);
        let role = Role::Unattached;
        Self { config, history, epoch, role, log_end, synced: log_end, high_watermark: None }
    }

    /// Starts: the only voter elects itself in a new epoch. Kafka: `KafkaRaftClient.initialize`,
    /// `transitionToCandidate`, `onBecomeLeader`.
    ///
    /// # Errors
    /// If there are other voters, or none.
    pub fn start(&mut self) -> Result<Vec<Action>, QuorumError> {
        let voters = self.history.last_voters();
        if voters.is_empty() {
            return Err(QuorumError::NoVoters);
        }
        if !voters.is_only_voter(self.config.local) {
            return Err(QuorumError::OtherVoters(voters.voters().map(|voter| voter.key.id).collect()));
        }
        self.epoch = LeaderEpoch(self.epoch.0 + 1);
        let vote = Action::Persist(self.election(None, Some(self.config.local)));
        self.role = Role::Leader { epoch_start: self.log_end, progress: BTreeMap::new() };
        let lead = Action::Persist(self.election(Some(self.config.local.id), None));
        Ok(vec![vote, lead, Action::Append(self.epoch_start_records())])
    }

    fn election(&self, leader: Option<NodeId>, voted: Option<ReplicaKey>) -> ElectionState {
        let voters = self.history.last_voters().voters().map(|voter| voter.key.id).collect();
        ElectionState { epoch: self.epoch, leader, voted, voters }
    }

    /// The first records of an epoch: who leads; and the voters, if the log does not name them yet or this node listens
    /// elsewhere now. Kafka: `LeaderState.appendStartOfEpochControlRecords`.
    fn epoch_start_records(&self) -> Vec<ControlRecord> {
        let voters = self.history.last_voters();
        let voter = |voter: &VoterNode| Voter { voter_id: voter.key.id.0, ..Default::default() };
        let mut records = vec![ControlRecord::LeaderChange(LeaderChangeMessage {
            leader_id: self.config.local.id.0,
            voters: voters.voters().map(voter).collect(),
            granting_voters: voters
                .voters()
                .filter(|v| v.key.id == self.config.local.id)
                .map(voter)
                .collect(),
            ..Default::default()
        })];
        let kraft_version = self.history.last_kraft_version();
        if kraft_version > 0 {
            records.extend(self.voters_to_write(kraft_version));
        }
        records
    }

    fn voters_to_write(&self, kraft_version: i16) -> Vec<ControlRecord> {
        let voters = self.history.last_voters();
        let local = VoterNode {
            key: self.config.local,
            endpoints: self.config.endpoints.clone(),
            kraft_versions: (0, 1),
        };
        let from_snapshot = self.history.last_voters_offset() == Some(Offset(-1));
        if !from_snapshot && voters.voter(local.key.id) == Some(&local) {
            return Vec::new();
        }
        let mut voters = voters.clone();
        voters.update(local);
        vec![
            ControlRecord::KraftVersion(KRaftVersionRecord { kraft_version, ..Default::default() }),
            ControlRecord::KraftVoters(voters.to_record()),
        ]
    }

    /// Takes in control records that stand in the log now.
    pub fn observe(&mut self, offset: Offset, record: &ControlRecord) {
        self.history.observe(offset, record);
    }

    /// The log now ends before `end`; nothing of it need be on disk.
    pub fn appended(&mut self, end: Offset) {
        self.log_end = self.log_end.max(end);
    }

    /// Everything before `end` is on this node's disk; returns the high watermark if it moved.
    pub fn synced(&mut self, end: Offset) -> Option<Offset> {
        self.synced = self.synced.max(end.min(self.log_end));
        self.advance_high_watermark()
    }

    /// The offset that a majority of the voters holds, once it passes the start of the epoch.
    fn advance_high_watermark(&mut self) -> Option<Offset> {
        let Role::Leader { epoch_start, progress } = &self.role else { return None };
        let end_of = |voter: &VoterNode| match voter.key.id {
            id if id == self.config.local.id => self.synced,
            _ => progress.get(&voter.key).and_then(|replica| replica.log_end).unwrap_or(Offset(-1)),
        };
        let mut ends: Vec<Offset> = self.history.last_voters().voters().map(end_of).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let majority = *ends.get(ends.len() / 2)?;
        let moves = majority > *epoch_start && self.high_watermark.is_none_or(|old| majority > old);
        if moves {
            self.high_watermark = Some(majority);
        }
        self.high_watermark.filter(|_| moves)
    }

    /// Notes that a replica fetches from `offset`: it holds everything before. Returns the high watermark if it moved.
    /// Kafka: `LeaderState.updateReplicaState`.
    pub fn fetched(
        &mut self,
        replica: ReplicaKey,
        offset: Offset,
        at: Duration,
        now: Timestamp,
    ) -> Option<Offset> {
        let log_end = self.log_end;
        let Role::Leader { progress, .. } = &mut self.role else { return None };
        if replica.id.0 < 0 || replica.id == self.config.local.id {
            return None;
        }
        let old = progress.get(&replica).copied();
        let caught_up = match old {
            _ if offset >= log_end => now,
            Some(old) if offset >= old.last_fetch_leader_end => old.last_fetch.max(old.last_caught_up),
            Some(old) => old.last_caught_up,
            None => Timestamp::NONE,
        };
        progress.insert(
            replica,
            ReplicaProgress {
                log_end: Some(offset),
                last_fetch: now,
                last_fetch_at: at,
                last_caught_up: caught_up,
                last_fetch_leader_end: log_end,
            },
        );
        self.advance_high_watermark()
    }

    /// Replicas that fetch without being voters, and fetched lately.
    pub(crate) fn observers(&self, at: Duration) -> Vec<(ReplicaKey, ReplicaProgress)> {
        let Role::Leader { progress, .. } = &self.role else { return Vec::new() };
        let voters = self.history.last_voters();
        let is_live = |(key, replica): &(&ReplicaKey, &ReplicaProgress)| {
            !voters.is_voter(**key) && at.saturating_sub(replica.last_fetch_at) < OBSERVER_SESSION
        };
        progress.iter().filter(is_live).map(|(key, replica)| (*key, *replica)).collect()
    }

    pub(crate) fn progress_of(&self, replica: ReplicaKey) -> Option<ReplicaProgress> {
        match &self.role {
            Role::Leader { progress, .. } => progress.get(&replica).copied(),
            Role::Unattached => None,
        }
    }

    /// The present epoch.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The leader of the present epoch, if known.
    pub fn leader(&self) -> Option<NodeId> {
        self.is_leader().then_some(self.config.local.id)
    }

    /// Tells whether this node leads.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }

    /// The offset before which everything is committed.
    pub fn high_watermark(&self) -> Option<Offset> {
        self.high_watermark
    }

    /// The offset that the next record gets.
    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// The voters as of the log's end.
    pub fn voters(&self) -> &VoterSet {
        self.history.last_voters()
    }

    /// What the log says of voters and `kraft.version`.
    pub fn history(&self) -> &VoterHistory {
        &self.history
    }
}

#[cfg(test)]
mod tests;
