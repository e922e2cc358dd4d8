//! The records of a batch, checked one by one without allocating; keys, values and headers are slices.
//!
//! A record's fields must fill its length exactly, and the records their batch.

use std::borrow::Cow;

use bytes::Bytes;
use model::{Offset, Timestamp};

use crate::varint::{read_varint, read_varlong};
use crate::{BatchHeader, NO_SEQUENCE, RecordsError, TimestampType, increment_sequence};

/// One record of a batch, over the bytes of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The size in bytes, with its length field.
    pub size: usize,
    /// Bits without a meaning so far.
    pub attributes: i8,
    /// The offset, from the batch's base offset.
    pub offset: Offset,
    /// The timestamp: the record's own, or the batch's if that was set by the broker.
    pub timestamp: Timestamp,
    /// The sequence, or [`NO_SEQUENCE`].
    pub sequence: i32,
    /// The key; `None` is null, which is not empty.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null: a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: Headers<'a>,
}

/// A header of a record. Keys may come more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key's bytes: UTF-8 if the client is honest.
    pub key: &'a [u8],
    /// The value; `None` is null.
    pub value: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// Makes a header.
    pub fn new(key: &'a str, value: Option<&'a [u8]>) -> Self {
        Self { key: key.as_bytes(), value }
    }

    /// Returns the key as text, with U+FFFD for what is no UTF-8, as Java shows it.
    pub fn key_text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.key)
    }
}

/// The headers of a record: an iterator over bytes that were found well-formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl Headers<'_> {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        read_header(&mut self.bytes).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// Iterates over the records of a batch; ends after the first error. Kafka: `DefaultRecordBatch.RecordIterator`.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    rest: &'a [u8],
    base: RecordBase,
    /// Records still to come; negative if the header said so.
    remaining: i32,
    finished: bool,
}

impl<'a> RecordIter<'a> {
    /// Iterates over `records`, the plain bytes after the header.
    pub fn new(header: &BatchHeader, records: &'a [u8]) -> Self {
        let remaining = header.record_count;
        Self { rest: records, base: RecordBase::new(header), remaining, finished: remaining == 0 }
    }

    fn next_record(&mut self) -> Result<Record<'a>, RecordsError> {
        if self.remaining < 0 {
            return Err(RecordsError::InvalidCount(self.remaining));
        }
        let record = read_record(&mut self.rest, &self.base)?;
        self.remaining -= 1;
        if self.remaining == 0 && !self.rest.is_empty() {
            return Err(RecordsError::RecordsRemain);
        }
        Ok(record)
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let record = self.next_record();
        self.finished = record.is_err() || self.remaining == 0;
        Some(record)
    }
}

/// What the deltas of records are relative to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordBase {
    offset: i64,
    timestamp: i64,
    sequence: i32,
    append_time: Option<Timestamp>,
}

impl RecordBase {
    pub(crate) fn new(header: &BatchHeader) -> Self {
        let append_time = match header.timestamp_type() {
            TimestampType::LogAppendTime => Some(header.max_timestamp),
            TimestampType::CreateTime => None,
        };
        Self {
            offset: header.base_offset.0,
            timestamp: header.base_timestamp.0,
            sequence: header.base_sequence,
            append_time,
        }
    }

    pub(crate) fn timestamp(&self, delta: i64) -> Timestamp {
        self.append_time.unwrap_or(Timestamp(self.timestamp.wrapping_add(delta)))
    }

    pub(crate) fn offset(&self, delta: i32) -> Offset {
        Offset(self.offset.wrapping_add(i64::from(delta)))
    }

    fn sequence(&self, delta: i32) -> i32 {
        if self.sequence < 0 { NO_SEQUENCE } else { increment_sequence(self.sequence, delta) }
    }
}

