//! One partition's log: decides what is appended, what is read, and what goes.
//!
//! Invariants:
//! - log start ≤ last stable offset ≤ high watermark ≤ log end; recovery point ≤ synced ≤ log end
//! - one lock is held while the log changes; readers take offsets and segments as they stand, and never wait for a disk
//!   write
//! - there is always an active segment, the last one; until the first record it is only planned, and nothing holds it
//! - segments go, are cut or give way to compacted ones only under the shape lock, which comes before all other locks
//! - an idle log has no thread, timer or open file, and one without records hardly more memory than its marks
//!
//! Kafka: `UnifiedLog`, `LocalLog`.
//!
//! Not yet: tiered storage.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use config::LogConfig;
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition, Uuid};
use tokio::sync::Notify;
use world::files::Files;

use crate::group_commit::CommitState;
use crate::leader_epochs::LeaderEpochs;
use crate::log_dirs::LogDir;
use crate::names::{FolderKind, parse_folder};
use crate::producer_snapshot::ProducerSnapshots;
use crate::producer_state::{ProducerState, ProducerStateEntry};
use crate::segment::{Segment, SegmentLimits};
use crate::waiters::{Interest, Subscription, Waiters};
use crate::{StorageError, partition_metadata};

mod append;
mod environment;
mod flush;
mod flush_together;
mod offsets;
mod read;
mod replace;
mod segments;
mod sync_together;
mod timestamps;
mod truncate;

pub(crate) use append::read_marker;
pub use append::{AppendOptions, AppendOrigin, LogAppendInfo};
pub use environment::LogEnvironment;
pub(crate) use flush::LEADER_EPOCH_FILE;
pub(crate) use flush_together::flush_together;
use offsets::Marks;
pub use offsets::{LogOffsetMetadata, LogOffsets};
pub use read::{FetchDataInfo, FetchIsolation};
pub(crate) use replace::Shape;
pub(crate) use sync_together::{Extent, sync_together};
pub use timestamps::TimestampAndOffset;

/// What changes under the log's lock.
#[derive(Debug)]
struct State {
    producers: ProducerState,
    snapshots: ProducerSnapshots,
    epochs: LeaderEpochs,
}

/// A segment, for tools and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSegmentInfo {
    /// The offset in its files' names.
    pub base_offset: Offset,
    /// The bytes of its `.log` file.
    pub size: u64,
}

/// One partition's log.
#[derive(Debug)]
pub struct UnifiedLog {
    partition: TopicPartition,
    dir: Arc<LogDir>,
    environment: Arc<LogEnvironment>,
    /// The folder, where it is not called as the partition is.
    folder: Mutex<Option<Arc<Path>>>,
    topic_id: Mutex<Option<Uuid>>,
    config: RwLock<Arc<LogConfig>>,
    /// None until the first record.
    segments: RwLock<Option<Arc<[Arc<Segment>]>>>,
    marks: Mutex<Marks>,
    state: Mutex<State>,
    /// Held while the log is synced, so that who comes second finds it done.
    sync: Mutex<()>,
    /// Held while the recovery point moves.
    flush: Mutex<()>,
    /// Held while segments go, are cut or replaced, or the folder is renamed; counts the cuts.
    shape: Mutex<u64>,
    /// The recovery point that the log dir's checkpoint has.
    checkpointed: AtomicI64,
    /// Where compaction goes on; -1 if it was never here.
    cleaned_to: AtomicI64,
    /// Set under the state's lock; nothing is appended from then on.
    closed: AtomicBool,
    names_dirty: AtomicBool,
    queued_dirty: AtomicBool,
    last_flush_ms: AtomicI64,
    /// Bytes appended since the last sync began.
    unsynced: AtomicU64,
    commit: CommitState,
    waiters: Waiters,
}

/// What loading found.
pub(crate) struct Loaded {
    pub(crate) partition: TopicPartition,
    pub(crate) dir: Arc<LogDir>,
    pub(crate) folder: Arc<Path>,
    pub(crate) topic_id: Option<Uuid>,
    pub(crate) config: Arc<LogConfig>,
    /// None where there are no records and never were.
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    pub(crate) recovery_point: Offset,
    pub(crate) producers: ProducerState,
    pub(crate) snapshots: ProducerSnapshots,
    pub(crate) epochs: LeaderEpochs,
}

