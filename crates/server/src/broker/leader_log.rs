//! A partition as a coordinator stands on it: at one leader epoch, by the partition's own rules.
//!
//! Kafka: `CoordinatorPartitionWriter`, `CoordinatorLoaderImpl`.

use std::sync::Arc;

use bytes::Bytes;
use coordinator::{Committed, PartitionLog};
use model::{LeaderEpoch, Offset};
use protocol::ErrorCode;
use storage::{AppendOptions, AppendOrigin, FetchIsolation};

use super::partition::{Partition, PartitionError};
use super::replica_manager::wait_committed;

/// A partition that this broker leads at `epoch`.
#[derive(Debug)]
pub struct LeaderLog {
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
}

impl LeaderLog {
    /// Stands on `partition` while it is led at `epoch`.
    pub fn new(partition: Arc<Partition>, epoch: LeaderEpoch) -> Self {
        Self { partition, epoch }
    }
}

fn code(error: &PartitionError) -> ErrorCode {
    match error.code() {
        ErrorCode::FENCED_LEADER_EPOCH | ErrorCode::UNKNOWN_LEADER_EPOCH => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        code => code,
    }
}

impl PartitionLog for LeaderLog {
    fn append(&self, batch: Bytes) -> Result<Offset, ErrorCode> {
        self.partition.leader_log(Some(self.epoch)).map_err(|error| code(&error))?;
        // A coordinator appends to a transaction only what the transaction coordinator was asked about before.
        let options = AppendOptions {
            origin: AppendOrigin::Coordinator,
            transaction_verified: true,
            ..Default::default()
        };
        let info = self.partition.append(batch, true, options).map_err(|error| {
            tracing::warn!(partition = %self.partition.topic_partition(), "a coordinator cannot append: {error}");
            code(&error)
        })?;
        Ok(info.last_offset.plus(1))
    }

    fn committed(&self, end: Offset) -> Committed<'_> {
        Box::pin(async move { wait_committed(&self.partition, end).await.map_err(|error| code(&error)) })
    }

    fn read(&self, from: Offset, max_bytes: usize) -> Result<Bytes, ErrorCode> {
        let read = self.partition.read(Some(self.epoch), from, max_bytes, FetchIsolation::LogEnd, true);
        read.map_err(|error| code(&error))?.records.read().map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)
    }

    fn delete_records(&self, before: Offset) -> Result<(), ErrorCode> {
        let log = self.partition.leader_log(Some(self.epoch)).map_err(|error| code(&error))?;
        let moved = log.maybe_increment_log_start_offset(before, "what a coordinator does not need any more");
        moved.map(|_| ()).map_err(|error| error.code())
    }

    fn start_offset(&self) -> Offset {
        self.partition.log().log_start_offset()
    }

    fn end_offset(&self) -> Offset {
        self.partition.log().log_end_offset()
    }

    fn max_batch_size(&self) -> usize {
        self.partition.log().config().max_message_bytes.max(0) as usize
    }
}
