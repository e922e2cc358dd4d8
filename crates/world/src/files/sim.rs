//! A disk in memory that can be cut off from power, fill up, tear writes and fail: for tests and the simulator.
//!
//! Invariants:
//! - a write survives a power cut only after its file's [`File::sync`]; a name only after its folder's
//!   [`Files::sync_dir`] (both for a new file)
//! - what happens to unsynced sectors and names at a power cut is decided by the given chance alone
//! - a handle from before a power cut fails on every use
//! - no time passes here: every file was last changed at 0

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{File, Files, Filesystem, Lock, Metadata, Open};
use crate::chance::Chance;

mod tree;

use tree::{Inode, Node};

/// An operation that a [`Fault`] may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reading from a file.
    Read,
    /// Writing to, cutting or extending a file.
    Write,
    /// Syncing a file or folder.
    Sync,
    /// Opening, making, renaming or removing a file or folder.
    Name,
}

/// What goes wrong, and where.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation that fails.
    pub operation: Operation,
    /// Fails on paths that contain this text.
    pub path_contains: String,
    /// How many such operations succeed before the fault begins.
    pub after: u64,
    /// The errno that is returned, for example 5 for EIO.
    pub errno: i32,
}

/// A disk in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct SimFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct Disk {
    root: Node,
    power_cuts: u64,
    faults: Vec<Fault>,
    capacity: u64,
    used: u64,
    syncs: u64,
    locked: Vec<PathBuf>,
}

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

impl Default for SimFiles {
    fn default() -> Self {
        let disk = Disk {
            root: Node::Folder(Arc::default()),
            power_cuts: 0,
            faults: Vec::new(),
            capacity: u64::MAX,
            used: 0,
            syncs: 0,
            locked: Vec::new(),
        };
        Self { disk: Arc::new(Mutex::new(disk)) }
    }
}

impl SimFiles {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no holder panics")
    }

    /// Cuts the power: unsynced data and names are gone, but for the sectors and folders that `chance` spares;
    /// `None` spares nothing. Handles and locks from before are dead.
    pub fn power_cut(&self, chance: Option<&dyn Chance>) {
        let mut disk = self.disk();
        disk.power_cuts += 1;
        disk.locked.clear();
        tree::power_cut(&disk.root, chance);
        disk.used = tree::bytes(&disk.root);
    }

    /// Kills the process: everything written stays, as in the page cache; handles and locks from before are dead.
    pub fn kill(&self) {
        let mut disk = self.disk();
        disk.power_cuts += 1;
        disk.locked.clear();
    }

    /// Makes operations fail from now on.
    pub fn add_fault(&self, fault: Fault) {
        self.disk().faults.push(fault);
    }

    /// Heals all faults.
    pub fn clear_faults(&self) {
        self.disk().faults.clear();
    }

    /// Lets files take `bytes` in all; a write past that fails with ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        self.disk().capacity = bytes;
    }

    /// Returns how many syncs of files succeeded.
    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// Changes a file's bytes as a broken disk would, without anyone asking, and for good.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut disk = self.disk();
        let Node::File(inode) = tree::find(&disk.root, path)? else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        inode.lock().expect("no holder panics").damage(change);
        disk.used = tree::bytes(&disk.root);
        Ok(())
    }
}

impl Disk {
    fn check(&mut self, operation: Operation, path: &Path) -> io::Result<()> {
        let text = path.to_string_lossy();
        for fault in &mut self.faults {
            if fault.operation == operation && text.contains(&fault.path_contains) {
                if fault.after == 0 {
                    return Err(io::Error::from_raw_os_error(fault.errno));
                }
                fault.after -= 1;
            }
        }
        Ok(())
    }

