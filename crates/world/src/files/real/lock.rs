//! Locks on files that a JVM's `FileChannel.tryLock` respects.
//!
//! Invariants:
//! - the lock is POSIX's (`fcntl`), as Java's is, so that Apache Kafka and we exclude each other
//! - such a lock does not exclude its own process, so a table of held paths does

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::Lock;

static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

#[derive(Debug)]
struct Held {
    path: PathBuf,
    _file: File,
}

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.lock().expect("no holder panics").remove(&self.path);
    }
}

pub(super) fn acquire(path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
    let mut held = HELD.lock().expect("no holder panics");
    // Opening and closing a file that this process has locked would drop the lock, so the table is asked first.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path = folder.canonicalize()?.join(path.file_name().unwrap_or_default());
    if held.contains(&path) {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            held.insert(path.clone());
            Ok(Some(Box::new(Held { path, _file: file })))
        }
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
