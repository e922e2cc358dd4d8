//! What validation needs to know of records; keys, values and headers are passed over.
//!
//! Compressed records are decompressed piece by piece: one piece and one small record are held at a time, so that a
//! record of any claimed size takes no memory.

use crate::batch_header::BatchHeader;
use crate::compression::Decompressor;
use crate::record::{Record, RecordBase, read_record};
use crate::varint::{read_varint, read_varlong, short_varint};
use crate::{Codec, RecordsError};
use model::{Offset, Timestamp};

/// Records up to this many bytes are read whole.
const SMALL: usize = 64 * 1024;

/// What validation needs to know of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    pub size: usize,
    pub offset: Offset,
    pub timestamp: Timestamp,
    /// -1 for null.
    pub key_size: i64,
    /// -1 for null.
    pub value_size: i64,
}

impl From<Record<'_>> for Scanned {
    fn from(record: Record<'_>) -> Self {
        let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
        Self {
            size: record.size,
            offset: record.offset,
            timestamp: record.timestamp,
            key_size: size(record.key),
            value_size: size(record.value),
        }
    }
}

/// What a record says of itself that is as most records are: all its numbers of one byte or two.
#[derive(Clone, Copy)]
pub(crate) struct UsualRecord {
    pub timestamp_delta: i32,
    pub offset_delta: i32,
    /// Negative for null.
    pub key_size: i32,
}

impl UsualRecord {
    /// Takes the record at `at` of `input` and moves `at` past it; `None` if it is of another kind, cut or malformed.
    ///
    /// It is called for each record that is produced, so it makes no error, which would have to be dropped again.
    #[inline(always)]
    pub(crate) fn take(input: &[u8], at: &mut usize) -> Option<Self> {
        let length = short_varint(input, at)?;
        let end = *at + usize::try_from(length).ok()?;
        // Attributes mean nothing yet.
        *at += 1;
        let timestamp_delta = short_varint(input, at)?;
        let offset_delta = short_varint(input, at)?;
        let key_size = short_varint(input, at)?;
        *at += usize::try_from(key_size).unwrap_or(0);
        let value_size = short_varint(input, at)?;
        *at += usize::try_from(value_size).unwrap_or(0);
        let header_count = short_varint(input, at)?;
        if header_count != 0 {
            pass_headers(input, at, header_count)?;
        }
        (*at == end && end <= input.len()).then_some(Self { timestamp_delta, offset_delta, key_size })
    }
}

/// Moves `at` past headers; `None` if a number of theirs is longer than two bytes, cut, or negative where it may not be.
fn pass_headers(input: &[u8], at: &mut usize, count: i32) -> Option<()> {
    for _ in 0..usize::try_from(count).ok()? {
        let key_size = short_varint(input, at)?;
        *at += usize::try_from(key_size).ok()?;
        let value_size = short_varint(input, at)?;
        *at += usize::try_from(value_size).unwrap_or(0);
    }
    Some(())
}

/// Iterates over compressed records; ends after the first error.
pub(crate) struct RecordScan<'a> {
    decompressor: Decompressor<'a>,
    buffer: Vec<u8>,
    /// What of the buffer is read.
    at: usize,
    base: RecordBase,
    remaining: i32,
    finished: bool,
}

impl<'a> RecordScan<'a> {
    /// Begins to scan `body`, out of which at most `max_bytes` may come.
    pub(crate) fn new(
        header: &BatchHeader,
        codec: Codec,
        body: &'a [u8],
        max_bytes: usize,
    ) -> Result<Self, RecordsError> {
        let remaining = header.record_count;
        Ok(Self {
            decompressor: Decompressor::new(codec, body, max_bytes)?,
            buffer: Vec::new(),
            at: 0,
            base: RecordBase::new(header),
            remaining,
            finished: remaining == 0,
        })
    }

    /// Takes the next record if it lies in the buffer, is as most are, and another follows; else it is left to `next`.
    #[inline(always)]
    pub(crate) fn next_usual(&mut self) -> Option<UsualRecord> {
        if self.remaining <= 1 {
            return None;
        }
        let mut at = self.at;
        let record = UsualRecord::take(&self.buffer, &mut at)?;
        self.at = at;
        self.remaining -= 1;
        Some(record)
    }

    /// Returns how many bytes came out so far.
    pub(crate) fn decompressed(&self) -> usize {
        self.decompressor.produced()
    }

    fn next_record(&mut self) -> Result<Scanned, RecordsError> {
        if self.remaining < 0 {
            return Err(RecordsError::InvalidCount(self.remaining));
        }
        let record = self.read()?;
        self.remaining -= 1;
        if self.remaining == 0 && self.fill(1)? {
            return Err(RecordsError::RecordsRemain);
        }
        Ok(record)
    }

