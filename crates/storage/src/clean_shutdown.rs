//! `.kafka_cleanshutdown`: left by a clean stop, so that the next start need not look for damage.
//!
//! Kafka: `CleanShutdownFileHandler`.

use std::io;
use std::path::Path;

use world::files::Files;

/// The file's name.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";

/// What the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// The broker epoch that was stopped; `None` if the file does not tell.
    pub broker_epoch: Option<i64>,
}

impl CleanShutdown {
    /// Reads the file of a log dir; `None` if the last stop was not clean.
    pub fn read(files: &dyn Files, dir: &Path) -> Option<Self> {
        let path = dir.join(CLEAN_SHUTDOWN_FILE);
        if !files.exists(&path) {
            return None;
        }
        let content: Option<serde_json::Value> =
            files.read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Some(Self { broker_epoch: content.and_then(|content| content.get("brokerEpoch")?.as_i64()) })
    }

    /// Writes the file.
    pub fn write(files: &dyn Files, dir: &Path, broker_epoch: i64) -> io::Result<()> {
        let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
        files.write_atomically(&dir.join(CLEAN_SHUTDOWN_FILE), text.as_bytes())
    }

    /// Removes the file, for good: a start that is killed must not look like a clean stop.
    pub fn remove(files: &dyn Files, dir: &Path) -> io::Result<()> {
        match files.remove_file(&dir.join(CLEAN_SHUTDOWN_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => files.sync_dir(dir),
        }
    }
}
