//! A file of sorted entries of one size: what the offset index and the time index have in common.
//!
//! Invariants:
//! - entries are only appended, or cut off from the end; the file is as long as the entries written (Kafka's own files may
//!   be longer after a kill, filled with zeros, and are then rebuilt by recovery)
//! - the last entries may be in memory only; [`IndexFile::write_out`] makes the file whole, and what a kill takes of them
//!   recovery finds in the log
//! - at most two reads of a block are needed for what binary search narrows down entry by entry
//! - who searches waits for nobody's write
//!
//! Kafka: `AbstractIndex`, which maps the file.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::open_files::{CachedFile, OpenFiles};

const UNKNOWN: u64 = u64::MAX;
/// Below so many entries, a search reads them all at once.
const BLOCK_ENTRIES: u64 = 340;
/// So many bytes of entries are written at once.
const WRITE_BYTES: usize = 4096;

/// A file of entries of `N` bytes.
#[derive(Debug)]
pub(crate) struct IndexFile<const N: usize> {
    file: CachedFile,
    entries: AtomicU64,
    end: Mutex<End<N>>,
    /// Held while the file changes; comes before `end`.
    writing: Mutex<()>,
}

/// The entries at the end, which count among all.
#[derive(Debug, Default)]
struct End<const N: usize> {
    unwritten: Vec<[u8; N]>,
    /// The last entry, while it is known.
    last: Option<[u8; N]>,
}

impl<const N: usize> IndexFile<N> {
    /// Names the file, which is not touched before it is needed.
    pub(crate) fn new(cache: Arc<OpenFiles>, path: PathBuf) -> Self {
        Self {
            file: CachedFile::new(cache, path),
            entries: AtomicU64::new(UNKNOWN),
            end: Mutex::new(End { unwritten: Vec::new(), last: None }),
            writing: Mutex::default(),
        }
    }

    /// Makes the file, empty.
    pub(crate) fn create(&self) -> io::Result<()> {
        let _one = self.writing();
        let file = self.file.get_or_create()?;
        if file.len()? > 0 {
            file.set_len(0)?;
        }
        self.set_end(0, None);
        Ok(())
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().expect("no holder panics")
    }

