//! A file of sorted entries of one size: what the offset index and the time index have in common.
//!
//! Invariants:
//! - entries are only appended, or cut off from the end; the file is as long as its entries (Kafka's own files may be
//!   longer after a kill, filled with zeros, and are then rebuilt by recovery)
//! - at most two reads of a block are needed for what binary search narrows down entry by entry
//!
//! Kafka: `AbstractIndex`.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::open_files::{CachedFile, OpenFiles};

const UNKNOWN: u64 = u64::MAX;
/// Below so many entries, a search reads them all at once.
const BLOCK_ENTRIES: u64 = 340;

/// A file of entries of `N` bytes.
#[derive(Debug)]
pub(crate) struct IndexFile<const N: usize> {
    file: CachedFile,
    entries: AtomicU64,
    /// The last entry, while it is known.
    last: Mutex<Option<[u8; N]>>,
}

impl<const N: usize> IndexFile<N> {
    /// Names the file, which is not touched before it is needed.
    pub(crate) fn new(cache: Arc<OpenFiles>, path: PathBuf) -> Self {
        Self { file: CachedFile::new(cache, path), entries: AtomicU64::new(UNKNOWN), last: Mutex::new(None) }
    }

    /// Makes the file, empty.
    pub(crate) fn create(&self) -> io::Result<()> {
        let file = self.file.get_or_create()?;
        if file.len()? > 0 {
            file.set_len(0)?;
        }
        self.entries.store(0, Ordering::Release);
        self.remember(None);
        Ok(())
    }

    pub(crate) fn file(&self) -> &CachedFile {
        &self.file
    }

    /// Returns how many whole entries there are; none if there is no file.
    pub(crate) fn entries(&self) -> io::Result<u64> {
        let known = self.entries.load(Ordering::Acquire);
        if known != UNKNOWN {
            return Ok(known);
        }
        let entries = match self.file.len() {
            Ok(len) => len / N as u64,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        // An append in between knows better.
        match self.entries.compare_exchange(UNKNOWN, entries, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(entries),
            Err(newer) => Ok(newer),
        }
    }

    /// Tells whether the file is there with so many entries and nothing else.
    pub(crate) fn has_just(&self, entries: usize) -> io::Result<bool> {
        match self.file.len() {
            Ok(len) => Ok(len == (entries * N) as u64),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn entry(&self, n: u64) -> io::Result<[u8; N]> {
        let mut entry = [0; N];
        self.file.read_exact(&mut entry, n * N as u64)?;
        Ok(entry)
    }

    pub(crate) fn last(&self) -> io::Result<Option<[u8; N]>> {
        let known = *self.last.lock().expect("no holder panics");
        match (known, self.entries()?) {
            (Some(known), _) => Ok(Some(known)),
            (None, 0) => Ok(None),
            (None, entries) => self.entry(entries - 1).map(Some),
        }
    }

    fn remember(&self, last: Option<[u8; N]>) {
        *self.last.lock().expect("no holder panics") = last;
    }

    /// Reads all entries from `first` on.
    pub(crate) fn read_from(&self, first: u64) -> io::Result<Vec<[u8; N]>> {
        let count = self.entries()?.saturating_sub(first);
        self.block(first, count)
    }

    fn block(&self, first: u64, count: u64) -> io::Result<Vec<[u8; N]>> {
        if count == 0 {
            // A partition without records has no files.
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; count as usize * N];
        self.file.read_exact(&mut bytes, first * N as u64)?;
        Ok(bytes.chunks_exact(N).map(|chunk| chunk.try_into().expect("a chunk has N bytes")).collect())
    }

    /// Appends an entry. Only one thread may append or truncate at a time.
    pub(crate) fn append(&self, entry: [u8; N]) -> io::Result<()> {
        let entries = self.entries()?;
        self.file.get_or_create()?;
        self.file.write(&[IoSlice::new(&entry)], entries * N as u64)?;
        self.entries.store(entries + 1, Ordering::Release);
        self.remember(Some(entry));
        Ok(())
    }

    /// Replaces all entries.
    pub(crate) fn replace(&self, entries: &[[u8; N]]) -> io::Result<()> {
        self.create()?;
        self.file.write(&[IoSlice::new(entries.as_flattened())], 0)?;
        self.entries.store(entries.len() as u64, Ordering::Release);
        self.remember(entries.last().copied());
        Ok(())
    }

    /// Cuts off all but the first `entries`.
    pub(crate) fn truncate(&self, entries: u64) -> io::Result<()> {
        self.entries.store(entries, Ordering::Release);
        self.remember(None);
        self.file.get_or_create()?;
        self.file.set_len(entries * N as u64)
    }

    /// Returns the last entry for which `is_below` holds, given that it holds for all before it and none after, with
    /// its number.
    pub(crate) fn search(&self, is_below: impl Fn(&[u8; N]) -> bool) -> io::Result<Option<(u64, [u8; N])>> {
        let (mut low, mut high) = (0, self.entries()?);
        // The entry sought is in low..high, or else the one before low, which is `found`.
        let mut found = None;
        while high - low > BLOCK_ENTRIES {
            let middle = low + (high - low) / 2;
            let entry = self.entry(middle)?;
            if is_below(&entry) {
                found = Some((middle, entry));
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let block = self.block(low, high - low)?;
        let below = block.partition_point(is_below);
        Ok(below.checked_sub(1).map_or(found, |n| Some((low + n as u64, block[n]))))
    }
}
