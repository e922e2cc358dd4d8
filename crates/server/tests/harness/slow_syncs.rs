//! Files of which those in one folder are synced only once the test says so.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use world::files::{File, Files, Lock, Metadata, Open, RealFiles};

/// Such files.
#[derive(Clone, Debug)]
pub struct SlowSyncs {
    folder: &'static str,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    is_open: Mutex<bool>,
    moved: Condvar,
}

impl SlowSyncs {
    /// Lets nobody sync a file in a folder called `folder`.
    pub fn new(folder: &'static str) -> Self {
        Self { folder, gate: Arc::default() }
    }

    /// Lets everybody.
    pub fn let_all(&self) {
        *self.gate.is_open.lock().unwrap() = true;
        self.gate.moved.notify_all();
    }
}

#[derive(Debug)]
struct SlowFile {
    file: Arc<dyn File>,
    gate: Arc<Gate>,
}

impl File for SlowFile {
    fn read_at(&self, target: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(target, position)
    }
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.file.write_at(parts, position)
    }
    fn sync(&self) -> io::Result<()> {
        let is_open = self.gate.is_open.lock().unwrap();
        drop(self.gate.moved.wait_while(is_open, |is_open| !*is_open).unwrap());
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

impl Files for SlowSyncs {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let file = RealFiles.open(path, how)?;
        let is_slow = path.components().any(|part| part.as_os_str() == self.folder);
        Ok(if is_slow { Arc::new(SlowFile { file, gate: self.gate.clone() }) } else { file })
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
