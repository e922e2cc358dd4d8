//! A partition on this broker: who leads it, at which epoch, and what is replicated.
//!
//! Invariants:
//! - only the leader appends and answers clients, and only to those who know no later epoch
//! - the high watermark is the lowest log end of the in-sync replicas; with this broker as the only one, the log's own
//!
//! Not yet: followers. A partition with other in-sync replicas is led, but its high watermark stands still until they
//! fetch.
//!
//! Kafka: `Partition`.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use metadata::PartitionRegistration;
use model::{LeaderEpoch, NodeId, Offset, Timestamp, TopicPartition, Uuid};
use protocol::ErrorCode;
use storage::{
    AppendOptions, FetchDataInfo, FetchIsolation, LogAppendInfo, StorageError, TimestampAndOffset, UnifiedLog,
};
use telemetry::TopicMetrics;

use crate::broker::transaction_admission::as_produce_error;

/// A partition that this broker has a replica of.
#[derive(Debug)]
pub struct Partition {
    node_id: NodeId,
    topic_id: Uuid,
    name: TopicPartition,
    log: Mutex<Arc<UnifiedLog>>,
    metrics: Arc<TopicMetrics>,
    /// What the controller last decided, in the memory of the image that says so.
    state: Mutex<Arc<PartitionRegistration>>,
}

/// How a partition is replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    /// Whether this broker leads.
    pub leads: bool,
    /// How many replicas are in sync.
    pub isr: usize,
    /// How many replicas there are.
    pub replicas: usize,
    /// `min.insync.replicas`, but not more than there are replicas.
    pub min_isr: usize,
}

/// Why a partition refuses.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// This broker does not lead, or the asker knows another epoch.
    #[error("{}", .0.message())]
    Refused(ErrorCode),
    /// The transaction coordinator does not have the partition in the producer's transaction, or could not be asked.
    #[error("{}", .0.message())]
    Unverified(ErrorCode),
    /// Too few replicas are in sync for `acks=all`.
    #[error(
        "The size of the current ISR {isr:?} is insufficient to satisfy the min.isr requirement of {minimum} for partition {partition}"
    )]
    NotEnoughReplicas {
        /// The in-sync replicas.
        isr: Vec<i32>,
        /// `min.insync.replicas`, but not more than there are replicas.
        minimum: usize,
        /// The partition.
        partition: TopicPartition,
    },
    /// The log refused or failed.
    #[error(transparent)]
    Log(#[from] StorageError),
}

impl Partition {
    /// Takes up a replica whose log is open.
    pub fn new(
        node_id: NodeId,
        topic_id: Uuid,
        log: Arc<UnifiedLog>,
        registration: Arc<PartitionRegistration>,
        metrics: Arc<TopicMetrics>,
    ) -> Self {
        Self {
            node_id,
            topic_id,
            name: log.topic_partition().clone(),
            log: Mutex::new(log),
            metrics,
            state: Mutex::new(registration),
        }
    }