impl UnifiedLog {
    pub(crate) fn from_loaded(environment: Arc<LogEnvironment>, loaded: Loaded) -> Arc<Self> {
        let (segment_base, position) =
            loaded.segments.last().map_or((Offset(0), 0), |active| (active.base_offset(), active.size()));
        let marks = Marks {
            start: loaded.log_start,
            end: LogOffsetMetadata { offset: loaded.log_end, segment_base, position },
            high_watermark: loaded.log_start,
            first_unstable: loaded.producers.first_unstable_offset().map(|first| first.max(loaded.log_start)),
            synced: loaded.recovery_point,
            recovery_point: loaded.recovery_point,
            producerless: (loaded.producers.producers().len() == 0).then_some(loaded.recovery_point),
            cuts: 0,
        };
        let now_ms = environment.clock.wall_ms();
        let active_is_empty = position == 0;
        let is_usual = *loaded.folder == usual_folder(&loaded.dir, &loaded.partition);
        Arc::new(Self {
            partition: loaded.partition,
            dir: loaded.dir,
            environment,
            folder: Mutex::new((!is_usual).then_some(loaded.folder)),
            topic_id: Mutex::new(loaded.topic_id),
            config: RwLock::new(loaded.config),
            segments: RwLock::new((!loaded.segments.is_empty()).then(|| loaded.segments.into())),
            marks: Mutex::new(marks),
            state: Mutex::new(State {
                producers: loaded.producers,
                snapshots: loaded.snapshots,
                epochs: loaded.epochs,
            }),
            sync: Mutex::default(),
            flush: Mutex::default(),
            shape: Mutex::default(),
            checkpointed: AtomicI64::new(loaded.recovery_point.0),
            cleaned_to: AtomicI64::new(-1),
            closed: AtomicBool::new(false),
            // Names are synced before the batches below them: only where there are such batches are they known to be.
            names_dirty: AtomicBool::new(active_is_empty || loaded.recovery_point < loaded.log_end),
            queued_dirty: AtomicBool::new(false),
            last_flush_ms: AtomicI64::new(now_ms),
            unsynced: AtomicU64::new(0),
            commit: CommitState::default(),
            waiters: Waiters::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().expect("no holder panics")
    }

    fn files(&self) -> &dyn Files {
        &**self.environment.files()
    }

    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    pub(crate) fn commit_state(&self) -> &CommitState {
        &self.commit
    }

    /// Returns the partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// Returns the log dir.
    pub fn dir(&self) -> &Arc<LogDir> {
        &self.dir
    }

    /// Returns the partition's folder.
    pub fn folder(&self) -> Arc<Path> {
        let folder = self.folder.lock().expect("no holder panics").clone();
        folder.unwrap_or_else(|| usual_folder(&self.dir, &self.partition).into())
    }

    /// Tells whether the log is on its way from another log dir.
    pub fn is_future(&self) -> bool {
        parse_folder(&self.folder()).is_ok_and(|(_, kind)| kind == FolderKind::Future)
    }

    /// Returns the configuration as it is now.
    pub fn config(&self) -> Arc<LogConfig> {
        self.config.read().expect("no holder panics").clone()
    }

    /// Changes the configuration from the next operation on.
    pub fn update_config(&self, config: Arc<LogConfig>) {
        *self.config.write().expect("no holder panics") = config;
    }

    /// Returns the topic's id, if the folder has one.
    pub fn topic_id(&self) -> Option<Uuid> {
        *self.topic_id.lock().expect("no holder panics")
    }

    /// Gives the folder the topic's id. Fails if it has another. Kafka: `UnifiedLog.assignTopicId`.
    pub fn assign_topic_id(&self, assigned: Uuid) -> Result<(), StorageError> {
        let mut topic_id = self.topic_id.lock().expect("no holder panics");
        match *topic_id {
            Some(found) if found == assigned => Ok(()),
            Some(found) => {
                Err(StorageError::InconsistentTopicId { partition: self.partition.clone(), assigned, found })
            }
            None => {
                let written = partition_metadata::write(self.files(), &self.folder(), assigned);
                self.guard("Error while writing partition metadata file", written)?;
                self.names_dirty.store(true, Ordering::Release);
                *topic_id = Some(assigned);
                Ok(())
            }
        }
    }

    /// Wakes `notify` (by `notify_one`, which keeps a permit) when the log moves, until the result is dropped. One
    /// notifier may subscribe to many logs.
    pub fn subscribe(self: &Arc<Self>, interest: Interest, notify: &Arc<Notify>) -> Subscription {
        self.waiters.add(interest, notify.clone());
        Subscription { log: self.clone(), notify: notify.clone() }
    }

    /// Returns the epoch of the last leader that is known.
    pub fn latest_epoch(&self) -> Option<LeaderEpoch> {
        self.state().epochs.latest()
    }

    /// Returns the terms of all leaders that are known.
    pub fn leader_epochs(&self) -> LeaderEpochs {
        self.state().epochs.clone()
    }

    /// Records that a leader's term begins at `start`: at the log's end, when the leader takes over.
    pub fn assign_epoch_start_offset(self: &Arc<Self>, epoch: LeaderEpoch, start: Offset) {
        self.state().epochs.assign(epoch, start);
        self.mark_dirty();
    }

    /// Returns the greatest known epoch that is at most `epoch`, and the offset where it ends.
    /// Kafka: `UnifiedLog.endOffsetForEpoch`.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        let state = self.state();
        let end = self.log_end_offset();
        state.epochs.end_offset_for(epoch, end)
    }

    /// Returns what is known of the idempotent producers, by id: for `DescribeProducers`.
    pub fn active_producers(&self) -> Vec<ProducerStateEntry> {
        self.state().producers.producers().copied().collect()
    }

    /// Tells whether the log holds records of a transaction of this producer that has not ended.
    pub fn has_ongoing_transaction(&self, producer_id: ProducerId, epoch: ProducerEpoch) -> bool {
        self.state().producers.has_ongoing_transaction(producer_id, epoch)
    }

    /// Forgets producers that have been silent for `producer.id.expiration.ms`.
    pub fn remove_expired_producers(&self, now: Timestamp) {
        self.state().producers.remove_expired(now, self.environment.producer_expiration_ms());
    }

    /// Returns the bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments().iter().map(|segment| segment.size()).sum()
    }

