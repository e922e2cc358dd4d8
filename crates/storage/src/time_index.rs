//! `.timeindex`: which offset to begin at for a timestamp. Entries of 12 bytes: timestamp, relative offset.
//!
//! Invariants:
//! - timestamps ascend, and offsets do not descend
//! - an entry (t, o) says that no batch up to the one that holds o has a greater timestamp than t
//! - the last entry of a closed segment is its greatest timestamp
//!
//! Kafka: `TimeIndex`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use model::{Offset, Timestamp};

use crate::index_file::IndexFile;
use crate::open_files::OpenFiles;

const ENTRY_LEN: i32 = 12;

/// A timestamp and the offset of the record, or of the last record of the batch, that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The timestamp; [`Timestamp::NONE`] if there is none.
    pub timestamp: Timestamp,
    /// The offset.
    pub offset: Offset,
}

/// The time index of one segment.
#[derive(Debug)]
pub(crate) struct TimeIndex {
    base_offset: Offset,
    pub(crate) file: IndexFile<12>,
}

impl TimeIndex {
    pub(crate) fn new(cache: Arc<OpenFiles>, path: PathBuf, base_offset: Offset) -> Self {
        Self { base_offset, file: IndexFile::new(cache, path) }
    }

    fn decode(&self, entry: &[u8; 12]) -> TimestampOffset {
        let (timestamp, relative) = entry.split_at(8);
        let timestamp = i64::from_be_bytes(timestamp.try_into().expect("split after 8 bytes"));
        let relative = i32::from_be_bytes(relative.try_into().expect("4 bytes are left of 12"));
        TimestampOffset {
            timestamp: Timestamp(timestamp),
            offset: self.base_offset.plus(i64::from(relative)),
        }
    }

    fn encode(&self, at: TimestampOffset) -> [u8; 12] {
        let mut entry = [0; 12];
        entry[..8].copy_from_slice(&at.timestamp.0.to_be_bytes());
        entry[8..].copy_from_slice(&((at.offset.0 - self.base_offset.0) as i32).to_be_bytes());
        entry
    }

    fn none(&self) -> TimestampOffset {
        TimestampOffset { timestamp: Timestamp::NONE, offset: self.base_offset }
    }

    /// Returns the last entry whose timestamp is at most `target`.
    pub(crate) fn lookup(&self, target: Timestamp) -> io::Result<TimestampOffset> {
        let found = self.file.search(|entry| self.decode(entry).timestamp <= target)?;
        Ok(found.map_or_else(|| self.none(), |(_, entry)| self.decode(&entry)))
    }

    pub(crate) fn last(&self) -> io::Result<TimestampOffset> {
        Ok(self.file.last()?.map_or_else(|| self.none(), |entry| self.decode(&entry)))
    }

    /// Appends an entry if its timestamp is greater than the last one's. Kafka: `TimeIndex.maybeAppend`.
    pub(crate) fn maybe_append(&self, at: TimestampOffset) -> io::Result<()> {
        let last = self.last()?;
        if at.timestamp <= last.timestamp || at.offset < last.offset {
            return Ok(());
        }
        self.file.append(self.encode(at))
    }

    /// Tells whether no further entry may be added under `segment.index.bytes`; one place is kept for the roll.
    pub(crate) fn is_full(&self, max_index_bytes: i32) -> io::Result<bool> {
        Ok(self.file.entries()? >= (max_index_bytes / ENTRY_LEN - 1).max(0) as u64)
    }

    /// Cuts off entries at and after `offset`.
    pub(crate) fn truncate(&self, offset: Offset) -> io::Result<()> {
        let kept = self.file.search(|entry| self.decode(entry).offset < offset)?.map_or(0, |(n, _)| n + 1);
        self.file.truncate(kept)
    }

    /// Returns the entries before `until` that ascend: what recovery may trust.
    pub(crate) fn ascending(&self, until: Offset) -> io::Result<Vec<TimestampOffset>> {
        let mut kept: Vec<TimestampOffset> = Vec::new();
        for entry in self.file.read_from(0)? {
            let at = self.decode(&entry);
            let follows =
                kept.last().is_none_or(|last| at.timestamp > last.timestamp && at.offset >= last.offset);
            // What a file is filled with where a power cut took a piece of it.
            let is_hole = entry == [0; ENTRY_LEN as usize];
            if is_hole || !follows || at.offset < self.base_offset || at.offset >= until {
                break;
            }
            kept.push(at);
        }
        Ok(kept)
    }

    pub(crate) fn replace(&self, entries: &[TimestampOffset]) -> io::Result<()> {
        let encoded: Vec<_> = entries.iter().map(|at| self.encode(*at)).collect();
        self.file.replace(&encoded)
    }
}
