//! One segment: a run of batches in a `.log` file, and its indexes. It stores and finds; rules are elsewhere.
//!
//! Invariants:
//! - [`Segment::size`] counts whole batches only; bytes past it, after a failed write, are never read
//! - one thread at a time appends or truncates (the log's lock); any may read
//! - an index that lies is found out by the batch it points to, and the segment is then searched from its beginning
//! - a segment that nobody touches holds neither names of files nor anything else that only use needs
//!
//! Kafka: `LogSegment`, `FileRecords`.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use model::{Offset, Timestamp};
use records::BatchHeader;

use crate::names::{CLEANED_SUFFIX, DELETED_SUFFIX, SWAP_SUFFIX};
use crate::offset_index::{OffsetIndex, OffsetPosition};
use crate::open_files::{CachedFile, OpenFiles};
use crate::scan::Scanner;
use crate::time_index::{TimeIndex, TimestampOffset};
use crate::transaction_index::TransactionIndex;

mod age;
mod files;
mod find;
mod room;

pub(crate) use age::SegmentLimits;
use files::SegmentFiles;
pub(crate) use find::Found;
use room::Room;

/// How many of the batches appended last are found without reading.
const RECENT: usize = 32;

/// A batch to be appended: its header, and its bytes in two pieces.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) header: BatchHeader,
    pub(crate) head: [u8; records::BATCH_HEADER_LEN],
    pub(crate) body: bytes::Bytes,
}

/// A segment of a log.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: Offset,
    cache: Arc<OpenFiles>,
    /// Where the files were when the segment was named.
    folder: Arc<Path>,
    size: AtomicU64,
    created_ms: AtomicI64,
    /// Whether the files are there; those of a new log are made by its first append.
    made: AtomicBool,
    used: OnceLock<Box<Used>>,
}

/// What a segment has once somebody touches it: most of many partitions' are never touched.
#[derive(Debug)]
struct Used {
    files: SegmentFiles,
    room: Room,
    tail: Mutex<Tail>,
}

#[derive(Debug, Default)]
struct Tail {
    jitter_ms: i64,
    since_index_entry: u64,
    /// The timestamp of the first batch, by which the segment's age is told.
    first_timestamp: Option<Timestamp>,
    max_timestamp: Option<TimestampOffset>,
    recent: VecDeque<Recent>,
}

/// Where a batch is, and which offsets it has.
#[derive(Clone, Copy, Debug)]
struct Recent {
    last_offset: Offset,
    found: Found,
}

impl Segment {
    /// Names a segment that is there, with `size` bytes of log. No file is touched.
    pub(crate) fn open(
        cache: &Arc<OpenFiles>,
        folder: &Arc<Path>,
        base_offset: Offset,
        size: u64,
        now_ms: i64,
    ) -> Self {
        Self {
            base_offset,
            cache: cache.clone(),
            folder: folder.clone(),
            size: AtomicU64::new(size),
            created_ms: AtomicI64::new(now_ms),
            made: AtomicBool::new(true),
            used: OnceLock::new(),
        }
    }

    /// Names the first segment of a log, whose files its first append makes: a partition without records has none.
    pub(crate) fn planned(cache: &Arc<OpenFiles>, folder: &Arc<Path>, now_ms: i64) -> Self {
        let segment = Self::open(cache, folder, Offset(0), 0, now_ms);
        segment.made.store(false, Ordering::Relaxed);
        segment
    }

    /// Makes an empty segment, in place of any files of its name.
    pub(crate) fn create(
        cache: &Arc<OpenFiles>,
        folder: &Arc<Path>,
        base: Offset,
        now_ms: i64,
        jitter_ms: i64,
    ) -> io::Result<Self> {
        let segment = Self::open(cache, folder, base, 0, now_ms);
        segment.make_files()?;
        segment.tail().jitter_ms = jitter_ms;
        Ok(segment)
    }

    /// Makes an empty segment beside others, for compaction to fill. Kafka: `UnifiedLog.createNewCleanedSegment`.
    pub(crate) fn create_cleaned(
        cache: &Arc<OpenFiles>,
        folder: &Arc<Path>,
        base: Offset,
        now_ms: i64,
    ) -> io::Result<Self> {
        let segment = Self::open(cache, folder, base, 0, now_ms);
        segment.used_with(CLEANED_SUFFIX);
        segment.make_files()?;
        Ok(segment)
    }

    fn used(&self) -> &Used {
        self.used_with("")
    }

    /// Names the files, ending in `suffix`, if they have no names yet.
    fn used_with(&self, suffix: &str) -> &Used {
        self.used.get_or_init(|| {
            let files = SegmentFiles::new(&self.cache, &self.folder, self.base_offset, suffix);
            Box::new(Used { files, room: Room::default(), tail: Mutex::default() })
        })
    }

