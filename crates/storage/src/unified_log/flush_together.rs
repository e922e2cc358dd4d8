//! Many logs of one log dir flushed at once: what each has to leave is written, and then synced with the whole filesystem.
//!
//! Invariants:
//! - no log is synced alone: what is appended after the one sync is left to the next flush
//! - the recovery point moves only after all that a start needs below it, file names too, is synced
//! - nobody else flushes the logs meanwhile; only one thread at a time holds more than one log against that

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use world::files::Open;

use super::UnifiedLog;
use super::flush::{LEADER_EPOCH_FILE, Reach};
use super::sync_together::{Extent, sync_together};
use crate::StorageError;
use crate::log_dirs::LogDir;

/// What the name of a file ends in that takes the place of another after a sync.
const ASIDE: &str = ".tmp";

/// Flushes `logs`, which are of `dir`, as far as they go now. A failure takes the dir offline.
pub(crate) fn flush_together(logs: &[Arc<UnifiedLog>], dir: &LogDir) {
    let _locked: Vec<_> = logs.iter().map(|log| log.flush_lock()).collect();
    let open: Vec<_> = logs.iter().filter(|log| !log.is_closed()).cloned().collect();
    // A failure was told of when the dir went offline.
    let Ok(aside) = open.iter().map(|log| log.write_ahead_of_sync()).collect::<Result<Vec<_>, _>>() else {
        return;
    };
    let is_synced = sync_together(&open, Extent::Batches, dir);
    if dir.is_offline() || put_in_place(&open, &aside, is_synced, dir).is_err() {
        return;
    }
    for log in &open {
        let _ = log.flush_locked(Reach::Synced);
    }
}

/// Gives the files written aside their names once they are synced, and syncs these.
fn put_in_place(
    logs: &[Arc<UnifiedLog>],
    aside: &[bool],
    is_synced: bool,
    dir: &LogDir,
) -> Result<(), StorageError> {
    let changed: Vec<_> = logs.iter().zip(aside).filter(|(_, aside)| **aside).map(|(log, _)| log).collect();
    if changed.is_empty() {
        return Ok(());
    }
    if !is_synced {
        sync_filesystem(dir)?;
    }
    changed.into_iter().try_for_each(|log| log.take_epochs_in())?;
    sync_filesystem(dir)
}

fn sync_filesystem(dir: &LogDir) -> Result<(), StorageError> {
    let synced = dir.filesystem().map_or(Ok(()), |filesystem| filesystem.sync());
    synced.map_err(|error| dir.fail("Error while flushing leader epochs", error))
}

impl UnifiedLog {
    /// Tells whether a flush would have to sync anything.
    pub(crate) fn is_unflushed(&self) -> bool {
        Extent::Batches.is_unsynced(self) || self.state().epochs.has_changed(self.log_end_offset())
    }

    /// Writes what is to be synced with the batches; tells whether there is a file of leader epochs to be put in place then.
    fn write_ahead_of_sync(&self) -> Result<bool, StorageError> {
        self.dir.check()?;
        // What it says of producers is below where the sync to come reaches.
        self.take_snapshot(&mut self.state(), false)?;
        let Some(text) = self.changed_epochs() else { return Ok(false) };
        self.guard("Error while writing leader epochs", self.write_aside(text.as_bytes()))?;
        Ok(true)
    }

    fn epochs_aside(&self) -> PathBuf {
        self.folder().join(LEADER_EPOCH_FILE.to_owned() + ASIDE)
    }

    fn write_aside(&self, contents: &[u8]) -> io::Result<()> {
        let file = self.files().open(&self.epochs_aside(), Open::Create)?;
        if !file.is_empty()? {
            file.set_len(0)?;
        }
        file.write_at(&[IoSlice::new(contents)], 0)
    }

    fn take_epochs_in(&self) -> Result<(), StorageError> {
        let renamed = self.files().rename(&self.epochs_aside(), &self.folder().join(LEADER_EPOCH_FILE));
        self.guard("Error while writing leader epochs", renamed)
    }
}
