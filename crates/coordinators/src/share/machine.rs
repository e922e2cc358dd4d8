//! The machine for one partition of `__share_group_state`: what is asked, what a record changes, and the timers.
//!
//! Invariants:
//! - the leader and state epochs that fence only ever grow while a state is there

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use machine::{Instant, Machine, Now, Outcome, Ticket};
use metadata::MetadataImage;
use model::{Offset, Uuid};
use protocol::{ErrorCode, ShareSnapshotValue, ShareUpdateValue};

use super::combiner::combine;
use super::config::ShareCoordinatorConfig;
use super::key::SharePartitionKey;
use super::record::ShareRecord;
use super::redundant_offset::RedundantOffset;
use super::request::{
    ShareRequest, ShareResponse, ShareState, ShareStateError, ShareStateSummary, ShareStateWrite,
};
use super::state::{PartitionState, UNKNOWN, batch_to_update};
use super::state_batch::StateBatch;

/// What a request leads to.
type Decision = Outcome<ShareRecord, ShareResponse>;

/// A partition's state, and what is counted beside it.
#[derive(Debug)]
struct Entry {
    state: PartitionState,
    /// The greatest leader epoch that was told.
    leader_epoch: i32,
    /// The greatest state epoch that was told; none before the first snapshot.
    state_epoch: Option<i32>,
    /// How many updates there were since a snapshot came because there were enough.
    updates: u32,
}

/// The share coordinator of one partition of `__share_group_state`.
#[derive(Debug)]
pub struct ShareMachine {
    config: ShareCoordinatorConfig,
    metadata: Arc<MetadataImage>,
    states: BTreeMap<SharePartitionKey, Entry>,
    redundant: RedundantOffset,
    /// Where the log was last deleted up to.
    pruned: Option<Offset>,
    next_prune: Option<Instant>,
    next_cold_snapshot: Option<Instant>,
}

impl ShareMachine {
    /// Makes the coordinator of a partition whose log was not replayed yet. `metadata` is what is known of topics until it
    /// is told more.
    pub fn new(config: ShareCoordinatorConfig, metadata: Arc<MetadataImage>) -> Self {
        Self {
            config,
            metadata,
            states: BTreeMap::new(),
            redundant: RedundantOffset::default(),
            pruned: None,
            next_prune: None,
            next_cold_snapshot: None,
        }
    }

    /// Takes in what is known of topics before the machine begins to serve.
    pub fn set_metadata(&mut self, metadata: Arc<MetadataImage>) {
        self.metadata = metadata;
    }

    /// Begins to serve what was replayed.
    pub fn loaded(&mut self, now: Now) {
        self.next_prune = Some(now.monotonic.saturating_add(self.config.prune_interval));
        self.next_cold_snapshot = Some(now.monotonic.saturating_add(self.config.cold_snapshot_interval));
    }

    /// Applies the record at `offset` of the log.
    pub fn replay_at(&mut self, offset: Offset, record: ShareRecord) {
        if let ShareRecord::Snapshot { key, value } = &record {
            self.redundant.update(key, offset, value.is_none());
        }
        self.replay(record);
    }

