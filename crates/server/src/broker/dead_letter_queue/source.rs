//! The records that a group gives up, read again from the log for their keys and values.
//!
//! Invariants:
//! - what is held decompressed is bounded by what one batch of the queue may have, and one batch of the log
//! - a record that cannot be read is left out; that fails nothing
//!
//! Kafka: `ShareGroupDLQRecordFetcher`.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Offset;
use records::{OwnedRecord, RecordBatch, batches};
use storage::FetchIsolation;

use crate::broker::partition::Partition;

/// How much is read at once. Kafka: `DLQ_MAX_FETCH_BYTES`.
const READ_MAX: usize = 1 << 20;

/// Reads records in order of their offsets.
#[derive(Debug)]
pub(super) struct SourceRecords {
    partition: Arc<Partition>,
    max_bytes: usize,
    found: BTreeMap<Offset, OwnedRecord>,
    /// The offset after the last that was looked for.
    end: Offset,
}

impl SourceRecords {
    /// Reads of `partition`, up to about `max_bytes` of records at once.
    pub(super) fn new(partition: Arc<Partition>, max_bytes: usize) -> Self {
        Self { partition, max_bytes, found: BTreeMap::new(), end: Offset(0) }
    }

    /// Takes the record at `offset`, of which those up to `last` will be asked for too.
    pub(super) fn take(&mut self, offset: Offset, last: Offset) -> Option<OwnedRecord> {
        if offset >= self.end {
            self.found.clear();
            self.end = self.read(offset, last);
        }
        self.found.remove(&offset)
    }

    /// Reads records from `first` on; tells up to where it looked, which is past `first`.
    fn read(&mut self, first: Offset, last: Offset) -> Offset {
        let read = self.partition.read(None, first, READ_MAX, FetchIsolation::HighWatermark, true);
        let read = read.map_err(|error| error.to_string()).and_then(|read| {
            if read.first_entry_incomplete {
                Ok(bytes::Bytes::new())
            } else {
                read.records.read().map_err(|error| error.to_string())
            }
        });
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                let partition = self.partition.topic_partition();
                tracing::warn!(%partition, %first, "records cannot be read for the dead-letter queue: {error}");
                return last.plus(1);
            }
        };
        let (mut end, mut collected) = (last.plus(1), 0);
        for batch in batches(bytes).map_while(Result::ok) {
            if batch.header().base_offset > last {
                break;
            }
            collected += self.collect(&batch, first, last);
            if collected >= self.max_bytes {
                end = batch.header().next_offset().min(end);
                break;
            }
            end = batch.header().next_offset();
        }
        end.max(first.plus(1))
    }

    /// Keeps a batch's records that are asked for; tells how many bytes they have.
    fn collect(&mut self, batch: &RecordBatch, first: Offset, last: Offset) -> usize {
        if batch.header().is_control() {
            return 0;
        }
        // A batch that grows beyond what the queue takes is not worth the memory.
        let Ok(decoded) = batch.decode(self.max_bytes) else { return 0 };
        let asked = |record: &OwnedRecord| (first..=last).contains(&record.offset);
        for record in decoded.owned().map_while(Result::ok).filter(asked) {
            self.found.insert(record.offset, record);
        }
        decoded.bytes().len()
    }
}