    /// Returns the offset in the first segment's files' names.
    pub(crate) fn first_base_offset(&self) -> Offset {
        self.segments().first().expect("a log has an active segment").base_offset()
    }

    /// Returns the segments.
    pub fn segment_infos(&self) -> Vec<LogSegmentInfo> {
        let info = |s: &Arc<Segment>| LogSegmentInfo { base_offset: s.base_offset(), size: s.size() };
        self.segments().iter().map(info).collect()
    }

    fn limits(&self) -> SegmentLimits {
        let config = self.config();
        SegmentLimits {
            bytes: config.segment_bytes,
            index_bytes: config.segment_index_bytes,
            age_ms: config.max_segment_ms(),
        }
    }

    /// Asked under the state's lock.
    fn check_writable(&self, _state: &State) -> Result<(), StorageError> {
        self.dir.check()?;
        self.check_open()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn check_open(&self) -> Result<(), StorageError> {
        if self.is_closed() { Err(StorageError::Closed(self.partition.clone())) } else { Ok(()) }
    }

    /// Turns a failure of the disk into one of the log dir. Bytes that are no batches are not the disk's failure.
    fn guard<T>(&self, context: &str, result: io::Result<T>) -> Result<T, StorageError> {
        result.map_err(|error| {
            let context = format!("{context} for {}", self.partition);
            match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    StorageError::CorruptRecord(format!("{context}: {error}"))
                }
                io::ErrorKind::NotFound if self.is_closed() => StorageError::Closed(self.partition.clone()),
                _ => self.fail_dir(&context, error),
            }
        })
    }

    /// Takes the log dir offline, and wakes who waits.
    fn fail_dir(&self, context: &str, error: io::Error) -> StorageError {
        let failure = self.dir.fail(context, error);
        self.waiters.wake(Interest::ALL);
        failure
    }

    /// As [`UnifiedLog::guard`], for reads: they may come upon a segment just as its files are removed, or the folder
    /// just as it is renamed. Whoever asks again finds out how things are.
    fn guard_read<T>(&self, result: io::Result<T>) -> Result<T, StorageError> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StorageError::Closed(self.partition.clone()))
            }
            other => self.guard("Exception while reading", other),
        }
    }

    /// Puts the log where the next flush finds it.
    fn mark_dirty(self: &Arc<Self>) {
        if !self.queued_dirty.swap(true, Ordering::AcqRel) {
            self.environment.dirty.lock().expect("no holder panics").push(self.clone());
        }
    }

    pub(crate) fn take_dirty(&self) {
        self.queued_dirty.store(false, Ordering::Release);
    }

    pub(crate) fn plan_removal(&self, paths: impl IntoIterator<Item = PathBuf>) {
        let delay = Duration::from_millis(self.config().file_delete_delay_ms.max(0) as u64);
        self.environment.deletions.plan(self.environment.clock.monotonic() + delay, paths);
    }
}

/// A partition's folder, unless the log is on its way to another dir or out of the way.
fn usual_folder(dir: &LogDir, partition: &TopicPartition) -> PathBuf {
    dir.path().join(partition.to_string())
}
