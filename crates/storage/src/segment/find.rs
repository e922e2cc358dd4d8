//! Where batches are in a segment: by offset, one after the other, and where they end.
//!
//! Kafka: `LogSegment.translateOffset`, `FileRecords.searchForOffsetFromPosition`.

use std::io;

use model::Offset;

use super::Segment;
use crate::file_slice::FileSlice;
use crate::offset_index::OffsetPosition;
use crate::scan::{Entry, ScanError, Scanner};

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it begins in the file.
    pub(crate) position: u64,
    /// Its bytes.
    pub(crate) size: u64,
}

impl From<Entry> for Found {
    fn from(entry: Entry) -> Self {
        Self { position: entry.position, size: entry.size }
    }
}

impl Segment {
    /// Finds the first batch that ends at or after `offset`.
    pub(crate) fn find(&self, offset: Offset) -> io::Result<Option<Found>> {
        let size = self.size();
        if size == 0 {
            return Ok(None);
        }
        if let Some(found) = self.find_recent(offset) {
            return Ok(Some(found));
        }
        let start = u64::from(self.offset_index().lookup(offset)?.position);
        match self.find_from(start, offset, size) {
            // Before the first batch after `start` there may be nothing, or the index lied.
            Ok(Some(entry)) if start == 0 || entry.position > start || entry.base_offset <= offset => {
                Ok(Some(entry.into()))
            }
            Err(ScanError::Io(error)) => Err(error),
            _ if start == 0 => Ok(None),
            _ => Ok(self.find_from(0, offset, size)?.map(Found::from)),
        }
    }

    fn find_from(&self, start: u64, offset: Offset, end: u64) -> Result<Option<Entry>, ScanError> {
        let mut scanner = Scanner::near(self.log().get()?, start, end);
        while let Some(entry) = scanner.next()? {
            if entry.last_offset >= offset {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Returns the first index entry at or past `position` bytes; none if there is none, or it lies.
    pub(crate) fn indexed_from(&self, position: u64) -> io::Result<Option<OffsetPosition>> {
        let Some(entry) = self.offset_index().first_from_position(position)? else { return Ok(None) };
        let mut scanner = Scanner::near(self.log().get()?, u64::from(entry.position), self.size());
        match scanner.next() {
            Ok(Some(batch)) if batch.last_offset <= entry.offset => Ok(Some(entry)),
            Err(ScanError::Io(error)) => Err(error),
            _ => Ok(None),
        }
    }

    /// Finds the first batch that ends at or after `offset` without reading, if it is one of the last.
    fn find_recent(&self, offset: Offset) -> Option<Found> {
        let tail = self.tail();
        let n = tail.recent.partition_point(|recent| recent.last_offset < offset);
        let recent = tail.recent.get(n)?;
        // The batch before is known to end before `offset`, unless this is the first that is known.
        (n > 0 || recent.found.position == 0).then_some(recent.found)
    }

    /// Returns the bytes from `position` on.
    pub(crate) fn slice(&self, position: u64, length: usize) -> io::Result<FileSlice> {
        Ok(FileSlice::new(self.log().get()?, position, length))
    }

    /// Walks over the batches from `position` on.
    pub(crate) fn scan(&self, position: u64) -> io::Result<Scanner> {
        Ok(Scanner::far(self.log().get()?, position, self.size()))
    }

    /// Walks over the batches from `position` on, reading `window` bytes at once.
    pub(crate) fn scan_by(&self, position: u64, window: usize) -> io::Result<Scanner> {
        Ok(Scanner::by(self.log().get()?, position, self.size(), window))
    }

    /// Returns the offset after the last whole batch and where that batch ends, found by way of the index.
    pub(crate) fn end(&self) -> io::Result<(Offset, u64)> {
        let size = self.size();
        if size == 0 {
            return Ok((self.base_offset, 0));
        }
        let last = self.offset_index().last()?;
        let start = if u64::from(last.position) < size { u64::from(last.position) } else { 0 };
        match self.end_from(start) {
            Ok((Some(last), position)) => return Ok((last.plus(1), position)),
            Err(ScanError::Io(error)) => return Err(error),
            _ => {}
        }
        let (last, position) = self.end_from(0)?;
        Ok((last.map_or(self.base_offset, |last| last.plus(1)), position))
    }

    fn end_from(&self, start: u64) -> Result<(Option<Offset>, u64), ScanError> {
        let mut scanner = Scanner::near(self.log().get()?, start, self.size());
        let (mut last, mut position) = (None, start);
        while let Some(entry) = scanner.next()? {
            (last, position) = (Some(entry.last_offset), entry.end());
        }
        Ok((last, position))
    }
}
