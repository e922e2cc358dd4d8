//! `__cluster_metadata-0`: its log, its quorum-state file, and how batches get in and out.
//!
//! Kafka: `KafkaMetadataLog`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use config::{ConfigMap, LogConfig};
use model::topic_name::CLUSTER_METADATA;
use model::{LeaderEpoch, Offset, TopicPartition, Uuid};
use protocol::Records;
use raft::{ElectionState, LogView, SnapshotId};
use storage::{AppendOptions, AppendOrigin, FetchIsolation, LoadOptions, LogDir, LogEnvironment, UnifiedLog};
use world::clock::Clock;
use world::files::Files;

use super::{ControllerError, ControllerOptions, snapshots};

/// How many bytes of the log are read at once while loading.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// The metadata log and the files beside it.
#[derive(Debug)]
pub(super) struct MetadataLog {
    environment: Arc<LogEnvironment>,
    log_dir: PathBuf,
    log: Arc<UnifiedLog>,
}

impl MetadataLog {
    /// Opens the log, or makes it. A log that ends before the newest snapshot does begins anew after it.
    pub(super) fn open(
        options: &ControllerOptions,
        environment: &Arc<LogEnvironment>,
        dir: Arc<LogDir>,
    ) -> Result<Self, ControllerError> {
        let partition = TopicPartition::new(CLUSTER_METADATA, 0);
        let log_dir = dir.path().to_owned();
        let folder = log_dir.join(partition.to_string());
        let log = UnifiedLog::load(
            environment,
            LoadOptions {
                partition,
                folder,
                dir,
                config: Arc::new(log_config(options)),
                topic_id: Some(Uuid::METADATA_TOPIC),
                had_clean_shutdown: false,
                recovery_point: Offset(0),
                producerless: true,
                log_start: Offset(0),
            },
        )?;
        let opened = Self { environment: environment.clone(), log_dir, log };
        opened.begin_after_snapshot()?;
        Ok(opened)
    }

    fn begin_after_snapshot(&self) -> Result<(), ControllerError> {
        snapshots::remove_unfinished(self)?;
        match self.latest_snapshot() {
            Some(snapshot) if self.log.log_end_offset() < snapshot.end_offset => {
                self.log.truncate_fully_and_start_at(snapshot.end_offset)?;
                self.log.assign_epoch_start_offset(snapshot.epoch, snapshot.end_offset);
            }
            Some(snapshot) if self.log.log_start_offset() > snapshot.end_offset => {
                return Err(ControllerError::Gap(self.log.log_start_offset()));
            }
            None if self.log.log_start_offset() > Offset(0) => {
                return Err(ControllerError::Gap(self.log.log_start_offset()));
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn files(&self) -> &dyn Files {
        &**self.environment.files()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.environment.clock
    }

    /// The folder of the log and its snapshots.
    pub(super) fn folder(&self) -> Arc<Path> {
        self.log.folder()
    }

    /// The log dir, where `bootstrap.checkpoint` is.
    pub(super) fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    pub(super) fn log(&self) -> &Arc<UnifiedLog> {
        &self.log
    }

    /// The epoch of the last record, or of the newest snapshot; 0 for an empty log.
    pub(super) fn last_epoch(&self) -> LeaderEpoch {
        let snapshot = self.latest_snapshot().map(|snapshot| snapshot.epoch);
        self.log.latest_epoch().max(snapshot).unwrap_or(LeaderEpoch(0)).max(LeaderEpoch(0))
    }

    pub(super) fn read_election(&self) -> Result<ElectionState, ControllerError> {
        let path = self.folder().join(ElectionState::FILE_NAME);
        if !self.files().exists(&path) {
            return Ok(ElectionState::initial());
        }
        let bytes = self.files().read(&path).map_err(|error| ControllerError::File(path.clone(), error))?;
        ElectionState::parse(&bytes).map_err(|error| ControllerError::QuorumState(path, error))
    }

    pub(super) fn write_election(
        &self,
        state: &ElectionState,
        kraft_version: i16,
    ) -> Result<(), ControllerError> {
        let path = self.folder().join(ElectionState::FILE_NAME);
        let json = state.to_json(kraft_version);
        let written = self.files().write_atomically(&path, json.as_bytes());
        written.map_err(|error| ControllerError::File(path, error))
    }

    /// Appends batches whose offsets are given.
    pub(super) fn append(&self, batch: Bytes, epoch: LeaderEpoch) -> Result<Offset, ControllerError> {
        let options = AppendOptions { origin: AppendOrigin::RaftLeader, ..AppendOptions::default() };
        let info = self.log.append_as_leader(batch, epoch, options)?;
        Ok(info.last_offset.plus(1))
    }

    /// Makes all that was appended survive a power cut.
    pub(super) fn sync(&self) -> Result<Offset, ControllerError> {
        let synced = self.log.sync()?;
        self.log.update_high_watermark(synced);
        Ok(synced)
    }

    /// Returns the bytes of whole batches from `offset` on; the first may begin before it. Empty at the log's end.
    pub(super) fn read(&self, offset: Offset) -> Result<Bytes, ControllerError> {
        let info = self.log.read(offset, READ_BYTES, FetchIsolation::LogEnd, true)?;
        match info.records {
            Records::Bytes(bytes) => Ok(bytes),
            Records::Region(region) => {
                region.read().map_err(|error| ControllerError::File(self.folder().to_path_buf(), error))
            }
        }
    }
}

impl LogView for MetadataLog {
    fn start(&self) -> Offset {
        self.log.log_start_offset()
    }

    fn end(&self) -> Offset {
        self.log.log_end_offset()
    }

    fn latest_snapshot(&self) -> Option<SnapshotId> {
        snapshots::list(self).into_iter().next_back()
    }

    fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.log.end_offset_for_epoch(epoch)
    }
}

/// Only snapshots make the log shorter, so time and size do not count.
fn log_config(options: &ControllerOptions) -> LogConfig {
    let mut config =
        LogConfig::new(&ConfigMap::new(), &ConfigMap::new()).expect("the defaults of topics are valid");
    config.segment_bytes = options.segment_bytes;
    config.segment_ms = options.segment_ms;
    config.retention_ms = -1;
    config.retention_bytes = -1;
    config.max_message_bytes = i32::MAX;
    config
}