    fn end(&self) -> MutexGuard<'_, End<N>> {
        self.end.lock().expect("no holder panics")
    }

    /// Takes note of how many entries there are, all of them written.
    fn set_end(&self, entries: u64, last: Option<[u8; N]>) {
        let mut end = self.end();
        *end = End { unwritten: Vec::new(), last };
        self.entries.store(entries, Ordering::Release);
    }

    /// Returns how many entries are in the file, given that their number is known.
    fn written(&self, end: &End<N>) -> u64 {
        self.entries.load(Ordering::Acquire).saturating_sub(end.unwritten.len() as u64)
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
        self.block(n, 1)?.first().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    pub(crate) fn last(&self) -> io::Result<Option<[u8; N]>> {
        let known = self.end().last;
        match (known, self.entries()?) {
            (Some(known), _) => Ok(Some(known)),
            (None, 0) => Ok(None),
            (None, entries) => self.entry(entries - 1).map(Some),
        }
    }

    /// Reads all entries from `first` on.
    pub(crate) fn read_from(&self, first: u64) -> io::Result<Vec<[u8; N]>> {
        let count = self.entries()?.saturating_sub(first);
        self.block(first, count)
    }

    /// Reads so many entries, which are there.
    fn block(&self, first: u64, count: u64) -> io::Result<Vec<[u8; N]>> {
        let (in_file, unwritten) = {
            let end = self.end();
            let written = self.written(&end);
            let in_file = written.saturating_sub(first).min(count);
            let from = (first + in_file).saturating_sub(written) as usize;
            let unwritten = end.unwritten.get(from..from + (count - in_file) as usize);
            (in_file, unwritten.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
        };
        if in_file == 0 {
            // A partition without records has no files.
            return Ok(unwritten);
        }
        let mut entries = vec![[0; N]; in_file as usize];
        self.file.read_exact(entries.as_flattened_mut(), first * N as u64)?;
        entries.extend(unwritten);
        Ok(entries)
    }

    /// Appends an entry. Only one thread may append or truncate at a time.
    pub(crate) fn append(&self, entry: [u8; N]) -> io::Result<()> {
        let entries = self.entries()?;
        let is_page_full = {
            let mut end = self.end();
            end.unwritten.push(entry);
            end.last = Some(entry);
            self.entries.store(entries + 1, Ordering::Release);
            (end.unwritten.len() + 1) * N > WRITE_BYTES
        };
        if is_page_full { self.write_out() } else { Ok(()) }
    }

    /// Writes the entries that are in memory only.
    pub(crate) fn write_out(&self) -> io::Result<()> {
        if self.end().unwritten.is_empty() {
            return Ok(());
        }
        let _one = self.writing();
        let (written, entries) = {
            let end = self.end();
            (self.written(&end), end.unwritten.clone())
        };
        self.file.get_or_create()?;
        self.file.write(&[IoSlice::new(entries.as_flattened())], written * N as u64)?;
        // What was appended meanwhile stays.
        let mut end = self.end();
        end.unwritten = end.unwritten.split_off(entries.len());
        Ok(())
    }

    /// Tells whether entries are in memory only.
    pub(crate) fn has_unwritten(&self) -> bool {
        !self.end().unwritten.is_empty()
    }

    /// Forgets the entries that are in memory only, for a file that is to be removed.
    pub(crate) fn forget_unwritten(&self) {
        let _one = self.writing();
        let mut end = self.end();
        if !end.unwritten.is_empty() {
            self.entries.store(self.written(&end), Ordering::Release);
            *end = End { unwritten: Vec::new(), last: None };
        }
    }

    /// Replaces all entries.
    pub(crate) fn replace(&self, entries: &[[u8; N]]) -> io::Result<()> {
        self.create()?;
        let _one = self.writing();
        self.file.write(&[IoSlice::new(entries.as_flattened())], 0)?;
        self.set_end(entries.len() as u64, entries.last().copied());
        Ok(())
    }

    /// As [`IndexFile::replace`], and synced, so that a kill or power cut leaves the old entries or the new.
    pub(crate) fn replace_atomically(&self, entries: &[[u8; N]]) -> io::Result<()> {
        let _one = self.writing();
        self.file.replace(entries.as_flattened())?;
        self.set_end(entries.len() as u64, entries.last().copied());
        Ok(())
    }

    /// Cuts off all but the first `entries`.
    pub(crate) fn truncate(&self, entries: u64) -> io::Result<()> {
        self.entries()?;
        let _one = self.writing();
        let in_file = {
            let mut end = self.end();
            let written = self.written(&end);
            end.unwritten.truncate(entries.saturating_sub(written) as usize);
            end.last = None;
            self.entries.store(entries, Ordering::Release);
            entries.min(written)
        };
        self.file.get_or_create()?;
        self.file.set_len(in_file * N as u64)
    }

    /// Returns the last entry for which `is_below` holds, given that it holds for all before it and none after, with
    /// its number.
    pub(crate) fn search(&self, is_below: impl Fn(&[u8; N]) -> bool) -> io::Result<Option<(u64, [u8; N])>> {
        self.entries()?;
        let mut high = {
            let end = self.end();
            let written = self.written(&end);
            let below = end.unwritten.partition_point(&is_below);
            if let Some(n) = below.checked_sub(1) {
                return Ok(Some((written + n as u64, end.unwritten[n])));
            }
            written
        };
        let mut low = 0;
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

#[cfg(test)]
mod tests {
    use super::*;
    use world::files::{Files, SimFiles};

    fn index(files: &SimFiles) -> IndexFile<8> {
        let index = IndexFile::new(OpenFiles::new(Arc::new(files.clone()), 3), PathBuf::from("/index"));
        index.create().expect("the disk is well");
        index
    }

    fn number(n: u64) -> [u8; 8] {
        n.to_be_bytes()
    }

    fn fill(index: &IndexFile<8>, numbers: std::ops::Range<u64>) {
        numbers.for_each(|n| index.append(number(n)).expect("the disk is well"));
    }

    fn len(files: &SimFiles) -> usize {
        files.read(std::path::Path::new("/index")).expect("it is there").len()
    }

    #[test]
    fn entries_are_written_by_the_page_and_found_before() {
        let files = SimFiles::default();
        let index = index(&files);
        fill(&index, 0..511);
        assert_eq!(len(&files), 0);
        fill(&index, 511..512);
        assert_eq!(len(&files), 4096);
        fill(&index, 512..1500);
        assert_eq!((len(&files), index.entries().expect("well")), (8192, 1500));
        for n in 0..1500 {
            let found = index.search(|entry| *entry <= number(n)).expect("well");
            assert_eq!(found, Some((n, number(n))));
            assert_eq!(index.entry(n).expect("well"), number(n));
        }
        assert_eq!(index.search(|_| false).expect("well"), None);
        assert_eq!(index.read_from(1000).expect("well"), (1000..1500).map(number).collect::<Vec<_>>());
        assert!(index.entry(1500).is_err());
    }

    #[test]
    fn what_is_written_out_is_all_that_is_in_the_file() {
        let files = SimFiles::default();
        let index = index(&files);
        for (from, to) in [(0, 1), (1, 600), (600, 700)] {
            fill(&index, from..to);
            index.write_out().expect("the disk is well");
            let expected: Vec<u8> = (0..to).flat_map(number).collect();
            assert_eq!(files.read(std::path::Path::new("/index")).expect("it is there"), expected);
            assert!(!index.has_unwritten());
        }
    }

    #[test]
    fn a_cut_goes_through_what_is_written_and_what_is_not() {
        for kept in [0, 1, 511, 512, 513, 599, 600] {
            let files = SimFiles::default();
            let index = index(&files);
            fill(&index, 0..600);
            index.truncate(kept).expect("the disk is well");
            assert_eq!(index.last().expect("well"), kept.checked_sub(1).map(number), "{kept}");
            fill(&index, 1000..1010);
            index.write_out().expect("the disk is well");
            let expected: Vec<u8> = (0..kept).chain(1000..1010).flat_map(number).collect();
            assert_eq!(files.read(std::path::Path::new("/index")).expect("it is there"), expected, "{kept}");
        }
    }

    #[test]
    fn a_file_that_is_to_be_removed_is_written_no_more() {
        let files = SimFiles::default();
        let index = index(&files);
        fill(&index, 0..520);
        index.forget_unwritten();
        index.write_out().expect("the disk is well");
        assert_eq!((len(&files), index.entries().expect("well")), (4096, 512));
        assert_eq!(index.last().expect("well"), Some(number(511)));
    }
}
