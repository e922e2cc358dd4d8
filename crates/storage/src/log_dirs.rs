//! One log dir: a folder on a disk of its own, perhaps; online until its first failure.
//!
//! Invariants:
//! - the first failure of a write or sync takes the dir offline for good, with one message; a failed sync is never
//!   tried again, for the system may have forgotten the data it could not write
//! - reads of an offline dir go on as long as the disk answers them

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use model::Uuid;
use tokio::sync::Notify;
use world::files::{Filesystem, Lock};

use crate::sync_costs::SyncCosts;
use crate::{LogEnvironment, MetaProperties, StorageError};

/// The lock file of a log dir.
const LOCK_FILE: &str = ".lock";

/// A folder in which partitions have theirs.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
    id: Uuid,
    offline: AtomicBool,
    cordoned: AtomicBool,
    changed: AtomicBool,
    reason: Mutex<Option<String>>,
    listener: Option<Arc<Notify>>,
    lock: Mutex<Option<Box<dyn Lock>>>,
    /// Where it can be synced as a whole.
    filesystem: Option<Arc<dyn Filesystem>>,
    sync_costs: SyncCosts,
}

impl LogDir {
    /// Takes a folder as online; `id` is its `directory.id`.
    pub fn new(path: PathBuf, id: Uuid, lock: Option<Box<dyn Lock>>) -> Self {
        Self {
            path,
            id,
            offline: AtomicBool::new(false),
            cordoned: AtomicBool::new(false),
            changed: AtomicBool::new(false),
            reason: Mutex::default(),
            listener: None,
            lock: Mutex::new(lock),
            filesystem: None,
            sync_costs: SyncCosts::default(),
        }
    }

    /// Opens and locks a folder, which is made if it is not there. One without a `directory.id` gets one.
    ///
    /// # Errors
    /// Another process holds it, its `meta.properties` is malformed, or the disk fails.
    pub fn open(environment: &LogEnvironment, path: &Path) -> Result<Self, StorageError> {
        let files = &**environment.files();
        let failed = |source| StorageError::Io {
            context: "Failed to create or validate data directory".to_owned(),
            dir: path.to_owned(),
            source,
        };
        if !files.exists(path) {
            files.create_dir_all(path).map_err(failed)?;
            path.parent().map_or(Ok(()), |parent| files.sync_dir(parent)).map_err(failed)?;
        }
        files.read_dir(path).map_err(failed)?;
        let lock = files.lock(&path.join(LOCK_FILE)).map_err(failed)?;
        let lock = lock.ok_or_else(|| StorageError::Locked(path.to_owned()))?;
        let id = match MetaProperties::read(files, path)? {
            Some(MetaProperties { directory_id: Some(id), .. }) => id,
            other => {
                let id = fresh_id(environment);
                if let Some(meta) = other {
                    // A dir of before directory ids gets one, as in Kafka.
                    let meta = MetaProperties { directory_id: Some(id), ..meta };
                    meta.write(files, path, environment.clock.wall_ms()).map_err(failed)?;
                }
                id
            }
        };
        let mut dir = Self::new(path.to_owned(), id, Some(lock));
        dir.filesystem = files.filesystem(path).map_err(failed)?;
        Ok(dir)
    }

    /// Notifies `listener` when the disk fails.
    pub(crate) fn set_listener(&mut self, listener: Arc<Notify>) {
        self.listener = Some(listener);
    }

    /// Tells whether so many logs, which else `threads` would sync, are better synced with their filesystem as a whole.
    pub(crate) fn prefers_whole_sync(&self, logs: usize, threads: usize) -> bool {
        self.filesystem.is_some() && self.sync_costs.prefer_whole(logs, threads)
    }

    pub(crate) fn filesystem(&self) -> Option<&dyn Filesystem> {
        self.filesystem.as_deref()
    }

    pub(crate) fn sync_costs(&self) -> &SyncCosts {
        &self.sync_costs
    }

    /// Lets other processes have the folder.
    pub fn unlock(&self) {
        *self.lock.lock().expect("no holder panics") = None;
    }

    /// Takes note that the checkpoints have to be written.
    pub(crate) fn note_changed(&self) {
        self.changed.store(true, Ordering::Release);
    }

    /// Tells whether the checkpoints have to be written, and takes them as written.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::AcqRel)
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the `directory.id` in the folder's `meta.properties`.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Tells whether the disk failed.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// Tells whether no new log is to be put here (`cordoned.log.dirs`).
    pub fn is_cordoned(&self) -> bool {
        self.cordoned.load(Ordering::Relaxed)
    }

    /// Says whether new logs may be put here.
    pub fn set_cordoned(&self, cordoned: bool) {
        self.cordoned.store(cordoned, Ordering::Relaxed);
    }

    /// Returns why the dir went offline.
    pub fn offline_reason(&self) -> Option<String> {
        self.reason.lock().expect("no holder panics").clone()
    }

    /// Fails if the disk failed before.
    pub fn check(&self) -> Result<(), StorageError> {
        if self.is_offline() { Err(StorageError::OfflineDir(self.path.clone())) } else { Ok(()) }
    }

    /// Takes the dir offline, and says why if it was not.
    pub fn fail(&self, context: &str, source: io::Error) -> StorageError {
        let mut reason = self.reason.lock().expect("no holder panics");
        if reason.is_none() {
            let hint = match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "make room on the disk, then restart"
                }
                _ => "check the disk, then restart",
            };
            tracing::error!(
                "Stopping serving logs in dir {}: {context}: {source}. Other log dirs and reads go on; {hint}.",
                self.path.display()
            );
            *reason = Some(format!("{context}: {source}"));
        }
        self.offline.store(true, Ordering::Release);
        if let Some(listener) = &self.listener {
            listener.notify_one();
        }
        StorageError::Io { context: context.to_owned(), dir: self.path.clone(), source }
    }
}

fn fresh_id(environment: &LogEnvironment) -> Uuid {
    loop {
        let id = Uuid::from_random_bytes(environment.chance.next_id());
        // Kafka's command line takes a leading dash for an option.
        if !id.is_reserved() && !id.to_string().starts_with('-') {
            return id;
        }
    }
}
