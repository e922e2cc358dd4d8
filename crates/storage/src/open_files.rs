//! Files opened on demand, the least recently used closed again, so that an idle partition holds no descriptor.
//!
//! Invariants:
//! - a file with unsynced writes is never closed here: the system could then report its failure to nobody
//! - whoever holds the `Arc` of an open file may go on reading it after it was closed here, renamed or removed

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use world::files::{File, Files, Open};

/// The descriptors of all logs, at most so many; the clock algorithm chooses what to close.
#[derive(Debug)]
pub struct OpenFiles {
    files: Arc<dyn Files>,
    limit: usize,
    /// In the order of opening; a file that was closed since may still be in it.
    queue: Mutex<VecDeque<Weak<Shared>>>,
    count: AtomicUsize,
}

impl OpenFiles {
    /// Keeps at most about `limit` files open.
    pub fn new(files: Arc<dyn Files>, limit: usize) -> Arc<Self> {
        Arc::new(Self { files, limit, queue: Mutex::default(), count: AtomicUsize::new(0) })
    }

    /// Returns the folders and files below.
    pub fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    /// Returns how many files are open now.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Closes the files that were not used since the last call, and have no unsynced writes.
    pub(crate) fn close_idle(&self) {
        let mut queue = lock(&self.queue);
        queue.retain(|entry| match entry.upgrade().map(|candidate| candidate.try_close()) {
            Some(Closing::Closed) => {
                self.count.fetch_sub(1, Ordering::Relaxed);
                false
            }
            Some(Closing::Busy) => true,
            Some(Closing::NotOpen) | None => false,
        });
    }

    fn opened(&self, shared: &Arc<Shared>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut queue = lock(&self.queue);
        queue.push_back(Arc::downgrade(shared));
        let mut chances = queue.len() * 2;
        // Also entries of files long closed have to go.
        while (self.count() > self.limit || queue.len() > self.limit * 2) && chances > 0 {
            chances -= 1;
            let Some(oldest) = queue.pop_front() else { break };
            match oldest.upgrade().map(|candidate| candidate.try_close()) {
                Some(Closing::Closed) => drop(self.count.fetch_sub(1, Ordering::Relaxed)),
                Some(Closing::Busy) => queue.push_back(oldest),
                Some(Closing::NotOpen) | None => {}
            }
        }
    }
}

#[derive(Debug)]
struct Shared {
    place: Mutex<Place>,
    used: AtomicBool,
    dirty: AtomicBool,
    /// Held while the file is synced.
    syncing: Mutex<()>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    file: Option<Arc<dyn File>>,
}

impl Shared {
    /// Closes the file unless it was used since last asked, is in use, or has unsynced writes.
    fn try_close(&self) -> Closing {
        // Whoever opens a file holds its place and asks for others to be closed: never wait for one here.
        let Ok(mut place) = self.place.try_lock() else { return Closing::Busy };
        if place.file.is_none() {
            return Closing::NotOpen;
        }
        if self.used.swap(false, Ordering::Relaxed) || self.dirty.load(Ordering::Acquire) {
            return Closing::Busy;
        }
        place.file = None;
        Closing::Closed
    }
}

enum Closing {
    Closed,
    Busy,
    NotOpen,
}

/// A file by name, open or not.
#[derive(Debug)]
pub(crate) struct CachedFile {
    cache: Arc<OpenFiles>,
    shared: Arc<Shared>,
}

impl CachedFile {
    pub(crate) fn new(cache: Arc<OpenFiles>, path: PathBuf) -> Self {
        let place = Mutex::new(Place { path, file: None });
        let shared = Shared {
            place,
            used: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            syncing: Mutex::default(),
        };
        Self { cache, shared: Arc::new(shared) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        lock(&self.shared.place).path.clone()
    }

    /// Opens the file if it is not open; fails if it is not there.
    pub(crate) fn get(&self) -> io::Result<Arc<dyn File>> {
        self.open(Open::Write)
    }

    /// Opens the file if it is not open, and makes it if it is not there.
    pub(crate) fn get_or_create(&self) -> io::Result<Arc<dyn File>> {
        self.open(Open::Create)
    }

    fn open(&self, how: Open) -> io::Result<Arc<dyn File>> {
        self.shared.used.store(true, Ordering::Relaxed);
        let file = {
            let mut place = lock(&self.shared.place);
            if let Some(file) = &place.file {
                return Ok(file.clone());
            }
            let file = self.cache.files.open(&place.path, how)?;
            place.file = Some(file.clone());
            file
        };
        self.cache.opened(&self.shared);
        Ok(file)
    }

    pub(crate) fn write(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.change(|file| file.write_at(parts, position))
    }

    pub(crate) fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(|file| file.set_len(length))
    }

    /// Marks the file dirty before the change, so that it is not closed meanwhile, and again after it: a sync in between
    /// clears the mark, though it may have come too early for the change.
    fn change(&self, change: impl FnOnce(&dyn File) -> io::Result<()>) -> io::Result<()> {
        let file = self.get()?;
        self.shared.dirty.store(true, Ordering::Release);
        let changed = change(&*file);
        self.shared.dirty.store(true, Ordering::Release);
        changed
    }

