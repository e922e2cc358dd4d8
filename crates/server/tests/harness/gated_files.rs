//! Files of which those in one folder wait at a gate, which the test holds: who opens them, or who syncs them.

#![allow(dead_code)]

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use world::files::{File, Files, Filesystem, Lock, Metadata, Open, RealFiles};

/// What happens to who comes to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Waits until it is set to something else.
    Shut,
    /// Goes on.
    Open,
    /// Gets an input/output error.
    Failing,
    /// Panics.
    Panicking,
}

/// Who has to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Opens,
    Syncs,
}

#[derive(Debug)]
struct Keeper {
    gate: Mutex<Gate>,
    moved: Condvar,
}

impl Keeper {
    fn pass(&self) -> io::Result<()> {
        let gate = self.gate.lock().unwrap();
        let gate = *self.moved.wait_while(gate, |gate| *gate == Gate::Shut).unwrap();
        match gate {
            Gate::Failing => Err(io::Error::from_raw_os_error(5)),
            Gate::Panicking => panic!("as it is to"),
            Gate::Shut | Gate::Open => Ok(()),
        }
    }
}

/// Such files. Clones share the gate, which is shut at first.
#[derive(Clone, Debug)]
pub struct GatedFiles {
    folder: &'static str,
    who: Who,
    keeper: Arc<Keeper>,
}

impl GatedFiles {
    /// The gate is before who opens a file in a folder called `folder`.
    pub fn opened(folder: &'static str) -> Self {
        Self::before(Who::Opens, folder)
    }

    /// The gate is before who syncs a file in a folder called `folder`.
    pub fn synced(folder: &'static str) -> Self {
        Self::before(Who::Syncs, folder)
    }

    fn before(who: Who, folder: &'static str) -> Self {
        Self { folder, who, keeper: Arc::new(Keeper { gate: Mutex::new(Gate::Shut), moved: Condvar::new() }) }
    }

    /// Sets the gate, for those too who wait at it.
    pub fn set(&self, gate: Gate) {
        *self.keeper.gate.lock().unwrap() = gate;
        self.keeper.moved.notify_all();
    }
}

impl Files for GatedFiles {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        if path.components().all(|part| part.as_os_str() != self.folder) {
            return RealFiles.open(path, how);
        }
        match self.who {
            Who::Opens => {
                self.keeper.pass()?;
                RealFiles.open(path, how)
            }
            Who::Syncs => {
                let file = RealFiles.open(path, how)?;
                Ok(Arc::new(SyncedAtTheGate { file, keeper: self.keeper.clone() }))
            }
        }
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealFiles.create_dir_all(path)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealFiles.read_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove_file(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove_dir_all(path)
    }
    fn exists(&self, path: &Path) -> bool {
        RealFiles.exists(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        RealFiles.is_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealFiles.sync_dir(path)
    }
    fn filesystem(&self, folder: &Path) -> io::Result<Option<Arc<dyn Filesystem>>> {
        // Who syncs a filesystem syncs its files, and would pass the gate by.
        match self.who {
            Who::Opens => RealFiles.filesystem(folder),
            Who::Syncs => Ok(None),
        }
    }
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        RealFiles.metadata(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        RealFiles.lock(path)
    }
    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        RealFiles.space(path)
    }
}

#[derive(Debug)]
struct SyncedAtTheGate {
    file: Arc<dyn File>,
    keeper: Arc<Keeper>,
}

impl File for SyncedAtTheGate {
    fn read_at(&self, target: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(target, position)
    }
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.file.write_at(parts, position)
    }
    fn sync(&self) -> io::Result<()> {
        self.keeper.pass()?;
        self.file.sync()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.file.preallocate(length)
    }
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.descriptor()
    }
}