    /// The files, if somebody ever needed them.
    fn touched(&self) -> Option<&SegmentFiles> {
        self.used.get().map(|used| &used.files)
    }

    fn make_files(&self) -> io::Result<()> {
        self.used().files.make()?;
        self.made.store(true, Ordering::Release);
        Ok(())
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.used().tail.lock().expect("no holder panics")
    }

    fn room(&self) -> &Room {
        &self.used().room
    }

    pub(crate) fn base_offset(&self) -> Offset {
        self.base_offset
    }

    fn created_ms(&self) -> i64 {
        self.created_ms.load(Ordering::Relaxed)
    }

    /// The bytes of whole batches.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn log(&self) -> &CachedFile {
        &self.used().files.log
    }

    pub(crate) fn offset_index(&self) -> &OffsetIndex {
        &self.used().files.offset_index
    }

    pub(crate) fn time_index(&self) -> &TimeIndex {
        &self.used().files.time_index
    }

    pub(crate) fn transaction_index(&self) -> &TransactionIndex {
        &self.used().files.transaction_index
    }

    /// Appends batches with one write, then indexes them.
    pub(crate) fn append(&self, pieces: &[Piece], index_interval: i32) -> io::Result<()> {
        let start = self.size();
        let mut slices = Vec::with_capacity(pieces.len() * 2);
        let mut length = 0;
        for piece in pieces {
            slices.push(IoSlice::new(&piece.head));
            slices.push(IoSlice::new(&piece.body));
            length += (piece.head.len() + piece.body.len()) as u64;
        }
        if !self.made.load(Ordering::Acquire) {
            self.make_files()?;
        }
        for (written, slices) in slices.chunks(1024).enumerate() {
            // More than 1024 pieces is more than one system call takes.
            let before: usize = pieces.iter().take(written * 512).map(|p| p.head.len() + p.body.len()).sum();
            self.log().write(slices, start + before as u64)?;
        }
        self.size.store(start + length, Ordering::Release);
        let mut position = start;
        for piece in pieces {
            self.index_batch(&piece.header, position, index_interval)?;
            position += (piece.head.len() + piece.body.len()) as u64;
        }
        Ok(())
    }

    fn index_batch(&self, header: &BatchHeader, position: u64, interval: i32) -> io::Result<()> {
        let at = OffsetPosition { offset: header.last_offset(), position: position as u32 };
        match self.note_batch(header, at, interval)? {
            None => Ok(()),
            // Readers do not wait for these writes.
            Some(greatest) => {
                self.offset_index().append(at)?;
                self.time_index().maybe_append(greatest)
            }
        }
    }

    /// Remembers a batch; returns the greatest timestamp if an index entry is due.
    fn note_batch(
        &self,
        header: &BatchHeader,
        at: OffsetPosition,
        interval: i32,
    ) -> io::Result<Option<TimestampOffset>> {
        let mut tail = self.tail();
        if at.position == 0 {
            tail.first_timestamp = Some(header.max_timestamp);
        }
        let mut greatest = self.max_timestamp_in(&mut tail)?;
        if header.max_timestamp > greatest.timestamp {
            greatest = TimestampOffset { timestamp: header.max_timestamp, offset: at.offset };
            tail.max_timestamp = Some(greatest);
        }
        let due = tail.since_index_entry > interval.max(0) as u64;
        if due {
            tail.since_index_entry = 0;
        }
        tail.since_index_entry += header.size() as u64;
        if tail.recent.len() == RECENT {
            tail.recent.pop_front();
        }
        let found = Found { position: u64::from(at.position), size: header.size() as u64 };
        tail.recent.push_back(Recent { last_offset: at.offset, found });
        Ok(due.then_some(greatest))
    }

    /// Cuts off the batches that end at or after `offset`, and what the indexes know of them.
    pub(crate) fn truncate(&self, offset: Offset, now_ms: i64) -> io::Result<()> {
        let cut_at = self.find(offset)?.map(|entry| entry.position);
        self.offset_index().truncate(offset)?;
        self.time_index().truncate(offset)?;
        self.transaction_index().truncate(offset, self.base_offset)?;
        if let Some(position) = cut_at {
            self.cut_file(position)?;
        }
        let jitter_ms = self.tail().jitter_ms;
        self.created_ms.store(now_ms, Ordering::Relaxed);
        *self.tail() = Tail { jitter_ms, ..Tail::default() };
        self.reload_max_timestamp()
    }

    /// Finds the greatest timestamp anew: the last of the time index, or of a batch after it.
    pub(crate) fn reload_max_timestamp(&self) -> io::Result<()> {
        let mut greatest = self.time_index().last()?;
        let start = self.offset_index().lookup(greatest.offset)?.position;
        let mut scanner = Scanner::near(self.log().get()?, u64::from(start), self.size());
        while let Some(entry) = scanner.next().map_err(io::Error::from)? {
            if entry.max_timestamp > greatest.timestamp {
                greatest = TimestampOffset { timestamp: entry.max_timestamp, offset: entry.last_offset };
            }
        }
        self.tail().max_timestamp = Some(greatest);
        Ok(())
    }

    /// Takes over what recovery found.
    pub(crate) fn recovered(&self, size: u64, max_timestamp: TimestampOffset) {
        self.size.store(size, Ordering::Release);
        self.tail().max_timestamp = Some(max_timestamp);
    }

    /// Ends the segment: its greatest timestamp goes to the time index, reserved room is given back.
    /// Kafka: `LogSegment.onBecomeInactiveSegment`, `close`.
    pub(crate) fn finish(&self) -> io::Result<()> {
        if self.touched().is_none() {
            // Nothing was appended since it was ended before.
            return Ok(());
        }
        self.time_index().maybe_append(self.max_timestamp()?)?;
        self.write_out_indexes()?;
        self.give_room_back()?;
        self.tail().recent = VecDeque::new();
        Ok(())
    }

    /// Makes the batches survive a power cut.
    pub(crate) fn sync_log(&self) -> io::Result<()> {
        self.touched().map_or(Ok(()), |files| files.log.sync())
    }

    /// Tells whether entries of aborted transactions are not synced yet.
    pub(crate) fn has_unsynced_aborted(&self) -> bool {
        self.touched().is_some_and(|files| files.transaction_index.file.file().is_dirty())
    }

    /// Writes the index entries that are in memory only; a kill does not take them any more.
    pub(crate) fn write_out_indexes(&self) -> io::Result<()> {
        self.touched().map_or(Ok(()), SegmentFiles::write_out_indexes)
    }

    /// Makes the indexes survive a power cut.
    pub(crate) fn sync_indexes(&self) -> io::Result<()> {
        self.write_out_indexes()?;
        self.touched().map_or(Ok(()), |files| files.indexes().into_iter().try_for_each(CachedFile::sync))
    }

    /// Makes the next sync of the indexes write out what an earlier process left unsynced.
    pub(crate) fn mark_indexes_dirty(&self) {
        self.offset_index().file.file().mark_dirty();
        self.time_index().file.file().mark_dirty();
    }

    /// Tells whether a file has unsynced writes, or an index unwritten entries.
    pub(crate) fn is_dirty(&self) -> bool {
        self.touched().is_some_and(SegmentFiles::is_dirty)
    }

    /// Takes the batches, and what tells which of them were aborted, as synced.
    pub(crate) fn mark_batches_clean(&self) {
        if let Some(files) = self.touched() {
            files.log.mark_clean();
            files.transaction_index.file.file().mark_clean();
        }
    }

    /// Takes all that is written as synced.
    pub(crate) fn mark_clean(&self) {
        self.touched().iter().flat_map(|files| files.all()).for_each(CachedFile::mark_clean);
    }

    /// Closes the files; they open again when needed.
    pub(crate) fn close_files(&self) {
        self.touched().iter().flat_map(|files| files.all()).for_each(CachedFile::close);
    }

    /// Renames the files for removal, and returns their new paths.
    pub(crate) fn mark_deleted(&self) -> io::Result<Vec<PathBuf>> {
        self.used().files.mark(DELETED_SUFFIX)
    }

    /// As [`Segment::mark_deleted`], for a segment whose name others take over, perhaps many times before the first of
    /// them is removed: `id` tells them apart.
    pub(crate) fn mark_replaced(&self, id: u64) -> io::Result<Vec<PathBuf>> {
        self.used().files.mark(&format!(".{id:016x}{DELETED_SUFFIX}"))
    }

    /// Renames the files of a compacted segment: to what stands ready to replace others.
    pub(crate) fn ready_to_swap(&self) -> io::Result<()> {
        self.used().files.change_suffix(CLEANED_SUFFIX, SWAP_SUFFIX)
    }

    /// Renames the files of a compacted segment: to a segment as any other.
    pub(crate) fn swapped_in(&self) -> io::Result<()> {
        self.used().files.change_suffix(SWAP_SUFFIX, "")
    }

    /// Removes the files of a compacted segment that is not wanted after all.
    pub(crate) fn discard(&self) -> io::Result<()> {
        self.used().files.remove()
    }

    /// Takes note that the folder was given another name.
    pub(crate) fn moved_to(&self, folder: &Path) {
        // Who names the files only now, or just did, named them by the old folder.
        self.used().files.all().into_iter().for_each(|file| file.moved_to(folder));
    }
}

#[cfg(test)]
mod tests;