    /// Reads exactly `target.len()` bytes, or fails with [`io::ErrorKind::UnexpectedEof`].
    pub(crate) fn read_exact(&self, target: &mut [u8], position: u64) -> io::Result<()> {
        match self.get()?.read_at(target, position)? {
            read if read == target.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Syncs what was written before the call.
    pub(crate) fn sync(&self) -> io::Result<()> {
        // Else one would find the file clean that another is still syncing.
        let _one = self.shared.syncing.lock().expect("no holder panics");
        if !self.shared.dirty.load(Ordering::Acquire) {
            return Ok(());
        }
        let file = self.get()?;
        // Cleared first: a write during the sync makes the file dirty again.
        self.shared.dirty.store(false, Ordering::Release);
        file.sync().inspect_err(|_| self.shared.dirty.store(true, Ordering::Release))
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        let place = lock(&self.shared.place);
        match &place.file {
            Some(file) => file.len(),
            None => self.cache.files.metadata(&place.path).map(|metadata| metadata.len),
        }
    }

    pub(crate) fn modified_ms(&self) -> io::Result<i64> {
        self.cache.files.metadata(&self.path()).map(|metadata| metadata.modified_ms)
    }

    /// Makes the next sync write out what an earlier process left unsynced.
    pub(crate) fn mark_dirty(&self) {
        self.shared.dirty.store(true, Ordering::Release);
    }

    /// Tells whether there are unsynced writes.
    pub(crate) fn is_dirty(&self) -> bool {
        self.shared.dirty.load(Ordering::Acquire)
    }

    /// Gives up on unsynced writes, or takes them as synced with the whole filesystem.
    pub(crate) fn mark_clean(&self) {
        self.shared.dirty.store(false, Ordering::Release);
    }

    pub(crate) fn close(&self) {
        if lock(&self.shared.place).file.take().is_some() {
            self.cache.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Gives the file another name on disk; not being there is no failure.
    pub(crate) fn rename(&self, to: PathBuf) -> io::Result<()> {
        let mut place = lock(&self.shared.place);
        match self.cache.files.rename(&place.path, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => place.path = to,
        }
        Ok(())
    }

    /// Takes note that the folder was given another name.
    pub(crate) fn moved_to(&self, folder: &Path) {
        let mut place = lock(&self.shared.place);
        let moved = folder.join(place.path.file_name().unwrap_or_default());
        place.path = moved;
    }

    /// Replaces the file by one with these contents, which is synced.
    pub(crate) fn replace(&self, contents: &[u8]) -> io::Result<()> {
        self.close();
        self.cache.files.write_atomically(&self.path(), contents)?;
        self.mark_clean();
        Ok(())
    }

    /// Removes the file; not being there is no failure.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.close();
        match self.cache.files.remove_file(&self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for CachedFile {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::files::SimFiles;

    fn cached(cache: &Arc<OpenFiles>, name: &str) -> CachedFile {
        let file = CachedFile::new(cache.clone(), PathBuf::from(name));
        file.get_or_create().expect("the disk is well");
        file
    }

    /// A file that is synced by somebody else just before each write reaches it.
    #[derive(Debug)]
    struct SyncedJustBefore {
        owner: Weak<CachedFile>,
        unsynced: AtomicBool,
    }

    impl File for SyncedJustBefore {
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            Ok(0)
        }

        fn write_at(&self, _: &[IoSlice<'_>], _: u64) -> io::Result<()> {
            self.owner.upgrade().expect("the test holds it").sync()?;
            self.unsynced.store(true, Ordering::Release);
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            self.unsynced.store(false, Ordering::Release);
            Ok(())
        }

        fn len(&self) -> io::Result<u64> {
            Ok(0)
        }

        fn set_len(&self, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn preallocate(&self, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
            None
        }
    }

    #[test]
    fn a_write_that_a_sync_came_too_early_for_is_synced_by_the_next() {
        let cache = OpenFiles::new(Arc::new(SimFiles::default()), 3);
        let cached = Arc::new(CachedFile::new(cache, PathBuf::from("/early")));
        let file =
            Arc::new(SyncedJustBefore { owner: Arc::downgrade(&cached), unsynced: AtomicBool::new(false) });
        lock(&cached.shared.place).file = Some(file.clone());
        cached.write(&[IoSlice::new(b"acknowledged")], 0).expect("the file takes all");
        cached.sync().expect("the file syncs");
        assert!(!file.unsynced.load(Ordering::Acquire), "the write is not on the disk");
    }

    #[test]
    fn no_more_files_stay_open_than_the_limit() {
        let cache = OpenFiles::new(Arc::new(SimFiles::default()), 3);
        let files: Vec<_> = (0..10).map(|n| cached(&cache, &format!("/{n}"))).collect();
        assert_eq!(cache.count(), 3);
        assert!(files[0].read_exact(&mut [], 0).is_ok(), "a closed file opens again");
    }

    #[test]
    fn a_file_with_unsynced_writes_stays_open() {
        let cache = OpenFiles::new(Arc::new(SimFiles::default()), 1);
        let dirty = cached(&cache, "/dirty");
        dirty.write(&[IoSlice::new(b"x")], 0).expect("the disk is well");
        let _others: Vec<_> = (0..5).map(|n| cached(&cache, &format!("/{n}"))).collect();
        assert!(lock(&dirty.shared.place).file.is_some());
        dirty.sync().expect("the disk is well");
        cached(&cache, "/a");
        cached(&cache, "/b");
        assert!(lock(&dirty.shared.place).file.is_none());
    }
}
