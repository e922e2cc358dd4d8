//! A disk whose operations take their time, so that other threads come in between, and whose power fails by itself.
//!
//! Invariants:
//! - the power fails between two operations, never within one
//! - from then on every operation fails: threads that have not noticed change nothing that the next life finds

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use world::chance::{Chance, SeededChance};
use world::files::{File, Files, Lock, Metadata, Open, SimFiles};

const EIO: i32 = 5;

/// One life of the disk.
#[derive(Clone, Debug)]
pub(super) struct SlowDisk(Arc<Mains>);

/// What comes in between.
pub(super) type Interruption = Box<dyn FnOnce() + Send>;

struct Mains {
    files: SimFiles,
    chance: SeededChance,
    alive: RwLock<bool>,
    /// Operations until the power fails.
    left: AtomicI64,
    after_sync: Mutex<Option<Interruption>>,
}

impl std::fmt::Debug for Mains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mains").field("alive", &self.alive).finish_non_exhaustive()
    }
}

impl SlowDisk {
    /// Keeps the files on `files`; the power stays on for now.
    pub(super) fn new(files: &SimFiles, seed: u64) -> Self {
        Self(Arc::new(Mains {
            files: files.clone(),
            chance: SeededChance::new(seed),
            alive: RwLock::new(true),
            left: AtomicI64::new(i64::MAX),
            after_sync: Mutex::default(),
        }))
    }

    /// Lets the power fail after so many more operations.
    pub(super) fn fail_after(&self, operations: u64) {
        self.0.left.store(operations as i64, Ordering::Relaxed);
    }

    /// Lets something happen once, when a file was synced and who synced it has not heard of it yet.
    pub(super) fn after_next_sync(&self, interruption: Interruption) {
        *self.0.after_sync.lock().expect("no holder panics") = Some(interruption);
    }

    /// Cuts the power now; nothing is spared.
    pub(super) fn fail_now(&self) {
        *self.0.alive.write().expect("no holder panics") = false;
        self.0.files.power_cut(None);
    }

    /// Tells whether the power is on.
    pub(super) fn is_alive(&self) -> bool {
        *self.0.alive.read().expect("no holder panics")
    }

    fn operate<T>(&self, operation: impl FnOnce(&SimFiles) -> io::Result<T>) -> io::Result<T> {
        self.hesitate();
        let result = {
            let alive = self.0.alive.read().expect("no holder panics");
            if !*alive {
                return Err(io::Error::from_raw_os_error(EIO));
            }
            operation(&self.0.files)
        };
        if self.0.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.fail();
        }
        self.hesitate();
        result
    }

    fn fail(&self) {
        *self.0.alive.write().expect("no holder panics") = false;
        let spares = self.0.chance.next_u64().is_multiple_of(2);
        self.0.files.power_cut(spares.then_some(&self.0.chance));
    }

    /// Most operations take no time at all, and some longer than several others.
    fn hesitate(&self) {
        match self.0.chance.next_u64() % 8 {
            0 => std::thread::sleep(Duration::from_micros(self.0.chance.next_u64() % 200)),
            1..3 => std::thread::yield_now(),
            _ => {}
        }
    }
}

#[derive(Debug)]
struct SlowFile {
    disk: SlowDisk,
    file: Arc<dyn File>,
}

impl File for SlowFile {
    fn read_at(&self, target: &mut [u8], position: u64) -> io::Result<usize> {
        self.disk.operate(|_| self.file.read_at(target, position))
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.disk.operate(|_| self.file.write_at(parts, position))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.operate(|_| self.file.sync())?;
        let interruption = self.disk.0.after_sync.lock().expect("no holder panics").take();
        interruption.into_iter().for_each(|happens| happens());
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.operate(|_| self.file.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.operate(|_| self.file.set_len(length))
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.disk.operate(|_| self.file.preallocate(length))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Files for SlowDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let file = self.operate(|files| files.open(path, how))?;
        Ok(Arc::new(SlowFile { disk: self.clone(), file }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.operate(|files| files.create_dir_all(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.operate(|files| files.read_dir(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate(|files| files.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.operate(|files| files.remove_file(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.operate(|files| files.remove_dir_all(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.files.exists(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.0.files.is_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.operate(|files| files.sync_dir(path))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.operate(|files| files.metadata(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.operate(|files| files.lock(path))
    }

    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.operate(|files| files.space(path))
    }
}