    fn grow(&mut self, by: u64) -> io::Result<()> {
        if self.used.saturating_add(by) > self.capacity {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        self.used += by;
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    files: SimFiles,
    inode: Arc<Mutex<Inode>>,
    path: PathBuf,
    power_cuts: u64,
    writable: bool,
}

impl SimFile {
    fn enter(&self, operation: Operation) -> io::Result<(MutexGuard<'_, Disk>, MutexGuard<'_, Inode>)> {
        let mut disk = self.files.disk();
        if disk.power_cuts != self.power_cuts {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        disk.check(operation, &self.path)?;
        if operation == Operation::Write && !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok((disk, self.inode.lock().expect("no holder panics")))
    }
}

impl File for SimFile {
    fn read_at(&self, target: &mut [u8], position: u64) -> io::Result<usize> {
        let (_disk, inode) = self.enter(Operation::Read)?;
        Ok(inode.read(target, position as usize))
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        let (mut disk, mut inode) = self.enter(Operation::Write)?;
        let mut position = position as usize;
        for part in parts {
            let grows = (position + part.len()).saturating_sub(inode.len());
            if let Err(full) = disk.grow(grows as u64) {
                // As much as fits is written: a torn write.
                let fits = (disk.capacity.saturating_sub(disk.used) as usize).min(part.len());
                disk.used += (position + fits).saturating_sub(inode.len()) as u64;
                inode.write(&part[..fits], position);
                return Err(full);
            }
            inode.write(part, position);
            position += part.len();
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (mut disk, mut inode) = self.enter(Operation::Sync)?;
        inode.sync();
        disk.syncs += 1;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let (_disk, inode) = self.enter(Operation::Read)?;
        Ok(inode.len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let (mut disk, mut inode) = self.enter(Operation::Write)?;
        let length = length as usize;
        disk.grow(length.saturating_sub(inode.len()) as u64)?;
        disk.used -= inode.len().saturating_sub(length) as u64;
        inode.set_len(length);
        Ok(())
    }

    fn preallocate(&self, _length: u64) -> io::Result<()> {
        self.enter(Operation::Write).map(drop)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// All below one folder.
#[derive(Debug)]
struct SimFilesystem {
    files: SimFiles,
    path: PathBuf,
    power_cuts: u64,
}

impl Filesystem for SimFilesystem {
    fn sync(&self) -> io::Result<()> {
        let mut disk = self.files.disk();
        if disk.power_cuts != self.power_cuts {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let root = tree::find(&disk.root, &self.path)?;
        for (path, node) in tree::all(root, &self.path) {
            disk.check(Operation::Sync, &path)?;
            node.sync();
        }
        disk.syncs += 1;
        Ok(())
    }
}

#[derive(Debug)]
struct SimLock {
    files: SimFiles,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.files.disk().locked.retain(|path| *path != self.path);
    }
}

impl Files for SimFiles {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        disk.check(Operation::Name, path)?;
        let (folder, name) = tree::parent_of(&disk.root, path)?;
        let mut folder = lock(&folder);
        let inode = match (folder.entries.get(name), how) {
            (Some(Node::Folder(_)), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File(_)), Open::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(Node::File(inode)), _) => inode.clone(),
            (None, Open::Read | Open::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::Create | Open::CreateNew) => {
                let inode = Arc::new(Mutex::new(Inode::default()));
                folder.entries.insert(name.to_owned(), Node::File(inode.clone()));
                inode
            }
        };
        let (power_cuts, writable) = (disk.power_cuts, how != Open::Read);
        Ok(Arc::new(SimFile { files: self.clone(), inode, path: path.to_owned(), power_cuts, writable }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Name, path)?;
        tree::create_all(&disk.root, path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut disk = self.disk();
        disk.check(Operation::Read, path)?;
        let folder = tree::folder(&disk.root, path)?;
        let folder = lock(&folder);
        Ok(folder.entries.keys().map(|name| path.join(name)).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Name, from)?;
        let (source, name) = tree::parent_of(&disk.root, from)?;
        let node = lock(&source).entries.remove(name).ok_or(io::ErrorKind::NotFound)?;
        let (target, name) = tree::parent_of(&disk.root, to)?;
        let freed = match lock(&target).entries.insert(name.to_owned(), node) {
            Some(Node::File(replaced)) => replaced.lock().expect("no holder panics").len(),
            _ => 0,
        };
        disk.used -= freed as u64;
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Name, path)?;
        let (folder, name) = tree::parent_of(&disk.root, path)?;
        let mut folder = lock(&folder);
        match folder.entries.get(name) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Node::Folder(_)) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(inode)) => {
                let freed = inode.lock().expect("no holder panics").len() as u64;
                folder.entries.remove(name);
                disk.used -= freed;
                Ok(())
            }
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Name, path)?;
        let (folder, name) = tree::parent_of(&disk.root, path)?;
        match lock(&folder).entries.remove(name) {
            None => return Err(io::ErrorKind::NotFound.into()),
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            Some(Node::Folder(_)) => {}
        }
        disk.used = tree::bytes(&disk.root);
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        tree::find(&self.disk().root, path).is_ok()
    }

    fn is_dir(&self, path: &Path) -> bool {
        matches!(tree::find(&self.disk().root, path), Ok(Node::Folder(_)))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.check(Operation::Sync, path)?;
        let folder = tree::folder(&disk.root, path)?;
        lock(&folder).sync();
        Ok(())
    }

    fn filesystem(&self, folder: &Path) -> io::Result<Option<Arc<dyn Filesystem>>> {
        let power_cuts = self.disk().power_cuts;
        Ok(Some(Arc::new(SimFilesystem { files: self.clone(), path: folder.to_owned(), power_cuts })))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut disk = self.disk();
        disk.check(Operation::Read, path)?;
        Ok(match tree::find(&disk.root, path)? {
            Node::Folder(_) => Metadata { len: 0, modified_ms: 0, is_dir: true },
            Node::File(inode) => {
                let inode = inode.lock().expect("no holder panics");
                Metadata { len: inode.len() as u64, modified_ms: 0, is_dir: false }
            }
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.open(path, Open::Create)?;
        let mut disk = self.disk();
        if disk.locked.iter().any(|locked| locked == path) {
            return Ok(None);
        }
        disk.locked.push(path.to_owned());
        Ok(Some(Box::new(SimLock { files: self.clone(), path: path.to_owned() })))
    }

    fn space(&self, _path: &Path) -> io::Result<(u64, u64)> {
        let disk = self.disk();
        Ok((disk.capacity, disk.capacity.saturating_sub(disk.used)))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("no holder panics")
}

/// Splits a path into its names; the root and `.` have none.
fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}

type Entries = BTreeMap<OsString, Node>;

#[cfg(test)]
mod tests;
