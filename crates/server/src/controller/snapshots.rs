//! Snapshot files: which there are, writing new ones, and dropping what they make needless.
//!
//! Invariant: a snapshot appears under its name only once it is whole and on disk; the newest one is never dropped.
//!
//! Kafka: `SnapshotGenerator`, `SnapshotEmitter`, `KafkaMetadataLog.maybeClean`.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use machine::Now;
use metadata::{MetadataImage, record_version};
use model::Offset;
use raft::{LogView, Snapshot, SnapshotHeader, SnapshotId, VoterHistory, read_snapshot, write_snapshot};

use super::metadata_log::MetadataLog;
use super::{ControllerError, ControllerOptions};

/// What `write_atomically` and Kafka leave behind when they are cut off.
const UNFINISHED: [&str; 4] =
    [".checkpoint.tmp", ".checkpoint.part", ".checkpoint.deleted", "quorum-state.tmp"];

/// The snapshots there are, oldest first; none if the folder cannot be read.
pub(super) fn list(log: &MetadataLog) -> Vec<SnapshotId> {
    let names = log.files().read_dir(&log.folder()).unwrap_or_default();
    let id = |path: &PathBuf| SnapshotId::from_file_name(path.file_name()?.to_str()?);
    let mut snapshots: Vec<SnapshotId> = names.iter().filter_map(id).collect();
    snapshots.sort_unstable();
    snapshots
}

/// Removes what an earlier start left behind unfinished.
pub(super) fn remove_unfinished(log: &MetadataLog) -> Result<(), ControllerError> {
    let folder = log.folder();
    let names =
        log.files().read_dir(&folder).map_err(|error| ControllerError::File(folder.to_path_buf(), error))?;
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if UNFINISHED.iter().any(|end| name.contains(end)) {
            log.files().remove_file(&path).map_err(|error| ControllerError::File(path, error))?;
        }
    }
    Ok(())
}

pub(super) fn path(log: &MetadataLog, id: SnapshotId) -> PathBuf {
    log.folder().join(id.file_name())
}

pub(super) fn read(log: &MetadataLog, path: PathBuf) -> Result<Snapshot, ControllerError> {
    let bytes = log.files().read(&path).map_err(|error| ControllerError::File(path.clone(), error))?;
    read_snapshot(Bytes::from(bytes)).map_err(|error| ControllerError::Snapshot(path, error))
}

/// Writes a snapshot of `image`, which must be committed, and returns its id.
pub(super) fn write(
    log: &MetadataLog,
    image: &MetadataImage,
    history: &VoterHistory,
    now: Now,
) -> Result<SnapshotId, ControllerError> {
    let provenance = image.provenance();
    let last = provenance.last_contained_offset;
    let id = SnapshotId { end_offset: last.plus(1), epoch: provenance.last_contained_epoch };
    let header = SnapshotHeader {
        last_contained_log_timestamp: provenance.last_contained_timestamp.0,
        kraft_version: history.kraft_version_at(last),
        voters: Some(history.voters_at(last).clone()),
    };
    let records = image.to_records();
    let version = image.features().metadata_version();
    let versioned = records.iter().map(|record| (record, record_version(record, version)));
    let bytes = write_snapshot(id, &header, versioned, now.wall)?;
    let path = path(log, id);
    log.files().write_atomically(&path, &bytes).map_err(|error| ControllerError::File(path, error))?;
    tracing::info!("wrote metadata snapshot {} of {} records", id.file_name(), records.len());
    Ok(id)
}

/// Decides when a snapshot is due, and writes it beside the controller's thread.
#[derive(Debug)]
pub(super) struct SnapshotWriter {
    bytes_since: u64,
    last: Now,
    last_end: Offset,
    writing: Option<std::thread::JoinHandle<Result<SnapshotId, ControllerError>>>,
}

impl SnapshotWriter {
    /// Begins counting after the snapshot that ends before `last_end`.
    pub(super) fn new(now: Now, last_end: Offset, bytes_since: u64) -> Self {
        Self { bytes_since, last: now, last_end, writing: None }
    }

