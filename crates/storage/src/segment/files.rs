//! The files of a segment: the log, and three indexes beside it. They have one name, with different endings.
//!
//! Kafka: `LogSegment`, `FileRecords`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Offset;

use crate::names::{Kind, file_name};
use crate::offset_index::OffsetIndex;
use crate::open_files::{CachedFile, OpenFiles};
use crate::time_index::TimeIndex;
use crate::transaction_index::TransactionIndex;

/// The files of one segment.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    pub(super) log: CachedFile,
    pub(super) offset_index: OffsetIndex,
    pub(super) time_index: TimeIndex,
    pub(super) transaction_index: TransactionIndex,
}

impl SegmentFiles {
    /// Names the files, which end in `suffix`; none is touched.
    pub(super) fn new(cache: &Arc<OpenFiles>, folder: &Path, base_offset: Offset, suffix: &str) -> Self {
        let path = |kind| folder.join(file_name(base_offset, kind) + suffix);
        Self {
            log: CachedFile::new(cache.clone(), path(Kind::Log)),
            offset_index: OffsetIndex::new(cache.clone(), path(Kind::OffsetIndex), base_offset),
            time_index: TimeIndex::new(cache.clone(), path(Kind::TimeIndex), base_offset),
            transaction_index: TransactionIndex::new(cache.clone(), path(Kind::TransactionIndex)),
        }
    }

    pub(super) fn indexes(&self) -> [&CachedFile; 3] {
        [self.offset_index.file.file(), self.time_index.file.file(), self.transaction_index.file.file()]
    }

    pub(super) fn all(&self) -> [&CachedFile; 4] {
        let [offsets, times, transactions] = self.indexes();
        [&self.log, offsets, times, transactions]
    }

    /// Makes the files, empty, in place of any of their names.
    pub(super) fn make(&self) -> io::Result<()> {
        let log = self.log.get_or_create()?;
        if log.len()? > 0 {
            log.set_len(0)?;
        }
        self.offset_index.file.create()?;
        self.time_index.file.create()?;
        self.transaction_index.file.file().remove()
    }

    /// Writes the index entries that are in memory only.
    pub(super) fn write_out_indexes(&self) -> io::Result<()> {
        self.offset_index.file.write_out()?;
        self.time_index.file.write_out()
    }

    /// Tells whether a file has unsynced writes, or an index unwritten entries.
    pub(super) fn is_dirty(&self) -> bool {
        self.all().into_iter().any(CachedFile::is_dirty)
            || self.offset_index.file.has_unwritten()
            || self.time_index.file.has_unwritten()
    }

    /// Puts `suffix` behind the names, for removal; returns the new paths.
    pub(super) fn mark(&self, suffix: &str) -> io::Result<Vec<PathBuf>> {
        self.offset_index.file.forget_unwritten();
        self.time_index.file.forget_unwritten();
        let mark = |file: &CachedFile| {
            let mut to = file.path().into_os_string();
            to.push(suffix);
            let to = PathBuf::from(to);
            file.rename(to.clone())?;
            file.mark_clean();
            file.close();
            Ok(to)
        };
        self.all().into_iter().map(mark).collect()
    }

    /// Renames the files from those that end in `from`, if they do, to those that end in `to`.
    pub(super) fn change_suffix(&self, from: &str, to: &str) -> io::Result<()> {
        self.all().into_iter().try_for_each(|file| {
            let path = file.path();
            let text = path.to_string_lossy();
            let stem = text.strip_suffix(from).unwrap_or(&text);
            file.rename(PathBuf::from(format!("{stem}{to}")))
        })
    }

    /// Removes the files.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.all().into_iter().try_for_each(|file| {
            file.mark_clean();
            file.remove()
        })
    }
}
