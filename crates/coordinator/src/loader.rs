//! Replays a partition's log into a machine when this broker becomes its leader.
//!
//! The machine keeps the latest value of each key, so that a log that was never compacted loads to the same state. A record
//! that cannot be read is logged and passed over: it must not keep all other groups from being served.

use model::Offset;
use protocol::ErrorCode;
use records::{RecordBatch, RecordsError, batches};

use crate::batches::{LogEntry, LogRecord, unpack};
use crate::partition_log::PartitionLog;
use crate::runtime::PartitionMachine;

/// Replays everything up to the log's present end, and returns that end.
pub(crate) fn load<M>(
    machine: &mut M,
    log: &dyn PartitionLog,
    buffer_size: usize,
) -> Result<Offset, ErrorCode>
where
    M: PartitionMachine,
{
    let end = log.end_offset();
    let mut next = log.start_offset();
    while next < end {
        let read = log.read(next, buffer_size)?;
        if read.is_empty() {
            // What was here is compacted away.
            break;
        }
        let after = replay_batches(machine, read, next);
        if after <= next {
            tracing::error!(offset = next.0, "a coordinator's log ends before its end offset {}", end.0);
            return Err(ErrorCode::KAFKA_STORAGE_ERROR);
        }
        next = after;
    }
    Ok(end)
}

/// Replays the batches read, and returns the offset after the last of them.
fn replay_batches<M>(machine: &mut M, read: bytes::Bytes, from: Offset) -> Offset
where
    M: PartitionMachine,
{
    let mut next = from;
    for batch in batches(read) {
        match batch {
            Ok(batch) => {
                next = next.max(batch.header().next_offset());
                replay_batch(machine, &batch);
            }
            // Only brokers before 0.11 wrote these.
            Err(error @ RecordsError::LegacyMagic { offset, .. }) => {
                next = next.max(Offset(offset.saturating_add(1)));
                tracing::warn!(%error, "an old batch is passed over");
            }
            Err(error) => tracing::error!(%error, offset = next.0, "a coordinator's batch cannot be read"),
        }
    }
    next
}

fn replay_batch<M>(machine: &mut M, batch: &RecordBatch)
where
    M: PartitionMachine,
{
    let replay = |offset: Offset, entry: LogEntry| match M::Record::from_entry(entry) {
        Ok(Some(record)) => machine.replay_at(offset, record),
        Ok(None) => tracing::debug!("a record of a type that is not known is passed over"),
        Err(error) => {
            tracing::error!(%error, offset = offset.0, "a coordinator's record cannot be read and is passed over");
        }
    };
    if let Err(error) = unpack(batch, replay) {
        tracing::error!(%error, offset = batch.header().base_offset.0, "a coordinator's batch cannot be read whole");
    }
}
