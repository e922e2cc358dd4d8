//! Files and folders that were renamed for removal and go once `file.delete.delay.ms` has passed.
//!
//! Invariants:
//! - nothing is removed here that was not renamed first, so a new file of the old name is safe
//! - what a killed process leaves behind is removed by the next one, by its suffix

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use world::files::Files;

/// What is to be removed, and when.
#[derive(Debug, Default)]
pub struct Deletions {
    pending: Mutex<Vec<(Duration, PathBuf)>>,
}

impl Deletions {
    /// Plans the removal of a file or folder at `due`, by the monotonic clock.
    pub fn plan(&self, due: Duration, paths: impl IntoIterator<Item = PathBuf>) {
        let mut pending = self.pending.lock().expect("no holder panics");
        pending.extend(paths.into_iter().map(|path| (due, path)));
    }

    /// Returns how many removals are planned.
    pub fn len(&self) -> usize {
        self.pending.lock().expect("no holder panics").len()
    }

    /// Tells whether no removal is planned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes what is due at `now`. A failure is logged and the file left to the next start.
    pub fn step(&self, files: &dyn Files, now: Duration) {
        let due = {
            let mut pending = self.pending.lock().expect("no holder panics");
            let (due, later) = std::mem::take(&mut *pending).into_iter().partition(|(due, _)| *due <= now);
            *pending = later;
            let due: Vec<(Duration, PathBuf)> = due;
            due
        };
        for (_, path) in due {
            let removed =
                if files.is_dir(&path) { files.remove_dir_all(&path) } else { files.remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::error!(path = %path.display(), %error, "cannot remove a deleted file; remove it by hand");
                }
                _ => tracing::info!(path = %path.display(), "removed"),
            }
        }
    }
}