    /// Notes that `bytes` of records were appended.
    pub(super) fn appended(&mut self, bytes: usize) {
        self.bytes_since += bytes as u64;
    }

    /// Starts a snapshot of `image` if one is due, and cleans up behind one that is done.
    pub(super) fn tend(
        &mut self,
        options: &ControllerOptions,
        log: &Arc<MetadataLog>,
        image: &Arc<MetadataImage>,
        history: impl FnOnce() -> VoterHistory,
        now: Now,
    ) {
        if self.writing.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        if let Some(done) = self.writing.take() {
            report(done.join());
            clean(options, log, now);
        }
        let end = image.provenance().last_contained_offset.plus(1);
        let by_size = self.bytes_since >= options.bytes_between_snapshots;
        let by_time =
            options.snapshot_interval.is_some_and(|i| now.monotonic.saturating_sub(self.last.monotonic) >= i);
        if end <= self.last_end || !(by_size || by_time) {
            return;
        }
        (self.bytes_since, self.last, self.last_end) = (0, now, end);
        let (log, image, history) = (log.clone(), image.clone(), history());
        let thread = std::thread::Builder::new().name("metadata-snapshot".to_owned());
        match thread.spawn(move || write(&log, &image, &history, now)) {
            Ok(handle) => self.writing = Some(handle),
            Err(error) => {
                tracing::error!("no thread for a metadata snapshot: {error}; it is tried again later")
            }
        }
    }

    /// Waits for a snapshot that is being written.
    pub(super) fn finish(&mut self) {
        if let Some(thread) = self.writing.take() {
            report(thread.join());
        }
    }
}

fn report(outcome: std::thread::Result<Result<SnapshotId, ControllerError>>) {
    match outcome {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::error!("a metadata snapshot was not written: {error}; the next one is tried later")
        }
        Err(_) => tracing::error!("the thread that wrote a metadata snapshot panicked"),
    }
}

/// Drops old snapshots, and the log before the oldest that stays, as far as retention allows.
pub(super) fn clean(options: &ControllerOptions, log: &Arc<MetadataLog>, now: Now) {
    if let Err(error) = try_clean(options, log, now) {
        tracing::error!("old metadata was not removed: {error}; it is tried again after the next snapshot");
    }
}

fn try_clean(options: &ControllerOptions, log: &MetadataLog, now: Now) -> Result<(), ControllerError> {
    let snapshots = list(log);
    for pair in snapshots.windows(2) {
        let (old, next) = (pair[0], pair[1]);
        if !is_too_large(options, log) && !is_too_old(options, log, old, now)? {
            break;
        }
        log.log().maybe_increment_log_start_offset(next.end_offset, "snapshot generated")?;
        let path = path(log, old);
        log.files().remove_file(&path).map_err(|error| ControllerError::File(path, error))?;
        log.log().delete_old_segments(now.wall)?;
    }
    Ok(())
}

fn is_too_large(options: &ControllerOptions, log: &MetadataLog) -> bool {
    let size = |id: SnapshotId| log.files().metadata(&path(log, id)).map_or(0, |metadata| metadata.len);
    let total: u64 = log.log().size() + list(log).into_iter().map(size).sum::<u64>();
    options.retention_bytes.is_some_and(|limit| total > limit)
}

fn is_too_old(
    options: &ControllerOptions,
    log: &MetadataLog,
    id: SnapshotId,
    now: Now,
) -> Result<bool, ControllerError> {
    let Some(limit) = options.retention_ms else { return Ok(false) };
    let header = read(log, path(log, id))?.header;
    Ok(now.wall.0.saturating_sub(header.last_contained_log_timestamp) > limit)
}

/// Where the log stands after the newest snapshot, for the loader.
pub(super) fn latest(log: &MetadataLog) -> Option<SnapshotId> {
    log.latest_snapshot()
}
