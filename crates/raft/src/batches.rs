//! Batches of the metadata log: metadata records or control records, in and out of bytes.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, Timestamp};
use protocol::{DecodeError, EncodeError, MetadataRecord};
use records::{BatchBuilder, BatchOptions, ControlRecord, RecordBatch, RecordsError};

/// How many bytes of records a batch takes at most. Kafka: `KafkaRaftClient.MAX_BATCH_SIZE_BYTES`.
const BATCH_SIZE_MAX: usize = 8 * 1024 * 1024;
/// How large the records of one batch may be once decompressed.
const DECOMPRESSED_MAX: usize = 64 * 1024 * 1024;

/// One record of the metadata log.
#[derive(Clone, Debug, PartialEq)]
pub enum LogEntry {
    /// A metadata record.
    Metadata(MetadataRecord),
    /// A control record of the quorum.
    Control(ControlRecord),
}

/// A batch that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The batch is malformed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A record in it cannot be read.
    #[error("the record at offset {0} cannot be read: {1}")]
    Decode(Offset, DecodeError),
    /// A record has no value.
    #[error("the record at offset {0} has no value")]
    NoValue(Offset),
    /// A record cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The file holds bytes that are no batch.
    #[error("{0} bytes are no batch")]
    Trailing(usize),
}

/// Reads one batch, and tells `each` what it holds, with offsets: one record at a time, for a batch may hold a change of each of
/// very many partitions. Control records of types that the quorum does not know are left out.
///
/// # Errors
/// If the batch or one of its records is malformed; those before were told of.
pub fn decode_batch(batch: &RecordBatch, mut each: impl FnMut(Offset, LogEntry)) -> Result<(), BatchError> {
    batch.ensure_valid()?;
    let decoded = batch.decode(DECOMPRESSED_MAX)?;
    for record in decoded.owned() {
        let record = record?;
        let offset = record.offset;
        let entry = if batch.header().is_control() {
            match ControlRecord::parse(record.key.as_deref(), record.value.as_deref())? {
                ControlRecord::EndTxn(_) | ControlRecord::Unknown(_) => None,
                control => Some(LogEntry::Control(control)),
            }
        } else {
            let value = record.value.ok_or(BatchError::NoValue(offset))?;
            let decoded =
                MetadataRecord::from_bytes(value).map_err(|error| BatchError::Decode(offset, error))?;
            Some(LogEntry::Metadata(decoded.0))
        };
        if let Some(entry) = entry {
            each(offset, entry);
        }
    }
    Ok(())
}

fn options(base_offset: Offset, epoch: LeaderEpoch, control: bool) -> BatchOptions {
    BatchOptions { base_offset, partition_leader_epoch: epoch, control, ..BatchOptions::default() }
}

/// Writes control records as one batch.
///
/// # Errors
/// If a record cannot be written.
pub fn encode_control_batch(
    records: &[ControlRecord],
    base_offset: Offset,
    epoch: LeaderEpoch,
    now: Timestamp,
) -> Result<Bytes, BatchError> {
    let mut builder = BatchBuilder::new(options(base_offset, epoch, true));
    for record in records {
        builder.append_control(now, record)?;
    }
    Ok(builder.build()?)
}

/// Writes metadata records, each with the version to write it at, as batches of at most 8 MiB: one for what a
/// controller decided at once, unless that is larger. Returns them one after the other, and the next offset.
///
/// # Errors
/// If a record cannot be written.
pub fn encode_metadata_batches<'a>(
    records: impl IntoIterator<Item = (&'a MetadataRecord, i16)>,
    base_offset: Offset,
    epoch: LeaderEpoch,
    now: Timestamp,
) -> Result<(Vec<Bytes>, Offset), BatchError> {
    let mut batches = Vec::new();
    let mut builder = BatchBuilder::new(options(base_offset, epoch, false));
    for (record, version) in records {
        let value = record.to_bytes(version)?;
        if !builder.is_empty() && builder.uncompressed_size() + value.len() > BATCH_SIZE_MAX {
            let next = BatchBuilder::new(options(builder.next_offset(), epoch, false));
            batches.push(std::mem::replace(&mut builder, next).build()?);
        }
        builder.append(now, None, Some(&value), &[])?;
    }
    let next_offset = builder.next_offset();
    if !builder.is_empty() {
        batches.push(builder.build()?);
    }
    Ok((batches, next_offset))
}
