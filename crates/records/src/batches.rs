//! The batches of a run of bytes, one by one; lengths in them are not trusted.

use bytes::{Buf, Bytes};

use crate::batch_header::MAGIC_V2;
use crate::{EntryPrefix, RecordBatch, RecordsError};

/// Iterates over the batches in `bytes`; a batch that is cut at the end is left out.
pub fn batches(bytes: Bytes) -> Batches {
    Batches { rest: bytes, consumed: 0, finished: false }
}

/// The batches of a run of bytes. Kafka: `ByteBufferLogInputStream`.
///
/// An entry of format 0 or 1 is an error, [`RecordsError::LegacyMagic`], after which the iteration goes on; after any
/// other error it ends.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    consumed: usize,
    finished: bool,
}

impl Batches {
    /// Returns how many bytes the batches returned so far take.
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// Returns the bytes after the batches returned so far.
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, RecordsError> {
        let Some(prefix) = EntryPrefix::parse(&self.rest)? else { return Ok(None) };
        if prefix.size > self.rest.len() {
            return Ok(None);
        }
        let batch = RecordBatch::parse(&self.rest);
        if batch.is_ok() || prefix.magic != MAGIC_V2 {
            self.rest.advance(prefix.size);
            self.consumed += prefix.size;
        }
        batch.map(Some)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let batch = self.next_batch();
        self.finished = !matches!(batch, Ok(Some(_)) | Err(RecordsError::LegacyMagic { .. }));
        batch.transpose()
    }
}
