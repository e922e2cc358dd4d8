//! `.index`: where in a segment to begin looking for an offset. Entries of 8 bytes: relative offset, position.
//!
//! Invariants:
//! - offsets and positions ascend; an entry's offset is the *last* offset of the batch that begins at its position
//! - an index only helps: what it says is checked against the batch found there
//!
//! Kafka: `OffsetIndex`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use model::Offset;

use crate::index_file::IndexFile;
use crate::open_files::OpenFiles;

/// Bytes of an entry.
pub(crate) const ENTRY_LEN: i32 = 8;

/// An offset and where its batch begins in the segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetPosition {
    /// The last offset of the batch, or the segment's base offset for "from the beginning".
    pub offset: Offset,
    /// Bytes from the file's beginning.
    pub position: u32,
}

/// The offset index of one segment.
#[derive(Debug)]
pub(crate) struct OffsetIndex {
    base_offset: Offset,
    pub(crate) file: IndexFile<8>,
}

impl OffsetIndex {
    pub(crate) fn new(cache: Arc<OpenFiles>, path: PathBuf, base_offset: Offset) -> Self {
        Self { base_offset, file: IndexFile::new(cache, path) }
    }

    fn decode(&self, entry: &[u8; 8]) -> OffsetPosition {
        let [a, b, c, d, e, f, g, h] = *entry;
        let relative = i32::from_be_bytes([a, b, c, d]);
        OffsetPosition {
            offset: self.base_offset.plus(i64::from(relative)),
            position: u32::from_be_bytes([e, f, g, h]),
        }
    }

    fn encode(&self, at: OffsetPosition) -> [u8; 8] {
        let relative = ((at.offset.0 - self.base_offset.0) as i32).to_be_bytes();
        let position = at.position.to_be_bytes();
        let mut entry = [0; 8];
        entry[..4].copy_from_slice(&relative);
        entry[4..].copy_from_slice(&position);
        entry
    }

    /// Returns the last entry whose offset is at most `target`; the beginning if there is none.
    pub(crate) fn lookup(&self, target: Offset) -> io::Result<OffsetPosition> {
        let found = self.file.search(|entry| self.decode(entry).offset <= target)?;
        Ok(found.map_or_else(|| self.beginning(), |(_, entry)| self.decode(&entry)))
    }

    /// Returns the first entry at or past `position` bytes, for an upper bound of a read's offsets.
    pub(crate) fn first_from_position(&self, position: u64) -> io::Result<Option<OffsetPosition>> {
        let below = self.file.search(|entry| u64::from(self.decode(entry).position) < position)?;
        let next = below.map_or(0, |(n, _)| n + 1);
        if next >= self.file.entries()? {
            return Ok(None);
        }
        Ok(Some(self.decode(&self.file.entry(next)?)))
    }

    pub(crate) fn beginning(&self) -> OffsetPosition {
        OffsetPosition { offset: self.base_offset, position: 0 }
    }

    pub(crate) fn last(&self) -> io::Result<OffsetPosition> {
        Ok(self.file.last()?.map_or_else(|| self.beginning(), |entry| self.decode(&entry)))
    }

    /// Appends an entry, whose offset and position are past those before.
    pub(crate) fn append(&self, at: OffsetPosition) -> io::Result<()> {
        self.file.append(self.encode(at))
    }

    /// Tells whether no further entry may be added under `segment.index.bytes`.
    pub(crate) fn is_full(&self, max_index_bytes: i32) -> io::Result<bool> {
        Ok(self.file.entries()? >= (max_index_bytes / ENTRY_LEN).max(0) as u64)
    }

    /// Cuts off entries at and after `offset`.
    pub(crate) fn truncate(&self, offset: Offset) -> io::Result<()> {
        let kept = self.file.search(|entry| self.decode(entry).offset < offset)?.map_or(0, |(n, _)| n + 1);
        self.file.truncate(kept)
    }

    /// Returns the entries before `until` that ascend and stay within `log_len` bytes of log: what recovery may trust.
    pub(crate) fn ascending(&self, until: Offset, log_len: u64) -> io::Result<Vec<OffsetPosition>> {
        let mut kept: Vec<OffsetPosition> = Vec::new();
        for entry in self.file.read_from(0)? {
            let at = self.decode(&entry);
            // The first batch has no entry: position 0 is what a file is filled with where a power cut took a piece of it.
            let before = kept.last().copied().unwrap_or(OffsetPosition { offset: Offset(-1), position: 0 });
            let follows = at.offset > before.offset && at.position > before.position;
            if !follows
                || at.offset < self.base_offset
                || at.offset >= until
                || u64::from(at.position) >= log_len
            {
                break;
            }
            kept.push(at);
        }
        Ok(kept)
    }

    pub(crate) fn replace(&self, entries: &[OffsetPosition]) -> io::Result<()> {
        let encoded: Vec<_> = entries.iter().map(|at| self.encode(*at)).collect();
        self.file.replace(&encoded)
    }
}