    fn state(&self) -> MutexGuard<'_, Arc<PartitionRegistration>> {
        self.state.lock().expect("no holder panics")
    }

    /// Returns the partition's name.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.name
    }

    /// Returns the topic's id.
    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// Returns the log, whether or not this broker leads.
    pub fn log(&self) -> Arc<UnifiedLog> {
        self.log.lock().expect("no holder panics").clone()
    }

    /// Goes on with the log that was moved to another log dir.
    pub fn replace_log(&self, log: Arc<UnifiedLog>) {
        *self.log.lock().expect("no holder panics") = log;
    }

    /// Returns the leader and its epoch.
    pub fn leadership(&self) -> (NodeId, LeaderEpoch) {
        let state = self.state();
        (state.leader, state.leader_epoch)
    }

    /// Returns where this partition's topic is counted.
    pub fn metrics(&self) -> &TopicMetrics {
        &self.metrics
    }

    /// Returns how the partition is replicated.
    pub fn replication(&self) -> Replication {
        let log = self.log();
        let state = self.state();
        Replication {
            leads: state.leader == self.node_id,
            isr: state.isr.len(),
            replicas: state.replicas.len(),
            min_isr: min_isr(&log, &state),
        }
    }

    /// Tells whether this broker leads.
    pub fn is_leader(&self) -> bool {
        self.state().leader == self.node_id
    }

    /// Takes over what the controller decided; returns whether this broker began to lead at a new epoch.
    /// Kafka: `Partition.makeLeader`, `Partition.makeFollower`.
    pub fn apply(&self, new: Arc<PartitionRegistration>) -> bool {
        let mut state = self.state();
        let begins = new.leader == self.node_id
            && (state.leader != self.node_id || state.leader_epoch != new.leader_epoch);
        *state = new;
        drop(state);
        if begins {
            self.begin_to_lead();
        }
        begins
    }

    /// Marks where this broker's term begins in the log, and sets the high watermark.
    pub fn begin_to_lead(&self) {
        let (_, epoch) = self.leadership();
        let log = self.log();
        log.assign_epoch_start_offset(epoch, log.log_end_offset());
        self.advance_high_watermark();
    }

    /// Moves the high watermark as far as the in-sync replicas allow. Kafka: `Partition.maybeIncrementLeaderHW`.
    fn advance_high_watermark(&self) {
        let alone = self.state().isr.iter().all(|replica| *replica == self.node_id);
        if alone {
            let log = self.log();
            log.maybe_increment_high_watermark(log.log_end_offset());
        }
    }

    /// Returns the log if this broker leads and `known` is its epoch, or none.
    ///
    /// # Errors
    /// `FENCED_LEADER_EPOCH`, `UNKNOWN_LEADER_EPOCH` or `NOT_LEADER_OR_FOLLOWER`. A log dir that cannot be written any more may
    /// still be read, so its failure is found out by who appends.
    /// Kafka: `Partition.localLogWithEpochOrThrow`.
    pub fn leader_log(&self, known: Option<LeaderEpoch>) -> Result<Arc<UnifiedLog>, PartitionError> {
        let state = self.state();
        if let Some(known) = known {
            check_epoch(known, state.leader_epoch).map_err(PartitionError::Refused)?;
        }
        if state.leader != self.node_id {
            return Err(PartitionError::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        }
        drop(state);
        Ok(self.log())
    }

    /// Appends as leader; with `all`, only where enough replicas are in sync. Kafka: `Partition.appendRecordsToLeader`.
    ///
    /// # Errors
    /// What [`Partition::leader_log`] says, too few in-sync replicas, or what the log says.
    pub fn append(
        &self,
        records: Bytes,
        all: bool,
        options: AppendOptions,
    ) -> Result<LogAppendInfo, PartitionError> {
        let log = self.leader_log(None)?;
        let state = self.state().clone();
        let minimum = min_isr(&log, &state);
        if all && state.isr.len() < minimum {
            let isr = state.isr.iter().map(|replica| replica.0).collect();
            let partition = self.topic_partition().clone();
            return Err(PartitionError::NotEnoughReplicas { isr, minimum, partition });
        }
        let info = log.append_as_leader(records, state.leader_epoch, options)?;
        self.advance_high_watermark();
        Ok(info)
    }

    /// Reads as leader, up to what `isolation` allows. Kafka: `Partition.fetchRecords`.
    ///
    /// # Errors
    /// What [`Partition::leader_log`] says, or what the log says.
    pub fn read(
        &self,
        known: Option<LeaderEpoch>,
        from: Offset,
        max_bytes: usize,
        isolation: FetchIsolation,
        min_one_message: bool,
    ) -> Result<FetchDataInfo, PartitionError> {
        Ok(self.leader_log(known)?.read(from, max_bytes, isolation, min_one_message)?)
    }

    /// Finds an offset by timestamp or sentinel, below what `isolation` allows.
    /// Kafka: `Partition.fetchOffsetForTimestamp`.
    ///
    /// # Errors
    /// What [`Partition::leader_log`] says, or what the log says.
    pub fn offset_for_timestamp(
        &self,
        known: Option<LeaderEpoch>,
        timestamp: Timestamp,
        isolation: FetchIsolation,
    ) -> Result<Option<TimestampAndOffset>, PartitionError> {
        let log = self.leader_log(known)?;
        let end = match isolation {
            FetchIsolation::LogEnd => log.log_end_offset(),
            FetchIsolation::HighWatermark => log.high_watermark(),
            FetchIsolation::TxnCommitted => log.last_stable_offset(),
        };
        if timestamp == LATEST {
            let leader_epoch = Some(self.state().leader_epoch);
            return Ok(Some(TimestampAndOffset { timestamp: Timestamp::NONE, offset: end, leader_epoch }));
        }
        let found = log.offset_for_timestamp(timestamp)?;
        let is_search = timestamp.0 >= 0 || timestamp == MAX_TIMESTAMP;
        Ok(found.filter(|found| !is_search || found.offset < end))
    }
}

/// The sentinel of the log's end.
pub const LATEST: Timestamp = Timestamp(-1);
/// The sentinel of the record with the greatest timestamp.
pub const MAX_TIMESTAMP: Timestamp = Timestamp(-3);

/// `min.insync.replicas`, but not more than there are replicas.
fn min_isr(log: &UnifiedLog, state: &PartitionRegistration) -> usize {
    (log.config().min_insync_replicas.max(1) as usize).min(state.replicas.len())
}

/// Holds the epoch that a client knows against the partition's. Kafka: `Partition.checkCurrentLeaderEpoch`.
fn check_epoch(known: LeaderEpoch, current: LeaderEpoch) -> Result<(), ErrorCode> {
    match known.cmp(&current) {
        std::cmp::Ordering::Less => Err(ErrorCode::FENCED_LEADER_EPOCH),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
    }
}

impl PartitionError {
    /// Returns the code that a client gets. Kafka: `Errors.forException`.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(code) => *code,
            Self::Unverified(error) => as_produce_error(*error),
            Self::NotEnoughReplicas { .. } => ErrorCode::NOT_ENOUGH_REPLICAS,
            Self::Log(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_unknown() {
        let check = |known| check_epoch(LeaderEpoch(known), LeaderEpoch(5));
        assert_eq!(check(5), Ok(()));
        assert_eq!(check(4), Err(ErrorCode::FENCED_LEADER_EPOCH));
        assert_eq!(check(6), Err(ErrorCode::UNKNOWN_LEADER_EPOCH));
    }
}