/// Reads one record and moves `input` past it. Kafka: `DefaultRecord.readFrom`.
#[inline]
pub(crate) fn read_record<'a>(input: &mut &'a [u8], base: &RecordBase) -> Result<Record<'a>, RecordsError> {
    let before = input.len();
    let length = read_varint(input).map_err(|_| RecordsError::PrematureEnd)?;
    // A negative length is smaller than what remains, and the fields then fail to match it.
    let expected =
        usize::try_from(length).map_err(|_| RecordsError::RecordSize { expected: length, read: 0 })?;
    let Some((mut body, rest)) = input.split_at_checked(expected) else {
        return Err(RecordsError::RecordCut { expected: length, available: input.len() });
    };
    *input = rest;
    let record = read_body(&mut body, base, before - rest.len())?;
    if !body.is_empty() {
        return Err(RecordsError::RecordSize { expected: length, read: expected - body.len() });
    }
    Ok(record)
}

#[inline]
fn read_body<'a>(body: &mut &'a [u8], base: &RecordBase, size: usize) -> Result<Record<'a>, RecordsError> {
    let (&attributes, rest) = body.split_first().ok_or(RecordsError::RecordStructure)?;
    *body = rest;
    let timestamp = base.timestamp(read_varlong(body)?);
    let offset_delta = read_varint(body)?;
    let key = read_nullable(body)?;
    let value = read_nullable(body)?;
    let headers = read_headers(body)?;
    Ok(Record {
        size,
        attributes: attributes as i8,
        offset: base.offset(offset_delta),
        timestamp,
        sequence: base.sequence(offset_delta),
        key,
        value,
        headers,
    })
}

/// Reads a length and as many bytes; any negative length is null.
#[inline]
fn read_nullable<'a>(input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordsError> {
    let Ok(length) = usize::try_from(read_varint(input)?) else { return Ok(None) };
    let (bytes, rest) = input.split_at_checked(length).ok_or(RecordsError::RecordStructure)?;
    *input = rest;
    Ok(Some(bytes))
}

fn read_headers<'a>(input: &mut &'a [u8]) -> Result<Headers<'a>, RecordsError> {
    let count = read_varint(input)?;
    let headers = Headers {
        count: usize::try_from(count).map_err(|_| RecordsError::NegativeHeaderCount(count))?,
        bytes: input,
    };
    if headers.count > input.len() {
        return Err(RecordsError::HeaderCount(count));
    }
    for _ in 0..headers.count {
        read_header(input)?;
    }
    Ok(headers)
}

fn read_header<'a>(input: &mut &'a [u8]) -> Result<Header<'a>, RecordsError> {
    let key_size = read_varint(input)?;
    let length = usize::try_from(key_size).map_err(|_| RecordsError::HeaderKeySize(key_size))?;
    let (key, rest) = input.split_at_checked(length).ok_or(RecordsError::RecordStructure)?;
    *input = rest;
    Ok(Header { key, value: read_nullable(input)? })
}

/// A header that holds its own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedHeader {
    /// The key, with U+FFFD for what was no UTF-8.
    pub key: String,
    /// The value; `None` is null.
    pub value: Option<Bytes>,
}

/// A record that holds on to its bytes: key and value are slices of the batch's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// The offset.
    pub offset: Offset,
    /// The timestamp.
    pub timestamp: Timestamp,
    /// The sequence, or [`NO_SEQUENCE`].
    pub sequence: i32,
    /// The key; `None` is null.
    pub key: Option<Bytes>,
    /// The value; `None` is null.
    pub value: Option<Bytes>,
    /// The headers, in order, duplicates kept.
    pub headers: Vec<OwnedHeader>,
}

impl OwnedRecord {
    /// Makes a record that shares `buffer`, in which all slices of `record` must lie.
    pub fn new(record: &Record<'_>, buffer: &Bytes) -> Self {
        let share = |bytes: Option<&[u8]>| bytes.map(|bytes| buffer.slice_ref(bytes));
        let header = |header: Header<'_>| OwnedHeader {
            key: header.key_text().into_owned(),
            value: share(header.value),
        };
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            sequence: record.sequence,
            key: share(record.key),
            value: share(record.value),
            headers: record.headers.map(header).collect(),
        }
    }
}
