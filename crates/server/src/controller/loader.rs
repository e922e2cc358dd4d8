//! Reads the newest snapshot and the log after it into the machine and the quorum's history.
//!
//! Kafka: `MetadataLoader`, `BootstrapDirectory`.

use std::collections::BTreeMap;

use ::controller::Controller;
use ::machine::Machine;
use metadata::{MetadataImage, MetadataProvenance, MetadataVersion, bootstrap_records};
use model::{LeaderEpoch, Offset, Timestamp};
use protocol::MetadataRecord;
use raft::{ElectionState, LogEntry, LogView, SnapshotId, VoterHistory, decode_batch};
use records::{ControlRecord, RecordBatch, batches};

use super::metadata_log::MetadataLog;
use super::{ControllerError, ControllerOptions, snapshots};

/// The file with the first records of a new cluster, in each log dir.
const BOOTSTRAP_FILE: &str = "bootstrap.checkpoint";

/// What was loaded.
pub(super) struct Loaded {
    pub(super) machine: Controller,
    pub(super) history: VoterHistory,
    pub(super) election: ElectionState,
    /// The records that a new cluster begins with.
    pub(super) bootstrap: Vec<MetadataRecord>,
    /// The newest snapshot's end, and the bytes of the log after it.
    pub(super) snapshot_end: Offset,
    pub(super) bytes_after_snapshot: u64,
}

pub(super) fn load(options: &ControllerOptions, log: &MetadataLog) -> Result<Loaded, ControllerError> {
    let mut loaded = Loaded {
        machine: Controller::new(options.machine.clone()),
        history: VoterHistory::new(options.static_voters.clone()),
        election: log.read_election()?,
        bootstrap: read_bootstrap(log)?,
        snapshot_end: Offset(0),
        bytes_after_snapshot: 0,
    };
    if let Some(id) = snapshots::latest(log) {
        loaded.load_snapshot(log, id)?;
    }
    loaded.load_log(log)?;
    Ok(loaded)
}

fn read_bootstrap(log: &MetadataLog) -> Result<Vec<MetadataRecord>, ControllerError> {
    let path = log.log_dir().join(BOOTSTRAP_FILE);
    if log.files().exists(&path) {
        return Ok(snapshots::read(log, path)?.records);
    }
    let defaults = bootstrap_records(MetadataVersion::LATEST, &BTreeMap::new());
    Ok(defaults.expect("the release's own levels depend on nothing that it lacks"))
}

impl Loaded {
    fn load_snapshot(&mut self, log: &MetadataLog, id: SnapshotId) -> Result<(), ControllerError> {
        let snapshot = snapshots::read(log, snapshots::path(log, id))?;
        let last = id.end_offset.plus(-1);
        let header = snapshot.header;
        if header.kraft_version > 0 {
            let version =
                protocol::KRaftVersionRecord { kraft_version: header.kraft_version, ..Default::default() };
            self.history.observe(last, &ControlRecord::KraftVersion(version));
        }
        if let Some(voters) = header.voters {
            self.history.observe(last, &ControlRecord::KraftVoters(voters.to_record()));
        }
        for record in snapshot.records {
            self.machine.set_next_offset(last);
            self.machine.replay(record);
        }
        check(&self.machine, id.end_offset)?;
        self.machine.set_next_offset(id.end_offset);
        self.machine.set_provenance(MetadataProvenance {
            last_contained_offset: last,
            last_contained_epoch: id.epoch,
            last_contained_timestamp: Timestamp(header.last_contained_log_timestamp),
        });
        self.snapshot_end = id.end_offset;
        Ok(())
    }

    fn load_log(&mut self, log: &MetadataLog) -> Result<(), ControllerError> {
        let mut next = self.snapshot_end;
        while next < log.end() {
            let mut read = batches(log.read(next)?);
            let before = next;
            for batch in read.by_ref() {
                let batch = batch.map_err(raft::BatchError::from)?;
                if batch.header().last_offset() < next {
                    continue;
                }
                self.bytes_after_snapshot += batch.size() as u64;
                next = batch.header().next_offset();
                replay_batch(&mut self.machine, &mut self.history, &batch)?;
            }
            if next == before {
                return Err(raft::BatchError::Trailing(read.rest().len()).into());
            }
        }
        Ok(())
    }
}

fn replay_batch(
    machine: &mut Controller,
    history: &mut VoterHistory,
    batch: &RecordBatch,
) -> Result<(), ControllerError> {
    decode_batch(batch, |offset, entry| match entry {
        LogEntry::Control(record) => history.observe(offset, &record),
        LogEntry::Metadata(record) => {
            machine.set_next_offset(offset);
            machine.replay(record);
        }
    })?;
    let header = batch.header();
    check(machine, header.next_offset())?;
    machine.set_next_offset(header.next_offset());
    let (epoch, append_timestamp) = (header.partition_leader_epoch, header.max_timestamp);
    machine.set_provenance(provenance(header.last_offset(), epoch, append_timestamp));
    Ok(())
}

pub(super) fn provenance(offset: Offset, epoch: LeaderEpoch, timestamp: Timestamp) -> MetadataProvenance {
    MetadataProvenance {
        last_contained_offset: offset,
        last_contained_epoch: epoch,
        last_contained_timestamp: timestamp,
    }
}

/// Fails if a record up to `end` contradicted those before it.
pub(super) fn check(machine: &Controller, end: Offset) -> Result<(), ControllerError> {
    machine.failure().map_or(Ok(()), |error| Err(ControllerError::Replay(end, error.clone())))
}

/// Returns the image to publish: never one in the midst of a metadata transaction.
pub(super) fn committed(machine: &Controller) -> MetadataImage {
    let mut image = machine.image().committed().clone();
    image.set_provenance(machine.image().provenance());
    image
}