    fn check_topic(&self, key: &SharePartitionKey) -> Result<(), ShareStateError> {
        let count = self.metadata.topics().by_id(key.topic_id).map_or(0, |topic| topic.partition_count());
        if key.partition < count { Ok(()) } else { Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into()) }
    }

    fn initialize(
        &self,
        now: Now,
        key: SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Result<ShareRecord, ShareStateError> {
        check_index(&key)?;
        let entry = self.states.get(&key);
        check_state_epoch(entry.and_then(|entry| entry.state_epoch), state_epoch)?;
        self.check_topic(&key)?;
        let snapshot_epoch = entry.map_or(0, |entry| entry.state.snapshot_epoch.wrapping_add(1));
        let state = PartitionState::initial(snapshot_epoch, state_epoch, start_offset, now.wall.0);
        Ok(ShareRecord::Snapshot { key, value: Some(state.to_snapshot()) })
    }

    /// Reads a state. A leader that is new makes itself known, so that an earlier one is fenced.
    fn read(
        &self,
        now: Now,
        key: SharePartitionKey,
        leader_epoch: i32,
    ) -> Result<(ShareState, Option<ShareRecord>), ShareStateError> {
        check_index(&key)?;
        let Some(entry) = self.states.get(&key) else { return Err(uninitialized("Read")) };
        check_leader_epoch(entry, leader_epoch)?;
        self.check_topic(&key)?;
        let state = ShareState {
            state_epoch: entry.state.state_epoch,
            start_offset: entry.state.start_offset,
            batches: entry.state.batches.clone(),
        };
        if leader_epoch == -1 || leader_epoch == entry.leader_epoch {
            return Ok((state, None));
        }
        let write = ShareStateWrite {
            state_epoch: entry.state.state_epoch,
            leader_epoch,
            start_offset: entry.state.start_offset,
            delivery_complete_count: entry.state.delivery_complete_count,
            batches: Vec::new(),
        };
        let record = self.record_of_write(now, key, entry, write, leader_epoch);
        Ok((state, Some(record)))
    }

    fn write(
        &self,
        now: Now,
        key: SharePartitionKey,
        write: ShareStateWrite,
    ) -> Result<ShareRecord, ShareStateError> {
        check_index(&key)?;
        let Some(entry) = self.states.get(&key) else { return Err(uninitialized("Write")) };
        check_leader_epoch(entry, write.leader_epoch)?;
        check_state_epoch(entry.state_epoch, write.state_epoch)?;
        self.check_topic(&key)?;
        if !write.batches.iter().all(StateBatch::is_valid) {
            return Err(ErrorCode::INVALID_REQUEST.into());
        }
        Ok(self.record_of_write(now, key, entry, write, entry.state.leader_epoch))
    }

    /// Makes the update of a write, or a snapshot if there were updates enough.
    /// Kafka: `ShareCoordinatorShard.generateShareStateRecord`.
    fn record_of_write(
        &self,
        now: Now,
        key: SharePartitionKey,
        entry: &Entry,
        write: ShareStateWrite,
        leader_epoch: i32,
    ) -> ShareRecord {
        let current = &entry.state;
        let delivery_complete_count = write.delivery_complete_count;
        if entry.updates < self.config.updates_per_snapshot {
            let batches = combine([], write.batches, write.start_offset);
            let value = ShareUpdateValue {
                snapshot_epoch: current.snapshot_epoch,
                leader_epoch,
                start_offset: write.start_offset.0,
                delivery_complete_count,
                state_batches: batches.into_iter().map(batch_to_update).collect(),
                ..Default::default()
            };
            return ShareRecord::Update { key, value };
        }
        let start_offset =
            if write.start_offset == UNKNOWN { current.start_offset } else { write.start_offset };
        let state = PartitionState {
            snapshot_epoch: current.snapshot_epoch.wrapping_add(1),
            state_epoch: current.state_epoch,
            leader_epoch,
            start_offset,
            delivery_complete_count,
            batches: combine(current.batches.iter().copied(), write.batches, start_offset),
            create_timestamp: now.wall.0,
            write_timestamp: now.wall.0,
        };
        ShareRecord::Snapshot { key, value: Some(state.to_snapshot()) }
    }

    fn delete(&self, key: SharePartitionKey) -> Result<Option<ShareRecord>, ShareStateError> {
        check_index(&key)?;
        self.check_topic(&key)?;
        let is_there = self.states.contains_key(&key);
        Ok(is_there.then_some(ShareRecord::Snapshot { key, value: None }))
    }

    fn summarize(&self, key: &SharePartitionKey) -> Result<ShareStateSummary, ShareStateError> {
        check_index(key)?;
        self.check_topic(key)?;
        let Some(Entry { state, .. }) = self.states.get(key) else {
            let (start_offset, delivery_complete_count) = (UNKNOWN, -1);
            return Ok(ShareStateSummary {
                state_epoch: 0,
                leader_epoch: 0,
                start_offset,
                delivery_complete_count,
            });
        };
        Ok(ShareStateSummary {
            state_epoch: state.state_epoch,
            leader_epoch: state.leader_epoch,
            start_offset: state.start_offset,
            delivery_complete_count: state.delivery_complete_count,
        })
    }

    fn tombstones_of(&self, topics: &BTreeSet<Uuid>) -> Vec<ShareRecord> {
        let gone = self.states.keys().filter(|key| topics.contains(&key.topic_id));
        gone.map(|key| ShareRecord::Snapshot { key: key.clone(), value: None }).collect()
    }

    /// Writes again what was not written for long, so that it holds back the deletion of the log no more.
    /// Kafka: `ShareCoordinatorShard.snapshotColdPartitions`.
    fn snapshot_cold(&self, now: Now) -> Vec<ShareRecord> {
        let mut states = self.states.values().map(|entry| &entry.state);
        if states.all(|state| state.create_timestamp != state.write_timestamp) {
            return Vec::new();
        }
        let interval = i64::try_from(self.config.cold_snapshot_interval.as_millis()).unwrap_or(i64::MAX);
        let is_cold = |entry: &Entry| now.wall.0.saturating_sub(entry.state.write_timestamp) >= interval;
        let snapshot = |(key, entry): (&SharePartitionKey, &Entry)| {
            let snapshot_epoch = entry.state.snapshot_epoch.wrapping_add(1);
            let again = PartitionState { snapshot_epoch, write_timestamp: now.wall.0, ..entry.state.clone() };
            ShareRecord::Snapshot { key: key.clone(), value: Some(again.to_snapshot()) }
        };
        self.states.iter().filter(|(_, entry)| is_cold(entry)).map(snapshot).collect()
    }

    /// Asks the shell to delete what is not needed any more, unless that was done.
    fn prune(&mut self) -> Vec<(Ticket, ShareResponse)> {
        let redundant = self.redundant.get().filter(|offset| self.pruned != Some(*offset));
        self.pruned = redundant.or(self.pruned);
        redundant.into_iter().map(|offset| (Ticket::SHELL, ShareResponse::Prune(offset))).collect()
    }

    fn replay_snapshot(&mut self, key: SharePartitionKey, value: Option<ShareSnapshotValue>) {
        let Some(value) = value else {
            self.states.remove(&key);
            return;
        };
        let state = PartitionState::from_snapshot(value);
        let old = self.states.remove(&key);
        let (mut leader_epoch, mut state_epoch, mut updates) =
            (state.leader_epoch, Some(state.state_epoch), 0);
        if let Some(old) = old {
            leader_epoch = leader_epoch.max(old.leader_epoch);
            state_epoch = state_epoch.max(old.state_epoch);
            // A snapshot that came for another reason does not begin the count anew, as in Kafka.
            updates = if old.updates >= self.config.updates_per_snapshot { 0 } else { old.updates };
        }
        self.states.insert(key, Entry { state, leader_epoch, state_epoch, updates });
    }

    fn replay_update(&mut self, key: SharePartitionKey, value: ShareUpdateValue) {
        match self.states.get_mut(&key) {
            Some(entry) => {
                entry.leader_epoch = entry.leader_epoch.max(value.leader_epoch);
                entry.updates = entry.updates.saturating_add(1);
                entry.state.update(&value);
            }
            None => {
                let leader_epoch = value.leader_epoch;
                let state = PartitionState::from_update(value);
                self.states.insert(key, Entry { state, leader_epoch, state_epoch: None, updates: 1 });
            }
        }
    }
}