    /// Sees to it that `count` bytes are in the buffer; `false` if fewer are left.
    fn fill(&mut self, count: usize) -> Result<bool, RecordsError> {
        while self.buffer.len() - self.at < count {
            self.buffer.drain(..self.at);
            self.at = 0;
            if !self.decompressor.read_piece(&mut self.buffer)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read(&mut self) -> Result<Scanned, RecordsError> {
        match self.read_buffered() {
            // Not all of it is here yet, or its length is no number.
            Err(RecordsError::RecordCut { .. } | RecordsError::PrematureEnd) => self.read_more(),
            read => read,
        }
    }

    /// Reads a record of which the buffer holds every byte, as it does of nearly all.
    fn read_buffered(&mut self) -> Result<Scanned, RecordsError> {
        let mut input = &self.buffer[self.at..];
        let record = read_record(&mut input, &self.base)?;
        self.at = self.buffer.len() - input.len();
        Ok(record.into())
    }

    #[cold]
    fn read_more(&mut self) -> Result<Scanned, RecordsError> {
        self.fill(5)?;
        let mut input = &self.buffer[self.at..];
        let available = input.len();
        let length = read_varint(&mut input).map_err(|_| RecordsError::PrematureEnd)?;
        let prefix = available - input.len();
        let body =
            usize::try_from(length).map_err(|_| RecordsError::RecordSize { expected: length, read: 0 })?;
        if body > SMALL {
            self.at += prefix;
            return Body { scan: self, left: body, length }.read(prefix + body);
        }
        if !self.fill(prefix + body)? {
            return Err(RecordsError::PrematureEnd);
        }
        self.read_buffered()
    }
}

impl Iterator for RecordScan<'_> {
    type Item = Result<Scanned, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let record = self.next_record();
        self.finished = record.is_err() || self.remaining == 0;
        Some(record)
    }
}

/// A large record, read field by field. Kafka: `DefaultRecord.readPartiallyFrom`.
struct Body<'s, 'a> {
    scan: &'s mut RecordScan<'a>,
    /// Bytes of the record still to come.
    left: usize,
    length: i32,
}

impl Body<'_, '_> {
    fn read(mut self, size: usize) -> Result<Scanned, RecordsError> {
        self.skip(1)?;
        let timestamp_delta = self.number(read_varlong)?;
        let offset_delta = self.number(read_varint)?;
        let key_size = self.skip_nullable()?;
        let value_size = self.skip_nullable()?;
        self.skip_headers()?;
        if self.left > 0 {
            let read = self.length as usize - self.left;
            return Err(RecordsError::RecordSize { expected: self.length, read });
        }
        let base = &self.scan.base;
        let (offset, timestamp) = (base.offset(offset_delta), base.timestamp(timestamp_delta));
        Ok(Scanned { size, offset, timestamp, key_size, value_size })
    }

    fn number<T>(&mut self, read: fn(&mut &[u8]) -> Result<T, RecordsError>) -> Result<T, RecordsError> {
        self.scan.fill(self.left.min(10))?;
        let rest = &self.scan.buffer[self.scan.at..];
        let window = rest.len().min(self.left);
        let mut input = &rest[..window];
        let number = read(&mut input)?;
        let taken = window - input.len();
        self.scan.at += taken;
        self.left -= taken;
        Ok(number)
    }

    fn skip(&mut self, mut count: usize) -> Result<(), RecordsError> {
        self.left = self.left.checked_sub(count).ok_or(RecordsError::RecordStructure)?;
        while count > 0 {
            if !self.scan.fill(1)? {
                return Err(RecordsError::PrematureEnd);
            }
            let step = count.min(self.scan.buffer.len() - self.scan.at);
            self.scan.at += step;
            count -= step;
        }
        Ok(())
    }

    fn skip_nullable(&mut self) -> Result<i64, RecordsError> {
        let size = self.number(read_varint)?;
        self.skip(usize::try_from(size).unwrap_or(0))?;
        Ok(i64::from(size.max(-1)))
    }

    fn skip_headers(&mut self) -> Result<(), RecordsError> {
        let count = self.number(read_varint)?;
        let wanted = usize::try_from(count).map_err(|_| RecordsError::NegativeHeaderCount(count))?;
        if wanted > self.left {
            return Err(RecordsError::HeaderCount(count));
        }
        for _ in 0..wanted {
            let key_size = self.number(read_varint)?;
            self.skip(usize::try_from(key_size).map_err(|_| RecordsError::HeaderKeySize(key_size))?)?;
            self.skip_nullable()?;
        }
        Ok(())
    }
}
