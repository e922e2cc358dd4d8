//! Walks over the batches of a segment's file by their headers; lengths in them are not trusted.
//!
//! Invariants:
//! - nothing is read past the end that the caller gives, and nothing allocated for what a header claims beyond it
//! - small batches are walked many to a read; of large ones only the headers are read
//!
//! Kafka: `FileLogInputStream`.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use model::{LeaderEpoch, Offset, Timestamp};
use records::{BATCH_HEADER_LEN, BatchHeader, EntryPrefix, MAGIC_V2, RecordBatch, RecordsError};
use world::files::File;

/// A batch as its header tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Where it begins in the file.
    pub(crate) position: u64,
    /// Its bytes.
    pub(crate) size: u64,
    /// The offset of its first record; of the last in formats 0 and 1.
    pub(crate) base_offset: Offset,
    /// The offset of its last record.
    pub(crate) last_offset: Offset,
    /// Its greatest timestamp; none in formats 0 and 1.
    pub(crate) max_timestamp: Timestamp,
    /// The whole header, of format 2.
    pub(crate) header: Option<BatchHeader>,
}

impl Entry {
    pub(crate) fn end(&self) -> u64 {
        self.position + self.size
    }

    pub(crate) fn leader_epoch(&self) -> Option<LeaderEpoch> {
        self.header.map(|header| header.partition_leader_epoch).filter(|epoch| epoch.0 >= 0)
    }
}

/// Why a walk ended early.
#[derive(Debug)]
pub(crate) enum ScanError {
    /// The disk failed.
    Io(io::Error),
    /// The bytes are no batch.
    Corrupt(RecordsError),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<RecordsError> for ScanError {
    fn from(error: RecordsError) -> Self {
        Self::Corrupt(error)
    }
}

impl From<ScanError> for io::Error {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Io(error) => error,
            ScanError::Corrupt(error) => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// A walk over the batches between two positions of a file.
#[derive(Debug)]
pub(crate) struct Scanner {
    file: Arc<dyn File>,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    buffered: std::ops::Range<u64>,
}

/// Bytes read at once: an index interval and the header after it.
const LOOKUP_WINDOW: usize = 4096 + 256;
const WALK_WINDOW: usize = 256 * 1024;

thread_local! {
    /// The buffer of the last search of this thread, so that the next has none to make and to fill with zeros.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Scanner {
    /// Walks from `position`, where a batch begins, to `end`: to find one batch near.
    pub(crate) fn near(file: Arc<dyn File>, position: u64, end: u64) -> Self {
        let mut buffer = SPARE.take();
        buffer.resize(LOOKUP_WINDOW, 0);
        Self { file, position, end, buffer, buffered: 0..0 }
    }

    /// Walks from `position`, where a batch begins, to `end`: over many batches.
    pub(crate) fn far(file: Arc<dyn File>, position: u64, end: u64) -> Self {
        Self::by(file, position, end, WALK_WINDOW)
    }

    /// Walks from `position`, where a batch begins, to `end`, reading `window` bytes at once; more for a larger batch.
    pub(crate) fn by(file: Arc<dyn File>, position: u64, end: u64, window: usize) -> Self {
        let window = window.max(LOOKUP_WINDOW).min(end.saturating_sub(position) as usize);
        Self { file, position, end, buffer: vec![0; window], buffered: 0..0 }
    }

    /// Returns the next batch's header; `None` at the end, and before a batch that is cut by the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, ScanError> {
        let position = self.position;
        let bytes = self.window(position, BATCH_HEADER_LEN)?;
        let Some(prefix) = EntryPrefix::parse(bytes)? else { return Ok(None) };
        let header = if prefix.magic == MAGIC_V2 {
            if bytes.len() < BATCH_HEADER_LEN {
                return Ok(None);
            }
            Some(BatchHeader::parse(bytes)?)
        } else {
            None
        };
        let size = prefix.size as u64;
        if position + size > self.end {
            return Ok(None);
        }
        self.position = position + size;
        Ok(Some(Entry {
            position,
            size,
            base_offset: prefix.offset,
            last_offset: header.map_or(prefix.offset, |header| header.last_offset()),
            max_timestamp: header.map_or(Timestamp::NONE, |header| header.max_timestamp),
            header,
        }))
    }

    /// Where the next batch begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Reads the whole of a batch that [`Scanner::next`] returned, and checks its checksum.
    pub(crate) fn read(&mut self, entry: &Entry) -> Result<Bytes, ScanError> {
        let bytes = Bytes::copy_from_slice(self.window(entry.position, entry.size as usize)?);
        if bytes.len() as u64 != entry.size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if entry.header.is_some() {
            RecordBatch::parse(&bytes)?.ensure_valid()?;
        } else {
            check_legacy(&bytes)?;
        }
        Ok(bytes)
    }

    /// Returns up to `length` bytes at `position`, fewer only at the end; reads on further if it has to read.
    fn window(&mut self, position: u64, length: usize) -> io::Result<&[u8]> {
        let length = (length as u64).min(self.end.saturating_sub(position));
        if position < self.buffered.start || position + length > self.buffered.end {
            if self.buffer.len() < length as usize {
                self.buffer.resize(length as usize, 0);
            }
            let want = (self.end - position.min(self.end)).min(self.buffer.len() as u64) as usize;
            let read = self.file.read_at(&mut self.buffer[..want], position)?;
            self.buffered = position..position + read as u64;
        }
        let from = (position - self.buffered.start) as usize;
        let available = (self.buffered.end - position).min(length) as usize;
        Ok(&self.buffer[from..from + available])
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        if self.buffer.len() == LOOKUP_WINDOW {
            SPARE.set(std::mem::take(&mut self.buffer));
        }
    }
}

/// Checks the checksum of an entry of format 0 or 1: CRC-32 over all that follows it. A batch of format 2 whose magic byte
/// was torn looks like one. Kafka: `LegacyRecord.ensureValid`.
fn check_legacy(bytes: &[u8]) -> Result<(), RecordsError> {
    const CRC_AT: usize = 12;
    const CHECKED_FROM: usize = 16;
    let stored = bytes.get(CRC_AT..CHECKED_FROM).and_then(|crc| crc.try_into().ok()).map(u32::from_be_bytes);
    let (Some(stored), Some(checked)) = (stored, bytes.get(CHECKED_FROM..)) else {
        return Err(RecordsError::BatchTooSmall(bytes.len()));
    };
    let computed = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, checked) as u32;
    if stored == computed { Ok(()) } else { Err(RecordsError::CrcMismatch { stored, computed }) }
}