fn check_index(key: &SharePartitionKey) -> Result<(), ShareStateError> {
    if key.partition >= 0 {
        return Ok(());
    }
    Err(ShareStateError::new(ErrorCode::INVALID_REQUEST, "The partition id cannot be a negative number."))
}

fn check_leader_epoch(entry: &Entry, epoch: i32) -> Result<(), ShareStateError> {
    let stale = epoch != -1 && entry.leader_epoch > epoch;
    if stale { Err(ErrorCode::FENCED_LEADER_EPOCH.into()) } else { Ok(()) }
}

fn check_state_epoch(current: Option<i32>, epoch: i32) -> Result<(), ShareStateError> {
    let stale = epoch != -1 && current.is_some_and(|current| current > epoch);
    if stale { Err(ErrorCode::FENCED_STATE_EPOCH.into()) } else { Ok(()) }
}

fn uninitialized(operation: &str) -> ShareStateError {
    let message = format!("{operation} operation on uninitialized share partition not allowed.");
    ShareStateError { code: ErrorCode::INVALID_REQUEST, message }
}

/// Writes what was decided and answers that it is done.
fn done(ticket: Ticket, decided: Result<Option<ShareRecord>, ShareStateError>) -> Decision {
    let (records, answer) = match decided {
        Ok(record) => (record.into_iter().collect(), Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    Outcome { records, answers: vec![(ticket, ShareResponse::Done(answer))] }
}

impl Machine for ShareMachine {
    type Request = ShareRequest;
    type Response = ShareResponse;
    type Record = ShareRecord;

    fn handle(&mut self, now: Now, ticket: Ticket, request: ShareRequest) -> Decision {
        match request {
            ShareRequest::Initialize { key, state_epoch, start_offset } => {
                done(ticket, self.initialize(now, key, state_epoch, start_offset).map(Some))
            }
            ShareRequest::Read { key, leader_epoch } => {
                let (answer, record) = match self.read(now, key, leader_epoch) {
                    Ok((state, record)) => (Ok(state), record),
                    Err(error) => (Err(error), None),
                };
                let records = record.into_iter().collect();
                Outcome { records, answers: vec![(ticket, ShareResponse::Read(answer))] }
            }
            ShareRequest::Write { key, write } => done(ticket, self.write(now, key, write).map(Some)),
            ShareRequest::Delete(key) => done(ticket, self.delete(key)),
            ShareRequest::Summarize(key) => {
                Outcome::answer(ticket, ShareResponse::Summary(self.summarize(&key)))
            }
            ShareRequest::MetadataChanged(image) => {
                self.metadata = image;
                done(ticket, Ok(None))
            }
            ShareRequest::TopicsDeleted(topics) => {
                Outcome { records: self.tombstones_of(&topics), ..done(ticket, Ok(None)) }
            }
        }
    }

    /// Applies a record whose place in the log does not matter; [`ShareMachine::replay_at`] is for the others.
    fn replay(&mut self, record: ShareRecord) {
        match record {
            ShareRecord::Snapshot { key, value } => self.replay_snapshot(key, value),
            ShareRecord::Update { key, value } => self.replay_update(key, value),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // A partition without any state needs no timer.
        if self.states.is_empty() && self.redundant.get() == self.pruned {
            return None;
        }
        [self.next_prune, self.next_cold_snapshot].into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Now) -> Decision {
        let mut out = Decision::default();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now.monotonic);
        if is_due(self.next_prune) {
            self.next_prune = Some(now.monotonic.saturating_add(self.config.prune_interval));
            out.answers = self.prune();
        }
        if is_due(self.next_cold_snapshot) {
            self.next_cold_snapshot = Some(now.monotonic.saturating_add(self.config.cold_snapshot_interval));
            out.records = self.snapshot_cold(now);
        }
        out
    }
}
