//! Files and folders.
//!
//! Storage reaches the disk through these two traits alone, so that a simulated disk can lose, tear and refuse writes.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod real;
mod sim;

pub use real::RealFiles;
pub use sim::{Fault, Operation, SimFiles};

/// What is known of a file or folder without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// A file's bytes; of no meaning for a folder.
    pub len: u64,
    /// When its contents last changed: milliseconds since 1970.
    pub modified_ms: i64,
    /// Whether it is a folder.
    pub is_dir: bool,
}

/// A lock that other processes respect, held until it is dropped.
pub trait Lock: Send + Sync + std::fmt::Debug {}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To read; fails if it is not there.
    Read,
    /// To read and write; fails if it is not there.
    Write,
    /// To read and write; made if it is not there.
    Create,
    /// To read and write; made, and fails if it is there already.
    CreateNew,
}

/// An open file. All positions are absolute: there is no cursor, so it may be shared between threads.
pub trait File: Send + Sync + std::fmt::Debug {
    /// Reads up to `target.len()` bytes from `position`; fewer only at the end of the file.
    fn read_at(&self, target: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes all of `parts`, one after the other, from `position`.
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()>;
    /// Makes the data, and the length if it changed, survive a power cut.
    fn sync(&self) -> io::Result<()>;
    /// Returns the file's length.
    fn len(&self) -> io::Result<u64>;
    /// Tells whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
    /// Cuts or extends (with zeros) the file.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Reserves room on the disk up to `length` without changing the file's length. May do nothing.
    fn preallocate(&self, length: u64) -> io::Result<()>;
    /// Returns the descriptor for `sendfile`, where there is one.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// A filesystem, to be synced as a whole.
pub trait Filesystem: Send + Sync + std::fmt::Debug {
    /// Makes all that was written, and all names, survive a power cut. Fails too if any write to the filesystem failed since
    /// the last call, or since the filesystem was opened.
    fn sync(&self) -> io::Result<()>;
}

/// Folders, and the way to open files.
pub trait Files: Send + Sync + std::fmt::Debug {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// Makes a folder and those above it.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Lists a folder's entries, in no order.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Renames a file or folder, replacing a file of the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and what is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Tells whether there is such a file or folder.
    fn exists(&self, path: &Path) -> bool;
    /// Tells whether there is such a folder.
    fn is_dir(&self, path: &Path) -> bool;
    /// Makes a folder's entries (made, renamed, removed) survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Returns the filesystem that a folder is on; none if it cannot be synced as a whole, or might keep failures to itself.
    fn filesystem(&self, _folder: &Path) -> io::Result<Option<Arc<dyn Filesystem>>> {
        Ok(None)
    }
    /// Returns what is known of a file or folder; [`io::ErrorKind::NotFound`] if it is not there.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// Locks a file, made if need be, against every other process and every other holder in this one;
    /// `None` if another holds it. Kafka's lock of the same file counts too.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
    /// Returns a filesystem's total and usable bytes.
    fn space(&self, path: &Path) -> io::Result<(u64, u64)>;

    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, Open::Read)?;
        let mut bytes = vec![0; file.len()? as usize];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Replaces a file's contents so that a power cut leaves either the old or the new: writes beside, syncs,
    /// renames, syncs the folder. Kafka: `CheckpointFile.write`, `Utils.atomicMoveWithFallback`.
    fn write_atomically(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".tmp");
        let beside = PathBuf::from(beside);
        let file = self.open(&beside, Open::Create)?;
        file.set_len(0)?;
        file.write_at(&[IoSlice::new(contents)], 0)?;
        file.sync()?;
        self.rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| self.sync_dir(folder))
    }
}
