//! Records of a machine to batches of the log, and back.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};
use records::{
    BATCH_HEADER_LEN, BatchBuilder, BatchOptions, Compression, DecodedBatch, EndTxnMarker, RecordBatch,
    RecordsError,
};

/// The most that a batch of an internal topic may hold once it is decompressed.
const MAX_DECOMPRESSED: usize = 256 * 1024 * 1024;
/// The most that a record takes beside its key and value.
const RECORD_OVERHEAD: usize = 40;

/// The producer of a transactional batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchProducer {
    /// The producer's id.
    pub id: ProducerId,
    /// The producer's epoch.
    pub epoch: ProducerEpoch,
}

/// One record as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEntry {
    /// A key and a value.
    Data {
        /// The key; null where there is none.
        key: Option<Bytes>,
        /// The value; null for a tombstone.
        value: Option<Bytes>,
        /// The producer whose open transaction the record is part of; none for a record that counts at once.
        producer: Option<BatchProducer>,
    },
    /// The end of a transaction in this partition.
    EndTransaction {
        /// The producer.
        producer: BatchProducer,
        /// The epoch of the transaction coordinator.
        coordinator_epoch: i32,
        /// Whether the transaction is committed.
        commit: bool,
    },
}

/// Why an entry could not be turned into a record, or a record into an entry.
pub type EntryError = Box<dyn std::error::Error + Send + Sync>;

/// A machine's record that knows its place in the log.
pub trait LogRecord: Sized {
    /// Writes the record.
    fn to_entry(&self) -> Result<LogEntry, EntryError>;

    /// Reads a record; nothing for one that the machine has no use for.
    fn from_entry(entry: LogEntry) -> Result<Option<Self>, EntryError>;
}

/// A batch to append, and how many of the machine's records it holds.
pub(crate) struct PendingBatch {
    pub(crate) bytes: Bytes,
    pub(crate) records: usize,
}

/// Packs records into as few batches as `max_size` allows. Records of one outcome share a batch unless their producers
/// differ or they do not fit.
pub(crate) fn pack<R: LogRecord>(
    records: &[R],
    now: Timestamp,
    compression: Compression,
    max_size: usize,
) -> Result<Vec<PendingBatch>, EntryError> {
    let mut packer = Packer { now, compression, max_size, open: None, packed: Vec::new() };
    for record in records {
        packer.add(record.to_entry()?)?;
    }
    packer.close()?;
    Ok(packer.packed)
}

struct Packer {
    now: Timestamp,
    compression: Compression,
    max_size: usize,
    open: Option<(BatchBuilder, Option<BatchProducer>)>,
    packed: Vec<PendingBatch>,
}

impl Packer {
    fn add(&mut self, entry: LogEntry) -> Result<(), EntryError> {
        match entry {
            LogEntry::Data { key, value, producer } => self.add_data(key, value, producer),
            LogEntry::EndTransaction { producer, coordinator_epoch, commit } => {
                self.close()?;
                let marker = EndTxnMarker { commit, coordinator_epoch };
                let (id, epoch) = (producer.id, producer.epoch);
                let bytes =
                    BatchBuilder::end_transaction(marker, Offset(0), self.now, LeaderEpoch::NONE, id, epoch);
                self.packed.push(PendingBatch { bytes, records: 1 });
                Ok(())
            }
        }
    }

    fn add_data(
        &mut self,
        key: Option<Bytes>,
        value: Option<Bytes>,
        producer: Option<BatchProducer>,
    ) -> Result<(), EntryError> {
        let size =
            RECORD_OVERHEAD + key.as_ref().map_or(0, Bytes::len) + value.as_ref().map_or(0, Bytes::len);
        let fits = |(builder, of): &(BatchBuilder, Option<BatchProducer>)| {
            *of == producer && builder.uncompressed_size().saturating_add(size) <= self.max_size
        };
        if !self.open.as_ref().is_some_and(fits) {
            self.close()?;
        }
        let (builder, _) =
            self.open.get_or_insert_with(|| (new_builder(self.compression, producer), producer));
        builder.append(self.now, key.as_deref(), value.as_deref(), &[])?;
        Ok(())
    }

    fn close(&mut self) -> Result<(), RecordsError> {
        if let Some((builder, _)) = self.open.take() {
            let records = usize::try_from(builder.record_count()).unwrap_or(0);
            self.packed.push(PendingBatch { bytes: builder.build()?, records });
        }
        Ok(())
    }
}

fn new_builder(compression: Compression, producer: Option<BatchProducer>) -> BatchBuilder {
    BatchBuilder::new(BatchOptions {
        compression,
        transactional: producer.is_some(),
        producer_id: producer.map_or(ProducerId::NONE, |producer| producer.id),
        producer_epoch: producer.map_or(ProducerEpoch::NONE, |producer| producer.epoch),
        ..Default::default()
    })
}

/// Hands each entry of a batch, and its offset, to `each`.
pub(crate) fn unpack(
    batch: &RecordBatch,
    mut each: impl FnMut(Offset, LogEntry),
) -> Result<(), RecordsError> {
    let header = batch.header();
    let producer = BatchProducer { id: header.producer_id, epoch: header.producer_epoch };
    let (control, transactional) = (header.is_control(), header.is_transactional());
    let decoded: DecodedBatch = batch.decode(MAX_DECOMPRESSED.max(BATCH_HEADER_LEN))?;
    for record in decoded.owned() {
        let record = record?;
        if !control {
            let producer = transactional.then_some(producer);
            each(record.offset, LogEntry::Data { key: record.key, value: record.value, producer });
        } else if let Some(marker) = EndTxnMarker::parse(record.key.as_deref(), record.value.as_deref())? {
            let EndTxnMarker { commit, coordinator_epoch } = marker;
            each(record.offset, LogEntry::EndTransaction { producer, coordinator_epoch, commit });
        }
    }
    Ok(())
}
