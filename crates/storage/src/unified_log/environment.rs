//! What all logs of a node share: files, clocks, chance, and who works for them beside requests.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use model::{Histogram, Timestamp};
use world::chance::Chance;
use world::clock::Clock;
use world::files::Files;

use crate::deletions::Deletions;
use crate::group_commit::GroupCommit;
use crate::open_files::OpenFiles;
use crate::unified_log::UnifiedLog;

/// What all logs of a node share.
#[derive(Debug)]
pub struct LogEnvironment {
    /// Files and descriptors.
    pub open_files: Arc<OpenFiles>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Chance, for jitter and unique names.
    pub chance: Arc<dyn Chance>,
    /// Files that wait for their removal.
    pub deletions: Arc<Deletions>,
    /// Who syncs for those that wait.
    pub group_commit: Arc<GroupCommit>,
    /// `producer.id.expiration.ms`, which may be changed at run time.
    pub producer_id_expiration_ms: AtomicI64,
    /// How long syncs of batches took.
    pub flush_times: Histogram,
    /// Logs that have changed since their recovery point.
    pub(crate) dirty: Mutex<Vec<Arc<UnifiedLog>>>,
    /// Bytes appended since the last checkpoint.
    appended: AtomicU64,
}

impl LogEnvironment {
    /// Makes an environment with at most `open_file_limit` files open.
    pub fn new(
        files: Arc<dyn Files>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        open_file_limit: usize,
        producer_id_expiration_ms: i64,
    ) -> Arc<Self> {
        Arc::new(Self {
            open_files: OpenFiles::new(files, open_file_limit),
            clock,
            chance,
            deletions: Arc::default(),
            group_commit: Arc::default(),
            producer_id_expiration_ms: AtomicI64::new(producer_id_expiration_ms),
            flush_times: Histogram::default(),
            dirty: Mutex::default(),
            appended: AtomicU64::new(0),
        })
    }

    /// Returns the files below.
    pub fn files(&self) -> &Arc<dyn Files> {
        self.open_files.files()
    }

    pub(crate) fn note_appended(&self, bytes: u64) {
        self.appended.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the bytes that were appended since the last checkpoint.
    pub(crate) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    /// Takes note that a checkpoint begins.
    pub(crate) fn begin_checkpoint(&self) {
        self.appended.store(0, Ordering::Relaxed);
    }

    pub(crate) fn producer_expiration_ms(&self) -> i64 {
        self.producer_id_expiration_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.wall_ms())
    }
}
